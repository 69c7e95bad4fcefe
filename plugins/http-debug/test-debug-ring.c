/* test-debug-ring.c: what the ring keeps, and in how much room.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-ring.h"

static void
note (DebugRing *ring, gint64 at_s, guint64 bytes, guint64 clients)
{
  guint64 values[DEBUG_N_SERIES] = {
    [DEBUG_SERIES_BYTES_IN] = bytes, [DEBUG_SERIES_CLIENTS] = clients
  };

  debug_ring_note (ring, at_s * G_USEC_PER_SEC, values);
}

static void
test_empty (void)
{
  g_autoptr (DebugRing) ring = debug_ring_new ();
  DebugRingView view;

  debug_ring_view (ring, DEBUG_SERIES_BYTES_IN, DEBUG_SPAN_HOUR, &view);
  g_assert_cmpuint (view.n, ==, 0);
  /* The first note is where totals are counted from. */
  note (ring, 1, 1000000, 3);
  debug_ring_view (ring, DEBUG_SERIES_BYTES_IN, DEBUG_SPAN_HOUR, &view);
  g_assert_cmpuint (view.n, ==, 0);
}

static void
test_rates (void)
{
  g_autoptr (DebugRing) ring = debug_ring_new ();
  DebugRingView view;

  note (ring, 1, 1000000, 3);
  note (ring, 11, 1000500, 4);
  /* A step that was late is longer. */
  note (ring, 31, 1002500, 2);
  /* A total that began anew has not grown. */
  note (ring, 41, 10, 0);
  debug_ring_view (ring, DEBUG_SERIES_BYTES_IN, DEBUG_SPAN_HOUR, &view);
  g_assert_cmpuint (view.n, ==, 3);
  g_assert_cmpfloat (view.values[0], ==, 50);
  g_assert_cmpfloat (view.values[1], ==, 100);
  g_assert_cmpfloat (view.values[2], ==, 0);
  debug_ring_view (ring, DEBUG_SERIES_CLIENTS, DEBUG_SPAN_HOUR, &view);
  g_assert_cmpfloat (view.values[0], ==, 4);
  g_assert_cmpfloat (view.values[2], ==, 0);
}

static void
test_bounds (void)
{
  g_autoptr (DebugRing) ring = debug_ring_new ();
  DebugRingView view;
  const guint steps = DEBUG_RING_DAY_N * DEBUG_RING_DAY_STEPS * 2;

  /* Growing by ten times its number in each step, so that the rate is the number. */
  for (guint64 i = 0; i <= steps; i++)
    note (ring, 1 + (gint64) i * 10, i * (i + 1) * 5, i % DEBUG_RING_DAY_STEPS);
  debug_ring_view (ring, DEBUG_SERIES_BYTES_IN, DEBUG_SPAN_HOUR, &view);
  g_assert_cmpuint (view.n, ==, DEBUG_RING_HOUR_N);
  g_assert_cmpfloat (view.values[0], ==, steps - DEBUG_RING_HOUR_N + 1);
  g_assert_cmpfloat (view.values[view.n - 1], ==, steps);
  debug_ring_view (ring, DEBUG_SERIES_BYTES_IN, DEBUG_SPAN_DAY, &view);
  g_assert_cmpuint (view.n, ==, DEBUG_RING_DAY_N);
  /* The mean of a day's step; of clients it is the most. */
  g_assert_cmpfloat (view.values[view.n - 1], ==, steps - (DEBUG_RING_DAY_STEPS - 1) / 2.0);
  debug_ring_view (ring, DEBUG_SERIES_CLIENTS, DEBUG_SPAN_DAY, &view);
  g_assert_cmpfloat (view.values[view.n - 1], ==, DEBUG_RING_DAY_STEPS - 1);
}

static void
assert_same (const DebugRing *a, const DebugRing *b)
{
  for (guint series = 0; series < DEBUG_N_SERIES; series++)
    for (guint span = 0; span < DEBUG_N_SPANS; span++)
      {
        DebugRingView of_a, of_b;

        debug_ring_view (a, series, span, &of_a);
        debug_ring_view (b, series, span, &of_b);
        g_assert_cmpuint (of_a.n, ==, of_b.n);
        g_assert_cmpmem (of_a.values, of_a.n * sizeof of_a.values[0], of_b.values,
                         of_b.n * sizeof of_b.values[0]);
      }
}

/* Another program goes on at any place of the ring, and at any step of a value of the day. */
static void
test_frozen (void)
{
  static const guint lengths[] = { 0, 1, 2, 31, 40, 361, 800, 30 * 290 };

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_autoptr (DebugRing) ring = debug_ring_new ();
      g_autoptr (DebugRing) next = debug_ring_new ();
      g_autoptr (GBytes) frozen = NULL;
      gconstpointer data;
      gsize len;

      for (guint at = 0; at < lengths[i]; at++)
        note (ring, 1 + at * 10, at * at, at % 7);
      frozen = debug_ring_freeze (ring);
      data = g_bytes_get_data (frozen, &len);
      g_assert_cmpuint (len, <, 32768);
      g_assert_true (debug_ring_thaw (next, data, len));
      assert_same (ring, next);
      for (guint at = lengths[i]; at < lengths[i] + 60; at++)
        {
          note (ring, 1 + at * 10, at * at, at % 7);
          note (next, 1 + at * 10, at * at, at % 7);
        }
      assert_same (ring, next);
    }
}

/* Cut or changed anywhere, it is refused, or its values are others; nothing else happens. */
static void
test_damaged (void)
{
  g_autoptr (DebugRing) ring = debug_ring_new ();
  g_autoptr (DebugRing) empty = debug_ring_new ();
  g_autoptr (GBytes) frozen = NULL;
  gconstpointer data;
  gsize len;

  for (guint at = 0; at < 40; at++)
    note (ring, 1 + at * 10, at, at % 7);
  frozen = debug_ring_freeze (ring);
  data = g_bytes_get_data (frozen, &len);
  for (gsize i = 0; i < len; i++)
    {
      g_autoptr (DebugRing) next = debug_ring_new ();
      g_autofree guint8 *copy = g_memdup2 (data, len);

      g_assert_false (debug_ring_thaw (next, copy, i));
      assert_same (next, empty);
      copy[i] ^= 0xff;
      if (!debug_ring_thaw (next, copy, len))
        assert_same (next, empty);
      note (next, 10000, 5, 5);
      note (next, 10010, 5, 5);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/debug-ring/empty", test_empty);
  g_test_add_func ("/debug-ring/rates", test_rates);
  g_test_add_func ("/debug-ring/bounds", test_bounds);
  g_test_add_func ("/debug-ring/frozen", test_frozen);
  g_test_add_func ("/debug-ring/damaged", test_damaged);
  return g_test_run ();
}
