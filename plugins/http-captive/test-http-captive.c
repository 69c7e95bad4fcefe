/* test-http-captive.c: the answer to the captive-portal check, byte for byte.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detour-plugin.h"
#include "test-http-ask.h"
#include "test-program.h"

extern const DetourPlugin detour_plugin;

/* The part of the host that this plugin needs. */
struct _DetourHost {
  DetourCounter requests, challenges;
};

DetourCounter *
detour_host_counter (DetourHost *host, const char *name, const char *help)
{
  if (strcmp (name, "requests") == 0)
    return &host->requests;
  g_assert_cmpstr (name, ==, "challenges");
  return &host->challenges;
}

#define FRONT                                                          \
  "HTTP/1.1 204 No Content\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n" \
  "Cache-Control: no-cache, no-store, must-revalidate, no-transform, max-age=0\r\n"
#define TEN "0123456789"

static const struct {
  const char *name, *header;
  const char *echo; /* NULL: none */
} cases[] = {
  { "no-challenge", "", NULL },
  { "host-name", "X-Tailscale-Challenge: ts_derp1.example.com\r\n", "ts_derp1.example.com" },
  { "address", "X-Tailscale-Challenge: ts_192.0.2.1\r\n", "ts_192.0.2.1" },
  { "every-byte-allowed", "x-tailscale-challenge: azAZ09.-_:\r\n", "azAZ09.-_:" },
  { "longest", "X-Tailscale-Challenge: " TEN TEN TEN TEN TEN TEN "0123\r\n",
    TEN TEN TEN TEN TEN TEN "0123" },
  { "too-long", "X-Tailscale-Challenge: " TEN TEN TEN TEN TEN TEN "01234\r\n", NULL },
  { "empty", "X-Tailscale-Challenge:\r\n", NULL },
  { "blank-inside", "X-Tailscale-Challenge: a b\r\n", NULL },
  { "slash", "X-Tailscale-Challenge: a/b\r\n", NULL },
  { "markup", "X-Tailscale-Challenge: <script>\r\n", NULL },
  { "high-byte", "X-Tailscale-Challenge: a\xc3\xa4\r\n", NULL },
  { "first-header-counts", "X-Tailscale-Challenge: a\r\nX-Tailscale-Challenge: b\r\n", "a" },
};

static void
test_answer (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  static const char *const methods[] = { "GET", "HEAD", "POST", "OPTIONS" };
  const DetourHttpRoute *route = detour_plugin.funcs.http->routes;
  DetourHost host = { 0 };
  gpointer self = detour_plugin.start (&host, NULL, NULL);
  g_autofree char *expected = cases[i].echo == NULL
                                ? g_strdup (FRONT "\r\n")
                                : g_strdup_printf (FRONT
                                                   "X-Tailscale-Response: response %s\r\n\r\n",
                                                   cases[i].echo);

  for (gsize m = 0; m < G_N_ELEMENTS (methods); m++)
    {
      g_autofree char *text = g_strdup_printf ("%s /generate_204?t=1 HTTP/1.1\r\nHost: h\r\n%s\r\n",
                                               methods[m], cases[i].header);
      g_autofree char *wire = test_http_ask (route, self, text, 0);

      g_assert_cmpstr (wire, ==, expected);
    }
  g_assert_cmpuint (detour_counter_get (&host.requests), ==, G_N_ELEMENTS (methods));
  g_assert_cmpuint (detour_counter_get (&host.challenges), ==,
                    cases[i].echo != NULL ? G_N_ELEMENTS (methods) : 0);
  detour_plugin.stop (self);
}

static void
test_route (void)
{
  const DetourHttpRoute *routes = detour_plugin.funcs.http->routes;

  g_assert_cmpstr (detour_plugin.name, ==, "http-captive");
  g_assert_cmpstr (routes[0].path, ==, "/generate_204");
  g_assert_cmpint (routes[0].methods, ==, DETOUR_HTTP_ANY);
  g_assert_cmpint (routes[0].sites, ==, DETOUR_SITE_CLIENTS | DETOUR_SITE_PLAIN);
  g_assert_null (routes[1].path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-captive/route-on-plain-listeners-for-any-method", test_route);
  TEST_ADD_ROWS ("/http-captive/challenge/", cases, test_answer);
  return g_test_run ();
}
