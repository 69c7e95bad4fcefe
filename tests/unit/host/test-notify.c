/* test-notify.c: the datagrams that the service manager gets.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-notify.h"

#include <glib/gstdio.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
manager (const char *name)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  gsize n = strlen (name);
  int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  memcpy (address.sun_path, name, n);
  if (name[0] == '@')
    address.sun_path[0] = '\0';
  g_assert_cmpint (bind (fd, (const struct sockaddr *) &address,
                         (socklen_t) (offsetof (struct sockaddr_un, sun_path) + n)),
                   ==, 0);
  g_setenv ("NOTIFY_SOCKET", name, TRUE);
  return fd;
}

static char *
receive (int fd)
{
  char text[1000] = "";
  gssize n = recv (fd, text, sizeof text - 1, 0);

  g_assert_cmpint (n, >, 0);
  return g_strndup (text, (gsize) n);
}

static void
assert_received (int fd, const char *expected)
{
  g_autofree char *text = receive (fd);

  g_assert_cmpstr (text, ==, expected);
}

static void
every_message (int fd)
{
  g_autofree char *reloading = NULL;
  gint64 before_us = g_get_monotonic_time ();
  gint64 said_us;

  detour_notify_ready ();
  assert_received (fd, "READY=1");
  detour_notify_status ("two\nlines, %d", 3);
  assert_received (fd, "STATUS=two lines, 3");
  detour_notify_watchdog ();
  assert_received (fd, "WATCHDOG=1");
  detour_notify_stopping ();
  assert_received (fd, "STOPPING=1");

  detour_notify_reloading ();
  reloading = receive (fd);
  g_assert_true (g_str_has_prefix (reloading, "RELOADING=1\nMONOTONIC_USEC="));
  said_us = (gint64) g_ascii_strtoull (strrchr (reloading, '=') + 1, NULL, 10);
  g_assert_cmpint (said_us, >=, before_us);
  g_assert_cmpint (said_us, <=, g_get_monotonic_time ());
  close (fd);
}

static void
path_and_abstract (void)
{
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (dir, "notify", NULL);
  g_autofree char *abstract = g_strdup_printf ("@detour-test-%d", (int) getpid ());

  every_message (manager (path));
  every_message (manager (abstract));
  g_remove (path);
  g_rmdir (dir);
}

static void
nobody_listens (void)
{
  g_autofree char *long_path = g_strnfill (300, '/');

  g_setenv ("NOTIFY_SOCKET", "/nonexistent/notify", TRUE);
  detour_notify_ready ();
  g_setenv ("NOTIFY_SOCKET", "relative", TRUE);
  detour_notify_ready ();
  g_setenv ("NOTIFY_SOCKET", long_path, TRUE);
  detour_notify_ready ();
  g_unsetenv ("NOTIFY_SOCKET");
  detour_notify_ready ();
}

static void
watchdog (void)
{
  g_autofree char *pid = g_strdup_printf ("%d", (int) getpid ());

  g_assert_cmpuint (detour_notify_watchdog_us (), ==, 0);
  g_setenv ("WATCHDOG_USEC", "30000000", TRUE);
  g_assert_cmpuint (detour_notify_watchdog_us (), ==, 30000000);
  g_setenv ("WATCHDOG_PID", "1", TRUE);
  g_assert_cmpuint (detour_notify_watchdog_us (), ==, 0);
  g_setenv ("WATCHDOG_PID", pid, TRUE);
  g_assert_cmpuint (detour_notify_watchdog_us (), ==, 30000000);
  g_setenv ("WATCHDOG_USEC", "soon", TRUE);
  g_assert_cmpuint (detour_notify_watchdog_us (), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("WATCHDOG_USEC");
  g_unsetenv ("WATCHDOG_PID");
  g_test_add_func ("/notify/every-message-by-path-and-abstract", path_and_abstract);
  g_test_add_func ("/notify/nobody-listens", nobody_listens);
  g_test_add_func ("/notify/watchdog-of-this-process", watchdog);
  return g_test_run ();
}
