/* test-client-rates.c: tests of how much clients send and receive now.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-rates.h"

#define N_ROWS   10000u
#define START_US (100 * SECOND)
#define SECOND   ((gint64) G_USEC_PER_SEC)

static GPtrArray *
make_rows (guint n)
{
  GPtrArray *rows = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < n; i++)
    {
      DetourScanRow *row = g_new0 (DetourScanRow, 1);

      /* Not in the order of their numbers, as several workers give them. */
      row->number = (i * 7919u) % n + 1;
      row->rx_bytes = 1000000;
      row->login_us = 1;
      g_ptr_array_add (rows, row);
    }
  return rows;
}

/* A look at @rows at @now_us. */
static gboolean
fill (DetourClientRates *rates, GPtrArray *rows, gint64 now_us)
{
  for (guint i = 0; i < rows->len; i++)
    ((DetourScanRow *) rows->pdata[i])->seen_us = now_us;
  return detour_client_rates_fill (rates, rows, now_us);
}

static DetourScanRow *
row_of (GPtrArray *rows, guint64 number)
{
  for (guint i = 0; i < rows->len; i++)
    if (((DetourScanRow *) rows->pdata[i])->number == number)
      return rows->pdata[i];
  g_assert_not_reached ();
}

static void
test_rates (void)
{
  DetourClientRates *rates = detour_client_rates_new ();
  g_autoptr (GPtrArray) rows = make_rows (N_ROWS);
  DetourScanRow *busy = row_of (rows, 17), *quiet = row_of (rows, N_ROWS);
  gint64 now_us = START_US;

  g_assert_cmpint (detour_client_rates_wait_us (rates, now_us), ==, 0);
  g_assert_false (fill (rates, rows, now_us));
  /* One look is not enough, and another one has to wait. */
  now_us += SECOND / 4;
  g_assert_cmpint (detour_client_rates_wait_us (rates, now_us), ==, SECOND * 3 / 4);
  g_assert_false (fill (rates, rows, now_us));
  now_us += SECOND * 7 / 4;
  g_assert_cmpint (detour_client_rates_wait_us (rates, now_us), ==, 0);
  busy->rx_bytes += 5000000;
  busy->tx_packets += 3000;
  g_assert_true (fill (rates, rows, now_us));
  g_assert_cmpuint (busy->rx_rate, ==, 2500000);
  g_assert_cmpuint (busy->tx_packet_rate, ==, 1500);
  g_assert_cmpuint (quiet->rx_rate, ==, 0);

  /* Another caller, a moment later, needs not wait, and does not spoil the next look. */
  now_us += SECOND / 2;
  g_assert_cmpint (detour_client_rates_wait_us (rates, now_us), ==, 0);
  busy->rx_bytes += 2500000;
  g_assert_true (fill (rates, rows, now_us));
  g_assert_cmpuint (busy->rx_rate, ==, 3000000);
  now_us += SECOND / 2;
  g_assert_true (fill (rates, rows, now_us));
  g_assert_cmpuint (busy->rx_rate, ==, 2500000);
  detour_client_rates_free (rates);
}

/* What was seen long ago says nothing about now. */
static void
test_long_ago (void)
{
  DetourClientRates *rates = detour_client_rates_new ();
  g_autoptr (GPtrArray) rows = make_rows (1);

  g_assert_false (fill (rates, rows, START_US));
  g_assert_true (fill (rates, rows, START_US + 15 * SECOND));
  g_assert_false (fill (rates, rows, START_US + 30 * SECOND + 1));
  detour_client_rates_free (rates);
}

/* It has counted since its login, and less than a second counts as one. */
static void
test_one_that_is_new (void)
{
  DetourClientRates *rates = detour_client_rates_new ();
  g_autoptr (GPtrArray) none = make_rows (0);
  g_autoptr (GPtrArray) rows = make_rows (1);
  DetourScanRow *row = rows->pdata[0];

  g_assert_false (fill (rates, none, START_US));
  row->login_us = START_US + SECOND / 2;
  row->rx_bytes = 700;
  g_assert_true (fill (rates, rows, START_US + SECOND));
  g_assert_cmpuint (row->rx_rate, ==, 700);
  detour_client_rates_free (rates);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/client-rates/rates", test_rates);
  g_test_add_func ("/client-rates/what-was-seen-long-ago", test_long_ago);
  g_test_add_func ("/client-rates/one-that-is-new", test_one_that_is_new);
  return g_test_run ();
}
