/* test-device-store.c: the list on disk, whole, cut, foreign and with wrong modes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "device-store.h"
#include "test-program.h"

#include <glib/gstdio.h>
#include <string.h>

#define PLACE "tailscale https://api.tailscale.com -"

static DeviceTable *
make_table (void)
{
  DeviceTable *table = device_table_new ();
  Device one = { .id = "nA",
                 .name = "lap\ttop\\",
                 .owner = "anna\n@example.com",
                 .tags = "",
                 .expires = 5,
                 .authorized = TRUE };
  Device two = { .id = "", .name = "", .owner = "", .tags = "tag:a,tag:b" };

  memset (one.key, 0xab, sizeof one.key);
  memset (two.key, 0x01, sizeof two.key);
  g_assert_true (device_table_add (table, &one));
  g_assert_true (device_table_add (table, &two));
  device_table_seal (table);
  return table;
}

static void
test_round_trip (void)
{
  g_autoptr (DeviceTable) table = make_table ();
  g_autoptr (DeviceTable) again = NULL;
  g_autofree char *directory = g_dir_make_tmp ("devices-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "list", NULL);
  g_autoptr (GError) error = NULL;
  DeviceChange change;
  gint64 fetched;
  GStatBuf st;

  g_assert_cmpint (device_store_read (path, PLACE, &again, &fetched, &error), ==,
                   DEVICE_STORE_NONE);
  g_assert_no_error (error);
  g_assert_true (device_store_write (path, table, PLACE, 1800000000, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  g_assert_cmpint (device_store_read (path, PLACE, &again, &fetched, &error), ==,
                   DEVICE_STORE_GOOD);
  g_assert_cmpint (fetched, ==, 1800000000);
  g_assert_cmpuint (device_table_size (again), ==, 2);
  device_table_compare (table, again, &change);
  g_assert_false (device_change_is_any (&change));
  g_clear_pointer (&again, device_table_unref);

  /* Of another tailnet: kept until the next list, but not used. */
  g_assert_cmpint (device_store_read (path, "headscale http://h -", &again, &fetched, &error), ==,
                   DEVICE_STORE_FOREIGN);
  g_assert_null (again);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));

  g_remove (path);
  g_rmdir (directory);
}

/* Every beginning of a file is broken, and so is one with a byte more. */
static void
test_cut (void)
{
  g_autoptr (DeviceTable) table = make_table ();
  GString *text = device_store_format (table, PLACE, 1800000000);

  for (gsize len = 0; len <= text->len; len++)
    {
      g_autofree char *copy = len > 0 ? g_memdup2 (text->str, len) : g_malloc (1);
      g_autoptr (DeviceTable) again = NULL;
      g_autoptr (GError) error = NULL;
      gint64 fetched;
      DeviceStoreResult result = device_store_parse (copy, len, PLACE, &again, &fetched, &error);

      if (len == text->len)
        g_assert_cmpint (result, ==, DEVICE_STORE_GOOD);
      else
        {
          g_assert_cmpint (result, ==, DEVICE_STORE_BROKEN);
          g_assert_nonnull (error);
          g_assert_null (again);
        }
    }
  g_string_free (text, TRUE);
}

static const struct {
  const char *path, *text;
  DeviceStoreResult result;
} cases[] = {
  { "/device-store/empty", "", DEVICE_STORE_BROKEN },
  { "/device-store/garbage", "\xff\xfe\x01", DEVICE_STORE_BROKEN },
  { "/device-store/other-file", "[core]\n", DEVICE_STORE_BROKEN },
  { "/device-store/later-version", "detour-devices 2\nwhatever\n", DEVICE_STORE_FOREIGN },
  { "/device-store/no-time", "detour-devices 1\n" PLACE "\nyesterday\nend 0\n",
    DEVICE_STORE_BROKEN },
  { "/device-store/wrong-count", "detour-devices 1\n" PLACE "\n1800000000\nend 1\n",
    DEVICE_STORE_BROKEN },
  { "/device-store/no-device", "detour-devices 1\n" PLACE "\n1800000000\nab\t1\t1\t\t\t\t\nend 1\n",
    DEVICE_STORE_BROKEN },
  { "/device-store/nobody", "detour-devices 1\n" PLACE "\n1800000000\nend 0\n", DEVICE_STORE_GOOD },
};

static void
test_case (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autofree char *directory = g_dir_make_tmp ("devices-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "list", NULL);
  g_autofree char *aside = g_strconcat (path, ".broken", NULL);
  g_autoptr (DeviceTable) table = NULL;
  g_autoptr (GError) error = NULL;
  gboolean broken = cases[i].result == DEVICE_STORE_BROKEN;
  gint64 fetched;

  g_assert_true (g_file_set_contents_full (path, cases[i].text, -1, 0, 0600, NULL));
  g_assert_cmpint (device_store_read (path, PLACE, &table, &fetched, &error), ==, cases[i].result);
  g_assert_cmpint (error != NULL, ==, broken);
  if (broken)
    {
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, path));
    }
  g_assert_cmpint (g_file_test (aside, G_FILE_TEST_EXISTS), ==, broken);
  g_assert_cmpint (g_file_test (path, G_FILE_TEST_EXISTS), ==, !broken);
  g_remove (path);
  g_remove (aside);
  g_rmdir (directory);
}

/* Somebody else may have written it. */
static void
test_open_to_others (void)
{
  g_autoptr (DeviceTable) table = make_table ();
  g_autoptr (DeviceTable) again = NULL;
  g_autofree char *directory = g_dir_make_tmp ("devices-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "list", NULL);
  g_autofree char *aside = g_strconcat (path, ".broken", NULL);
  g_autoptr (GError) error = NULL;
  gint64 fetched;

  g_assert_true (device_store_write (path, table, PLACE, 1800000000, NULL));
  g_assert_cmpint (g_chmod (path, 0666), ==, 0);
  g_assert_cmpint (device_store_read (path, PLACE, &again, &fetched, &error), ==,
                   DEVICE_STORE_BROKEN);
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_PERM);
  g_remove (aside);
  g_rmdir (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/device-store/round-trip", test_round_trip);
  g_test_add_func ("/device-store/cut", test_cut);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].path, GUINT_TO_POINTER (i), test_case);
  g_test_add_func ("/device-store/open-to-others", test_open_to_others);
  return g_test_run ();
}
