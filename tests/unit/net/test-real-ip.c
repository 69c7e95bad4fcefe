/* test-real-ip.c: the client's address in a header that proxies write.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-real-ip.h"

#include <string.h>

static void
assert_found (const char *header, const char *lines, const char *expected)
{
  g_autofree char *text = g_strdup_printf ("GET /derp HTTP/1.1\r\nHost: r\r\n%s\r\n", lines);
  char written[DETOUR_ADDRESS_TEXT_MAX];
  struct sockaddr_storage found;
  DetourCidr trusted[2];
  DetourHttpHead head;
  gboolean is_there;

  g_assert_true (detour_cidr_parse ("10.0.0.0/8", &trusted[0], NULL));
  g_assert_true (detour_cidr_parse ("2001:db8:1::/48", &trusted[1], NULL));
  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, strlen (text)), ==,
                   DETOUR_HTTP_HEAD_OK);
  is_there = detour_real_ip_find (&head, header, trusted, G_N_ELEMENTS (trusted), &found);
  g_assert_true (is_there == (expected != NULL));
  if (is_there)
    g_assert_cmpstr (detour_address_format ((struct sockaddr *) &found, written), ==, expected);
}

static void
test_lists (void)
{
  static const struct {
    const char *lines, *expected;
  } cases[] = {
    { "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1:0" },
    { "x-forwarded-for:192.0.2.1\r\n", "192.0.2.1:0" },
    { "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n", "192.0.2.1:0" },
    /* What a client has written itself lies to the left of its own address. */
    { "X-Forwarded-For: 198.51.100.9, 192.0.2.1, 10.0.0.1 ,10.0.0.2\r\n", "192.0.2.1:0" },
    { "X-Forwarded-For: nonsense, 192.0.2.1\r\n", "192.0.2.1:0" },
    { "X-Forwarded-For: , 192.0.2.1\r\n", "192.0.2.1:0" },
    /* Several headers are one list, in their order. */
    { "X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1:0" },
    { "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", "192.0.2.1:0" },
    /* All are proxies: the one that is farthest away. */
    { "X-Forwarded-For: 10.0.0.9, 10.0.0.1\r\n", "10.0.0.9:0" },
    { "X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-For: 10.0.0.1\r\n", "10.0.0.9:0" },
    /* Nobody knows who wrote what is behind an entry that is no address. */
    { "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.1\r\n", "10.0.0.1:0" },
    { "X-Forwarded-For: 192.0.2.1,, 10.0.0.1\r\n", "10.0.0.1:0" },
    { "X-Forwarded-For: 192.0.2.1, unknown\r\n", NULL },
    { "X-Forwarded-For: 192.0.2.1,\r\n", NULL },
    { "X-Forwarded-For: \r\n", NULL },
    { "X-Real-IP: 192.0.2.1\r\n", NULL },
    { "X-Forwarded-For: relay.example.com\r\n", NULL },
    { "X-Forwarded-For: 192.0.2.256\r\n", NULL },
    { "X-Forwarded-For: :443\r\n", NULL },
    { "X-Forwarded-For: [::]:443\r\n", NULL },
    { "X-Forwarded-For: unix:/tmp/socket\r\n", NULL },
    { "X-Forwarded-For: fe80::1%eth0\r\n", NULL },
    { "X-Forwarded-For: "
      "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111\r\n",
      NULL },
    /* Ways to write it. */
    { "X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1:4711" },
    { "X-Forwarded-For: 2001:db8::1\r\n", "[2001:db8::1]:0" },
    { "X-Forwarded-For: [2001:db8::1]\r\n", "[2001:db8::1]:0" },
    { "X-Forwarded-For: [2001:db8::1]:4711, 2001:db8:1::2\r\n", "[2001:db8::1]:4711" },
    { "X-Forwarded-For: ::ffff:192.0.2.1, ::ffff:10.0.0.1\r\n", "192.0.2.1:0" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s", cases[i].lines);
      assert_found ("X-Forwarded-For", cases[i].lines, cases[i].expected);
    }
}

static void
test_single (void)
{
  assert_found ("X-Real-IP", "X-Real-IP: 192.0.2.1\r\n", "192.0.2.1:0");
  assert_found ("X-Real-IP", "X-Real-IP: 10.1.2.3\r\n", "10.1.2.3:0");
  assert_found ("X-Real-IP", "X-Real-IP: 2001:db8::1\r\nX-Forwarded-For: 192.0.2.1\r\n",
                "[2001:db8::1]:0");
}

/* The address that is found is IPv4 where it can be: networks and limits count it as such. */
static void
test_family (void)
{
  static const char text[] = "GET / HTTP/1.1\r\nHost: r\r\nX-Real-IP: ::ffff:192.0.2.1\r\n\r\n";
  struct sockaddr_storage found;
  DetourHttpHead head;

  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, strlen (text)), ==,
                   DETOUR_HTTP_HEAD_OK);
  g_assert_true (detour_real_ip_find (&head, "X-Real-IP", NULL, 0, &found));
  g_assert_cmpint (found.ss_family, ==, AF_INET);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/real-ip/lists", test_lists);
  g_test_add_func ("/real-ip/single", test_single);
  g_test_add_func ("/real-ip/family", test_family);
  return g_test_run ();
}
