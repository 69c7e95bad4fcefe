/* doctor-apart.c: has the looks done in a process that may be left behind.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "doctor-apart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The other process is told here how it ends; -1: there is none. */
static int told_fd = -1;

/* In the process that somebody waits for. */
static DetourctlExit
doctor_apart_await (pid_t looking, int fd)
{
  guint8 told;
  gssize n;
  int status;

  do
    n = read (fd, &told, sizeof told);
  while (n < 0 && errno == EINTR);
  close (fd);
  if (n == sizeof told)
    return told;
  while (waitpid (looking, &status, 0) < 0)
    if (errno != EINTR)
      return DETOURCTL_FAILED;
  if (WIFSIGNALED (status))
    (void) raise (WTERMSIG (status));
  return WIFEXITED (status) ? WEXITSTATUS (status) : DETOURCTL_FAILED;
}

gboolean
doctor_apart_enter (DetourctlExit *exit)
{
  int ends[2];
  pid_t looking, waiting = getpid ();

  if (pipe2 (ends, O_CLOEXEC) < 0)
    return TRUE;
  looking = fork ();
  if (looking > 0)
    {
      close (ends[1]);
      *exit = doctor_apart_await (looking, ends[0]);
      return FALSE;
    }
  close (ends[0]);
  if (looking < 0)
    {
      close (ends[1]);
      return TRUE;
    }
  told_fd = ends[1];
  prctl (PR_SET_PDEATHSIG, SIGTERM);
  /* Who ended before that call is not heard of by it. */
  if (getppid () != waiting)
    (void) raise (SIGTERM);
  return TRUE;
}

/* Threads that are left share all descriptors, so what others wait for is closed here. */
void
doctor_apart_leave (const Detourctl *ctl, DetourctlExit exit)
{
  GIOStream *stream = ctl->connection != NULL ? g_dbus_connection_get_stream (ctl->connection)
                                              : NULL;
  guint8 told = (guint8) exit;

  if ((fflush (stdout) != 0 || ferror (stdout)) && exit == DETOURCTL_GOOD)
    told = DETOURCTL_FAILED;
  /* The daemon has few connections for one user. */
  if (G_IS_SOCKET_CONNECTION (stream))
    shutdown (g_socket_get_fd (g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream))),
              SHUT_RDWR);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fd != told_fd)
      close (fd);
  if (told_fd >= 0 && write (told_fd, &told, sizeof told) == sizeof told)
    close (told_fd);
  /* What runs at an exit, a leak checker for instance, would wait for those threads. */
  _exit (told);
}
