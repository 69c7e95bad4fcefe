/* detour-parley.c: what the program that runs and one that takes over in another process say to
 * each other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-parley.h"

#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "detour-text.h"

#define BACKLOG 128

/* Linux 6.5. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* After the end of its socket a process that is not seen has closed all others. */
#define UNSEEN_US (300 * 1000)

typedef union {
  struct cmsghdr head; /* aligns */
  char room[CMSG_SPACE (sizeof (int))];
} ParleyControl;

static gboolean
parley_fail (GError **error, const char *path, const char *what)
{
  int code = errno;

  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code), "%s: %s: %s", path, what,
               g_strerror (code));
  return FALSE;
}

static int
parley_socket (const char *path, struct sockaddr_un *address, GError **error)
{
  int fd;

  *address = (struct sockaddr_un) { .sun_family = AF_UNIX };
  if (g_strlcpy (address->sun_path, path, sizeof address->sun_path) >= sizeof address->sun_path)
    {
      errno = ENAMETOOLONG;
      parley_fail (error, path, "no path of a socket");
      return -1;
    }
  fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    parley_fail (error, path, "no socket");
  return fd;
}

/* Who is at the other end: of a socket that was connected, whoever listens there. */
static gboolean
parley_check_peer (int socket, GError **error)
{
  struct ucred peer = { .uid = (uid_t) -1 };
  socklen_t size = sizeof peer;

  if (getsockopt (socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0
      && (peer.uid == 0 || peer.uid == geteuid ()))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
               "the program at the other end runs as user %lld, and neither as root nor as this "
               "one's %lld",
               (long long) peer.uid, (long long) geteuid ());
  return FALSE;
}

/* Beginning ------------------------------------------------------------------------------------ */

/* A file that is no socket is somebody's. */
static gboolean
parley_clear_place (const char *path, GError **error)
{
  struct stat st;
  int fd;

  if (lstat (path, &st) < 0)
    return TRUE;
  if (!S_ISSOCK (st.st_mode))
    {
      errno = EEXIST;
      return parley_fail (error, path, "something else is there");
    }
  fd = detour_parley_connect (path, NULL);
  if (fd >= 0 || errno != ECONNREFUSED)
    {
      if (fd >= 0)
        close (fd);
      errno = EADDRINUSE;
      return parley_fail (error, path, "another program waits there");
    }
  return unlink (path) == 0 || parley_fail (error, path, "the old socket cannot be removed");
}

int
detour_parley_listen (const char *path, GError **error)
{
  struct sockaddr_un address;
  gboolean good;
  mode_t mask;
  int fd;

  if (!parley_clear_place (path, error))
    return -1;
  fd = parley_socket (path, &address, error);
  if (fd < 0)
    return -1;
  mask = umask (0177);
  good = bind (fd, (const struct sockaddr *) &address, sizeof address) == 0;
  umask (mask);
  if (good && listen (fd, BACKLOG) == 0)
    return fd;
  parley_fail (error, path, "cannot be listened at");
  close (fd);
  return -1;
}

int
detour_parley_connect (const char *path, GError **error)
{
  struct sockaddr_un address;
  int fd = parley_socket (path, &address, error);
  int code;

  if (fd < 0)
    return -1;
  if (connect (fd, (const struct sockaddr *) &address, sizeof address) < 0)
    parley_fail (error, path, "no program waits there");
  else if (parley_check_peer (fd, error))
    return fd;
  else
    errno = EPERM;
  code = errno;
  close (fd);
  errno = code;
  return -1;
}

int
detour_parley_accept (int listener, GError **error)
{
  int fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (fd < 0 || parley_check_peer (fd, error))
    return fd;
  close (fd);
  return -1;
}

/* Messages ------------------------------------------------------------------------------------- */

gboolean
detour_parley_send (int socket, const char *text, int fd)
{
  ParleyControl control = { 0 };
  gsize len = MIN (strlen (text), DETOUR_PARLEY_MAX);
  struct iovec data = { (gpointer) text, len };
  struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

  if (fd >= 0)
    {
      control.head.cmsg_level = SOL_SOCKET;
      control.head.cmsg_type = SCM_RIGHTS;
      control.head.cmsg_len = CMSG_LEN (sizeof fd);
      memcpy (CMSG_DATA (&control.head), &fd, sizeof fd);
      message.msg_control = control.room;
      message.msg_controllen = sizeof control.room;
    }
  return sendmsg (socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (gssize) len;
}

/* FALSE: not in time. */
static gboolean
parley_wait (int socket, gint64 until_us)
{
  struct pollfd entry = { .fd = socket, .events = POLLIN };
  gint64 left_us;

  do
    {
      left_us = until_us - g_get_monotonic_time ();
      left_us = MAX (left_us, 0);
      if (poll (&entry, 1, (int) ((left_us + 999) / 1000)) > 0)
        return TRUE;
    }
  while (left_us > 0);
  return FALSE;
}

/* The one descriptor that a message may bring, or -1. One that brings more is not of a program that
 * takes over; its descriptors are closed. */
static int
parley_take_fd (struct msghdr *message)
{
  struct cmsghdr *head = CMSG_FIRSTHDR (message);
  int fd = -1;
  gsize n;

  if (head == NULL || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
    return -1;
  n = (head->cmsg_len - CMSG_LEN (0)) / sizeof fd;
  for (gsize i = 0; i < n; i++)
    {
      memcpy (&fd, CMSG_DATA (head) + i * sizeof fd, sizeof fd);
      if (n > 1)
        close (fd);
    }
  return n == 1 ? fd : -1;
}

static void
parley_late (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "it did not answer in time");
}

char *
detour_parley_receive (int socket, gint64 until_us, int *fd, GError **error)
{
  g_autofree char *text = g_malloc (DETOUR_PARLEY_MAX + 1);
  ParleyControl control;
  struct iovec data = { text, DETOUR_PARLEY_MAX };
  struct msghdr message = { .msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = control.room,
                            .msg_controllen = sizeof control.room };
  char *line;
  int came;
  gssize n;

  if (fd != NULL)
    *fd = -1;
  if (!parley_wait (socket, until_us))
    {
      parley_late (error);
      return NULL;
    }
  n = recvmsg (socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n <= 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "it has ended");
      return NULL;
    }
  came = parley_take_fd (&message);
  if (fd != NULL)
    *fd = came;
  else if (came >= 0)
    close (came);
  text[n] = '\0';
  line = detour_text_tidy (text, DETOUR_PARLEY_MAX);
  return line != NULL ? line : g_strdup ("");
}

/* What came after the time, but before the end, is read still. */
char *
detour_parley_receive_last (int socket, gint64 until_us, GError **error)
{
  gboolean in_time = parley_wait (socket, until_us);
  char *text;

  shutdown (socket, SHUT_RD);
  text = detour_parley_receive (socket, 0, NULL, in_time ? error : NULL);
  if (text == NULL && !in_time)
    parley_late (error);
  return text;
}

int
detour_parley_open_process (int socket)
{
  struct ucred peer = { 0 };
  socklen_t size = sizeof peer;
  int process = -1;
  socklen_t n = sizeof process;

  if (getsockopt (socket, SOL_SOCKET, SO_PEERPIDFD, &process, &n) == 0)
    return process;
#ifdef SYS_pidfd_open
  if (getsockopt (socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0)
    return (int) syscall (SYS_pidfd_open, peer.pid, 0u);
#endif
  return -1;
}

/* A process closes one descriptor after the other, and that of the socket may be an early one. */
void
detour_parley_wait_end (int socket, int process, gint64 until_us)
{
  parley_wait (socket, until_us);
  if (process < 0)
    {
      g_usleep (UNSEEN_US);
      return;
    }
  parley_wait (process, until_us);
  close (process);
}

gboolean
detour_parley_is_next (int socket)
{
  char byte;

  return recv (socket, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) > 0;
}
