/* detourctl-screen.c: the whole terminal, for a command that draws on it and takes keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-screen.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "detourctl-print.h"

/* Another page of the terminal, without a cursor; and back. */
#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[?25h\033[?1049l"

#define HEIGHT_DEFAULT 24u

/* Signals that end the program or stop it, and that the main loop does not see. */
static const int caught[] = { SIGTSTP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };

struct _DetourctlScreen {
  const DetourctlScreenFuncs *funcs;
  gpointer user;
  guint key_id, winch_id;
  guint width, height;
  struct sigaction before[G_N_ELEMENTS (caught)];
};

/* For handlers of signals and for exit(), which have no argument. */
static struct termios saved;
static struct termios wanted;
static volatile sig_atomic_t is_open;
static volatile sig_atomic_t was_stopped;

static void
ctl_screen_put (const char *text, gsize len)
{
  while (len > 0)
    {
      gssize n = write (STDOUT_FILENO, text, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == EAGAIN)
        {
          g_usleep (1000);
          continue;
        }
      if (n <= 0)
        return;
      text += n;
      len -= (gsize) n;
    }
}

/* Safe in a handler of a signal, like ctl_screen_leave(). */
static void
ctl_screen_enter (void)
{
  tcsetattr (STDIN_FILENO, TCSADRAIN, &wanted);
  (void) !write (STDOUT_FILENO, ENTER, strlen (ENTER));
  is_open = 1;
}

static void
ctl_screen_leave (void)
{
  if (!is_open)
    return;
  is_open = 0;
  (void) !write (STDOUT_FILENO, LEAVE, strlen (LEAVE));
  tcsetattr (STDIN_FILENO, TCSADRAIN, &saved);
}

static void
ctl_screen_on_fatal (int number)
{
  ctl_screen_leave ();
  signal (number, SIG_DFL);
  raise (number);
}

static void
ctl_screen_on_stop (int number)
{
  int error = errno;

  ctl_screen_leave ();
  raise (SIGSTOP);
  ctl_screen_enter ();
  was_stopped = 1;
  errno = error;
}

/* The size, or what a terminal has that does not tell it. */
static void
ctl_screen_measure (DetourctlScreen *self)
{
  struct winsize size = { 0 };

  ioctl (STDOUT_FILENO, TIOCGWINSZ, &size);
  self->width = size.ws_col > 0 ? size.ws_col : DETOURCTL_PRINT_DEFAULT;
  self->height = size.ws_row > 0 ? size.ws_row : HEIGHT_DEFAULT;
}

static gboolean
ctl_screen_on_winch (gpointer data)
{
  DetourctlScreen *self = data;

  ctl_screen_measure (self);
  self->funcs->on_resize (self->user);
  return G_SOURCE_CONTINUE;
}

/* The sequences of arrows and the like are no keys for anybody here. */
static gboolean
ctl_screen_is_sequence (const char *keys, gsize n)
{
  return n > 1 && keys[0] == '\033';
}

static gboolean
ctl_screen_on_keys (int fd, GIOCondition condition, gpointer data)
{
  DetourctlScreen *self = data;
  char keys[64];
  gssize n = read (fd, keys, sizeof keys);

  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return G_SOURCE_CONTINUE;
  if (n <= 0)
    {
      self->key_id = 0;
      self->funcs->on_key (self->user, DETOURCTL_SCREEN_END);
      return G_SOURCE_REMOVE;
    }
  if (ctl_screen_is_sequence (keys, (gsize) n))
    return G_SOURCE_CONTINUE;
  for (gssize i = 0; i < n; i++)
    if (keys[i] == '\032') /* Ctrl-Z */
      raise (SIGTSTP);
    else
      self->funcs->on_key (self->user, keys[i]);
  if (was_stopped)
    {
      was_stopped = 0;
      ctl_screen_on_winch (self);
    }
  return G_SOURCE_CONTINUE;
}

gboolean
detourctl_screen_is_possible (void)
{
  const char *term = g_getenv ("TERM");

  return isatty (STDIN_FILENO) && isatty (STDOUT_FILENO) && term != NULL && *term != '\0'
      && strcmp (term, "dumb") != 0;
}

static void
ctl_screen_catch_signals (DetourctlScreen *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (caught); i++)
    {
      struct sigaction action = { .sa_handler = caught[i] == SIGTSTP ? ctl_screen_on_stop
                                                                     : ctl_screen_on_fatal };

      sigemptyset (&action.sa_mask);
      action.sa_flags = SA_RESTART;
      sigaction (caught[i], &action, &self->before[i]);
    }
}

DetourctlScreen *
detourctl_screen_new (const DetourctlScreenFuncs *funcs, gpointer user)
{
  static gboolean is_registered;
  DetourctlScreen *self;

  if (tcgetattr (STDIN_FILENO, &saved) < 0)
    return NULL;
  wanted = saved;
  /* Ctrl-C and Ctrl-Z are keys, so that they come in order with the others. */
  wanted.c_lflag &= ~(tcflag_t) (ICANON | ECHO | ISIG | IEXTEN);
  wanted.c_cc[VMIN] = 1;
  wanted.c_cc[VTIME] = 0;
  if (!is_registered)
    atexit (ctl_screen_leave);
  is_registered = TRUE;

  self = g_new0 (DetourctlScreen, 1);
  self->funcs = funcs;
  self->user = user;
  ctl_screen_measure (self);
  ctl_screen_catch_signals (self);
  ctl_screen_enter ();
  self->key_id = g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, ctl_screen_on_keys,
                                self);
  self->winch_id = g_unix_signal_add (SIGWINCH, ctl_screen_on_winch, self);
  return self;
}

void
detourctl_screen_free (DetourctlScreen *self)
{
  ctl_screen_leave ();
  for (guint i = 0; i < G_N_ELEMENTS (caught); i++)
    sigaction (caught[i], &self->before[i], NULL);
  g_clear_handle_id (&self->key_id, g_source_remove);
  g_clear_handle_id (&self->winch_id, g_source_remove);
  g_free (self);
}

guint
detourctl_screen_width (const DetourctlScreen *self)
{
  return self->width;
}

guint
detourctl_screen_height (const DetourctlScreen *self)
{
  return self->height;
}

void
detourctl_screen_draw (DetourctlScreen *self, const char *const *lines, guint n)
{
  g_autoptr (GString) out = g_string_new ("\033[H");

  n = MIN (n, self->height);
  for (guint i = 0; i < n; i++)
    g_string_append_printf (out, "%s\033[0m\033[K%s", lines[i], i + 1 < self->height ? "\r\n" : "");
  if (n < self->height)
    g_string_append (out, "\033[J");
  ctl_screen_put (out->str, out->len);
}
