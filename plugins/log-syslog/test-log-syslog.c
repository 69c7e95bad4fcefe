/* test-log-syslog.c: what a syslog daemon gets, and daemons that are away, full or of another kind.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-bench.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-log.h"
#include "test-program.h"

extern const DetourPlugin detour_plugin;

static PluginBench *
start (int *daemon, const char *keys)
{
  PluginBench *bench = plugin_bench_new (&detour_plugin);
  g_autofree char *text = g_strconcat ("[log syslog]\npath = @DIR@/log\n", keys, NULL);

  *daemon = plugin_bench_bind (bench, "log", SOCK_DGRAM);
  plugin_bench_load_good (bench, text);
  plugin_bench_start (bench);
  return bench;
}

static char *
receive (int daemon)
{
  static char buffer[1 << 16];
  gssize n = recv (daemon, buffer, sizeof buffer, 0);

  g_assert_cmpint (n, >, 0);
  return g_strndup (buffer, (gsize) n);
}

/* The message without its head, which must have the priority and the form of RFC 3164. */
static char *
receive_body (int daemon, guint priority)
{
  g_autofree char *message = receive (daemon);
  g_autofree char *pattern = g_strdup_printf ("^<%u>[A-Z][a-z]{2} [ 1-3][0-9] "
                                              "[0-2][0-9]:[0-5][0-9]:[0-6][0-9] detourd\\[%d\\]: ",
                                              priority, (int) getpid ());
  g_autoptr (GRegex) regex = g_regex_new (pattern, 0, 0, NULL);

  g_assert_true (g_regex_match (regex, message, 0, NULL));
  return g_regex_replace (regex, message, -1, 0, "", 0, NULL);
}

static void
expect (int daemon, guint priority, const char *body)
{
  g_autofree char *got = receive_body (daemon, priority);

  g_assert_cmpstr (got, ==, body);
}

static void
test_text (void)
{
  int daemon;
  g_autoptr (PluginBench) bench = start (&daemon, "");

  g_log_structured ("test", G_LOG_LEVEL_INFO, "MESSAGE", "unseen");
  g_log_structured ("test", G_LOG_LEVEL_WARNING, DETOUR_LOG_CONN, "17", DETOUR_LOG_REASON,
                    "two\nlines", "MESSAGE", "hello");
  expect (daemon, 3 * 8 + 4, "test: hello conn=17 reason=\"two\\nlines\"");
  g_assert_cmpuint (plugin_bench_counter (bench, "messages"), ==, 1);
  close (daemon);
}

static void
test_priorities (void)
{
  static const struct {
    GLogLevelFlags level;
    guint priority;
  } cases[] = {
    { G_LOG_LEVEL_CRITICAL, 3 }, { G_LOG_LEVEL_WARNING, 4 }, { G_LOG_LEVEL_MESSAGE, 5 },
    { G_LOG_LEVEL_INFO, 6 },     { G_LOG_LEVEL_DEBUG, 7 },
  };
  int daemon;
  g_autoptr (PluginBench) bench = start (&daemon, "level = debug\nfacility = local7\n");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_log_structured ("test", cases[i].level, "MESSAGE", "hello");
      expect (daemon, 23 * 8 + cases[i].priority, "test: hello");
    }
  close (daemon);
}

static void
test_json_with_privacy (void)
{
  int daemon;
  g_autoptr (PluginBench) bench = start (&daemon, "format = json\nprivacy = prefix\n");
  g_autofree char *body = NULL;

  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, DETOUR_LOG_ADDRESS, "192.0.2.7:4711", "MESSAGE",
                    "192.0.2.7 was rude");
  body = receive_body (daemon, 3 * 8 + 5);
  g_assert_true (g_str_has_prefix (body, "{\"time\":\""));
  g_assert_true (g_str_has_suffix (body,
                                   "\"level\":\"message\",\"domain\":\"test\",\"message\":"
                                   "\"192.0.2.0/24 was rude\",\"address\":\"192.0.2.0/24\"}"));
  close (daemon);
}

/* The end goes, and no half of a character stays. */
static void
test_long_message (void)
{
  int daemon;
  g_autoptr (PluginBench) bench = start (&daemon, "");
  g_autofree char *got = NULL;
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < 5000; i++)
    g_string_append (text, "ä");
  for (guint i = 0; i < 2; i++)
    {
      g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE", "%s", text->str);
      g_free (got);
      got = receive (daemon);
      g_assert_true (g_utf8_validate (got, -1, NULL));
      g_assert_cmpuint (strlen (got), >=, 8191);
      g_assert_cmpuint (strlen (got), <=, 8192);
      /* The other half of the cases, whatever the length of the process number is. */
      g_string_prepend_c (text, 'x');
    }
  g_assert_cmpuint (plugin_bench_counter (bench, "cut"), ==, 2);
  g_assert_cmpuint (plugin_bench_counter (bench, "messages"), ==, 2);
  g_string_free (text, TRUE);
  close (daemon);
}

static void
test_daemon_restarts (void)
{
  int daemon;
  g_autoptr (PluginBench) bench = start (&daemon, "");

  close (daemon);
  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE", "to nobody");
  g_assert_cmpuint (plugin_bench_counter (bench, "lost"), ==, 1);
  daemon = plugin_bench_bind (bench, "log", SOCK_DGRAM);
  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE", "back");
  expect (daemon, 3 * 8 + 5, "test: back");
  close (daemon);
}

/* A daemon that does not read must not stop the relay; this test ends because nothing blocks. */
static void
test_full_daemon (void)
{
  enum {
    MESSAGES = 4000,
  };
  int daemon;
  g_autoptr (PluginBench) bench = start (&daemon, "");
  guint64 lost, sent;

  for (guint i = 0; i < MESSAGES; i++)
    g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE", "message %u", i);
  lost = plugin_bench_counter (bench, "lost");
  sent = plugin_bench_counter (bench, "messages");
  g_assert_cmpuint (sent, >, 0);
  g_assert_cmpuint (lost, >, 0);
  g_assert_cmpuint (lost + sent, ==, MESSAGES);
  expect (daemon, 3 * 8 + 5, "test: message 0");
  close (daemon);
}

static void
expect_no_start (const char *why)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *error = NULL;
  int stream = -1;

  if (g_str_equal (why, "it is no datagram socket"))
    {
      stream = plugin_bench_bind (bench, "log", SOCK_STREAM);
      g_assert_cmpint (listen (stream, 1), ==, 0);
    }
  plugin_bench_load_good (bench, "[log syslog]\npath = @DIR@/log\n");
  error = plugin_bench_start_error (bench);
  g_assert_true (g_str_has_prefix (error, "bench.conf:2: [log syslog] path: no syslog daemon at "));
  g_assert_nonnull (strstr (error, why));
  if (stream >= 0)
    close (stream);
}

static void
test_no_daemon (void)
{
  expect_no_start ("No such file or directory");
  expect_no_start ("it is no datagram socket");
}

static void
test_long_path (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *name = g_strnfill (200, 'a');
  g_autofree char *text = g_strdup_printf ("[log syslog]\npath = /%s\n", name);
  g_autofree char *errors = plugin_bench_load (bench, text);

  g_assert_nonnull (strstr (errors, "has 201 bytes; a socket's path has at most 107"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  test_log_reaches_writer ();
  detour_log_init ();
  g_test_add_func ("/log-syslog/text", test_text);
  g_test_add_func ("/log-syslog/priorities", test_priorities);
  g_test_add_func ("/log-syslog/json-with-privacy", test_json_with_privacy);
  g_test_add_func ("/log-syslog/long-message-is-cut", test_long_message);
  g_test_add_func ("/log-syslog/daemon-restarts", test_daemon_restarts);
  g_test_add_func ("/log-syslog/full-daemon-does-not-block", test_full_daemon);
  g_test_add_func ("/log-syslog/no-daemon", test_no_daemon);
  g_test_add_func ("/log-syslog/path-is-too-long", test_long_path);
  return g_test_run ();
}
