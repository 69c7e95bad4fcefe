/* test-auth-tailscaled.c: the plugin in a real host, against a LocalAPI that is well, slow,
 * silent, lying or dead.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-tailscaled.h"
#include "detour-auth-request.h"
#include "plugin-bench.h"
#include "test-program.h"

#include <glib/gstdio.h>
#include <string.h>

extern const DetourPlugin detour_plugin;

#define NODE                                                                                      \
  "{\"Node\":{\"ComputedName\":\"laptop\"},\"UserProfile\":{\"LoginName\":\"anna@example.com\"}," \
  "\"CapMap\":null}"
#define RUNNING "{\"BackendState\":\"Running\"}"
/* As long as can be, for a slow machine; BRIEF is for what never answers. */
#define ONE   "[auth tailscaled]\nsocket = @DIR@/a.sock\ntimeout = 1m\n"
#define TWO   "[auth tailscaled]\nsocket = @DIR@/a.sock; @DIR@/b.sock\ntimeout = 1m\n"
#define BRIEF "[auth tailscaled]\nsocket = @DIR@/a.sock\ntimeout = 200ms\n"

/* "allow LABEL", "deny REASON" or "unavailable REASON" of the key whose bytes are all @byte; free
 * with g_free(). */
static char *
ask (PluginBench *bench, guint8 byte)
{
  static const char *const results[] = { "allow", "deny", "unavailable" };
  guint8 key[DETOUR_KEY_SIZE];
  g_autoptr (DetourVerdict) verdict = NULL;

  memset (key, byte, sizeof key);
  verdict = plugin_bench_verify (bench, key);
  return g_strdup_printf ("%s %s", results[verdict->result],
                          verdict->result == DETOUR_AUTH_ALLOW
                              ? (verdict->label != NULL ? verdict->label : "-")
                              : verdict->reason);
}

/* The answer begins so, and has @part in it. */
static void
expect (PluginBench *bench, const char *result, const char *part)
{
  g_autofree char *answer = ask (bench, 0xab);

  g_test_message ("%s", answer);
  g_assert_true (g_str_has_prefix (answer, result));
  g_assert_nonnull (strstr (answer, part));
}

static PluginBench *
start (const char *config)
{
  PluginBench *bench = plugin_bench_new (&detour_plugin);

  plugin_bench_load_good (bench, config);
  plugin_bench_start (bench);
  return bench;
}

static FakeTailscaled *
fake_new (PluginBench *bench, const char *name)
{
  g_autofree char *path = plugin_bench_path (bench, name);

  return fake_tailscaled_new (path);
}

static const struct {
  const char *path;
  FakeManner manner;
  guint status;
  const char *body;
  FakeManner look_manner;
  guint look_status;
  const char *look_body;
  const char *result, *part;
} cases[] = {
  { "/auth-tailscaled/knows-it", FAKE_ANSWERS, 200, NODE, FAKE_ANSWERS, 200, RUNNING, "allow",
    "laptop (anna@example.com)" },
  { "/auth-tailscaled/null", FAKE_ANSWERS, 200, "null", FAKE_ANSWERS, 200, RUNNING, "allow", "-" },
  { "/auth-tailscaled/does-not-know-it", FAKE_ANSWERS, 404, "no match", FAKE_ANSWERS, 200, RUNNING,
    "deny", "does not know it" },
  { "/auth-tailscaled/not-logged-in", FAKE_ANSWERS, 404, "no match", FAKE_ANSWERS, 200,
    "{\"BackendState\":\"NeedsLogin\"}", "unavailable",
    "not connected to its network (NeedsLogin)" },
  { "/auth-tailscaled/knows-it-while-starting", FAKE_ANSWERS, 200, NODE, FAKE_ANSWERS, 200,
    "{\"BackendState\":\"Starting\"}", "allow", "laptop" },
  { "/auth-tailscaled/does-not-say-how-it-is", FAKE_ANSWERS, 404, "no match", FAKE_ANSWERS, 500, "",
    "deny", "does not know it" },
  { "/auth-tailscaled/dies-after-404", FAKE_ANSWERS, 404, "no match", FAKE_CLOSES, 200, "",
    "unavailable", "closed the connection" },
  { "/auth-tailscaled/silent-after-404", FAKE_ANSWERS, 404, "no match", FAKE_SAYS_NOTHING, 200, "",
    "unavailable", "within 200 ms" },
  { "/auth-tailscaled/too-old", FAKE_ANSWERS, 400, "invalid 'addr' parameter", FAKE_ANSWERS, 200,
    RUNNING, "unavailable", "too old" },
  { "/auth-tailscaled/malformed", FAKE_ANSWERS, 400, "what?", FAKE_ANSWERS, 200, RUNNING,
    "unavailable", "status 400" },
  { "/auth-tailscaled/in-use", FAKE_ANSWERS, 401, "", FAKE_ANSWERS, 200, RUNNING, "unavailable",
    "status 401" },
  { "/auth-tailscaled/forbidden", FAKE_ANSWERS, 403, "", FAKE_ANSWERS, 200, RUNNING, "unavailable",
    "status 403" },
  { "/auth-tailscaled/internal-error", FAKE_ANSWERS, 500, "{\"error\":\"x\"}", FAKE_ANSWERS, 200,
    RUNNING, "unavailable", "status 500" },
  { "/auth-tailscaled/no-content", FAKE_ANSWERS, 204, "", FAKE_ANSWERS, 200, RUNNING, "unavailable",
    "status 204" },
  { "/auth-tailscaled/redirect", FAKE_ANSWERS, 302, "", FAKE_ANSWERS, 200, RUNNING, "unavailable",
    "status 302" },
  { "/auth-tailscaled/lies", FAKE_ANSWERS, 200, "<html>", FAKE_ANSWERS, 200, RUNNING, "unavailable",
    "not JSON" },
  { "/auth-tailscaled/silent", FAKE_SAYS_NOTHING, 200, "", FAKE_ANSWERS, 200, RUNNING,
    "unavailable", "within 200 ms" },
  { "/auth-tailscaled/hangs-halfway", FAKE_HANGS_HALFWAY, 200, NODE, FAKE_ANSWERS, 200, RUNNING,
    "unavailable", "within 200 ms" },
  { "/auth-tailscaled/stops-halfway", FAKE_STOPS_HALFWAY, 200, NODE, FAKE_ANSWERS, 200, RUNNING,
    "unavailable", "closed the connection" },
  { "/auth-tailscaled/closes", FAKE_CLOSES, 200, "", FAKE_ANSWERS, 200, RUNNING, "unavailable",
    "closed the connection" },
  { "/auth-tailscaled/no-http", FAKE_SPEAKS_NO_HTTP, 200, "", FAKE_ANSWERS, 200, RUNNING,
    "unavailable", "does not speak HTTP" },
  { "/auth-tailscaled/endless", FAKE_IS_ENDLESS, 200, "", FAKE_ANSWERS, 200, RUNNING, "unavailable",
    "longer than 1024 KiB" },
  { "/auth-tailscaled/length-that-is-no-number", FAKE_BREAKS_LENGTH, 200, NODE, FAKE_ANSWERS, 200,
    RUNNING, "unavailable", "Content-Length that is no number" },
  { "/auth-tailscaled/unknown-with-a-broken-length", FAKE_BREAKS_LENGTH, 404, "no match",
    FAKE_ANSWERS, 200, RUNNING, "unavailable", "Content-Length that is no number" },
  { "/auth-tailscaled/two-lengths", FAKE_CONTRADICTS, 404, "no match", FAKE_ANSWERS, 200, RUNNING,
    "unavailable", "Content-Length that is no number" },
  { "/auth-tailscaled/status-with-a-broken-length", FAKE_ANSWERS, 404, "no match",
    FAKE_BREAKS_LENGTH, 200, RUNNING, "unavailable", "Content-Length that is no number" },
};

static void
test_case (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  gboolean is_late = strstr (cases[i].part, "within 200 ms") != NULL;
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) fake = fake_new (bench, "a.sock");

  fake_tailscaled_whois (fake, cases[i].manner, cases[i].status, cases[i].body);
  fake_tailscaled_status (fake, cases[i].look_manner, cases[i].look_status, cases[i].look_body);
  plugin_bench_load_good (bench, is_late ? BRIEF : ONE);
  plugin_bench_start (bench);
  expect (bench, cases[i].result, cases[i].part);
  g_assert_cmpuint (plugin_bench_counter (bench, cases[i].result[0] == 'a'   ? "allowed"
                                                 : cases[i].result[0] == 'd' ? "denied"
                                                                             : "unavailable"),
                    ==, 1);
}

static void
test_request (void)
{
  static const char
      expected[] = "GET /localapi/v0/whois?addr=nodekey%3A"
                   "abababababababababababababababababababababababababababababababab HTTP/1.1\r\n"
                   "Host: local-tailscaled.sock\r\n";
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) fake = fake_new (bench, "a.sock");
  g_autofree char *head = NULL;

  g_setenv ("http_proxy", "http://127.0.0.1:1", TRUE);
  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  expect (bench, "deny", "");
  head = fake_tailscaled_last_head (fake);
  g_test_message ("%s", head);
  g_assert_true (g_str_has_prefix (head, expected));
  g_assert_null (strstr (head, "Origin:"));
  g_assert_null (strstr (head, "Referer:"));
  g_assert_null (strstr (head, "Accept-Encoding:"));
  g_unsetenv ("http_proxy");
}

static void
test_connection_is_kept (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) fake = fake_new (bench, "a.sock");

  fake_tailscaled_whois (fake, FAKE_ANSWERS, 200, NODE);
  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  for (guint i = 0; i < 50; i++)
    expect (bench, "allow", "");
  /* One, and one more each if the first look, and the question for what changes, were still on
   * their way. */
  g_assert_cmpuint (fake_tailscaled_n_connections (fake), <=, 3);
}

/* tailscaled starts again: the connection that was kept is dead, and nobody notices. */
static void
test_restart (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  FakeTailscaled *fake = fake_new (bench, "a.sock");

  fake_tailscaled_whois (fake, FAKE_ANSWERS, 200, NODE);
  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  expect (bench, "allow", "");
  fake_tailscaled_free (fake);
  fake = fake_new (bench, "a.sock");
  fake_tailscaled_whois (fake, FAKE_ANSWERS, 200, NODE);
  expect (bench, "allow", "");
  fake_tailscaled_free (fake);
}

static void
test_several (void)
{
  static const struct {
    guint a, b; /* statuses; 0: it is not there */
    const char *result, *part;
  } pairs[] = {
    { 200, 200, "allow", "laptop" },
    { 200, 404, "allow", "laptop" },
    { 404, 200, "allow", "laptop" },
    { 0, 200, "allow", "laptop" },
    { 200, 500, "allow", "laptop" },
    { 404, 404, "deny", "does not know it" },
    { 404, 500, "unavailable", "status 500" },
    { 500, 404, "unavailable", "status 500" },
    { 404, 0, "unavailable", "b.sock: No such file or directory" },
    { 0, 0, "unavailable", "No such file or directory" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autoptr (FakeTailscaled) a = pairs[i].a != 0 ? fake_new (bench, "a.sock") : NULL;
      g_autoptr (FakeTailscaled) b = pairs[i].b != 0 ? fake_new (bench, "b.sock") : NULL;

      if (a != NULL)
        fake_tailscaled_whois (a, FAKE_ANSWERS, pairs[i].a, pairs[i].a == 200 ? NODE : "");
      if (b != NULL)
        fake_tailscaled_whois (b, FAKE_ANSWERS, pairs[i].b, pairs[i].b == 200 ? NODE : "");
      plugin_bench_load_good (bench, TWO);
      plugin_bench_start (bench);
      expect (bench, pairs[i].result, pairs[i].part);
    }
}

/* The second one is asked at once, so the silent first one costs nothing. */
static void
test_silent_and_well (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) a = fake_new (bench, "a.sock");
  g_autoptr (FakeTailscaled) b = fake_new (bench, "b.sock");

  fake_tailscaled_whois (a, FAKE_SAYS_NOTHING, 0, "");
  fake_tailscaled_whois (b, FAKE_ANSWERS, 200, NODE);
  plugin_bench_load_good (bench, TWO);
  plugin_bench_start (bench);
  expect (bench, "allow", "laptop");
}

static gboolean
is_in_trouble (gpointer data)
{
  g_autofree char *trouble = detour_instance_dup_trouble (((PluginBench *) data)->instance);

  return trouble != NULL;
}

static gboolean
is_well (gpointer data)
{
  g_autofree char *trouble = detour_instance_dup_trouble (((PluginBench *) data)->instance);

  return trouble == NULL;
}

/* Nobody asks: it shows all the same, and core is told when it is over. */
static void
test_late_start (void)
{
  g_autoptr (PluginBench) bench = start (ONE);
  g_autoptr (FakeTailscaled) fake = NULL;
  g_autofree char *trouble = NULL;
  g_autofree char *summary = NULL;

  plugin_bench_wait (is_in_trouble, bench);
  trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_nonnull (strstr (trouble, "cannot connect to "));
  g_assert_nonnull (strstr (trouble, "a.sock: No such file or directory; since 20"));
  bench->n_auth_changed = 0;
  fake = fake_new (bench, "a.sock");
  plugin_bench_wait (is_well, bench);
  while (bench->n_auth_changed == 0)
    g_main_context_iteration (NULL, TRUE);
  summary = detour_instance_dup_summary (bench->instance);
  g_assert_true (g_str_has_prefix (summary, "answering in "));
  g_assert_true (g_str_has_suffix (summary, " ms"));
}

/* A socket that a dead one left behind. */
static void
test_stale_socket (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);

  fake_tailscaled_free (fake_new (bench, "a.sock"));
  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  expect (bench, "unavailable", "a.sock: Connection refused");
}

static gboolean
has_changed (gpointer data)
{
  return ((PluginBench *) data)->n_auth_changed > 0;
}

/* Somebody is added to the tailnet: whoever was denied a moment ago is asked about again without
 * being asked. */
static void
test_changes_its_mind (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) fake = fake_new (bench, "a.sock");

  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  expect (bench, "deny", "");
  bench->n_auth_changed = 0;
  fake_tailscaled_whois (fake, FAKE_ANSWERS, 200, NODE);
  plugin_bench_wait (has_changed, bench);
  expect (bench, "allow", "");
}

static gboolean
has_answered (gpointer data)
{
  g_autofree char *summary = detour_instance_dup_summary (((PluginBench *) data)->instance);

  return summary != NULL && g_str_has_prefix (summary, "answering in ");
}

/* It takes its time about a key that it does not know: meanwhile it is asked how it is, so that
 * both take no longer than one, and one answer after the other is not waited for. */
static void
test_slow_denial (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) fake = fake_new (bench, "a.sock");
  guint n_status;

  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  plugin_bench_wait (has_answered, bench);
  n_status = fake_tailscaled_n_status (fake);
  fake_tailscaled_whois (fake, FAKE_AWAITS_A_STATUS, 404, "no match");
  expect (bench, "deny", "does not know it");
  g_assert_cmpuint (fake_tailscaled_n_status (fake), ==, n_status + 1);
}

/* A node may have a great many capabilities. */
static void
test_long_answer (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) fake = fake_new (bench, "a.sock");
  g_autoptr (GString) body = g_string_new (NODE);

  while (body->len < 1024 * 1024)
    g_string_append_c (body, ' ');
  fake_tailscaled_whois (fake, FAKE_ANSWERS, 200, body->str);
  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  expect (bench, "allow", "laptop (anna@example.com)");
  g_string_append_c (body, ' ');
  fake_tailscaled_whois (fake, FAKE_ANSWERS, 200, body->str);
  expect (bench, "unavailable", "longer than 1024 KiB");
}

/* Once it is known to be connected, it is asked about a stranger once, and how it is. */
static void
test_one_question (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) fake = fake_new (bench, "a.sock");
  gboolean once = FALSE;

  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  expect (bench, "deny", "does not know it");
  /* Now and then it is asked about the keys of before as well, which a slow machine may see here.
   */
  for (guint i = 0; i < 20 && !once; i++)
    {
      guint before = fake_tailscaled_n_whois (fake);

      expect (bench, "deny", "does not know it");
      once = fake_tailscaled_n_whois (fake) == before + 1;
    }
  g_assert_true (once);
}

typedef struct {
  guint n_answers;
  DetourAuthResult result;
} Answers;

static void
count_answer (DetourVerdict *verdict, gpointer data)
{
  Answers *answers = data;

  answers->n_answers++;
  answers->result = verdict->result;
}

static gboolean
has_thousand (gpointer data)
{
  return ((Answers *) data)->n_answers == 1000;
}

static void
ask_thousand (PluginBench *bench, Answers *answers)
{
  for (guint i = 0; i < 1000; i++)
    {
      DetourAuthRequest fields = { .address = NULL };
      g_autoptr (DetourAuthRequest) request = NULL;

      memcpy (fields.key, &i, sizeof i);
      request = detour_auth_request_new (&fields);
      detour_instance_verify (bench->instance, request, count_answer, answers);
    }
}

static void
test_many (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) fake G_GNUC_UNUSED = fake_new (bench, "a.sock");
  Answers answers = { 0 };

  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  ask_thousand (bench, &answers);
  plugin_bench_wait (has_thousand, &answers);
}

/* Stopping waits for nobody, and every question has its answer. */
static void
test_stop (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autoptr (FakeTailscaled) fake = fake_new (bench, "a.sock");
  Answers answers = { 0 };

  fake_tailscaled_whois (fake, FAKE_SAYS_NOTHING, 0, "");
  plugin_bench_load_good (bench, ONE);
  plugin_bench_start (bench);
  ask_thousand (bench, &answers);
  detour_instance_stop (bench->instance);
  g_assert_cmpuint (answers.n_answers, ==, 1000);
  g_assert_cmpint (answers.result, ==, DETOUR_AUTH_UNAVAILABLE);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
test_refused_settings (void)
{
  g_autofree char *name = g_strnfill (108, 'x');
  g_autofree char *too_long = g_strdup_printf ("[auth tailscaled]\nsocket = /%s\n", name);
  const char *const settings[][2] = {
    { too_long, "is longer than a socket's path may be, 107 bytes" },
    { "[auth tailscaled]\nsocket = relative\n", "[auth tailscaled] socket: " },
    { "[auth tailscaled]\nsocket =\n", "[auth tailscaled] socket: " },
    { "[auth tailscaled]\ntimeout = 2m\n", "[auth tailscaled] timeout: " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (settings); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *errors = plugin_bench_load (bench, settings[i][0]);

      g_assert_nonnull (errors);
      g_test_message ("%s", errors);
      g_assert_nonnull (strstr (errors, settings[i][1]));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (test_log_nothing, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].path, GUINT_TO_POINTER (i), test_case);
  g_test_add_func ("/auth-tailscaled/asks-as-derper-does", test_request);
  g_test_add_func ("/auth-tailscaled/keeps-its-connection", test_connection_is_kept);
  g_test_add_func ("/auth-tailscaled/survives-a-restart", test_restart);
  g_test_add_func ("/auth-tailscaled/several-sockets", test_several);
  g_test_add_func ("/auth-tailscaled/one-silent-one-well", test_silent_and_well);
  g_test_add_func ("/auth-tailscaled/late-start", test_late_start);
  g_test_add_func ("/auth-tailscaled/stale-socket", test_stale_socket);
  g_test_add_func ("/auth-tailscaled/slow-about-an-unknown-key", test_slow_denial);
  g_test_add_func ("/auth-tailscaled/answer-of-a-megabyte", test_long_answer);
  g_test_add_func ("/auth-tailscaled/changes-its-mind", test_changes_its_mind);
  g_test_add_func ("/auth-tailscaled/strangers-cost-one-question", test_one_question);
  g_test_add_func ("/auth-tailscaled/many-at-once", test_many);
  g_test_add_func ("/auth-tailscaled/stops-with-questions-open", test_stop);
  g_test_add_func ("/auth-tailscaled/refused-settings", test_refused_settings);
  return g_test_run ();
}
