/* test-service-mesh.c: tests of which files hold a mesh key, of the key that core gets, and of what
 * helps when there is no link.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mesh-fault.h"
#include "plugin-bench.h"
#include "test-program.h"

#include <gio/gio.h>
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

/* By what a fault is, whatever is said of it. */
static void
test_remedies (void)
{
  static const struct {
    DetourLinkFault cause;
    const char *remedy; /* part of it */
  } cases[] = {
    { DETOUR_LINK_FAULT_NOT_ADMITTED, "the mesh key there is the same as here" },
    { DETOUR_LINK_FAULT_OTHER_KEY, "another key than `pin` says" },
    { DETOUR_LINK_FAULT_NOT_DERP, "lead to a relay" },
    { DETOUR_LINK_FAULT_SILENT, "no firewall" },
    { DETOUR_LINK_FAULT_UNTRUSTED, "`host`, `pin` and `ca-file`" },
    { DETOUR_LINK_FAULT_REFUSED, "the relay there runs" },
    { DETOUR_LINK_FAULT_UNREACHABLE, "the network of this host" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *remedy = mesh_fault_remedy (MESH_FAULT_LINK, cases[i].cause);

      g_assert_nonnull (remedy);
      g_assert_nonnull (strstr (remedy, cases[i].remedy));
      g_assert_cmpint (mesh_fault_state (MESH_FAULT_LINK, cases[i].cause), ==,
                       i == 0 ? DETOUR_MESH_REFUSED : DETOUR_MESH_WAITING);
    }
  g_assert_null (mesh_fault_remedy (MESH_FAULT_LINK, DETOUR_LINK_FAULT_OTHER));
}

/* What the system says when there is no link at all. */
static void
test_dials (void)
{
  static const struct {
    int code;
    MeshFault fault;
    DetourLinkFault cause;
  } cases[] = {
    { G_IO_ERROR_NOT_SUPPORTED, MESH_FAULT_DIALER, DETOUR_LINK_FAULT_OTHER },
    { G_IO_ERROR_CONNECTION_REFUSED, MESH_FAULT_LINK, DETOUR_LINK_FAULT_REFUSED },
    { G_IO_ERROR_HOST_UNREACHABLE, MESH_FAULT_LINK, DETOUR_LINK_FAULT_UNREACHABLE },
    { G_IO_ERROR_NETWORK_UNREACHABLE, MESH_FAULT_LINK, DETOUR_LINK_FAULT_UNREACHABLE },
    { G_IO_ERROR_FAILED, MESH_FAULT_LINK, DETOUR_LINK_FAULT_OTHER },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, cases[i].code, "");
      DetourLinkFault cause;

      g_assert_cmpint (mesh_fault_of_dial (error, &cause), ==, cases[i].fault);
      g_assert_cmpint (cause, ==, cases[i].cause);
    }
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
  g_test_add_func ("/service-mesh/faults-have-remedies", test_remedies);
  g_test_add_func ("/service-mesh/errors-of-a-dial", test_dials);
  return g_test_run ();
}
