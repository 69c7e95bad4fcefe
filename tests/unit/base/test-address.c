/* test-address.c: written addresses and networks.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-address.h"

#include <arpa/inet.h>
#include <string.h>

static void
good_addresses (void)
{
  static const struct {
    const char *text, *host;
    guint port;
    const char *path;
    const char *formatted; /* NULL: a name */
  } cases[] = {
    { "127.0.0.1:443", "127.0.0.1", 443, "", "127.0.0.1:443" },
    { "relay.example.com:80", "relay.example.com", 80, "", NULL },
    { "localhost:0", "localhost", 0, "", NULL },
    { "[2001:db8::1]:3478", "2001:db8::1", 3478, "", "[2001:db8::1]:3478" },
    { "[::]:443", "", 443, "", "[::]:443" },
    { ":443", "", 443, "", "[::]:443" },
    { "0.0.0.0:80", "0.0.0.0", 80, "", "0.0.0.0:80" },
    { "unix:/run/detour/http", "", 0, "/run/detour/http", "unix:/run/detour/http" },
    { "a_b-c.d.:65535", "a_b-c.d.", 65535, "", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      DetourAddress address;
      struct sockaddr_storage storage;
      socklen_t len;
      char text[DETOUR_ADDRESS_TEXT_MAX];
      gboolean numeric;

      g_test_message ("%s", cases[i].text);
      detour_address_parse (cases[i].text, &address, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (address.host, ==, cases[i].host);
      g_assert_cmpuint (address.port, ==, cases[i].port);
      g_assert_cmpstr (address.path, ==, cases[i].path);

      numeric = detour_address_to_sockaddr (&address, &storage, &len);
      g_assert_cmpint (numeric, ==, cases[i].formatted != NULL);
      if (numeric)
        g_assert_cmpstr (detour_address_format ((const struct sockaddr *) &storage, text), ==,
                         cases[i].formatted);
    }
}

static void
bad_addresses (void)
{
  static const char *const cases[] = {
    "",
    "443",
    "relay.example.com",
    ":",
    ":x",
    ":+1",
    ":-1",
    ": 1",
    ":65536",
    ":4294967297",
    "host:",
    "host:http",
    "1.2.3:80",
    "1.2.3.256:80",
    "1.2.3.4.5:80",
    "::1:80",
    "2001:db8::1:443",
    "[::1]",
    "[::1]443",
    "[]:80",
    "[1.2.3.4]:80",
    "[relay]:80",
    "[::1:80",
    "a b:80",
    "-a:80",
    ".a:80",
    "a..b:80",
    "a/b:80",
    "http://a:80",
    "unix:",
    "unix:relative",
    "unix:relative/http",
    "[fe80::1%eth0]:80",
  };
  g_autofree char *long_name = g_strnfill (300, 'a');
  g_autofree char *long_host = g_strconcat (long_name, ":80", NULL);
  g_autofree char *long_path = g_strconcat ("unix:/", long_name, NULL);
  DetourAddress address;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("\"%s\"", cases[i]);
      g_assert_false (detour_address_parse (cases[i], &address, &error));
      g_assert_error (error, DETOUR_ADDRESS_ERROR, DETOUR_ADDRESS_ERROR_SYNTAX);
      g_assert_nonnull (strstr (error->message, cases[i]));
    }
  g_assert_false (detour_address_parse (long_host, &address, NULL));
  g_assert_false (detour_address_parse (long_path, &address, NULL));
}

static void
path_fits_exactly (void)
{
  gsize room = sizeof ((struct sockaddr_un *) 0)->sun_path - 1;
  g_autofree char *fits = g_strnfill (strlen ("unix:") + room, 'x');
  g_autofree char *one_more = NULL;
  DetourAddress address;

  memcpy (fits, "unix:/", strlen ("unix:/"));
  one_more = g_strconcat (fits, "x", NULL);
  g_assert_true (detour_address_parse (fits, &address, NULL));
  g_assert_cmpuint (strlen (address.path), ==, room);
  g_assert_false (detour_address_parse (one_more, &address, NULL));
}

/* A sockaddr of a numeric host. */
static void
make (const char *host, struct sockaddr_storage *out)
{
  DetourAddress address = { .port = 1 };
  socklen_t len;
  gboolean numeric;

  g_strlcpy (address.host, host, sizeof address.host);
  numeric = detour_address_to_sockaddr (&address, out, &len);
  g_assert_true (numeric);
}

static void
mapped_is_written_as_ipv4 (void)
{
  struct sockaddr_storage storage;
  struct sockaddr_un unnamed = { .sun_family = AF_UNIX };
  char text[DETOUR_ADDRESS_TEXT_MAX];

  make ("::ffff:192.0.2.7", &storage);
  g_assert_cmpstr (detour_address_format ((const struct sockaddr *) &storage, text), ==,
                   "192.0.2.7:1");
  g_assert_cmpstr (detour_address_format_host ((const struct sockaddr *) &storage, text), ==,
                   "192.0.2.7");
  make ("2001:db8::7", &storage);
  g_assert_cmpstr (detour_address_format_host ((const struct sockaddr *) &storage, text), ==,
                   "2001:db8::7");
  g_assert_cmpstr (detour_address_format ((const struct sockaddr *) &unnamed, text), ==, "unix:");
  storage.ss_family = AF_UNSPEC;
  g_assert_cmpstr (detour_address_format ((const struct sockaddr *) &storage, text), ==, "unknown");
}

static void
networks (void)
{
  static const struct {
    const char *cidr, *address;
    gboolean inside;
  } cases[] = {
    { "192.0.2.0/24", "192.0.2.255", TRUE },
    { "192.0.2.0/24", "192.0.3.0", FALSE },
    { "192.0.2.0/24", "::ffff:192.0.2.1", TRUE },
    { "192.0.2.0/24", "2001:db8::1", FALSE },
    { "10.0.0.0/8", "10.255.255.255", TRUE },
    { "10.0.0.0/8", "11.0.0.0", FALSE },
    { "192.0.2.128/25", "192.0.2.127", FALSE },
    { "192.0.2.128/25", "192.0.2.128", TRUE },
    { "192.0.2.1", "192.0.2.1", TRUE },
    { "192.0.2.1", "192.0.2.2", FALSE },
    { "0.0.0.0/0", "203.0.113.1", TRUE },
    { "0.0.0.0/0", "2001:db8::1", FALSE },
    { "2001:db8::/32", "2001:db8:ffff::", TRUE },
    { "2001:db8::/32", "2001:db9::", FALSE },
    { "2001:db8::/33", "2001:db8:8000::", FALSE },
    { "::/0", "2001:db8::1", TRUE },
    { "::1", "::1", TRUE },
    { "::1/128", "::2", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      struct sockaddr_storage storage;
      DetourCidr cidr;

      g_test_message ("%s %s", cases[i].cidr, cases[i].address);
      detour_cidr_parse (cases[i].cidr, &cidr, &error);
      g_assert_no_error (error);
      make (cases[i].address, &storage);
      g_assert_cmpint (detour_cidr_contains (&cidr, (const struct sockaddr *) &storage), ==,
                       cases[i].inside);
    }
}

static void
bad_networks (void)
{
  static const char *const cases[] = {
    "",
    "/",
    "/24",
    "192.0.2.0/",
    "192.0.2.0/33",
    "192.0.2.0/-1",
    "192.0.2.0/+8",
    "192.0.2.0/ 8",
    "192.0.2.1/24",
    "192.0.2/24",
    "example.com/24",
    "2001:db8::/129",
    "2001:db8::1/64",
    "[::1]/128",
    "192.0.2.0/24/8",
    "0.0.0.1/0",
  };
  DetourCidr cidr;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("\"%s\"", cases[i]);
      g_assert_false (detour_cidr_parse (cases[i], &cidr, &error));
      g_assert_error (error, DETOUR_ADDRESS_ERROR, DETOUR_ADDRESS_ERROR_SYNTAX);
    }
}

static void
hosts (void)
{
  static const char *const good[] = { "relay.example.com", "203.0.113.5", "2001:db8::5", "::" };
  static const char *const bad[] = {
    "", "1.2.3", "relay.example.com:443", "[2001:db8::5]", "fe80::1%eth0", "two words"
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_test_message ("%s", good[i]);
      g_assert_true (detour_address_is_host (good[i]));
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_test_message ("%s", bad[i]);
      g_assert_false (detour_address_is_host (bad[i]));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/address/every-form-is-read", good_addresses);
  g_test_add_func ("/address/anything-else-is-refused", bad_addresses);
  g_test_add_func ("/address/longest-path", path_fits_exactly);
  g_test_add_func ("/address/hosts", hosts);
  g_test_add_func ("/address/mapped-is-written-as-ipv4", mapped_is_written_as_ipv4);
  g_test_add_func ("/cidr/contains", networks);
  g_test_add_func ("/cidr/anything-else-is-refused", bad_networks);
  return g_test_run ();
}
