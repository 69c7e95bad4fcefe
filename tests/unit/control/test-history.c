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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/history/soon-after-the-start", test_soon_after_the_start);
  g_test_add_func ("/history/spans", test_spans);
  g_test_add_func ("/history/notes-that-come-late", test_notes_that_come_late);
  return g_test_run ();
}
