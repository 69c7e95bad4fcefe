/* detourctl-bridge.c: the command that carries the control connection of a detourctl elsewhere.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It tells the daemon who it is, as any detourctl does, because whoever is at the other end may
 * have another number there. From then on bytes pass as they come. */
#include "config.h"

#include "detourctl.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The answer to a login is one line. */
#define LINE_MAX_BYTES 256u

/* FALSE: errno says why. */
static gboolean
ctl_bridge_write (int fd, const char *data, gsize len)
{
  while (len > 0)
    {
      ssize_t n = write (fd, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return FALSE;
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

/* Until the end of a line, and no further: messages come behind it. */
static gboolean
ctl_bridge_read_line (int fd, char *line, int limit_ms)
{
  gsize len = 0;

  while (len + 1 < LINE_MAX_BYTES)
    {
      struct pollfd ready = { .fd = fd, .events = POLLIN };
      int n = poll (&ready, 1, limit_ms);

      if (n == 0)
        errno = ETIMEDOUT;
      if (n == 1)
        n = (int) read (fd, line + len, 1);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      if (line[len] == '\n')
        {
          line[len] = '\0';
          return TRUE;
        }
      len++;
    }
  errno = EPROTO;
  return FALSE;
}

/* As D-Bus has it: the kernel tells the daemon who we are, and we agree. */
static gboolean
ctl_bridge_log_in (int fd, int limit_ms)
{
  g_autofree char *uid = g_strdup_printf ("%lu", (gulong) getuid ());
  g_autoptr (GString) login = g_string_new ("AUTH EXTERNAL ");
  char line[LINE_MAX_BYTES];

  for (const char *p = uid; *p != '\0'; p++)
    g_string_append_printf (login, "%02x", (guint) *p);
  g_string_append (login, "\r\n");
  if (!ctl_bridge_write (fd, "", 1) || !ctl_bridge_write (fd, login->str, login->len))
    return FALSE;
  errno = EPIPE;
  if (!ctl_bridge_read_line (fd, line, limit_ms))
    return FALSE;
  if (!g_str_has_prefix (line, "OK "))
    {
      errno = EACCES;
      return FALSE;
    }
  return ctl_bridge_write (fd, "BEGIN\r\n", strlen ("BEGIN\r\n"));
}

static int
ctl_bridge_connect (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd;

  if (strlen (path) >= sizeof address.sun_path)
    {
      errno = ENAMETOOLONG;
      return -1;
    }
  memcpy (address.sun_path, path, strlen (path) + 1);
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect (fd, (const struct sockaddr *) &address, sizeof address) != 0)
    {
      int saved = errno;

      close (fd);
      errno = saved;
      return -1;
    }
  return fd;
}

/* A connection that is logged in; -1 with errno. @is_there: somebody listens. */
static int
ctl_bridge_try (const Detourctl *self, const char *path, gboolean *is_there)
{
  int fd = ctl_bridge_connect (path), saved;

  *is_there = fd >= 0;
  if (fd < 0 || ctl_bridge_log_in (fd, self->timeout_ms > 0 ? (int) self->timeout_ms : -1))
    return fd;
  saved = errno;
  close (fd);
  errno = saved;
  return -1;
}

/* The same, also in the pause of an upgrade. */
static int
ctl_bridge_reach (const Detourctl *self, const char *path, gboolean *is_there)
{
  gint64 end_us = g_get_monotonic_time () + DETOURCTL_NOBODY_US;
  int fd;

  while ((fd = ctl_bridge_try (self, path, is_there)) < 0
         && (errno == ECONNREFUSED || errno == ECONNRESET || errno == EPIPE))
    {
      int saved = errno;

      if (g_get_monotonic_time () >= end_us)
        {
          errno = saved;
          break;
        }
      g_usleep (DETOURCTL_RETRY_US);
    }
  return fd;
}

/* FALSE: one of them has ended. Writing may wait: neither side waits for the other to read before
 * it reads itself. */
static gboolean
ctl_bridge_pass (int from, int to)
{
  char buffer[16384];
  ssize_t n = read (from, buffer, sizeof buffer);

  if (n < 0)
    return errno == EINTR;
  return n > 0 && ctl_bridge_write (to, buffer, (gsize) n);
}

static void
ctl_bridge_carry (int fd)
{
  struct pollfd ends[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                           { .fd = fd, .events = POLLIN } };

  for (;;)
    {
      if (poll (ends, G_N_ELEMENTS (ends), -1) < 0)
        {
          if (errno == EINTR)
            continue;
          return;
        }
      if (ends[0].revents != 0 && !ctl_bridge_pass (STDIN_FILENO, fd))
        return;
      if (ends[1].revents != 0 && !ctl_bridge_pass (fd, STDOUT_FILENO))
        return;
    }
}

static DetourctlExit
ctl_bridge_run (Detourctl *self, char **arguments)
{
  g_autofree char *path = NULL;
  gboolean is_there;
  int fd;

  if (self->bus != NULL)
    {
      detourctl_complain (_ ("bridge goes to a control socket; leave --bus out"));
      return DETOURCTL_USAGE;
    }
  /* A daemon, or a caller, that goes away is an error of write(). */
  signal (SIGPIPE, SIG_IGN);
  path = detourctl_socket_path (self);
  fd = ctl_bridge_reach (self, path, &is_there);
  if (fd < 0 && is_there)
    {
      detourctl_complain (_ ("%s: the daemon takes no login: %s"), path, g_strerror (errno));
      return DETOURCTL_FAILED;
    }
  if (fd < 0 && (errno == EACCES || errno == EPERM))
    {
      detourctl_complain (_ ("%s: you may not talk to this daemon; try it with sudo"), path);
      return DETOURCTL_FAILED;
    }
  if (fd < 0)
    {
      detourctl_complain (_ ("no daemon answers on %s: %s"), path, g_strerror (errno));
      return DETOURCTL_NO_DAEMON;
    }
  ctl_bridge_carry (fd);
  close (fd);
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_bridge_commands[] = {
  { .name = "bridge",
    .arguments = "",
    .summary = N_ ("Carry the control connection of a detourctl on another host"),
    .details = N_ ("\"detourctl fleet\" runs it at the other end, over ssh. Standard input and "
                   "output carry D-Bus messages;\na key of ssh that may run nothing else reaches "
                   "the control socket and no more of that host."),
    .run = ctl_bridge_run },
  { NULL },
};
