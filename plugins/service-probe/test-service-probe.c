/* test-service-probe.c: tests of the service with programs of its own that look at nothing.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-bench.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

extern const DetourPlugin detour_plugin;

#define CHECK(node, status)                                                             \
  "{\"region\":900,\"node\":\"" node "\",\"check\":\"tls4\",\"status\":\"" status "\"," \
  "\"code\":\"a_code\",\"text\":\"a text\",\"microseconds\":7}"
#define DOCUMENT(checks)                                   \
  "{\"map_errors\":0,\"checks\":[" checks "],\"client\":[" \
  "{\"code\":\"home\",\"text\":\"A client would.\"}]}"

/* How often each event was written. */
static guint n_failed, n_good, n_broken;

static GLogWriterOutput
count_events (GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
  for (gsize i = 0; i < n; i++)
    if (strcmp (fields[i].key, DETOUR_LOG_EVENT) == 0)
      {
        n_failed += strcmp (fields[i].value, "probe-failed") == 0;
        n_good += strcmp (fields[i].value, "probe-good") == 0;
        n_broken += strcmp (fields[i].value, "probe-broken") == 0;
      }
  return G_LOG_WRITER_HANDLED;
}

/* The program is a shell script that prints what is in the file "said"; arguments go to "asked". */
static PluginBench *
start (const char *keys, const char *said, const char *script)
{
  g_autofree char *text = g_strconcat ("[service probe]\nprogram = @DIR@/look\ninterval = 1s\n"
                                       "map = /etc/map.json\n",
                                       keys, NULL);
  PluginBench *bench = plugin_bench_new (&detour_plugin);
  g_autofree char *directory = plugin_bench_path (bench, "");
  g_autofree char *whole = g_strconcat ("#!/bin/sh\ncd ", directory, "\n", script, NULL);
  g_autofree char *program = plugin_bench_path (bench, "look");

  plugin_bench_write (bench, "look", whole);
  plugin_bench_write (bench, "said", said);
  g_assert_cmpint (g_chmod (program, 0700), ==, 0);
  plugin_bench_load_good (bench, text);
  n_failed = n_good = n_broken = 0;
  plugin_bench_start (bench);
  detour_roster_set_ready (bench->roster, TRUE);
  return bench;
}

#define SAYS "printf '%s ' \"$@\" > asked; cat said"

typedef struct {
  PluginBench *bench;
  const char *summary, *trouble;
} Wanted;

static gboolean
is_shown (gpointer data)
{
  const Wanted *wanted = data;
  g_autofree char *summary = detour_instance_dup_summary (wanted->bench->instance);
  g_autofree char *trouble = detour_instance_dup_trouble (wanted->bench->instance);

  return (wanted->summary == NULL || g_strcmp0 (summary, wanted->summary) == 0)
      && g_strcmp0 (trouble, wanted->trouble) == 0;
}

static gboolean
is_shown_trouble (gpointer data)
{
  g_autofree char *trouble = detour_instance_dup_trouble (((PluginBench *) data)->instance);

  return trouble != NULL;
}

static void
wait_for (PluginBench *bench, const char *summary, const char *trouble)
{
  Wanted wanted = { bench, summary, trouble };

  plugin_bench_wait (is_shown, &wanted);
}

static void
test_good (void)
{
  g_autoptr (PluginBench) bench = start ("", DOCUMENT (CHECK ("900a", "good")), SAYS);
  g_autofree char *asked = NULL;

  wait_for (bench, "1 check good, 0 warnings, 0 failed, 0 skipped. A client would.", NULL);
  asked = plugin_bench_read (bench, "asked");
  g_assert_cmpstr (asked, ==, "probe --json /etc/map.json ");
}

static void
test_options (void)
{
  g_autoptr (PluginBench)
      bench = start ("mesh-key-file = /etc/mesh.key\nclosed = true\nregion = own\n"
                     "between-nodes = false\nbandwidth = 2M\nca-file = /etc/ca.pem\n",
                     DOCUMENT (CHECK ("900a", "good")), SAYS);
  g_autofree char *asked = NULL;

  wait_for (bench, "1 check good, 0 warnings, 0 failed, 0 skipped. A client would.", NULL);
  asked = plugin_bench_read (bench, "asked");
  g_assert_cmpstr (asked, ==,
                   "probe --json --region=own --mesh-key=/etc/mesh.key --ca=/etc/ca.pem --closed "
                   "--no-mesh --bandwidth=2048K /etc/map.json ");
}

static void
test_a_failure_and_its_end (void)
{
  g_autoptr (PluginBench)
      bench = start ("", DOCUMENT (CHECK ("900a", "good") "," CHECK ("900b", "failed")), SAYS);

  wait_for (bench, NULL, "900b tls4 failed: a text");
  g_assert_cmpuint (n_failed, ==, 1);
  plugin_bench_write (bench, "said",
                      DOCUMENT (CHECK ("900a", "failed") "," CHECK ("900b", "failed")));
  wait_for (bench, NULL, "900a tls4 failed, and 1 more: a text");
  plugin_bench_write (bench, "said",
                      DOCUMENT (CHECK ("900a", "warning") "," CHECK ("900b", "good")));
  wait_for (bench, "1 check good, 1 warning, 0 failed, 0 skipped. A client would.", NULL);
  g_assert_cmpuint (n_failed, ==, 2);
  g_assert_cmpuint (n_good, ==, 2);
}

/* Whatever the program does, the service says that nothing was seen, and goes on. */
static void
test_broken_programs (void)
{
  static const struct {
    const char *script, *trouble;
  } cases[] = {
    { "echo 'the map cannot be read' >&2; echo more >&2; exit 1", "the map cannot be read" },
    { "exit 1", "it said nothing" },
    { "kill -9 $$", "it said nothing" },
    { "echo '{}'", "it is not the document of detourctl probe" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PluginBench)
          bench = start ("", DOCUMENT (CHECK ("900a", "good")), cases[i].script);
      g_autofree char *trouble = g_strconcat (
          "the relays could not be looked at: ", cases[i].trouble, NULL);

      wait_for (bench, NULL, trouble);
      g_assert_cmpuint (n_broken, ==, 1);
    }
}

/* Also when the program is not there. */
static void
test_recovers (void)
{
  g_autoptr (PluginBench) bench = start ("", "no document", SAYS);
  g_autofree char *program = plugin_bench_path (bench, "look");
  g_autofree char *aside = plugin_bench_path (bench, "aside");
  Wanted good = { bench, NULL, NULL };

  plugin_bench_wait (is_shown_trouble, bench);
  plugin_bench_write (bench, "said", DOCUMENT (CHECK ("900a", "good")));
  plugin_bench_wait (is_shown, &good);
  g_assert_cmpint (g_rename (program, aside), ==, 0);
  plugin_bench_wait (is_shown_trouble, bench);
  g_assert_cmpuint (n_broken, ==, 2);
  g_assert_cmpint (g_rename (aside, program), ==, 0);
  plugin_bench_wait (is_shown, &good);
}

static gboolean
has_pid (gpointer data)
{
  g_autofree char *path = plugin_bench_path (data, "pid");
  g_autofree char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) && strchr (text, '\n') != NULL;
}

static gboolean
is_gone (gpointer data)
{
  return kill (*(pid_t *) data, 0) < 0 && errno == ESRCH;
}

static void
test_stop_ends_the_program (void)
{
  PluginBench *bench = start ("", "", "echo $$ > pid.new; mv pid.new pid; exec sleep 600");
  g_autofree char *text = NULL;
  pid_t pid;

  plugin_bench_wait (has_pid, bench);
  text = plugin_bench_read (bench, "pid");
  pid = (pid_t) g_ascii_strtoll (text, NULL, 10);
  plugin_bench_free (bench);
  plugin_bench_wait (is_gone, &pid);
}

static void
test_wrong_settings (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *map = plugin_bench_load (bench, "[service probe]\nmap = map.json\n");
  g_autofree char *interval = plugin_bench_load (bench, "[service probe]\ninterval = 500ms\n");

  g_assert_nonnull (strstr (map, "\"map.json\" is neither an absolute path nor a URL"));
  g_assert_nonnull (strstr (interval, "interval"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (count_events, NULL, NULL);
  g_test_add_func ("/service-probe/good", test_good);
  g_test_add_func ("/service-probe/options", test_options);
  g_test_add_func ("/service-probe/a-failure-and-its-end", test_a_failure_and_its_end);
  g_test_add_func ("/service-probe/broken-programs", test_broken_programs);
  g_test_add_func ("/service-probe/recovers", test_recovers);
  g_test_add_func ("/service-probe/stop-ends-the-program", test_stop_ends_the_program);
  g_test_add_func ("/service-probe/wrong-settings", test_wrong_settings);
  return g_test_run ();
}
