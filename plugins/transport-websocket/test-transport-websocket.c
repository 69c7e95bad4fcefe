/* test-transport-websocket.c: the limit that an operator sets, and what the plugin gives core.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-bench.h"

#include "detour-plugin.h"

extern const DetourPlugin detour_plugin;

static void
test_starts_without_a_key (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);

  plugin_bench_load_good (bench, "[transport websocket]\n");
  plugin_bench_start (bench);
  g_assert_cmpuint (plugin_bench_counter (bench, "accepts"), ==, 0);
  g_assert_cmpuint (plugin_bench_counter (bench, "refused"), ==, 0);
  /* It has nothing but the one way, on listeners of clients and on those for plain HTTP. */
  g_assert_cmpstr (bench->routes[0].path, ==, "/derp");
  g_assert_cmpstr (bench->routes[0].protocol, ==, "websocket");
  g_assert_cmpint (bench->routes[0].sites, ==, DETOUR_SITE_CLIENTS | DETOUR_SITE_PLAIN);
  g_assert_null (bench->routes[0].handle);
  g_assert_null (bench->routes[1].path);
}

static void
test_limits (void)
{
  static const char *const good[] = { "65573", "1M", "off", "0", "4G" };
  static const char *const bad[] = { "65572", "64K", "-1", "much" };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *text = g_strdup_printf ("[transport websocket]\nmax-message = %s\n",
                                               good[i]);

      plugin_bench_load_good (bench, text);
      plugin_bench_start (bench);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *text = g_strdup_printf ("[transport websocket]\nmax-message = %s\n", bad[i]);
      g_autofree char *errors = plugin_bench_load (bench, text);

      g_assert_nonnull (errors);
      g_assert_nonnull (strstr (errors, "max-message"));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport-websocket/starts-without-a-key", test_starts_without_a_key);
  g_test_add_func ("/transport-websocket/max-message", test_limits);
  return g_test_run ();
}
