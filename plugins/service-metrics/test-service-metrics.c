/* test-service-metrics.c: the settings of the service; what it serves is tried with the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "plugin-bench.h"
#include "test-program.h"

extern const DetourPlugin detour_plugin;

static const struct {
  const char *name, *keys, *fault;
} faults[] = {
  { "no-address", "listen =\n", "listen: no address; write 127.0.0.1:9090" },
  { "not-a-network", "allow = 10.0.0.0/8;everyone\n", "allow: " },
  { "mode", "unix-mode = rw\n", "unix-mode: \"rw\" are no permissions" },
  { "mode-too-large", "unix-mode = 1777\n", "unix-mode: \"1777\" are no permissions" },
  { "owner", "unix-owner = nobody-of-that-name\n",
    "unix-owner: this host has no user \"nobody-of-that-name\"" },
  { "pages", "pages = perhaps\n", "pages: " },
};

static void
test_fault (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *text = g_strdup_printf ("[service metrics]\n%s", faults[i].keys);
  g_autofree char *errors = plugin_bench_load (bench, text);

  g_assert_nonnull (errors);
  if (strstr (errors, faults[i].fault) == NULL)
    g_error ("%s", errors);
}

static const struct {
  const char *name, *content;
  guint mode;
  const char *fault;
} keys[] = {
  { "empty", " \n", 0600, "there is no key in it" },
  { "for-all", "word\n", 0644, "debug-key-file: " },
  /* It is good; what follows is that this bench has no listeners. */
  { "good", "word\n", 0600, "nothing here that could listen" },
};

static void
test_key_file (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *path = plugin_bench_path (bench, "key");
  g_autofree char *error = NULL;

  plugin_bench_load_good (bench, "[service metrics]\ndebug-key-file = @DIR@/key\n");
  plugin_bench_write (bench, "key", keys[i].content);
  g_assert_cmpint (g_chmod (path, (int) keys[i].mode), ==, 0);
  error = plugin_bench_start_error (bench);
  if (strstr (error, keys[i].fault) == NULL)
    g_error ("%s", error);
}

static void
test_key_file_is_missing (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *error = NULL;

  plugin_bench_load_good (bench, "[service metrics]\ndebug-key-file = @DIR@/key\n");
  error = plugin_bench_start_error (bench);
  g_assert_nonnull (strstr (error, "debug-key-file: "));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/service-metrics/fault/", faults, test_fault);
  TEST_ADD_ROWS ("/service-metrics/key-file/", keys, test_key_file);
  g_test_add_func ("/service-metrics/key-file/missing", test_key_file_is_missing);
  return g_test_run ();
}
