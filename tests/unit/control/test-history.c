/* test-history.c: tests of how the totals grew lately.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-history.h"

#define SECOND ((gint64) G_USEC_PER_SEC)
#define START  (1000 * SECOND)

/* One packet each second since the start. */
static DetourStats
totals_at (gint64 now_us)
{
  return (DetourStats) { .packets_received = (guint64) ((now_us - START) / SECOND), .joined = 1 };
}

static void
check (const DetourHistory *history, DetourHistorySpan span, gint64 now_us, gint64 from_s,
       gint64 to_s)
{
  DetourStats now = totals_at (now_us);
  DetourStats growth;
  gint64 duration_us = detour_history_growth (history, span, now_us, &now, &growth);

  g_assert_cmpint (duration_us, >=, from_s * SECOND);
  g_assert_cmpint (duration_us, <=, to_s * SECOND);
  g_assert_cmpuint (growth.packets_received, ==, (guint64) (duration_us / SECOND));
}

static void
test_soon_after_the_start (void)
{
  DetourStats zero = { 0 };
  DetourStats growth;
  DetourHistory *history = detour_history_new (START, &zero);

  g_assert_cmpint (detour_history_growth (history, DETOUR_HISTORY_RECENT, START, &zero, &growth),
                   ==, 1);
  check (history, DETOUR_HISTORY_RECENT, START + 3 * SECOND, 3, 3);
  check (history, DETOUR_HISTORY_MINUTE, START + 3 * SECOND, 3, 3);
  check (history, DETOUR_HISTORY_HOUR, START + 3 * SECOND, 3, 3);
  detour_history_free (history);
}

static void
test_spans (void)
{
  DetourStats zero = totals_at (START);
  DetourHistory *history = detour_history_new (START, &zero);

  for (gint64 s = 10; s <= 3 * 3600; s += 10)
    {
      gint64 now_us = START + s * SECOND;
      DetourStats now = totals_at (now_us);

      detour_history_note (history, now_us, &now);
      check (history, DETOUR_HISTORY_RECENT, now_us + 9 * SECOND, MIN (s, 10), 20);
      check (history, DETOUR_HISTORY_MINUTE, now_us + 9 * SECOND, MIN (s, 60), 79);
      check (history, DETOUR_HISTORY_HOUR, now_us + 9 * SECOND, MIN (s, 3600), 3670);
    }
  check (history, DETOUR_HISTORY_HOUR, START + 3 * 3600 * SECOND, 3600, 3660);
  detour_history_free (history);
}

/* Timers come late. */
static void
test_notes_that_come_late (void)
{
  DetourStats zero = totals_at (START);
  DetourHistory *history = detour_history_new (START, &zero);
  gint64 now_us = START;

  for (guint i = 0; i < 2000; i++)
    {
      DetourStats now;

      now_us += (gint64) (10 + i % 3) * SECOND;
      now = totals_at (now_us);
      detour_history_note (history, now_us, &now);
    }
  check (history, DETOUR_HISTORY_RECENT, now_us, 10, 24);
  check (history, DETOUR_HISTORY_MINUTE, now_us, 60, 80);
  check (history, DETOUR_HISTORY_HOUR, now_us, 3600, 3700);
  detour_history_free (history);
}

/* What @history says of all spans now. */
static void
assert_same (const DetourHistory *a, const DetourHistory *b, gint64 now_us)
{
  DetourStats now = totals_at (now_us);

  for (DetourHistorySpan span = DETOUR_HISTORY_RECENT; span <= DETOUR_HISTORY_HOUR; span++)
    {
      DetourStats of_a, of_b;

      g_assert_cmpint (detour_history_growth (a, span, now_us, &now, &of_a), ==,
                       detour_history_growth (b, span, now_us, &now, &of_b));
      g_assert_cmpmem (&of_a, sizeof of_a, &of_b, sizeof of_b);
    }
}

static DetourRecordItem
item_of (const DetourRecord *record)
{
  DetourRecordReader reader = { record->data, record->len };
  DetourRecordItem item;

  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
  return item;
}

/* Another program goes on where the first one was, however long that had run. */
static void
test_goes_on (void)
{
  DetourStats zero = totals_at (START);
  DetourHistory *history = detour_history_new (START, &zero);

  for (gint64 s = 10; s <= 2 * 3600; s += 10)
    {
      gint64 now_us = START + s * SECOND;
      DetourStats now = totals_at (now_us);

      detour_history_note (history, now_us, &now);
      if (s % 600 == 10 || s == 20)
        {
          g_auto (DetourRecord) record = { NULL };
          DetourHistory *next = detour_history_new (now_us + SECOND, &now);
          DetourRecordItem item;

          detour_history_write (history, &record, 5);
          item = item_of (&record);
          g_assert_true (detour_history_read (next, &item, now_us + SECOND));
          assert_same (history, next, now_us + 3 * SECOND);
          detour_history_free (history);
          history = next;
        }
    }
  detour_history_free (history);
}

/* Cut or changed anywhere, it is refused or says something else, and a refused one changes nothing.
 */
static void
test_damaged (void)
{
  DetourStats zero = totals_at (START), later = totals_at (START + 60 * SECOND);
  DetourHistory *history = detour_history_new (START, &zero);
  g_auto (DetourRecord) record = { NULL };
  DetourRecordItem item;

  detour_history_note (history, START + 60 * SECOND, &later);
  detour_history_write (history, &record, 5);
  item = item_of (&record);
  /* A note of the future. */
  g_assert_false (detour_history_read (history, &item, START));
  for (gsize i = 0; i < item.len * 9; i++)
    {
      DetourHistory *before = detour_history_new (START, &zero);
      DetourHistory *next = detour_history_new (START, &zero);
      gsize len = i < item.len ? i : item.len;
      g_autofree guint8 *copy = g_memdup2 (item.data, len);

      if (i >= item.len)
        copy[(i - item.len) / 8] ^= (guint8) (1u << (i - item.len) % 8);
      if (!detour_history_read (next, &(DetourRecordItem) { 5, copy, len }, START + 60 * SECOND))
        assert_same (before, next, START + 60 * SECOND);
      detour_history_free (before);
      detour_history_free (next);
    }
  detour_history_free (history);
}

/* A total that another program does not know from before has not shrunk. */
static void
test_a_total_that_began_anew (void)
{
  DetourStats before = { .joined = 100 }, now = { .joined = 2 }, growth;
  DetourHistory *history = detour_history_new (START, &before);

  detour_history_growth (history, DETOUR_HISTORY_MINUTE, START + SECOND, &now, &growth);
  g_assert_cmpuint (growth.joined, ==, 0);
  detour_history_free (history);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/history/soon-after-the-start", test_soon_after_the_start);
  g_test_add_func ("/history/spans", test_spans);
  g_test_add_func ("/history/notes-that-come-late", test_notes_that_come_late);
  g_test_add_func ("/history/goes-on", test_goes_on);
  g_test_add_func ("/history/damaged", test_damaged);
  g_test_add_func ("/history/a-total-that-began-anew", test_a_total_that_began_anew);
  return g_test_run ();
}
