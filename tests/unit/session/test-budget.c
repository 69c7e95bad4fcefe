/* test-budget.c: months of quotas, what was used in them, and clocks that are set.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-budget.h"

#include <string.h>

#include "detour-budget-store.h"
#include "detour-quota-month.h"

/* "2026-11-29 12:00:00" */
static gint64
at (const char *text)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) date = g_date_time_new_from_iso8601 (text, utc);

  g_assert_nonnull (date);
  return g_date_time_to_unix (date);
}

static void
months (void)
{
  static const struct {
    const char *now;
    guint day;
    const char *begin, *end;
  } cases[] = {
    { "2026-11-29 12:00:00", 1, "2026-11-01 00:00:00", "2026-12-01 00:00:00" },
    { "2026-11-01 00:00:00", 1, "2026-11-01 00:00:00", "2026-12-01 00:00:00" },
    { "2026-10-31 23:59:59", 1, "2026-10-01 00:00:00", "2026-11-01 00:00:00" },
    { "2026-12-31 23:59:59", 1, "2026-12-01 00:00:00", "2027-01-01 00:00:00" },
    { "2027-01-14 23:59:59", 15, "2026-12-15 00:00:00", "2027-01-15 00:00:00" },
    { "2027-01-15 00:00:00", 15, "2027-01-15 00:00:00", "2027-02-15 00:00:00" },
    { "2026-12-15 00:00:00", 15, "2026-12-15 00:00:00", "2027-01-15 00:00:00" },
    /* Months that do not have the day. */
    { "2027-02-27 23:59:59", 31, "2027-01-31 00:00:00", "2027-02-28 00:00:00" },
    { "2027-02-28 00:00:00", 31, "2027-02-28 00:00:00", "2027-03-31 00:00:00" },
    { "2027-03-30 23:59:59", 31, "2027-02-28 00:00:00", "2027-03-31 00:00:00" },
    { "2028-02-29 00:00:00", 30, "2028-02-29 00:00:00", "2028-03-30 00:00:00" },
    { "2028-02-28 23:59:59", 29, "2028-01-29 00:00:00", "2028-02-29 00:00:00" },
    { "2027-04-30 05:00:00", 31, "2027-04-30 00:00:00", "2027-05-31 00:00:00" },
    { "1970-01-01 00:00:00", 1, "1970-01-01 00:00:00", "1970-02-01 00:00:00" },
    { "1970-01-01 00:00:00", 15, "1969-12-15 00:00:00", "1970-01-15 00:00:00" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s, %u", cases[i].now, cases[i].day);
      g_assert_cmpint (detour_quota_month_begin (at (cases[i].now), cases[i].day), ==,
                       at (cases[i].begin));
      g_assert_cmpint (detour_quota_month_end (at (cases[i].now), cases[i].day), ==,
                       at (cases[i].end));
    }
}

/* Whatever the clock says, a month has a beginning and an end, and they lie around it. */
static void
months_of_any_time (void)
{
  static const gint64 odd[] = { G_MININT64, -1, 0, G_GINT64_CONSTANT (253402300799), G_MAXINT64 };

  for (guint i = 0; i < G_N_ELEMENTS (odd); i++)
    for (guint day = 1; day <= 31; day++)
      g_assert_cmpint (detour_quota_month_begin (odd[i], day), <,
                       detour_quota_month_end (odd[i], day));
  for (gint64 now = at ("2027-01-01 00:00:00"); now < at ("2029-01-01 00:00:00"); now += 43200)
    for (guint day = 1; day <= 31; day++)
      {
        gint64 begin = detour_quota_month_begin (now, day), end = detour_quota_month_end (now, day);

        g_assert_cmpint (begin, <=, now);
        g_assert_cmpint (now, <, end);
        g_assert_cmpint (detour_quota_month_begin (end, day), ==, end);
        g_assert_cmpint (detour_quota_month_end (begin, day), ==, end);
      }
}

static void
levels (void)
{
  DetourBudget budget = { .used = 79 };

  g_assert_cmpint (detour_budget_level (&budget, 0), ==, DETOUR_BUDGET_OK);
  g_assert_cmpint (detour_budget_level (&budget, 100), ==, DETOUR_BUDGET_OK);
  detour_budget_add (&budget, 1);
  g_assert_cmpint (detour_budget_level (&budget, 100), ==, DETOUR_BUDGET_NEAR);
  detour_budget_add (&budget, 19);
  g_assert_cmpint (detour_budget_level (&budget, 100), ==, DETOUR_BUDGET_NEAR);
  detour_budget_add (&budget, 1);
  g_assert_cmpint (detour_budget_level (&budget, 100), ==, DETOUR_BUDGET_OVER);
  detour_budget_add (&budget, G_MAXUINT64);
  g_assert_cmpuint (budget.used, ==, G_MAXUINT64);
  g_assert_cmpint (detour_budget_level (&budget, 100), ==, DETOUR_BUDGET_OVER);
}

/* A step of a story: the clock says @now, then 100 more are used. */
typedef struct {
  const char *now;
  guint day;
  guint64 used; /* before that */
  gboolean is_anew;
} Step;

static void
tell (const Step *steps, guint n)
{
  DetourBudget budget = { 0 };

  for (guint i = 0; i < n; i++)
    {
      g_test_message ("step %u", i);
      g_assert_cmpint (detour_budget_advance (&budget, steps[i].day, at (steps[i].now)), ==,
                       steps[i].is_anew);
      g_assert_cmpuint (budget.used, ==, steps[i].used);
      /* And again: nothing happens. */
      g_assert_false (detour_budget_advance (&budget, steps[i].day, at (steps[i].now)));
      detour_budget_add (&budget, 100);
    }
}

#define TELL(...) \
  tell ((const Step[]) { __VA_ARGS__ }, G_N_ELEMENTS (((const Step[]) { __VA_ARGS__ })))

static void
clocks (void)
{
  /* As it should be, with a daemon that did not run for a few months. */
  TELL ({ "2026-11-29 00:00:00", 1, 0, FALSE }, { "2026-11-30 00:00:00", 1, 100, FALSE },
        { "2026-12-01 00:00:00", 1, 0, TRUE }, { "2027-05-01 00:00:00", 1, 0, TRUE });
  /* Back within a month. */
  TELL ({ "2026-11-29 00:00:00", 1, 0, FALSE }, { "2026-11-02 00:00:00", 1, 100, FALSE },
        { "2026-12-01 00:00:00", 1, 0, TRUE });
  /* Back over the beginning of the month, and on again. */
  TELL ({ "2026-11-29 00:00:00", 1, 0, FALSE }, { "2026-12-01 00:00:00", 1, 0, TRUE },
        { "2026-11-30 23:00:00", 1, 200, FALSE }, { "2026-12-01 00:00:00", 1, 0, TRUE });
  /* Far ahead for a moment. */
  TELL ({ "2026-11-29 00:00:00", 1, 0, FALSE }, { "2099-01-01 00:00:00", 1, 0, TRUE },
        { "2026-11-29 00:00:00", 1, 200, FALSE }, { "2026-12-01 00:00:00", 1, 0, TRUE });
  /* A machine whose clock begins anew at each start. */
  TELL ({ "2026-11-29 00:00:00", 1, 0, FALSE }, { "1970-01-01 00:00:00", 1, 100, FALSE },
        { "2026-11-29 00:10:00", 1, 200, FALSE }, { "2025-06-10 00:00:00", 1, 300, FALSE },
        { "2026-11-30 00:10:00", 1, 400, FALSE }, { "2026-12-01 00:00:00", 1, 0, TRUE });
  /* And which was off over the end of the month. */
  TELL ({ "2026-11-29 00:00:00", 1, 0, FALSE }, { "1970-01-01 00:00:00", 1, 100, FALSE },
        { "2026-12-02 00:00:00", 1, 0, TRUE });
  /* The first time of all was wrong: one month is longer, and no more. */
  TELL ({ "2099-01-01 00:00:00", 1, 0, FALSE }, { "2026-11-29 00:00:00", 1, 100, FALSE },
        { "2026-12-01 00:00:00", 1, 200, FALSE }, { "2027-01-01 00:00:00", 1, 0, TRUE });
}

/* What was counted stays until the next such day. */
static void
another_day (void)
{
  TELL ({ "2026-11-20 00:00:00", 1, 0, FALSE }, { "2026-11-20 00:00:00", 15, 100, FALSE },
        { "2026-12-01 00:00:00", 15, 200, FALSE }, { "2026-12-15 00:00:00", 15, 0, TRUE });
  TELL ({ "2026-11-10 00:00:00", 1, 0, FALSE }, { "2026-11-10 00:00:00", 15, 100, FALSE },
        { "2026-11-15 00:00:00", 15, 0, TRUE });
}

/* ---- file ------------------------------------------------------------------------------------ */

static void
expect_same (const DetourBudget *a, const DetourBudget *b)
{
  g_assert_nonnull (a);
  g_assert_cmpuint (a->day, ==, b->day);
  g_assert_cmpint (a->begin_s, ==, b->begin_s);
  g_assert_cmpuint (a->used, ==, b->used);
  g_assert_cmpint (a->last_begin_s, ==, b->last_begin_s);
  g_assert_cmpuint (a->last_used, ==, b->last_used);
}

static void
file_keeps_all (void)
{
  g_autoptr (GHashTable) budgets = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  DetourBudget one = { 31, 1793491200, G_MAXUINT64, 1790812800, 12 };
  DetourBudget two = { 1, 5, 6, 0, 0 };
  g_autoptr (GBytes) text = NULL;
  g_autoptr (GHashTable) again = NULL;
  g_autoptr (GError) error = NULL;

  g_hash_table_insert (budgets, (gpointer) "class/friends", g_memdup2 (&one, sizeof one));
  g_hash_table_insert (budgets, (gpointer) "relay", g_memdup2 (&two, sizeof two));
  text = detour_budget_store_format (budgets);
  again = detour_budget_store_parse (g_bytes_get_data (text, NULL), g_bytes_get_size (text),
                                     &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_hash_table_size (again), ==, 2);
  expect_same (g_hash_table_lookup (again, "class/friends"), &one);
  expect_same (g_hash_table_lookup (again, "relay"), &two);
}

#define ROW "[relay]\nday=1\nbegin=5\nused=6\nlast-begin=0\nlast-used=0\n"

static void
broken_files (void)
{
  static const struct {
    const char *text;
    DetourBudgetStoreError code;
  } cases[] = {
    { "", DETOUR_BUDGET_STORE_ERROR_FORM },
    { "\x01\x02\xff", DETOUR_BUDGET_STORE_ERROR_FORM },
    { ROW, DETOUR_BUDGET_STORE_ERROR_FORM },
    { "[budgets]\nversion=one\n" ROW, DETOUR_BUDGET_STORE_ERROR_FORM },
    { "[budgets]\nversion=2\n" ROW, DETOUR_BUDGET_STORE_ERROR_VERSION },
    { "[budgets]\nversion=1\n[relay]\nday=1\nbegin=5\n", DETOUR_BUDGET_STORE_ERROR_FORM },
    { "[budgets]\nversion=1\n[relay]\nday=32\nbegin=5\nused=6\nlast-begin=0\nlast-used=0\n",
      DETOUR_BUDGET_STORE_ERROR_FORM },
    { "[budgets]\nversion=1\n[relay]\nday=1\nbegin=-5\nused=6\nlast-begin=0\nlast-used=0\n",
      DETOUR_BUDGET_STORE_ERROR_FORM },
    { "[budgets]\nversion=1\n[relay]\nday=1\nbegin=5\nused=99999999999999999999\nlast-begin=0\n"
      "last-used=0\n",
      DETOUR_BUDGET_STORE_ERROR_FORM },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", cases[i].text);
      g_assert_null (detour_budget_store_parse (cases[i].text, strlen (cases[i].text), &error));
      g_assert_error (error, DETOUR_BUDGET_STORE_ERROR, (int) cases[i].code);
    }
}

/* Any cut of a good file is read or refused, and never read beyond its end. */
static void
cut_files (void)
{
  static const char text[] = "[budgets]\nversion=1\n" ROW;

  for (gsize len = 0; len < sizeof text; len++)
    {
      g_autofree char *cut = g_memdup2 (text, MAX (len, 1));
      g_autoptr (GHashTable) budgets = detour_budget_store_parse (cut, len, NULL);

      if (budgets != NULL && g_hash_table_size (budgets) > 0)
        g_assert_cmpuint (len, >=, sizeof text - 2);
    }
}

static void
too_many (void)
{
  g_autoptr (GString) text = g_string_new ("[budgets]\nversion=1\n");
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i <= DETOUR_BUDGET_STORE_ROWS; i++)
    g_string_append_printf (text, "[class/%u]\nday=1\nbegin=5\nused=6\nlast-begin=0\nlast-used=0\n",
                            i);
  g_assert_cmpuint (text->len, <, DETOUR_BUDGET_STORE_MAX);
  g_assert_null (detour_budget_store_parse (text->str, text->len, &error));
  g_assert_error (error, DETOUR_BUDGET_STORE_ERROR, DETOUR_BUDGET_STORE_ERROR_FORM);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/budget/months", months);
  g_test_add_func ("/budget/months-of-any-time", months_of_any_time);
  g_test_add_func ("/budget/levels", levels);
  g_test_add_func ("/budget/clocks", clocks);
  g_test_add_func ("/budget/another-day", another_day);
  g_test_add_func ("/budget/file-keeps-all", file_keeps_all);
  g_test_add_func ("/budget/broken-files", broken_files);
  g_test_add_func ("/budget/cut-files", cut_files);
  g_test_add_func ("/budget/too-many", too_many);
  return g_test_run ();
}
