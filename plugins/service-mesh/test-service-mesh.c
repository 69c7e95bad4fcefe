/* test-service-mesh.c: tests of which files hold a mesh key, of the key that core gets, and of what
 * helps when there is no link.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mesh-fault.h"
#include "plugin-bench.h"
#include "test-program.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

extern const DetourPlugin detour_plugin;

#define GROUP "[service mesh]\nkey-file = @DIR@/mesh.key\n"
#define HEX   "000102030405060708090a0b0c0d0e0f101112131415161718191a1B1C1D1E1F"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void
write_key (PluginBench *bench, const char *text, int mode)
{
  g_autofree char *path = plugin_bench_path (bench, "mesh.key");

  plugin_bench_write (bench, "mesh.key", text);
  g_assert_cmpint (g_chmod (path, mode), ==, 0);
}

static void
expect_key (PluginBench *bench)
{
  g_assert_true (bench->has_mesh_key);
  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    g_assert_cmpuint (bench->mesh_key[i], ==, i);
}

static void
test_good_files (void)
{
  static const char *const cases[] = { HEX, HEX "\n", " \t\r\n" HEX "\r\n\n \t" };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);

      write_key (bench, cases[i], 0640);
      plugin_bench_load_good (bench, GROUP);
      g_assert_false (bench->has_mesh_key);
      plugin_bench_start (bench);
      expect_key (bench);
      detour_instance_stop (bench->instance);
      g_assert_false (bench->has_mesh_key);
    }
}

static void
test_bad_files (void)
{
  static const struct {
    const char *text; /* NULL: no file */
    int mode;
    const char *error;
  } cases[] = {
    { NULL, 0, "No such file or directory" },
    { "", 0600, "write exactly 64 hex digits" },
    { " \n", 0600, "write exactly 64 hex digits" },
    { HEX "0", 0600, "write exactly 64 hex digits" },
    { HEX " 0", 0600, "write exactly 64 hex digits" },
    { "0x" HEX, 0600, "write exactly 64 hex digits" },
    { "secret words", 0600, "write exactly 64 hex digits" },
    { HEX, 0644, "lets everyone on this host use it" },
    { HEX, 0642, "lets everyone on this host use it" },
    { HEX, 0660, "mode 0660 lets others write it" },
    { HEX, 0641, "lets everyone on this host use it" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *errors = NULL;

      if (cases[i].text != NULL)
        write_key (bench, cases[i].text, cases[i].mode);
      errors = plugin_bench_load (bench, GROUP);
      g_assert_nonnull (errors);
      g_assert_nonnull (strstr (errors, "bench.conf:2: [service mesh] key-file: "));
      g_assert_nonnull (strstr (errors, cases[i].error));
      /* The content may be a secret, so no message shows it. */
      g_assert_null (strstr (errors, "0001020304"));
      g_assert_null (strstr (errors, "secret words"));
    }
}

static void
test_no_plain_file (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *fifo = plugin_bench_path (bench, "mesh.key");
  g_autofree char *errors = NULL;

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  errors = plugin_bench_load (bench, GROUP);
  g_assert_nonnull (strstr (errors, "it is a named pipe; expected a regular file"));
}

static void
test_no_key_file (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *errors = plugin_bench_load (bench, "[service mesh]\n");

  g_assert_nonnull (errors);
  g_assert_nonnull (strstr (errors, "key-file"));
}

/* Zeros parse, and give nobody privileges. */
static void
test_zeros (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *trouble = NULL;

  write_key (bench, ZEROS "\n", 0600);
  plugin_bench_load_good (bench, GROUP);
  plugin_bench_start (bench);
  trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_nonnull (strstr (trouble, "all zeros"));
}

static void
test_reload (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *trouble = NULL;
  g_autofree char *no_trouble = NULL;

  write_key (bench, ZEROS, 0600);
  plugin_bench_load_good (bench, GROUP);
  plugin_bench_start (bench);

  write_key (bench, HEX, 0600);
  plugin_bench_reload (bench);
  expect_key (bench);
  no_trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_cmpstr (no_trouble, ==, NULL);

  write_key (bench, "not a key", 0600);
  plugin_bench_reload (bench);
  expect_key (bench);
  trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_nonnull (strstr (trouble, "still using the key of before"));
}

/* Core's reasons, and those of the system as they stand behind an address or alone. */
static void
test_remedies (void)
{
  static const struct {
    const char *reason;
    const char *remedy; /* part of it */
  } cases[] = {
    { DETOUR_LINK_NOT_ADMITTED, "the mesh key there is the same as here" },
    { DETOUR_LINK_OTHER_KEY, "another key than `pin` says" },
    { DETOUR_LINK_NOT_DERP, "lead to a relay" },
    { DETOUR_LINK_SILENT, "no firewall" },
    { "Error in the certificate verification.", "`host`, `pin` and `ca-file`" },
    { "Connection refused", "the relay there runs" },
    { "[2001:db8::1]:443: Network is unreachable", "the network of this host" },
    { "No route to host", "the network of this host" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *remedy = mesh_fault_remedy (MESH_FAULT_LINK, cases[i].reason);

      g_assert_nonnull (remedy);
      g_assert_nonnull (strstr (remedy, cases[i].remedy));
      g_assert_cmpint (mesh_fault_state (MESH_FAULT_LINK, cases[i].reason), ==,
                       i == 0 ? DETOUR_MESH_REFUSED : DETOUR_MESH_WAITING);
    }
  g_assert_null (mesh_fault_remedy (MESH_FAULT_LINK, "writing failed"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (test_log_nothing, NULL, NULL);
  g_test_add_func ("/service-mesh/key-goes-to-core-and-leaves-it", test_good_files);
  g_test_add_func ("/service-mesh/bad-files-are-refused", test_bad_files);
  g_test_add_func ("/service-mesh/no-plain-file", test_no_plain_file);
  g_test_add_func ("/service-mesh/no-key-file", test_no_key_file);
  g_test_add_func ("/service-mesh/zeros-are-nobodys-key", test_zeros);
  g_test_add_func ("/service-mesh/reload-takes-a-new-key", test_reload);
  g_test_add_func ("/service-mesh/reasons-have-remedies", test_remedies);
  return g_test_run ();
}
