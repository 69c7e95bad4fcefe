/* test-log-stderr.c: lines on standard error, and a reader that does not read.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-bench.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "detour-log.h"

extern const DetourPlugin detour_plugin;

/* Standard error is a pipe meanwhile; its read end does not block. */
typedef struct {
  PluginBench *bench;
  int saved;
  int reader;
} Fixture;

static void
set_up (Fixture *self, gconstpointer keys)
{
  g_autofree char *text = g_strconcat ("[log stderr]\n", keys, NULL);
  int ends[2];

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  g_assert_cmpint (fcntl (ends[0], F_SETFL, O_NONBLOCK), ==, 0);
  self->reader = ends[0];
  self->saved = dup (STDERR_FILENO);
  g_assert_cmpint (dup2 (ends[1], STDERR_FILENO), ==, STDERR_FILENO);
  close (ends[1]);
  detour_log_init ();
  self->bench = plugin_bench_new (&detour_plugin);
  plugin_bench_load_good (self->bench, text);
  plugin_bench_start (self->bench);
}

static void
tear_down (Fixture *self, gconstpointer keys)
{
  plugin_bench_free (self->bench);
  dup2 (self->saved, STDERR_FILENO);
  close (self->saved);
  close (self->reader);
}

/* All that is there, without the time of each line. */
static char *
read_lines (Fixture *self)
{
  GString *text = g_string_new (NULL);
  char buffer[65536];
  gssize n;

  while ((n = read (self->reader, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, buffer, n);
  return g_string_free (text, FALSE);
}

static void
write_three (void)
{
  g_log_structured ("test", G_LOG_LEVEL_DEBUG, "MESSAGE", "unseen");
  g_log_structured ("test", G_LOG_LEVEL_INFO, DETOUR_LOG_CONN, "17", "MESSAGE", "detail");
  g_log_structured ("test", G_LOG_LEVEL_WARNING, DETOUR_LOG_ADDRESS, "192.0.2.7:4711", "MESSAGE",
                    "from 192.0.2.7:4711\nfake line");
}

static void
test_text (Fixture *self, gconstpointer keys)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  write_three ();
  text = read_lines (self);
  lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 2);
  g_assert_true (g_str_has_suffix (
      lines[0], "Z warning test: from 192.0.2.7:4711\\x0afake line address=192.0.2.7:4711"));
  g_assert_cmpstr (lines[1], ==, "");
  g_assert_cmpuint (plugin_bench_counter (self->bench, "lines"), ==, 1);
}

static void
test_json (Fixture *self, gconstpointer keys)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  write_three ();
  text = read_lines (self);
  lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
  g_assert_true (g_str_has_suffix (
      lines[0], "\"level\":\"info\",\"domain\":\"test\",\"message\":\"detail\",\"conn\":\"17\"}"));
  g_assert_nonnull (strstr (lines[1], "\"address\":\"192.0.2.0/24\""));
  g_assert_null (strstr (lines[1], "192.0.2.7"));
}

/* Without a reader the relay must go on; this test ends because nothing blocks. */
static void
test_full_pipe (Fixture *self, gconstpointer keys)
{
  enum {
    LINES = 4000,
  };
  g_autofree char *text = NULL;
  g_autofree char *later = NULL;
  guint64 lost, written;

  for (guint i = 0; i < LINES; i++)
    g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE",
                      "line %u, as long as a line of a log is", i);
  lost = plugin_bench_counter (self->bench, "lost");
  written = plugin_bench_counter (self->bench, "lines");
  g_assert_cmpuint (lost, >, 0);
  g_assert_cmpuint (written, >, 0);
  g_assert_cmpuint (lost + written, ==, LINES);

  text = read_lines (self);
  g_assert_nonnull (strstr (text, "line 0, as long"));
  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE", "read again");
  later = read_lines (self);
  g_assert_true (g_str_has_suffix (later, " message test: read again\n"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/log-stderr/text", Fixture, "", set_up, test_text, tear_down);
  g_test_add ("/log-stderr/json-with-privacy", Fixture,
              "level = info\nformat = json\nprivacy = prefix\n", set_up, test_json, tear_down);
  g_test_add ("/log-stderr/full-pipe-does-not-block", Fixture, "", set_up, test_full_pipe,
              tear_down);
  return g_test_run ();
}
