/* detour-program.c: the program as it was started, to start the one that is installed there now.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "detour-descriptors.h"
#include "detour-file.h"
#include "detour-passed.h"

/* Bytes of their numbers. */
#define CHILDREN_MAX ((gsize) 64 << 10)

/* Of descriptors: those below are the standard streams. */
#define FIRST 3

static const int awaited_signals[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };

static void
program_mask (int how)
{
  sigset_t set;

  sigemptyset (&set);
  for (guint i = 0; i < G_N_ELEMENTS (awaited_signals); i++)
    sigaddset (&set, awaited_signals[i]);
  pthread_sigmask (how, &set, NULL);
}

void
detour_program_block_signals (void)
{
  program_mask (SIG_BLOCK);
}

/* Before they were held. */
static struct sigaction held_actions[G_N_ELEMENTS (awaited_signals)];
static gboolean is_holding;
static pthread_t holder;

/* In any thread but that one, which blocks it. */
static void
program_hand_on (int number)
{
  int code = errno;

  pthread_kill (holder, number);
  errno = code;
}

void
detour_program_hold_signals (void)
{
  struct sigaction action = { .sa_handler = program_hand_on, .sa_flags = SA_RESTART };

  if (is_holding)
    return;
  is_holding = TRUE;
  holder = pthread_self ();
  program_mask (SIG_BLOCK);
  sigemptyset (&action.sa_mask);
  for (guint i = 0; i < G_N_ELEMENTS (awaited_signals); i++)
    sigaction (awaited_signals[i], &action, &held_actions[i]);
}

/* Linux 5.11 does it at once. */
static void
program_keep_descriptors (void)
{
  DIR *directory;

#if defined(SYS_close_range) && defined(CLOSE_RANGE_CLOEXEC)
  if (syscall (SYS_close_range, STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
    return;
#endif
  directory = opendir ("/proc/self/fd");
  for (const struct dirent *entry; directory != NULL && (entry = readdir (directory)) != NULL;)
    if (atoi (entry->d_name) > STDERR_FILENO)
      detour_descriptors_inherit (atoi (entry->d_name), FALSE);
  if (directory != NULL)
    closedir (directory);
}

static int
program_take_handover (void)
{
  const char *text = g_getenv (DETOUR_PROGRAM_HANDOVER);
  guint64 number;
  int fd = -1;

  if (text == NULL)
    return -1;
  detour_program_begin_secrecy ();
  program_keep_descriptors ();
  if (g_ascii_string_to_unsigned (text, 10, FIRST, G_MAXINT, &number, NULL))
    fd = (int) number;
  g_unsetenv (DETOUR_PROGRAM_HANDOVER);
  return fd;
}

/* The path by which it was started leads to the program that is installed, where links may lead to
 * another one by then. */
static char *
program_find (const char *name)
{
  g_autofree char *found = strchr (name, '/') != NULL ? g_strdup (name)
                                                      : g_find_program_in_path (name);

  if (found == NULL)
    found = g_file_read_link ("/proc/self/exe", NULL);
  return found != NULL ? g_canonicalize_filename (found, NULL) : g_strdup (name);
}

void
detour_program_init (DetourProgram *self, int argc, char **argv)
{
  *self = (DetourProgram) { .handover = program_take_handover (),
                            .before = -1,
                            .before_process = -1 };
  detour_passed_init ();
  self->argv = g_strdupv (argv);
  self->path = program_find (argv[0]);
}

void
detour_program_clear (DetourProgram *self)
{
  g_clear_pointer (&self->path, g_free);
  g_clear_pointer (&self->argv, g_strfreev);
}

void
detour_program_exec (const DetourProgram *self, const char *path, int handover, GError **error)
{
  g_autofree char *number = g_strdup_printf ("%d", handover);
  g_auto (GStrv) environment = detour_passed_describe (g_get_environ ());
  g_auto (GStrv) argv = g_strdupv (self->argv);
  int code;

  if (handover >= 0)
    environment = g_environ_setenv (environment, DETOUR_PROGRAM_HANDOVER, number, TRUE);
  if (path == NULL)
    path = self->path;
  g_free (argv[0]);
  argv[0] = g_strdup (path);
  detour_program_hold_signals ();
  detour_passed_inherit (TRUE);
  execve (path, argv, environment);
  code = errno;
  detour_passed_inherit (FALSE);
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code), "%s cannot be started: %s",
               path, g_strerror (code));
}

void
detour_program_begin_again (const DetourProgram *self)
{
  g_autoptr (GError) error = NULL;

  detour_program_exec (self, NULL, -1, &error);
  detour_program_let_signals_in ();
  g_warning ("%s", error->message);
}

void
detour_program_let_signals_in (void)
{
  for (guint i = 0; is_holding && i < G_N_ELEMENTS (awaited_signals); i++)
    sigaction (awaited_signals[i], &held_actions[i], NULL);
  is_holding = FALSE;
  program_mask (SIG_UNBLOCK);
}

static void
program_on_child_end (GPid pid, int status, gpointer data)
{
  g_spawn_close_pid (pid);
}

/* They are our children still, but their pipes lead nowhere. */
void
detour_program_end_children (void)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%d/children", (int) getpid ());
  g_auto (DetourFile) text = { NULL };
  g_auto (GStrv) pids = NULL;

  if (!detour_file_read (path, CHILDREN_MAX, 0, &text, NULL))
    return;
  pids = g_strsplit (g_strstrip (text.data), " ", -1);
  for (guint i = 0; pids[i] != NULL; i++)
    {
      GPid pid = atoi (pids[i]);

      if (pid > 0 && kill (pid, SIGTERM) == 0)
        g_child_watch_add (pid, program_on_child_end, NULL);
    }
}

void
detour_program_begin_secrecy (void)
{
  prctl (PR_SET_DUMPABLE, 0ul);
}

void
detour_program_end_secrecy (void)
{
  prctl (PR_SET_DUMPABLE, 1ul);
}
