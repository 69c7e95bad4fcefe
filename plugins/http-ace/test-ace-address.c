/* test-ace-address.c: of every kind of address that strangers may not reach, the ends of its range.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "ace-address.h"

static const struct {
  const char *text;
  gboolean is_global;
} cases[] = {
  { "0.0.0.0", FALSE },
  { "0.255.255.255", FALSE },
  { "1.0.0.0", TRUE },
  { "9.255.255.255", TRUE },
  { "10.0.0.0", FALSE },
  { "10.255.255.255", FALSE },
  { "11.0.0.0", TRUE },
  { "100.63.255.255", TRUE },
  { "100.64.0.0", FALSE },
  { "100.100.100.100", FALSE },
  { "100.127.255.255", FALSE },
  { "100.128.0.0", TRUE },
  { "126.255.255.255", TRUE },
  { "127.0.0.1", FALSE },
  { "127.255.255.255", FALSE },
  { "128.0.0.0", TRUE },
  { "169.253.255.255", TRUE },
  { "169.254.0.0", FALSE },
  { "169.254.169.254", FALSE },
  { "169.255.0.0", TRUE },
  { "172.15.255.255", TRUE },
  { "172.16.0.0", FALSE },
  { "172.31.255.255", FALSE },
  { "172.32.0.0", TRUE },
  { "191.255.255.255", TRUE },
  { "192.0.0.0", FALSE },
  { "192.0.0.255", FALSE },
  { "192.0.1.0", TRUE },
  { "192.0.2.0", FALSE },
  { "192.0.2.255", FALSE },
  { "192.0.3.0", TRUE },
  { "192.88.99.1", FALSE },
  { "192.167.255.255", TRUE },
  { "192.168.0.0", FALSE },
  { "192.168.255.255", FALSE },
  { "192.169.0.0", TRUE },
  { "198.17.255.255", TRUE },
  { "198.18.0.0", FALSE },
  { "198.19.255.255", FALSE },
  { "198.20.0.0", TRUE },
  { "198.51.100.1", FALSE },
  { "203.0.113.1", FALSE },
  { "223.255.255.255", TRUE },
  { "224.0.0.1", FALSE },
  { "239.255.255.255", FALSE },
  { "240.0.0.1", FALSE },
  { "255.255.255.255", FALSE },

  { "::", FALSE },
  { "::1", FALSE },
  { "::8.8.8.8", FALSE },
  { "::ffff:8.8.8.8", TRUE },
  { "::ffff:127.0.0.1", FALSE },
  { "::ffff:10.1.2.3", FALSE },
  { "::ffff:0:8.8.8.8", FALSE },
  { "64:ff9b::8.8.8.8", TRUE },
  { "64:ff9b::192.168.1.1", FALSE },
  { "64:ff9b::169.254.169.254", FALSE },
  { "64:ff9b:1::8.8.8.8", FALSE },
  { "100::1", FALSE },
  { "1fff:ffff::1", FALSE },
  { "2000::1", TRUE },
  { "2001::1", FALSE },
  { "2001:1ff:ffff::1", FALSE },
  { "2001:200::1", TRUE },
  { "2001:db7:ffff::1", TRUE },
  { "2001:db8::1", FALSE },
  { "2001:db9::1", TRUE },
  { "2002:7f00:1::1", FALSE },
  { "2002:808:808::1", FALSE },
  { "2003::1", TRUE },
  { "2606:4700::1", TRUE },
  { "3ffe::1", TRUE },
  { "3fff::1", FALSE },
  { "3fff:fff::1", FALSE },
  { "3fff:1000::1", TRUE },
  { "4000::1", FALSE },
  { "5f00::1", FALSE },
  { "fc00::1", FALSE },
  { "fd7a:115c:a1e0::1", FALSE },
  { "fe80::1", FALSE },
  { "fec0::1", FALSE },
  { "ff02::1", FALSE },
};

static void
parse (const char *text, struct sockaddr_storage *out)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *) out;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) out;

  *out = (struct sockaddr_storage) { .ss_family = AF_INET };
  if (inet_pton (AF_INET, text, &v4->sin_addr) == 1)
    return;
  out->ss_family = AF_INET6;
  g_assert_cmpint (inet_pton (AF_INET6, text, &v6->sin6_addr), ==, 1);
}

static void
test_cases (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      struct sockaddr_storage address;

      parse (cases[i].text, &address);
      g_test_message ("%s", cases[i].text);
      g_assert_true (ace_address_is_global ((const struct sockaddr *) &address)
                     == cases[i].is_global);
    }
}

static void
test_other_families (void)
{
  const struct sockaddr_storage address = { .ss_family = AF_UNIX };

  g_assert_false (ace_address_is_global ((const struct sockaddr *) &address));
}

static void
expect_same_source (const char *one, const char *other, gboolean same)
{
  struct sockaddr_storage a, b;
  g_autofree char *source_a = NULL;
  g_autofree char *source_b = NULL;

  parse (one, &a);
  parse (other, &b);
  source_a = ace_address_source ((const struct sockaddr *) &a);
  source_b = ace_address_source ((const struct sockaddr *) &b);
  g_assert_true (g_str_equal (source_a, source_b) == same);
}

static void
test_source (void)
{
  expect_same_source ("192.0.2.1", "192.0.2.1", TRUE);
  expect_same_source ("192.0.2.1", "192.0.2.2", FALSE);
  expect_same_source ("192.0.2.1", "::ffff:192.0.2.1", TRUE);
  expect_same_source ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", TRUE);
  expect_same_source ("2001:db8:0:1::1", "2001:db8:0:2::1", FALSE);
}

static void
test_text (void)
{
  static const struct {
    const char *host, *text;
  } rows[] = {
    { "192.0.2.1", "192.0.2.1:4711" },
    { "::ffff:192.0.2.1", "192.0.2.1:4711" },
    { "2001:db8::1", "[2001:db8::1]:4711" },
  };
  const struct sockaddr_storage local = { .ss_family = AF_UNIX };
  g_autofree char *none = ace_address_text ((const struct sockaddr *) &local);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      struct sockaddr_storage address;
      g_autofree char *text = NULL;

      parse (rows[i].host, &address);
      ((struct sockaddr_in *) &address)->sin_port = g_htons (4711); /* at the same place for both */
      text = ace_address_text ((const struct sockaddr *) &address);
      g_assert_cmpstr (text, ==, rows[i].text);
    }
  g_assert_cmpstr (none, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ace-address/ends-of-all-ranges", test_cases);
  g_test_add_func ("/ace-address/nothing-but-internet-addresses", test_other_families);
  g_test_add_func ("/ace-address/a-source-is-an-address-or-a-64", test_source);
  g_test_add_func ("/ace-address/text-of-a-peer", test_text);
  return g_test_run ();
}
