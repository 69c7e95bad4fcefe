/* test-client-rates.c: tests of how much clients send and receive now.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-rates.h"

#define N_ROWS 10000u

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

static void
stamp (GPtrArray *rows)
{
  gint64 now_us = g_get_monotonic_time ();

  for (guint i = 0; i < rows->len; i++)
    ((DetourScanRow *) rows->pdata[i])->seen_us = now_us;
}

static gboolean
fill (DetourClientRates *rates, GPtrArray *rows)
{
  gint64 began_us;
  gboolean known;

  stamp (rows);
  began_us = g_get_monotonic_time ();
  known = detour_client_rates_fill (rates, rows);
  g_test_message ("%u clients: %" G_GINT64_FORMAT " µs", rows->len,
                  g_get_monotonic_time () - began_us);
  return known;
}

static void
wait_for_it (DetourClientRates *rates)
{
  gint64 wait_us;

  while ((wait_us = detour_client_rates_wait_us (rates)) > 0)
    g_usleep ((gulong) wait_us);
}

static DetourScanRow *
row_of (GPtrArray *rows, guint64 number)
{
  for (guint i = 0; i < rows->len; i++)
    if (((DetourScanRow *) rows->pdata[i])->number == number)
      return rows->pdata[i];
  g_assert_not_reached ();
}

/* About so much a second, though the test may have waited longer than it wanted. */
static void
assert_rate (guint64 rate, guint64 bytes, gint64 from_us, gint64 to_us)
{
  guint64 expected = bytes * G_USEC_PER_SEC / (guint64) (to_us - from_us);

  g_assert_cmpuint (rate, >=, expected - expected / 10);
  g_assert_cmpuint (rate, <=, expected + expected / 10);
}

static void
test_rates (void)
{
  DetourClientRates *rates = detour_client_rates_new ();
  g_autoptr (GPtrArray) rows = make_rows (N_ROWS);
  DetourScanRow *busy = row_of (rows, 17), *quiet = row_of (rows, N_ROWS);
  gint64 first_us;

  g_assert_cmpint (detour_client_rates_wait_us (rates), ==, 0);
  g_assert_false (fill (rates, rows));
  first_us = busy->seen_us;
  /* One look is not enough, and another one has to wait. */
  g_assert_cmpint (detour_client_rates_wait_us (rates), >, 0);
  wait_for_it (rates);
  busy->rx_bytes += 5000000;
  busy->tx_packets += 3000;
  g_assert_true (fill (rates, rows));
  assert_rate (busy->rx_rate, 5000000, first_us, busy->seen_us);
  assert_rate (busy->tx_packet_rate, 3000, first_us, busy->seen_us);
  g_assert_cmpuint (quiet->rx_rate, ==, 0);

  /* Another caller, a moment later, needs not wait, and does not spoil the next look. */
  g_assert_cmpint (detour_client_rates_wait_us (rates), ==, 0);
  busy->rx_bytes += 1000;
  g_assert_true (fill (rates, rows));
  assert_rate (busy->rx_rate, 5001000, first_us, busy->seen_us);
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

  g_assert_false (fill (rates, none));
  wait_for_it (rates);
  row->login_us = g_get_monotonic_time ();
  row->rx_bytes = 700;
  g_assert_true (fill (rates, rows));
  g_assert_cmpuint (row->rx_rate, ==, 700);
  detour_client_rates_free (rates);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/client-rates/rates", test_rates);
  g_test_add_func ("/client-rates/one-that-is-new", test_one_that_is_new);
  return g_test_run ();
}
