/* test-list-trust.c: lists that count, that are doubted, and that are too old.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "list-trust.h"
#include "test-program.h"

#include <string.h>

#define M G_TIME_SPAN_MINUTE

static const char *const no_tags[] = { NULL };

/* Devices with the keys @first to @first + @n - 1 in all bytes. */
static DeviceTable *
make_table (guint8 first, guint n, gint64 expires)
{
  DeviceTable *table = device_table_new ();

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *id = g_strdup_printf ("%u", first + i);
      Device device = { .id = id, .name = "", .owner = "", .tags = "", .authorized = TRUE };

      memset (device.key, (int) (first + i), sizeof device.key);
      device.expires = expires;
      g_assert_true (device_table_add (table, &device));
    }
  device_table_seal (table);
  return table;
}

static gboolean
take (ListTrust *trust, DeviceTable *table, gint64 now_us)
{
  DeviceChange change = { 0 };

  if (trust->table != NULL)
    device_table_compare (trust->table, table, &change);
  return list_trust_take (trust, table, &change, now_us, now_us, 100);
}

static gboolean
knows (const ListTrust *trust, guint8 byte)
{
  guint8 key[DETOUR_KEY_SIZE];

  memset (key, byte, sizeof key);
  return list_trust_find (trust, key, 100) != NULL;
}

static void
test_age (void)
{
  g_autoptr (DeviceTable) table = make_table (1, 3, 0);
  ListTrust trust;

  list_trust_init (&trust, M, 10 * M, no_tags);
  g_assert_false (list_trust_holds (&trust, 0));
  list_trust_recall (&trust, table, -5 * M, 100);
  g_assert_true (list_trust_holds (&trust, 5 * M));
  g_assert_false (list_trust_holds (&trust, 5 * M + 1));
  /* Of the disk: who is not on it may be new. */
  g_assert_false (list_trust_is_sure (&trust));
  g_assert_true (take (&trust, table, 6 * M));
  g_assert_true (list_trust_holds (&trust, 16 * M));
  g_assert_true (list_trust_is_sure (&trust));
  list_trust_clear (&trust);
}

static void
test_doubt (void)
{
  g_autoptr (DeviceTable) table = make_table (1, 6, 0);
  g_autoptr (DeviceTable) other = make_table (6, 2, 0);
  ListTrust trust;

  list_trust_init (&trust, M, 10 * M, no_tags);
  g_assert_true (take (&trust, table, 0));
  g_assert_false (take (&trust, other, M));
  g_assert_true (knows (&trust, 1));
  g_assert_true (knows (&trust, 7));
  g_assert_false (knows (&trust, 8));
  g_assert_false (list_trust_is_sure (&trust));
  /* Within a moment it does not count. */
  for (guint i = 0; i < 10; i++)
    g_assert_false (take (&trust, other, M + i));
  g_assert_false (take (&trust, other, 2 * M));
  g_assert_true (take (&trust, other, 3 * M));
  g_assert_false (knows (&trust, 1));
  g_assert_true (list_trust_is_sure (&trust));
  list_trust_clear (&trust);
}

static void
test_doubt_begins_anew (void)
{
  g_autoptr (DeviceTable) table = make_table (1, 6, 0);
  g_autoptr (DeviceTable) none = make_table (1, 0, 0);
  ListTrust trust;

  list_trust_init (&trust, M, 10 * M, no_tags);
  g_assert_true (take (&trust, table, 0));
  g_assert_false (take (&trust, none, M));
  g_assert_false (take (&trust, none, 2 * M));
  g_assert_true (take (&trust, table, 3 * M));
  g_assert_true (list_trust_is_sure (&trust));
  g_assert_false (take (&trust, none, 4 * M));
  g_assert_false (take (&trust, none, 5 * M));
  trust.believes_all = TRUE;
  g_assert_true (take (&trust, none, 5 * M + 1));
  g_assert_false (trust.believes_all);
  g_assert_false (knows (&trust, 1));
  list_trust_clear (&trust);
}

static void
test_expiry (void)
{
  g_autoptr (DeviceTable) table = make_table (1, 1, 200);
  ListTrust trust;

  list_trust_init (&trust, M, 10 * M, no_tags);
  g_assert_false (list_trust_has_expired (&trust, 1000));
  list_trust_recall (&trust, table, 0, 100);
  g_assert_false (list_trust_has_expired (&trust, 199));
  g_assert_true (list_trust_has_expired (&trust, 200));
  g_assert_false (list_trust_has_expired (&trust, 201));
  list_trust_clear (&trust);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/list-trust/age", test_age);
  g_test_add_func ("/list-trust/doubt", test_doubt);
  g_test_add_func ("/list-trust/doubt-begins-anew", test_doubt_begins_anew);
  g_test_add_func ("/list-trust/expiry", test_expiry);
  return g_test_run ();
}
