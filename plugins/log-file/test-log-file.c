/* test-log-file.c: a file that is appended to, rotated, full, or not to be had.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-bench.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-log.h"

extern const DetourPlugin detour_plugin;

#define GROUP "[log file]\npath = @DIR@/log\n"

static PluginBench *
start (const char *text)
{
  PluginBench *bench = plugin_bench_new (&detour_plugin);

  plugin_bench_load_good (bench, text);
  plugin_bench_start (bench);
  return bench;
}

static void
say (const char *word)
{
  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE", "%s", word);
}

/* The messages in a file, without time, level and domain. */
static char *
words_of (PluginBench *bench, const char *name)
{
  g_autofree char *text = plugin_bench_read (bench, name);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GString *words = g_string_new (NULL);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      const char *word = strstr (lines[i], "message test: ");

      if (word != NULL)
        g_string_append_printf (words, "%s ", word + strlen ("message test: "));
    }
  return g_string_free (words, FALSE);
}

static void
expect (PluginBench *bench, const char *name, const char *words)
{
  g_autofree char *seen = words_of (bench, name);

  g_assert_cmpstr (seen, ==, words);
}

/* Every descriptor of @path is closed in programs that we start. */
static void
expect_close_on_exec (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;
  guint n_found = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *link = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (link, NULL);

      if (g_strcmp0 (target, path) == 0)
        {
          n_found++;
          g_assert_cmpint (fcntl (atoi (name), F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
        }
    }
  g_assert_cmpuint (n_found, ==, 1);
}

static void
test_append (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *path = plugin_bench_path (bench, "log");
  struct stat info;
  mode_t mask = umask (022);

  plugin_bench_load_good (bench, GROUP);
  plugin_bench_start (bench);
  umask (mask);
  say ("one");
  g_assert_cmpint (g_stat (path, &info), ==, 0);
  g_assert_cmphex (info.st_mode & 07777, ==, 0640);
  expect_close_on_exec (path);

  detour_instance_stop (bench->instance);
  plugin_bench_start (bench);
  say ("two");
  expect (bench, "log", "one two ");
  g_assert_cmpuint (plugin_bench_counter (bench, "lines"), ==, 2);
}

static void
test_rotate (void)
{
  g_autoptr (PluginBench) bench = start (GROUP);
  g_autofree char *path = plugin_bench_path (bench, "log");
  g_autofree char *old = plugin_bench_path (bench, "log.1");

  say ("one");
  g_assert_cmpint (g_rename (path, old), ==, 0);
  say ("two");
  plugin_bench_reload (bench);
  say ("three");
  expect (bench, "log.1", "one two ");
  expect (bench, "log", "three ");
  expect_close_on_exec (path);
}

static void
test_rotate_fails (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *folder = plugin_bench_path (bench, "a");
  g_autofree char *moved = plugin_bench_path (bench, "b");
  g_autofree char *inside = plugin_bench_path (bench, "b/log");
  g_autofree char *trouble = NULL;
  g_autofree char *no_trouble = NULL;

  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  plugin_bench_load_good (bench, "[log file]\npath = @DIR@/a/log\n");
  plugin_bench_start (bench);
  say ("one");
  g_assert_cmpint (g_rename (folder, moved), ==, 0);
  plugin_bench_reload (bench);
  trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_nonnull (strstr (trouble, "still writing to the file of before: "));
  g_assert_nonnull (strstr (trouble, "/a/log for appending: No such file or directory"));
  say ("two");
  expect (bench, "b/log", "one two ");

  g_assert_cmpint (g_rename (moved, folder), ==, 0);
  plugin_bench_reload (bench);
  no_trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_cmpstr (no_trouble, ==, NULL);
  g_assert_cmpint (g_rename (folder, moved), ==, 0);
  g_remove (inside);
}

static void
test_full_device (void)
{
  g_autoptr (PluginBench) bench = start ("[log file]\npath = /dev/full\n");

  say ("one");
  say ("two");
  g_assert_cmpuint (plugin_bench_counter (bench, "lines"), ==, 0);
  g_assert_cmpuint (plugin_bench_counter (bench, "write_errors"), ==, 2);
}

/* A line that was cut off is not the beginning of the next one. */
static void
test_cut_line (void)
{
  g_autoptr (PluginBench) bench = start (GROUP);
  g_autofree char *path = plugin_bench_path (bench, "log");
  struct rlimit before, now;
  struct stat info;

  say ("one");
  g_assert_cmpint (g_stat (path, &info), ==, 0);
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  now = before;
  now.rlim_cur = (rlim_t) info.st_size + 10;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &now), ==, 0);
  say ("two");
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  say ("three");
  expect (bench, "log", "one three ");
  g_assert_cmpuint (plugin_bench_counter (bench, "write_errors"), ==, 1);
}

static void
test_cannot_open (void)
{
  static const struct {
    const char *path, *error;
  } cases[] = {
    { "/nonexistent/log", "bench.conf:2: [log file] path: cannot open /nonexistent/log for "
                          "appending: No such file or directory" },
    { "@DIR@", "for appending: Is a directory" },
    { "@DIR@/fifo", "for appending: No such device or address" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *text = g_strdup_printf ("[log file]\npath = %s\n", cases[i].path);
      g_autofree char *fifo = plugin_bench_path (bench, "fifo");
      g_autofree char *error = NULL;

      g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
      plugin_bench_load_good (bench, text);
      error = plugin_bench_start_error (bench);
      g_assert_nonnull (strstr (error, cases[i].error));
    }
}

static void
test_level_and_format (void)
{
  g_autoptr (PluginBench) bench = start (GROUP "level = warning\nformat = json\nprivacy = none\n");
  g_autofree char *text = NULL;

  say ("unseen");
  g_log_structured ("test", G_LOG_LEVEL_WARNING, DETOUR_LOG_ADDRESS, "192.0.2.7", "MESSAGE",
                    "192.0.2.7 was rude");
  text = plugin_bench_read (bench, "log");
  g_assert_null (strstr (text, "unseen"));
  g_assert_true (g_str_has_suffix (
      text, "\"level\":\"warning\",\"domain\":\"test\",\"message\":\"- was rude\"}\n"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  detour_log_init ();
  g_test_add_func ("/log-file/appends", test_append);
  g_test_add_func ("/log-file/reload-opens-the-file-anew", test_rotate);
  g_test_add_func ("/log-file/failed-reload-keeps-the-old-file", test_rotate_fails);
  g_test_add_func ("/log-file/full-device-is-counted", test_full_device);
  g_test_add_func ("/log-file/cut-line-is-ended", test_cut_line);
  g_test_add_func ("/log-file/what-cannot-be-opened-is-named", test_cannot_open);
  g_test_add_func ("/log-file/level-format-and-privacy", test_level_and_format);
  return g_test_run ();
}
