/* test-table.c: tests of the tables that detourctl prints.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-table.h"

#include <locale.h>
#include <string.h>

#include "detourctl-format.h"

static const DetourctlColumn columns[] = {
  { "NAME", DETOURCTL_COLUMN_LEFT },
  { "N", DETOURCTL_COLUMN_RIGHT },
  { "WHAT", DETOURCTL_COLUMN_LEFT },
  { NULL },
};

static void
check (DetourctlTable *table, guint width, const char *expected)
{
  g_autofree char *text = detourctl_table_take (table, width, NULL, NULL);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_columns_are_aligned (void)
{
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  detourctl_table_add (table, "a", "1,000", "first", NULL);
  detourctl_table_add (table, "long name", "1", "", NULL);
  check (table, 0,
         "NAME           N  WHAT\n"
         "a          1,000  first\n"
         "long name      1\n");
}

static void
test_without_rows (void)
{
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  check (table, 0, "");
}

static void
test_pages_have_one_heading_and_columns_that_only_grow (void)
{
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  detourctl_table_add (table, "a name", "1", "x", NULL);
  check (table, 0, "NAME    N  WHAT\na name  1  x\n");
  detourctl_table_add (table, "b", "1", "x", NULL);
  check (table, 0, "b       1  x\n");
  detourctl_table_add (table, "a longer name", "1", "x", NULL);
  check (table, 0, "a longer name  1  x\n");
  check (table, 0, "");
}

static void
test_the_last_column_is_broken_into_lines (void)
{
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  detourctl_table_add (table, "a", "1", "one two three four five six seven", NULL);
  check (table, 33,
         "NAME  N  WHAT\n"
         "a     1  one two three four five\n"
         "         six seven\n");
  detourctl_table_add (table, "b", "1", "日本語日本語 日本語日本語", NULL);
  check (table, 33,
         "b     1  日本語日本語\n"
         "         日本語日本語\n");
  detourctl_table_add (table, "c", "1", "a-word-that-is-longer-than-the-terminal-is-wide", NULL);
  detourctl_table_add (table, "d", "1", "x", NULL);
  check (table, 33,
         "c     1\n"
         "    a-word-that-is-longer-than-the-terminal-is-wide\n"
         "d     1\n"
         "    x\n");
}

static void
test_the_last_column_goes_below_where_it_has_no_room (void)
{
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  detourctl_table_add (table, "a name of 19 signs", "1", "one two three four five six", NULL);
  detourctl_table_add (table, "b", "2", "", NULL);
  check (table, 24,
         "NAME                N\n"
         "    WHAT\n"
         "a name of 19 signs  1\n"
         "    one two three four\n"
         "    five six\n"
         "b                   2\n");
}

static void
test_rows_become_lists_where_nothing_fits (void)
{
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  detourctl_table_add (table, "a name of 19 signs", "1", "one two three four", NULL);
  detourctl_table_add (table, "b", "2", "", NULL);
  check (table, 18,
         "NAME  a name of 19\n"
         "      signs\n"
         "N     1\n"
         "WHAT  one two\n"
         "      three four\n"
         "\n"
         "NAME  b\n"
         "N     2\n"
         "\n");
}

static void
test_wide_and_combining_letters_count_as_they_look (void)
{
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  detourctl_table_add (table, "日本", "1", "x", NULL);
  detourctl_table_add (table, "e\xcc\x81", "1", "x", NULL);
  check (table, 0,
         "NAME  N  WHAT\n"
         "日本  1  x\n"
         "e\xcc\x81     1  x\n");
}

static void
test_texts_of_strangers_do_not_reach_the_terminal (void)
{
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  detourctl_table_add (table, "a\033[2J", "1", "two\nlines\xff", NULL);
  check (table, 0, "NAME      N  WHAT\na\\x1b[2J  1  two\\x0alines\\xff\n");
}

static void
test_the_heading_may_be_bold (void)
{
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);
  g_autofree char *text = NULL;

  detourctl_table_add (table, "a", "1", "x", NULL);
  text = detourctl_table_take (table, 0, "<b>", "</b>");
  g_assert_cmpstr (text, ==, "<b>NAME  N  WHAT</b>\na     1  x\n");
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "C.UTF-8");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/table/columns-are-aligned", test_columns_are_aligned);
  g_test_add_func ("/table/without-rows", test_without_rows);
  g_test_add_func ("/table/pages-have-one-heading-and-columns-that-only-grow",
                   test_pages_have_one_heading_and_columns_that_only_grow);
  g_test_add_func ("/table/last-column-is-broken-into-lines",
                   test_the_last_column_is_broken_into_lines);
  g_test_add_func ("/table/last-column-goes-below-where-it-has-no-room",
                   test_the_last_column_goes_below_where_it_has_no_room);
  g_test_add_func ("/table/rows-become-lists-where-nothing-fits",
                   test_rows_become_lists_where_nothing_fits);
  g_test_add_func ("/table/wide-and-combining-letters-count-as-they-look",
                   test_wide_and_combining_letters_count_as_they_look);
  g_test_add_func ("/table/texts-of-strangers-do-not-reach-the-terminal",
                   test_texts_of_strangers_do_not_reach_the_terminal);
  g_test_add_func ("/table/heading-may-be-bold", test_the_heading_may_be_bold);
  return g_test_run ();
}
