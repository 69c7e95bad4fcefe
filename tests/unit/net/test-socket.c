/* test-socket.c: tests of listening sockets of all kinds.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-socket.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static const DetourSocketOptions options = { .user_timeout_ms = 1500, .keep_alive_s = 77 };

static DetourAddress
address_of (const char *text)
{
  DetourAddress address;
  g_autoptr (GError) error = NULL;

  g_assert_true (detour_address_parse (text, &address, &error));
  g_assert_no_error (error);
  return address;
}

static int
listen_at (const char *text, int family)
{
  const DetourAddress address = address_of (text);
  g_autoptr (GError) error = NULL;
  int fd = detour_socket_listen (&address, family, &options, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static guint16
port_of (int fd)
{
  struct sockaddr_storage bound = { 0 };
  socklen_t len = sizeof bound;

  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &bound, &len), ==, 0);
  return g_ntohs (bound.ss_family == AF_INET ? ((struct sockaddr_in *) &bound)->sin_port
                                             : ((struct sockaddr_in6 *) &bound)->sin6_port);
}

static int
get_option (int fd, int level, int option)
{
  int value = -1;
  socklen_t len = sizeof value;

  g_assert_cmpint (getsockopt (fd, level, option, &value, &len), ==, 0);
  return value;
}

/* TRUE: somebody accepts at the port of @family's loopback. */
static gboolean
connects (int family, guint16 port)
{
  const struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_port = g_htons (port),
                                  .sin_addr.s_addr = g_htonl (INADDR_LOOPBACK) };
  const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                    .sin6_port = g_htons (port),
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  int fd = socket (family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gboolean good = family == AF_INET ? connect (fd, (const struct sockaddr *) &in, sizeof in) == 0
                                    : connect (fd, (const struct sockaddr *) &in6, sizeof in6) == 0;

  close (fd);
  return good;
}

static gboolean
has_ipv6 (void)
{
  const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  int fd = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gboolean has = fd >= 0 && bind (fd, (const struct sockaddr *) &in6, sizeof in6) == 0;

  if (fd >= 0)
    close (fd);
  return has;
}

static void
test_families (void)
{
  static const struct {
    const char *address;
    int family;
    gboolean ipv4, ipv6;
  } cases[] = {
    { ":0", AF_UNSPEC, TRUE, TRUE },       { ":0", AF_INET, TRUE, FALSE },
    { ":0", AF_INET6, FALSE, TRUE },       { "127.0.0.1:0", AF_UNSPEC, TRUE, FALSE },
    { "[::1]:0", AF_UNSPEC, FALSE, TRUE }, { "localhost:0", AF_INET, TRUE, FALSE },
  };

  if (!has_ipv6 ())
    {
      g_test_skip ("this host has no IPv6");
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      int fd = listen_at (cases[i].address, cases[i].family);

      g_test_message ("%s, family %d", cases[i].address, cases[i].family);
      g_assert_cmpint (connects (AF_INET, port_of (fd)), ==, cases[i].ipv4);
      g_assert_cmpint (connects (AF_INET6, port_of (fd)), ==, cases[i].ipv6);
      g_assert_false (detour_socket_is_absent (fd));
      close (fd);
    }
}

static void
test_refused (void)
{
  static const struct {
    const char *address;
    int family;
    const char *message;
  } cases[] = {
    { "127.0.0.1:0", AF_INET6, "not an IPv6 address" },
    { "[::1]:0", AF_INET, "not an IPv4 address" },
    { "no-such-host.invalid:0", AF_UNSPEC, "cannot look up no-such-host.invalid" },
    { "unix:/nonexistent/socket", AF_UNSPEC, "cannot bind: No such file" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const DetourAddress address = address_of (cases[i].address);
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (detour_socket_listen (&address, cases[i].family, &options, NULL, &error), ==,
                       -1);
      g_assert_nonnull (error);
      g_test_message ("%s", error->message);
      g_assert_true (g_str_has_prefix (error->message, cases[i].message));
    }
}

static void
test_port_taken (void)
{
  int first = listen_at ("127.0.0.1:0", AF_UNSPEC);
  g_autofree char *text = g_strdup_printf ("127.0.0.1:%u", port_of (first));
  const DetourAddress address = address_of (text);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (detour_socket_listen (&address, AF_UNSPEC, &options, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  close (first);
}

/* Accepted sockets have the options of the listening one. */
static void
test_options (void)
{
  int listener = listen_at ("127.0.0.1:0", AF_UNSPEC);
  const DetourSocketOptions none = { 0 };
  struct sockaddr_storage peer;
  guint16 port = port_of (listener);

  g_assert_cmpint (detour_socket_accept (listener, &peer), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  for (guint i = 0; i < 2; i++)
    {
      int fd;

      g_assert_true (connects (AF_INET, port));
      fd = detour_socket_accept (listener, &peer);
      g_assert_cmpint (fd, >=, 0);
      g_assert_cmpint (peer.ss_family, ==, AF_INET);
      g_assert_cmpint (get_option (fd, IPPROTO_TCP, TCP_NODELAY), !=, 0);
      g_assert_cmpint (get_option (fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), ==,
                       DETOUR_SOCKET_NOTSENT_LOWAT);
      g_assert_cmpint (get_option (fd, IPPROTO_TCP, TCP_USER_TIMEOUT), ==, i == 0 ? 1500 : 0);
      g_assert_cmpint (get_option (fd, SOL_SOCKET, SO_KEEPALIVE), ==, i == 0);
      if (i == 0)
        g_assert_cmpint (get_option (fd, IPPROTO_TCP, TCP_KEEPIDLE), ==, 77);
      close (fd);
      detour_socket_set_options (listener, &none);
    }
  close (listener);
}

/* Addresses from the ranges for examples: no host has them. */
static void
test_absent (void)
{
  static const char *const addresses[] = { "192.0.2.77:0", "[2001:db8::77]:0" };

  for (guint i = 0; i < (has_ipv6 () ? 2 : 1); i++)
    {
      int fd = listen_at (addresses[i], AF_UNSPEC);

      g_assert_true (detour_socket_is_absent (fd));
      close (fd);
    }
}

static gboolean
can_connect (guint16 port)
{
  const struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = g_htons (port),
                                  .sin_addr = { g_htonl (INADDR_LOOPBACK) } };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gboolean good = connect (fd, (const struct sockaddr *) &to, sizeof to) == 0;

  g_assert_true (good || errno == ECONNREFUSED);
  close (fd);
  return good;
}

/* Refuses, keeps its port against everyone, and listens again; twice, and with the port that the
 * system had chosen, too. */
static void
test_pause (void)
{
  struct sockaddr_storage bound = { 0 };
  socklen_t len = sizeof bound;
  int fd = listen_at ("127.0.0.1:0", AF_UNSPEC);
  g_autofree char *text = NULL;
  DetourAddress address;
  guint16 port;

  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &bound, &len), ==, 0);
  port = g_ntohs (((struct sockaddr_in *) &bound)->sin_port);
  detour_socket_pause (fd);
  g_assert_false (can_connect (port));
  g_assert_true (detour_socket_resume (fd, &bound));
  g_assert_true (can_connect (port));
  close (fd);

  text = g_strdup_printf ("127.0.0.1:%u", port);
  address = address_of (text);
  fd = listen_at (text, AF_UNSPEC);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;

      detour_socket_pause (fd);
      g_assert_false (can_connect (port));
      g_assert_cmpint (detour_socket_listen (&address, AF_UNSPEC, &options, NULL, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
      g_assert_true (detour_socket_resume (fd, &bound));
      g_assert_true (can_connect (port));
    }
  close (fd);
}

static void
test_unix (void)
{
  g_autofree char *folder = g_dir_make_tmp ("detour-socket-XXXXXX", NULL);
  g_autofree char *text = g_strdup_printf ("unix:%s/s", folder);
  const DetourAddress address = address_of (text);
  g_autoptr (GError) error = NULL;
  int fd = listen_at (text, AF_UNSPEC);

  g_assert_false (detour_socket_is_absent (fd));
  /* Somebody serves it: it stays. */
  g_assert_cmpint (detour_socket_listen (&address, AF_UNSPEC, &options, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  close (fd);
  /* Nobody serves it any more. */
  close (listen_at (text, AF_UNSPEC));
  g_assert_cmpint (g_remove (text + strlen ("unix:")), ==, 0);
  /* What is no socket is not taken away. */
  g_clear_error (&error);
  g_assert_true (g_file_set_contents (text + strlen ("unix:"), "words", -1, NULL));
  g_assert_cmpint (detour_socket_listen (&address, AF_UNSPEC, &options, NULL, &error), ==, -1);
  g_assert_true (g_file_test (text + strlen ("unix:"), G_FILE_TEST_IS_REGULAR));
  g_assert_cmpint (g_remove (text + strlen ("unix:")), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/socket/families", test_families);
  g_test_add_func ("/socket/refused", test_refused);
  g_test_add_func ("/socket/port-taken", test_port_taken);
  g_test_add_func ("/socket/options-are-inherited", test_options);
  g_test_add_func ("/socket/address-that-is-not-there", test_absent);
  g_test_add_func ("/socket/pause", test_pause);
  g_test_add_func ("/socket/unix", test_unix);
  return g_test_run ();
}
