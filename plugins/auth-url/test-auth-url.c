/* test-auth-url.c: the plugin in a real host, against admission servers that are well, slow,
 * silent, lying or dead.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-request.h"
#include "plugin-bench.h"
#include "test-program.h"
#include "test-web-server.h"

#include <glib/gstdio.h>
#include <string.h>

extern const DetourPlugin detour_plugin;

#define ALLOW "{\"Allow\":true,\"Label\":\"laptop\"}"
#define DENY  "{\"Allow\":false}"

/* Keys of the group behind `url`. */
/* As long as can be, for a slow machine. */
#define GRACE "unavailable = grace\ntimeout = 1m\nproxy = none\n"
/* For a server that never answers. */
#define BRIEF "unavailable = grace\ntimeout = 300ms\nproxy = none\n"
/* Half of it is waited for. */
#define HALF "unavailable = grace\ntimeout = 10s\nproxy = none\n"

/* "allow LABEL (REASON)", "deny REASON" or "unavailable REASON" of the key whose bytes are all
 * @byte; free with g_free(). */
static char *
ask (PluginBench *bench, guint8 byte)
{
  static const char *const results[] = { "allow", "deny", "unavailable" };
  guint8 key[DETOUR_KEY_SIZE];
  g_autoptr (DetourVerdict) verdict = NULL;

  memset (key, byte, sizeof key);
  verdict = plugin_bench_verify (bench, key);
  return g_strdup_printf ("%s %s %s", results[verdict->result],
                          verdict->label != NULL ? verdict->label : "-",
                          verdict->reason != NULL ? verdict->reason : "-");
}

static void
expect (PluginBench *bench, const char *result, const char *part)
{
  g_autofree char *answer = ask (bench, 0xab);

  g_test_message ("%s", answer);
  g_assert_true (g_str_has_prefix (answer, result));
  g_assert_nonnull (strstr (answer, part));
}

/* @second: (nullable): another server; @keys: the rest of the group */
static PluginBench *
start (WebServer *first, WebServer *second, const char *keys)
{
  PluginBench *bench = plugin_bench_new (&detour_plugin);
  g_autofree char *url = web_server_url (first, "/verify");
  g_autofree char *other = second != NULL ? web_server_url (second, "/verify") : NULL;
  g_autofree char *config = g_strdup_printf ("[auth url]\nurl = %s%s%s\n%s", url,
                                             other != NULL ? "; " : "", other != NULL ? other : "",
                                             keys);

  plugin_bench_load_good (bench, config);
  plugin_bench_start (bench);
  return bench;
}

static gboolean
has_trouble (gpointer data)
{
  g_autofree char *trouble = detour_instance_dup_trouble (((PluginBench *) data)->instance);

  return trouble != NULL;
}

static gboolean
has_no_trouble (gpointer data)
{
  return !has_trouble (data);
}

static gboolean
has_changed (gpointer data)
{
  return plugin_bench_counter (data, "changes") > 0;
}

static gboolean
had_two_requests (gpointer data)
{
  return web_server_n_requests (data) >= 2;
}

static guint
seconds_since (gint64 begin_us)
{
  return (guint) ((g_get_monotonic_time () - begin_us) / G_TIME_SPAN_SECOND);
}

static void
expect_trouble (PluginBench *bench, const char *part)
{
  g_autofree char *trouble = NULL;

  plugin_bench_wait (has_trouble, bench);
  trouble = detour_instance_dup_trouble (bench->instance);
  g_test_message ("%s", trouble);
  g_assert_nonnull (strstr (trouble, part));
}

/* Answers -------------------------------------------------------------------------------------- */

static const struct {
  const char *name;
  WebServerManner manner;
  guint status;
  const char *headers, *body;
  const char *result, *part;
} cases[] = {
  { "allows", WEB_SERVER_ANSWERS, 200, "", ALLOW, "allow", "laptop" },
  { "denies", WEB_SERVER_ANSWERS, 200, "", DENY, "deny", "does not allow it" },
  { "refuses", WEB_SERVER_ANSWERS, 403, "", "", "deny", "status 403" },
  { "lies", WEB_SERVER_ANSWERS, 200, "", "<html>", "unavailable", "not JSON" },
  { "wrong-type", WEB_SERVER_ANSWERS, 200, "", "{\"Allow\":1}", "unavailable",
    "not true or false" },
  { "no-content", WEB_SERVER_ANSWERS, 204, "", "", "unavailable", "status 204" },
  { "redirect", WEB_SERVER_ANSWERS, 307, "Location: http://127.0.0.1/\r\n", "", "unavailable",
    "redirects are not followed" },
  { "error", WEB_SERVER_ANSWERS, 500, "", ALLOW, "unavailable", "status 500" },
  { "later", WEB_SERVER_ANSWERS, 429, "Retry-After: 60\r\n", "", "unavailable", "asked later" },
  { "silent", WEB_SERVER_SILENT, 200, "", "", "unavailable", "no answer from 127.0.0.1:" },
  { "hangs-halfway", WEB_SERVER_HANGS_HALFWAY, 200, "", ALLOW, "unavailable", "within 300 ms" },
  { "stops-halfway", WEB_SERVER_STOPS_HALFWAY, 200, "", ALLOW, "unavailable",
    "closed the connection" },
  { "closes", WEB_SERVER_CLOSES, 200, "", "", "unavailable", "closed the connection" },
  { "no-http", WEB_SERVER_NO_HTTP, 200, "", "", "unavailable", "does not speak HTTP" },
  { "endless", WEB_SERVER_ENDLESS, 200, "", "", "unavailable", "longer than 16384 bytes" },
  { "endless-head", WEB_SERVER_ENDLESS_HEAD, 200, "", "", "unavailable", "head of an answer" },
  { "length-that-is-no-number", WEB_SERVER_BREAKS_LENGTH, 200, "", ALLOW, "unavailable",
    "Content-Length that is no number" },
};

static void
test_case (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  gboolean is_late = strstr (cases[i].part, "within 300 ms") != NULL
                  || cases[i].manner == WEB_SERVER_SILENT;
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (PluginBench) bench = start (server, NULL, is_late ? BRIEF : GRACE);

  web_server_set (server, cases[i].manner, cases[i].status, cases[i].headers, cases[i].body);
  expect (bench, cases[i].result, cases[i].part);
  g_assert_cmpuint (plugin_bench_counter (bench, "allowed"), ==,
                    g_str_equal (cases[i].result, "allow"));
  g_assert_cmpuint (plugin_bench_counter (bench, "denied"), ==,
                    g_str_equal (cases[i].result, "deny"));
  g_assert_cmpuint (plugin_bench_counter (bench, "unavailable"), ==,
                    g_str_equal (cases[i].result, "unavailable"));
  if (g_str_equal (cases[i].result, "unavailable"))
    expect_trouble (bench, cases[i].part);
}

/* What derper sends, in a head that every server takes. */
static void
test_request (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (PluginBench) bench = start (server, NULL, GRACE);
  g_autofree char *sent = NULL;
  g_autofree char *expected = NULL;
  g_autofree char *key = g_strnfill (64, 'a');

  for (guint i = 1; i < 64; i += 2)
    key[i] = 'b';
  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  expect (bench, "allow", "laptop");
  sent = web_server_last (server, FALSE);
  expected = g_strdup_printf ("POST /verify HTTP/1.1\r\n"
                              "Host: 127.0.0.1:%u\r\n"
                              "User-Agent: detour/" DETOUR_VERSION "\r\n"
                              "Content-Type: application/json\r\n"
                              "Accept: application/json\r\n"
                              "Content-Length: %" G_GSIZE_FORMAT "\r\n"
                              "\r\n"
                              "{\"NodePublic\":\"nodekey:%s\",\"Source\":\"%s\"}",
                              web_server_port (server), strlen ("192.0.2.1") + 110 - 9, key,
                              "192.0.2.1");
  g_test_message ("%s", sent);
  g_assert_cmpstr (sent, ==, expected);
}

/* Without a verdict ---------------------------------------------------------------------------- */

static void
test_without (void)
{
  static const struct {
    const char *keys, *result, *part;
  } rows[] = {
    { "unavailable = grace\n", "unavailable", "status 500" },
    { "unavailable = allow\n", "allow", "status 500; unavailable = allow" },
    { "unavailable = deny\n", "deny", "status 500; unavailable = deny" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (WebServer) server = web_server_new (0);
      g_autoptr (PluginBench) bench = NULL;

      web_server_set (server, WEB_SERVER_ANSWERS, 500, "", "");
      bench = start (server, NULL, rows[i].keys);
      expect (bench, rows[i].result, rows[i].part);
      g_assert_cmpuint (plugin_bench_counter (bench, "unavailable"), ==, 1);
      g_assert_cmpuint (plugin_bench_counter (bench, "allowed"), ==, 0);
      g_assert_cmpuint (plugin_bench_counter (bench, "denied"), ==, 0);
    }
}

/* A denial is one, whatever was chosen for the time without verdicts. */
static void
test_allow_is_not_for_denials (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (PluginBench) bench = start (server, NULL, "unavailable = allow\n");

  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", DENY);
  expect (bench, "deny", "does not allow it");
}

/* Trouble -------------------------------------------------------------------------------------- */

/* Nobody asked yet. */
static void
test_dead_from_the_start (void)
{
  g_autoptr (PluginBench) bench = NULL;
  WebServer *server = web_server_new (0);
  guint16 port = web_server_port (server);
  g_autofree char *url = web_server_url (server, "/verify");
  g_autofree char *config = g_strdup_printf ("[auth url]\nurl = %s\n" GRACE, url);

  web_server_free (server);
  bench = plugin_bench_new (&detour_plugin);
  plugin_bench_load_good (bench, config);
  plugin_bench_start (bench);
  expect_trouble (bench, "Connection refused; since ");
  server = web_server_new (port);
  plugin_bench_wait (has_no_trouble, bench);
  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  expect (bench, "allow", "laptop");
  /* Nobody went without a verdict. */
  g_assert_cmpuint (plugin_bench_counter (bench, "changes"), ==, 0);
  web_server_free (server);
}

static void
test_gateway_without_a_server (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (PluginBench) bench = NULL;

  web_server_set (server, WEB_SERVER_ANSWERS, 502, "", "");
  bench = start (server, NULL, GRACE);
  expect_trouble (bench, "it answered with status 502");
}

/* Whoever went without a verdict is asked about again when there are verdicts. */
static void
test_recovery (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (PluginBench) bench = start (server, NULL, GRACE);
  guint n_changed;

  web_server_set (server, WEB_SERVER_ANSWERS, 500, "", "");
  expect (bench, "unavailable", "status 500");
  expect_trouble (bench, "status 500");
  g_assert_cmpuint (plugin_bench_counter (bench, "changes"), ==, 0);
  n_changed = bench->n_auth_changed;
  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  plugin_bench_wait (has_changed, bench);
  g_assert_cmpuint (bench->n_auth_changed, ==, n_changed + 1);
  g_assert_true (has_no_trouble (bench));
  g_assert_cmpuint (plugin_bench_counter (bench, "changes"), ==, 1);
}

/* A path that is not there denies everyone; that must not go unnoticed. */
static void
test_wrong_path (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (PluginBench) bench = start (server, NULL, GRACE);

  web_server_set (server, WEB_SERVER_ANSWERS, 404, "", "");
  expect (bench, "deny", "status 404");
  expect_trouble (bench, "let nobody in yet and refuses with status 404; is the path of its URL");
  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", DENY);
  expect (bench, "deny", "does not allow it");
  g_assert_true (has_no_trouble (bench));
  web_server_set (server, WEB_SERVER_ANSWERS, 404, "", "");
  expect (bench, "deny", "status 404");
  g_assert_true (has_no_trouble (bench));
}

/* A server that hangs costs the first ones their time, and the others nothing. */
static void
test_silence_makes_no_queue (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (PluginBench) bench = NULL;
  gint64 begin_us;
  guint before, asked;

  web_server_set (server, WEB_SERVER_SILENT, 200, "", "");
  bench = start (server, NULL, BRIEF);
  for (guint i = 0; i < 3; i++)
    expect (bench, "unavailable", "");
  before = web_server_n_requests (server);
  begin_us = g_get_monotonic_time ();
  for (guint i = 0; i < 100; i++)
    expect (bench, "unavailable", "127.0.0.1:");
  /* One question a second is tried, and now and then a look is made. */
  asked = web_server_n_requests (server) - before;
  g_test_message ("%u questions", asked);
  g_assert_cmpuint (asked, <=, 3 + 2 * seconds_since (begin_us));
  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  plugin_bench_wait (has_changed, bench);
  expect (bench, "allow", "laptop");
}

static void
test_restart (void)
{
  g_autoptr (PluginBench) bench = NULL;
  WebServer *server = web_server_new (0);
  guint16 port = web_server_port (server);

  bench = start (server, NULL, GRACE);
  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  expect (bench, "allow", "laptop");
  web_server_free (server);
  server = web_server_new (port);
  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  expect (bench, "allow", "laptop");
  web_server_free (server);
}

/* Several servers ------------------------------------------------------------------------------ */

static void
test_second (void)
{
  g_autoptr (WebServer) second = web_server_new (0);
  g_autoptr (WebServer) first = web_server_new (0);
  g_autoptr (PluginBench) bench = NULL;
  gint64 begin_us = g_get_monotonic_time ();
  guint n;

  web_server_set (first, WEB_SERVER_ANSWERS, 503, "", "");
  web_server_set (second, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  bench = start (first, second, GRACE);
  for (guint i = 0; i < 5; i++)
    expect (bench, "allow", "laptop");
  g_assert_cmpuint (plugin_bench_counter (bench, "unavailable"), ==, 0);
  expect_trouble (bench, "status 503");
  /* The one that failed is not in the way of every question; it is looked at now and then. */
  n = web_server_n_requests (first);
  g_assert_cmpuint (n, <=, 3 + seconds_since (begin_us));
  g_assert_cmpuint (web_server_n_requests (second), >=, 5);
}

/* Each gets its share of the time. */
static void
test_first_silent (void)
{
  g_autoptr (WebServer) second = web_server_new (0);
  g_autoptr (WebServer) first = web_server_new (0);
  g_autoptr (PluginBench) bench = NULL;

  web_server_set (first, WEB_SERVER_SILENT, 200, "", "");
  web_server_set (second, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  bench = start (first, second, HALF);
  expect (bench, "allow", "laptop");
  expect (bench, "allow", "laptop");
}

/* The verdict of the first one counts. */
static void
test_denial_of_the_first (void)
{
  g_autoptr (WebServer) second = web_server_new (0);
  g_autoptr (WebServer) first = web_server_new (0);
  g_autoptr (PluginBench) bench = NULL;

  web_server_set (first, WEB_SERVER_ANSWERS, 200, "", DENY);
  web_server_set (second, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  bench = start (first, second, GRACE);
  expect (bench, "deny", "does not allow it");
}

static void
test_both_fail (void)
{
  g_autoptr (WebServer) second = web_server_new (0);
  g_autoptr (WebServer) first = web_server_new (0);
  g_autoptr (PluginBench) bench = NULL;

  web_server_set (first, WEB_SERVER_ANSWERS, 500, "", "");
  web_server_set (second, WEB_SERVER_ANSWERS, 502, "", "");
  bench = start (first, second, GRACE);
  expect (bench, "unavailable", "status 502");
  expect_trouble (bench, "status 500");
  expect_trouble (bench, "status 502");
}

/* The configuration ---------------------------------------------------------------------------- */

static void
test_check (void)
{
  static const struct {
    const char *keys, *part;
  } rows[] = {
    { "unavailable = grace\n", "url: not set; write the address that is asked, as in https://" },
    { "url = headscale.example.com/verify\nunavailable = grace\n",
      "does not say how to ask; begin with https:// or http://, as in https://" },
    { "url = ftp://headscale.example.com/\nunavailable = grace\n", "begins with ftp://" },
    { "url = https://u:p@headscale.example.com/\nunavailable = grace\n", "user name or password" },
    { "url = https://a.example.com/; https://a.example.com/\nunavailable = grace\n", "twice" },
    { "url = https://a.example.com/\n", "unavailable: not set. Say what becomes of clients" },
    { "url = https://a.example.com/\nunavailable = perhaps\n", "unavailable" },
    { "url = https://a.example.com/\nunavailable = deny\nproxy = proxy:3128\n",
      "proxy: \"proxy:3128\" does not say how to ask" },
    { "url = https://a.example.com/\nunavailable = deny\nca-file = @DIR@/none.pem\n", "none.pem" },
    { "url = https://a.example.com/\nunavailable = deny\nca-file = @DIR@\n", "a directory" },
    { "url = https://a.example.com/\nunavailable = deny\nclient-key-file = @DIR@/key.pem\n",
      "there is no client-cert-file that it belongs to" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *config = g_strconcat ("[auth url]\n", rows[i].keys, NULL);
      g_autofree char *errors = plugin_bench_load (bench, config);

      g_test_message ("%s", errors != NULL ? errors : "-");
      g_assert_nonnull (errors);
      g_assert_nonnull (strstr (errors, rows[i].part));
      g_assert_null (strstr (errors, "u:p"));
    }
}

/* Files that have become bad are no reason to stop. */
static void
test_reload (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *url = web_server_url (server, "/verify");
  g_autofree char *config = g_strdup_printf ("[auth url]\nurl = %s\nca-file = @DIR@/ca.pem\n" GRACE,
                                             url);
  guint n;

  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", ALLOW);
  plugin_bench_write (bench, "ca.pem", "-----BEGIN CERTIFICATE-----\n");
  plugin_bench_load_good (bench, config);
  plugin_bench_start (bench);
  expect (bench, "allow", "laptop");
  /* The first look may have a connection of its own. */
  plugin_bench_wait (had_two_requests, server);
  n = web_server_n_connections (server);
  plugin_bench_reload (bench);
  expect (bench, "allow", "laptop");
  g_assert_cmpuint (web_server_n_connections (server), ==, n);
  plugin_bench_write (bench, "ca.pem", "");
  plugin_bench_reload (bench);
  expect_trouble (bench, "what was read before is in use");
  expect (bench, "allow", "laptop");
  g_assert_cmpuint (web_server_n_connections (server), ==, n);
  plugin_bench_write (bench, "ca.pem", "-----BEGIN CERTIFICATE-----\nA\n");
  plugin_bench_reload (bench);
  g_assert_true (has_no_trouble (bench));
  expect (bench, "allow", "laptop");
  g_assert_cmpuint (web_server_n_connections (server), ==, n + 1);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (test_log_nothing, NULL, NULL);
  TEST_ADD_ROWS ("/auth-url/", cases, test_case);
  g_test_add_func ("/auth-url/request", test_request);
  g_test_add_func ("/auth-url/without-a-verdict", test_without);
  g_test_add_func ("/auth-url/allow-is-not-for-denials", test_allow_is_not_for_denials);
  g_test_add_func ("/auth-url/dead-from-the-start", test_dead_from_the_start);
  g_test_add_func ("/auth-url/gateway-without-a-server", test_gateway_without_a_server);
  g_test_add_func ("/auth-url/recovery", test_recovery);
  g_test_add_func ("/auth-url/wrong-path", test_wrong_path);
  g_test_add_func ("/auth-url/silence-makes-no-queue", test_silence_makes_no_queue);
  g_test_add_func ("/auth-url/restart", test_restart);
  g_test_add_func ("/auth-url/second-when-the-first-fails", test_second);
  g_test_add_func ("/auth-url/second-when-the-first-is-silent", test_first_silent);
  g_test_add_func ("/auth-url/denial-of-the-first", test_denial_of_the_first);
  g_test_add_func ("/auth-url/both-fail", test_both_fail);
  g_test_add_func ("/auth-url/check", test_check);
  g_test_add_func ("/auth-url/reload", test_reload);
  return g_test_run ();
}
