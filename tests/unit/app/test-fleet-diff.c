/* test-fleet-diff.c: what changes from one text to another, as people are shown it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-diff.h"

#include <glib.h>

typedef struct {
  const char *name, *before, *after, *diff;
} Row;

static const Row rows[] = {
  { "same", "a\nb\n", "a\nb\n", "" },
  { "line-put-between", "1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nx\n5\n6\n7\n8\n",
    "@@ -2 +2 @@\n 2\n 3\n 4\n+x\n 5\n 6\n 7\n" },
  { "line-changed", "a\nb\nc", "a\nB\nc", "@@ -1 +1 @@\n a\n-b\n+B\n c\n" },
  { "two-places", "a\n1\n2\n3\n4\n5\n6\n7\n8\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\n8\nB\n",
    "@@ -1 +1 @@\n-a\n+A\n 1\n 2\n 3\n@@ -7 +7 @@\n 6\n 7\n 8\n-b\n+B\n" },
  { "end-of-the-last-line", "a\nb", "a\nc\n", "@@ -1 +1 @@\n a\n-b\n+c\n" },
  { "all-gone", "a\n", "", "@@ -1 +1 @@\n-a\n" },
};

static void
test_row (gconstpointer data)
{
  const Row *row = data;
  g_autofree char *diff = fleet_diff (row->before, row->after);

  g_assert_cmpstr (diff, ==, row->diff);
}

/* Too much for the table: everything goes and comes, and it does not take for ever. */
static void
test_much (void)
{
  g_autoptr (GString) before = g_string_new (NULL), after = g_string_new (NULL);
  g_autofree char *diff = NULL;

  for (guint i = 0; i < 4000; i++)
    {
      g_string_append_printf (before, "a%u\n", i);
      g_string_append_printf (after, "b%u\n", i);
    }
  diff = fleet_diff (before->str, after->str);
  g_assert_true (g_str_has_prefix (diff, "@@ -1 +1 @@\n-a0\n-a1\n"));
  g_assert_nonnull (g_strstr_len (diff, -1, "-a3999\n+b0\n"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *path = g_strconcat ("/fleet-diff/", rows[i].name, NULL);

      g_test_add_data_func (path, &rows[i], test_row);
    }
  g_test_add_func ("/fleet-diff/much", test_much);
  return g_test_run ();
}
