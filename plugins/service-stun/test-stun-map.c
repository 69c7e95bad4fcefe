/* test-stun-map.c: which address a client is told, and which entries of a map are refused.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stun-map.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static void
test_bad_entries (void)
{
  static const char *const cases[] = {
    "",
    "10.0.0.0/8",
    "=192.0.2.1",
    "10.0.0.0/8=",
    "10.0.0.0/33=192.0.2.1",
    "10.0.0.0/=192.0.2.1",
    "10.0.0.0/-1=192.0.2.1",
    "10.0.0.1/8=192.0.2.1",
    "10.0.0.0/8=2001:db8::1",
    "2001:db8::/32=192.0.2.1",
    "2001:db8::/129=2001:db8::1",
    "2001:db8::1/64=2001:db8::1",
    "10.0.0.0/8=192.0.2.1:3478",
    "net=192.0.2.1",
    "172.16.0.0/12=192.0.2.7", /* is there already */
  };
  g_autoptr (StunMap) map = stun_map_new ();

  g_assert_cmpstr (stun_map_add (map, "172.16.0.0/12=192.0.2.1"), ==, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s", cases[i]);
      g_assert_nonnull (stun_map_add (map, cases[i]));
    }
}

static void
test_apply (void)
{
  static const char *const entries[] = {
    "10.0.0.0/8=192.0.2.1", "10.1.0.0/16=192.0.2.2",   " 10.1.2.3 = 192.0.2.3 ",
    "fd00::/8=2001:db8::1", "fd00:1::/33=2001:db8::2",
  };
  static const struct {
    const char *source, *told;
    gboolean mapped;
  } cases[] = {
    { "10.200.0.1", "192.0.2.1", TRUE },       { "10.1.0.1", "192.0.2.2", TRUE },
    { "10.1.2.3", "192.0.2.3", TRUE },         { "11.0.0.1", "11.0.0.1", FALSE },
    { "::ffff:10.1.2.3", "192.0.2.3", TRUE },  { "::ffff:11.0.0.1", "11.0.0.1", FALSE },
    { "fd99::1", "2001:db8::1", TRUE },        { "fd00:1:7fff::1", "2001:db8::2", TRUE },
    { "fd00:1:8000::1", "2001:db8::1", TRUE }, { "fe80::1", "fe80::1", FALSE },
  };
  g_autoptr (StunMap) map = stun_map_new ();

  for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
    g_assert_cmpstr (stun_map_add (map, entries[i]), ==, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
      } source = { 0 };
      struct sockaddr_storage told;
      char text[INET6_ADDRSTRLEN];

      if (inet_pton (AF_INET, cases[i].source, &source.in.sin_addr) == 1)
        source.any.sa_family = AF_INET;
      else
        {
          g_assert_cmpint (inet_pton (AF_INET6, cases[i].source, &source.in6.sin6_addr), ==, 1);
          source.any.sa_family = AF_INET6;
        }
      source.in.sin_port = htons (4711); /* in the same place for both */
      g_assert_cmpint (stun_map_apply (map, &source.any, &told), ==, cases[i].mapped);
      g_assert_cmpuint (((struct sockaddr_in *) &told)->sin_port, ==, htons (4711));
      inet_ntop (told.ss_family,
                 told.ss_family == AF_INET
                     ? (gconstpointer) & ((struct sockaddr_in *) &told)->sin_addr
                     : (gconstpointer) & ((struct sockaddr_in6 *) &told)->sin6_addr,
                 text, sizeof text);
      g_assert_cmpstr (text, ==, cases[i].told);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stun-map/bad-entries-are-refused", test_bad_entries);
  g_test_add_func ("/stun-map/narrowest-network-counts", test_apply);
  return g_test_run ();
}
