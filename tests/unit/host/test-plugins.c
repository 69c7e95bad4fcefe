/* test-plugins.c: what the loader lets in, and what it says of the rest.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugins.h"

#include <glib/gstdio.h>
#include <string.h>

static DetourPlugins *
loader (void)
{
  const char *directories[] = { "/nonexistent", TEST_MODULES, NULL };

  return detour_plugins_new (directories);
}

static void
good (void)
{
  g_autoptr (DetourPlugins) plugins = loader ();
  g_autoptr (GError) error = NULL;
  const DetourPlugin *plugin = detour_plugins_load (plugins, "auth-good", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (plugin->name, ==, "auth-good");
  g_assert_true (detour_plugins_load (plugins, "auth-good", &error) == plugin);
}

static void
broken (void)
{
  g_autoptr (DetourPlugins) plugins = loader ();
  g_autofree char *size = g_strdup_printf ("its descriptor has %u bytes, this interface has %u",
                                           (guint) sizeof (DetourPlugin) - 8,
                                           (guint) sizeof (DetourPlugin));
  g_autofree char *abi = g_strdup_printf ("made for plugin interface %u, this is %u",
                                          DETOUR_PLUGIN_ABI + 7, DETOUR_PLUGIN_ABI);
  const struct {
    const char *name, *reason;
  } cases[] = {
    { "auth-other-abi", abi },
    { "auth-other-size", size },
    { "auth-other-name", "it calls itself \"auth-good\", its file says \"auth-other-name\"" },
    { "auth-other-kind", "its kind is \"service\", its name says \"auth\"" },
    { "auth-no-symbol", "it does not export \"detour_plugin\"; is this a plugin of Detour?" },
    { "auth-no-summary", "it has no summary" },
    { "auth-no-start", "it has no start()" },
    { "auth-no-stop", "it has no stop()" },
    { "auth-no-verify", "it has no verify()" },
    { "auth-bad-fallback", "its key \"timeout\" has a bad fallback: \"5\" is not a duration; write "
                           "2s, 500ms, 10m, or 0" },
    { "auth-bad-words", "its key \"mode\" has no words to choose from" },
    { "auth-bad-key", "its key \"enabled\" belongs to core" },
    { "auth-bad-twice", "its key \"a\" is there twice" },
    { "auth-bad-range", "its key \"a\" has a minimum above its maximum" },
    { "auth-bad-type", "its key \"a\" has the unknown type 99" },
    { "auth-undefined", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *path = g_strdup_printf ("%s/%s.so: ", TEST_MODULES, cases[i].name);

      g_test_message ("%s", cases[i].name);
      g_assert_null (detour_plugins_load (plugins, cases[i].name, &error));
      g_assert_error (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_BROKEN);
      g_assert_true (g_str_has_prefix (error->message, path));
      if (cases[i].reason != NULL)
        g_assert_cmpstr (error->message + strlen (path), ==, cases[i].reason);
      else
        g_assert_nonnull (strstr (error->message, "detour_there_is_no_such_function"));
    }
}

static void
no_module (void)
{
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (dir, "auth-text.so", NULL);
  const char *directories[] = { dir, NULL };
  g_autoptr (DetourPlugins) plugins = detour_plugins_new (directories);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, "not a module\n", -1, NULL));
  g_assert_null (detour_plugins_load (plugins, "auth-text", &error));
  g_assert_error (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_BROKEN);
  g_assert_true (g_str_has_prefix (error->message, path));
  g_clear_error (&error);

  /* Only names are looked for, never paths. */
  g_assert_null (detour_plugins_load (plugins, "auth-missing", &error));
  g_assert_error (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_MISSING);
  g_clear_error (&error);
  g_assert_null (detour_plugins_load (plugins, "auth-/../auth-text", &error));
  g_assert_error (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_MISSING);

  g_remove (path);
  g_rmdir (dir);
}

static void
mended_meanwhile (void)
{
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (dir, "auth-good.so", NULL);
  const char *directories[] = { dir, NULL };
  g_autoptr (DetourPlugins) plugins = detour_plugins_new (directories);
  g_autofree char *module = NULL;
  gsize n;

  g_assert_null (detour_plugins_load (plugins, "auth-good", NULL));
  g_assert_true (g_file_set_contents (path, "half a mod", -1, NULL));
  g_assert_null (detour_plugins_load (plugins, "auth-good", NULL));
  g_assert_true (g_file_get_contents (TEST_MODULES "/auth-good.so", &module, &n, NULL));
  g_assert_true (g_file_set_contents (path, module, (gssize) n, NULL));
  g_assert_nonnull (detour_plugins_load (plugins, "auth-good", NULL));
  g_remove (path);
  g_rmdir (dir);
}

static void
names (void)
{
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  static const char *const files[] = { "http-b.so", "http-a.so", "https-x.so",
                                       "auth-c.so", "http.so",   "http-d.txt" };
  static const char *const http[] = { "http-a", "http-b", NULL };
  static const char *const all[] = { "auth-c", "http-a", "http-b", NULL };
  const char *directories[] = { dir, "/nonexistent", dir, NULL };
  g_autoptr (DetourPlugins) plugins = detour_plugins_new (directories);
  g_auto (GStrv) some = NULL;
  g_auto (GStrv) every = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (dir, files[i], NULL);

      g_assert_true (g_file_set_contents (path, "", 0, NULL));
    }
  some = detour_plugins_names (plugins, DETOUR_KIND_HTTP);
  every = detour_plugins_names (plugins, DETOUR_N_KINDS);
  g_assert_true (g_strv_equal ((const char *const *) some, http));
  g_assert_true (g_strv_equal ((const char *const *) every, all));
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (dir, files[i], NULL);

      g_remove (path);
    }
  g_rmdir (dir);
}

/* A check loads what a file names, and may be wrong; the running daemon's table is not touched. */
static void
a_fork_leaves_the_table_alone (void)
{
  const char *nowhere[] = { "/nonexistent", NULL };
  const char *modules[] = { TEST_MODULES, NULL };
  g_autoptr (DetourPlugins) plugins = detour_plugins_new (nowhere);
  g_autoptr (DetourPlugins) fork = detour_plugins_fork (plugins);
  const DetourPlugin *plugin;

  detour_plugins_set_directories (fork, modules);
  plugin = detour_plugins_load (fork, "auth-good", NULL);
  g_assert_nonnull (plugin);
  g_assert_cmpstr (detour_plugins_directories (plugins)[0], ==, "/nonexistent");
  g_assert_null (detour_plugins_load (plugins, "auth-good", NULL));

  detour_plugins_adopt (plugins, fork);
  g_assert_cmpstr (detour_plugins_directories (plugins)[0], ==, TEST_MODULES);
  g_assert_true (detour_plugins_load (plugins, "auth-good", NULL) == plugin);
  /* Where it began is not forgotten. */
  detour_plugins_set_directories (plugins, NULL);
  g_assert_cmpstr (detour_plugins_directories (plugins)[0], ==, "/nonexistent");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugins/good-one-is-loaded-once", good);
  g_test_add_func ("/plugins/broken-one-has-path-and-reason", broken);
  g_test_add_func ("/plugins/missing-or-no-module", no_module);
  g_test_add_func ("/plugins/mended-meanwhile", mended_meanwhile);
  g_test_add_func ("/plugins/names-by-kind", names);
  g_test_add_func ("/plugins/a-fork-leaves-the-table-alone", a_fork_leaves_the_table_alone);
  return g_test_run ();
}
