/* detour-notify.c: tells the service manager the state of the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The protocol is one datagram with lines NAME=VALUE to the socket named in the environment. */
#include "config.h"

#include "detour-notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The socket is opened once, at the first call: later there may be no descriptor left for it, and a
 * manager that hears nothing ends the daemon. */
static int
notify_socket (void)
{
  static gsize opened; /* the descriptor plus two, since 0 means not yet */

  if (g_once_init_enter (&opened))
    g_once_init_leave (&opened, (gsize) (socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) + 2));
  return (int) opened - 2;
}

/* @message: with its data, and without an address yet */
static void
notify_send (struct msghdr *message)
{
  const char *path = g_getenv ("NOTIFY_SOCKET");
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  gsize n_path;

  if (path == NULL || (path[0] != '/' && path[0] != '@'))
    return;
  n_path = strlen (path);
  if (n_path >= sizeof address.sun_path)
    return;
  memcpy (address.sun_path, path, n_path);
  if (path[0] == '@') /* an abstract name begins with a NUL byte */
    address.sun_path[0] = '\0';
  message->msg_name = &address;
  message->msg_namelen = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + n_path);
  if (sendmsg (notify_socket (), message, MSG_NOSIGNAL) < 0)
    g_debug ("the service manager could not be told: %s", g_strerror (errno));
}

static void
notify (const char *text)
{
  struct iovec data = { (char *) text, strlen (text) };
  struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

  notify_send (&message);
}

static void
notify_with (const char *text, int fd)
{
  union {
    struct cmsghdr head; /* aligns */
    char room[CMSG_SPACE (sizeof (int))];
  } control = { .head = { .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS,
                          .cmsg_len = CMSG_LEN (sizeof (int)) } };
  struct iovec data = { (char *) text, strlen (text) };
  struct msghdr message = { .msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = control.room,
                            .msg_controllen = sizeof control.room };

  memcpy (CMSG_DATA (&control.head), &fd, sizeof fd);
  notify_send (&message);
}

void
detour_notify_ready (void)
{
  notify ("READY=1");
}

void
detour_notify_reloading (void)
{
  g_autofree char *text = g_strdup_printf ("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT,
                                           g_get_monotonic_time ());

  notify (text);
}

void
detour_notify_stopping (void)
{
  notify ("STOPPING=1");
}

void
detour_notify_watchdog (void)
{
  notify ("WATCHDOG=1");
}

void
detour_notify_store (const char *name, int fd)
{
  g_autofree char *text = g_strconcat ("FDSTORE=1\nFDPOLL=0\nFDNAME=", name, NULL);

  notify_with (text, fd);
}

void
detour_notify_unstore (const char *name)
{
  g_autofree char *text = g_strconcat ("FDSTOREREMOVE=1\nFDNAME=", name, NULL);

  notify (text);
}

void
detour_notify_status (const char *format, ...)
{
  g_autofree char *status = NULL;
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  status = g_strdup_vprintf (format, args);
  va_end (args);
  text = g_strconcat ("STATUS=", g_strdelimit (status, "\n", ' '), NULL);
  notify (text);
}

guint64
detour_notify_watchdog_us (void)
{
  const char *usec = g_getenv ("WATCHDOG_USEC");
  const char *pid = g_getenv ("WATCHDOG_PID");
  guint64 value;

  if (usec == NULL || !g_ascii_string_to_unsigned (usec, 10, 1, G_MAXINT64, &value, NULL))
    return 0;
  if (pid != NULL && g_ascii_strtoull (pid, NULL, 10) != (guint64) getpid ())
    return 0;
  return value;
}
