/* test-web-address.c: which addresses of servers and proxies are taken, and what is said of others.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "web-address.h"

#include <string.h>

#define EXAMPLE "https://admit.example.com/verify"

static const struct {
  const char *text;
  const char *part; /* of the fault; NULL: there is none */
} addresses[] = {
  { "https://admit.example.com/verify", NULL },
  { "http://127.0.0.1:8080", NULL },
  { "HTTPS://admit.example.com:444/a/b?c=d%20e", NULL },
  { "https://[2001:db8::1]:8443/verify", NULL },
  { "admit.example.com/verify", "begin with https:// or http://, as in " EXAMPLE },
  { "admit.example.com:8080", "begin with https:// or http://, as in " EXAMPLE },
  { "/verify", "begin with https:// or http://" },
  { "", "begin with https:// or http://" },
  { "://admit.example.com", "begin with https:// or http://" },
  { "ftp://admit.example.com", "begins with ftp://, which cannot be used here" },
  { "unix:///run/admit", "begins with unix://" },
  { "https:///verify", "names no host" },
  { "https://admit.example.com:0/", "no port 0" },
  { "https://admit.example.com:99999/", "expected something like " EXAMPLE },
  { "https://admit.example.com:http/", "expected something like " EXAMPLE },
  { "https://[2001:db8::1/", "expected something like " EXAMPLE },
  { "https://admit.example.com/#top", "behind #" },
  { "https://admit.example.com/a b", "blank" },
  { "https://admit.example.com/\xc3\xa4", "must be written as %XX" },
}, proxies[] = {
  { "http://proxy.example.com:3128", NULL },
  { "http://proxy.example.com:3128/", NULL },
  { "socks5h://[::1]:1080", NULL },
  { "none", NULL },
  { "proxy.example.com:3128", "begin with http://, https:// or socks5h://" },
  { "http://proxy.example.com", "has no port" },
  { "http://proxy.example.com:3128/x", "has a path" },
  { "gopher://proxy.example.com:70", "begins with gopher://" },
};

static void
expect (char *fault, const char *text, const char *part)
{
  g_autofree char *owned = fault;

  g_test_message ("%s: %s", text, fault != NULL ? fault : "taken");
  if (part == NULL)
    g_assert_null (fault);
  else
    g_assert_nonnull (fault != NULL ? strstr (fault, part) : NULL);
}

static void
test_servers (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (addresses); i++)
    expect (web_address_check (addresses[i].text, EXAMPLE), addresses[i].text, addresses[i].part);
}

static void
test_proxies (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (proxies); i++)
    expect (web_address_check_proxy (proxies[i].text), proxies[i].text, proxies[i].part);
}

/* The message goes to the log, the secret must not. */
static void
test_secrets (void)
{
  static const char *const texts[] = { "https://anna:hunter2@admit.example.com/verify",
                                       "https://hunter2@admit.example.com/" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autofree char *fault = web_address_check (texts[i], EXAMPLE);
      g_autofree char *proxy = web_address_check_proxy (texts[i]);

      g_assert_nonnull (strstr (fault, "user name or password does not belong"));
      g_assert_null (strstr (fault, "hunter2"));
      g_assert_nonnull (proxy);
      g_assert_null (strstr (proxy, "hunter2"));
    }
}

static void
test_host (void)
{
  static const char *const rows[][2] = {
    { "https://admit.example.com/verify", "admit.example.com:443" },
    { "http://admit.example.com", "admit.example.com:80" },
    { "https://[2001:db8::1]:8443/verify", "[2001:db8::1]:8443" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *host = web_address_host (rows[i][0]);

      g_assert_cmpstr (host, ==, rows[i][1]);
    }
  g_assert_true (web_address_is_local ("http://127.0.0.1:8080/x"));
  g_assert_true (web_address_is_local ("http://LOCALHOST/x"));
  g_assert_true (web_address_is_local ("https://[::1]/x"));
  g_assert_false (web_address_is_local ("https://admit.example.com/127.0.0.1"));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/web-address/servers", test_servers);
  g_test_add_func ("/web-address/proxies", test_proxies);
  g_test_add_func ("/web-address/secrets-are-not-repeated", test_secrets);
  g_test_add_func ("/web-address/host", test_host);
  return g_test_run ();
}
