/* test-inherited.c: tests of listening sockets that go from one program to the next.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-inherited.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <unistd.h>

#include "detour-socket.h"

static const DetourSocketOptions options = { 0, 0 };

static DetourAddress
parse (const char *text)
{
  DetourAddress address;

  g_assert_true (detour_address_parse (text, &address, NULL));
  return address;
}

static int
listen_at (const char *text, int family)
{
  DetourAddress address = parse (text);
  g_autoptr (GError) error = NULL;
  int fd = detour_socket_listen (&address, family, &options, NULL, &error);

  g_assert_no_error (error);
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
take (DetourInherited *self, const char *format, guint16 port, int family)
{
  g_autofree char *text = g_strdup_printf ("%s:%u", format, port);
  DetourAddress address = parse (text);

  return detour_inherited_take (self, text, &address, family);
}

/* A socket goes to who wants just that address, and once. */
static void
test_by_address (void)
{
  g_autoptr (DetourInherited) self = detour_inherited_new ();
  int v4 = listen_at ("127.0.0.1:0", AF_UNSPEC), any4 = listen_at (":0", AF_INET);
  guint16 port4 = port_of (v4), port_any = port_of (any4);

  detour_inherited_add (self, v4, "transport/http 127.0.0.1:0");
  detour_inherited_add (self, any4, "transport/https :0");
  g_assert_cmpint (take (self, "127.0.0.2", port4, AF_UNSPEC), ==, -1);
  g_assert_cmpint (take (self, "", port4, AF_UNSPEC), ==, -1);
  g_assert_cmpint (take (self, "[::1]", port4, AF_UNSPEC), ==, -1);
  g_assert_cmpint (take (self, "127.0.0.1", port_any, AF_UNSPEC), ==, -1);
  g_assert_cmpint (take (self, "", port_any, AF_INET6), ==, -1);
  g_assert_cmpint (take (self, "127.0.0.1", port4, AF_UNSPEC), ==, v4);
  g_assert_cmpint (take (self, "127.0.0.1", port4, AF_UNSPEC), ==, -1);
  g_assert_cmpint (take (self, "", port_any, AF_INET), ==, any4);
  g_assert_cmpuint (detour_inherited_count (self), ==, 0);
  close (v4);
  close (any4);
}

/* Both families, or IPv6 alone: that is another socket. */
static void
test_dual (void)
{
  g_autoptr (DetourInherited) self = detour_inherited_new ();
  int dual = listen_at (":0", AF_UNSPEC), six = listen_at (":0", AF_INET6);
  guint16 port = port_of (dual), port6 = port_of (six);

  detour_inherited_add (self, dual, "a");
  detour_inherited_add (self, six, "b");
  g_assert_cmpint (take (self, "", port, AF_INET6), ==, -1);
  g_assert_cmpint (take (self, "", port6, AF_UNSPEC), ==, -1);
  g_assert_cmpint (take (self, "", port6, AF_INET6), ==, six);
  g_assert_cmpint (take (self, "", port, AF_UNSPEC), ==, dual);
  close (dual);
  close (six);
}

/* A port that the system chose is known by whose it is. */
static void
test_by_text (void)
{
  g_autoptr (DetourInherited) self = detour_inherited_new ();
  int a = listen_at ("127.0.0.1:0", AF_UNSPEC), b = listen_at ("127.0.0.1:0", AF_UNSPEC);
  DetourAddress address = parse ("127.0.0.1:0");

  detour_inherited_add (self, a, "transport/http 127.0.0.1:0");
  detour_inherited_add (self, b, "transport/https 127.0.0.1:0");
  g_assert_cmpint (detour_inherited_take (NULL, "transport/https 127.0.0.1:0", &address, AF_UNSPEC),
                   ==, -1);
  g_assert_cmpint (detour_inherited_take (self, "transport/https 127.0.0.1:0", &address, AF_UNSPEC),
                   ==, b);
  g_assert_cmpint (detour_inherited_take (self, "transport/https 127.0.0.1:0", &address, AF_UNSPEC),
                   ==, -1);
  close (b);
}

/* What nobody took does not keep the port. */
static void
test_dropped (void)
{
  DetourInherited *self = detour_inherited_new ();
  int everywhere = listen_at (":0", AF_UNSPEC), other = listen_at ("127.0.0.1:0", AF_UNSPEC);
  guint16 port = port_of (everywhere), port_other = port_of (other);
  g_autofree char *text = g_strdup_printf ("127.0.0.1:%u", port);

  detour_inherited_add (self, everywhere, "a");
  detour_inherited_add (self, other, "b");
  g_assert_false (detour_inherited_drop_port (self, (guint16) (port ^ port_other ^ 1)));
  g_assert_true (detour_inherited_drop_port (self, port));
  g_assert_false (detour_inherited_drop_port (self, port));
  g_assert_cmpint (fcntl (other, F_GETFD), >=, 0);
  close (listen_at (text, AF_UNSPEC));
  detour_inherited_free (self);
  g_assert_cmpint (fcntl (other, F_GETFD), ==, -1);
}

static void
test_unix (void)
{
  g_autofree char *folder = g_dir_make_tmp ("detour-XXXXXX", NULL);
  g_autofree char *kept = g_strdup_printf ("unix:%s/kept", folder);
  g_autofree char *left = g_strdup_printf ("unix:%s/left", folder);
  DetourInherited *self = detour_inherited_new ();
  DetourAddress address = parse (kept);
  int fd = listen_at (kept, AF_UNSPEC);

  detour_inherited_add (self, listen_at (left, AF_UNSPEC), left);
  detour_inherited_add (self, fd, kept);
  g_assert_cmpint (detour_inherited_take (self, kept, &address, AF_UNSPEC), ==, fd);
  detour_inherited_free (self);
  g_assert_true (g_file_test (address.path, G_FILE_TEST_EXISTS));
  g_unlink (address.path);
  close (fd);
  /* Only an empty folder can be removed. */
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/inherited/by-address", test_by_address);
  g_test_add_func ("/inherited/dual", test_dual);
  g_test_add_func ("/inherited/by-text", test_by_text);
  g_test_add_func ("/inherited/dropped", test_dropped);
  g_test_add_func ("/inherited/unix", test_unix);
  return g_test_run ();
}
