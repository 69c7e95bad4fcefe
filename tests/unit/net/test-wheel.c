/* test-wheel.c: timers fire once, never early, at most a tick late, in any number and distance.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-wheel.h"

#define START_US G_GINT64_CONSTANT (1234567000)

static void
test_empty (void)
{
  DetourWheel wheel;

  detour_wheel_init (&wheel, START_US);
  g_assert_cmpint (detour_wheel_next_us (&wheel), ==, G_MAXINT64);
  g_assert_null (detour_wheel_pop (&wheel, START_US + G_GINT64_CONSTANT (3600000000)));
}

static void
test_never_early (void)
{
  static const gint64 distances_us[] = { -5,    0,       1,        1000,     65535,    65536,
                                         65537, 2000000, 65000000, 67108864, 600000000 };

  for (guint i = 0; i < G_N_ELEMENTS (distances_us); i++)
    {
      DetourWheel wheel;
      DetourTimer timer = { 0 };
      gint64 due_us = START_US + MAX (distances_us[i], 0);
      gint64 now_us = START_US;
      guint waits = 0;

      detour_wheel_init (&wheel, START_US);
      detour_wheel_set (&wheel, &timer, START_US + distances_us[i]);
      g_assert_nonnull (timer.link);

      while (detour_wheel_pop (&wheel, now_us) == NULL)
        {
          gint64 next_us = detour_wheel_next_us (&wheel);

          g_assert_cmpint (next_us, >, now_us);
          now_us = next_us;
          waits++;
          g_assert_cmpuint (waits, <, 20);
        }
      g_assert_cmpint (now_us, >=, due_us);
      g_assert_cmpint (now_us, <=, due_us + 2 * DETOUR_WHEEL_TICK_US);
      g_assert_null (timer.link);
      g_assert_cmpint (detour_wheel_next_us (&wheel), ==, G_MAXINT64);
    }
}

static void
test_clear_and_move (void)
{
  DetourWheel wheel;
  DetourTimer a = { 0 }, b = { 0 };
  gint64 later_us = START_US + 10 * G_USEC_PER_SEC;

  detour_wheel_init (&wheel, START_US);
  detour_wheel_set (&wheel, &a, START_US + G_USEC_PER_SEC);
  detour_wheel_set (&wheel, &b, START_US + G_USEC_PER_SEC);
  detour_wheel_clear (&wheel, &a);
  detour_wheel_clear (&wheel, &a);
  detour_wheel_set (&wheel, &b, later_us);
  g_assert_null (detour_wheel_pop (&wheel, later_us - DETOUR_WHEEL_TICK_US));
  g_assert_true (detour_wheel_pop (&wheel, later_us + DETOUR_WHEEL_TICK_US) == &b);
  g_assert_cmpuint (wheel.n_timers, ==, 0);
}

static void
test_cleared_slot_wakes_nobody (void)
{
  DetourWheel wheel;
  DetourTimer a = { 0 }, b = { 0 };

  detour_wheel_init (&wheel, START_US);
  detour_wheel_set (&wheel, &a, START_US + G_USEC_PER_SEC);
  detour_wheel_set (&wheel, &b, START_US + 30 * G_USEC_PER_SEC);
  detour_wheel_clear (&wheel, &a);
  g_assert_cmpint (detour_wheel_next_us (&wheel), >=, START_US + 30 * G_USEC_PER_SEC);
}

/* A timer may be set again from what its expiry calls, at once and for the same instant. */
static void
test_set_while_popping (void)
{
  DetourWheel wheel;
  DetourTimer timers[3] = { 0 };
  gint64 now_us = START_US + G_USEC_PER_SEC;
  guint fired = 0;

  detour_wheel_init (&wheel, START_US);
  for (guint i = 0; i < G_N_ELEMENTS (timers); i++)
    detour_wheel_set (&wheel, &timers[i], START_US + 1000);

  for (DetourTimer *timer; (timer = detour_wheel_pop (&wheel, now_us)) != NULL; fired++)
    {
      g_assert_cmpuint (fired, <, 3);
      detour_wheel_set (&wheel, timer, now_us);
      if (fired == 0)
        detour_wheel_clear (&wheel, &timers[timer == &timers[0] ? 1 : 0]);
    }
  g_assert_cmpuint (fired, ==, 2);
  g_assert_cmpuint (wheel.n_timers, ==, 2);
}

/* The wheel against a list that is searched. */
static void
test_against_a_list (void)
{
  enum { N = 2000 };
  DetourWheel wheel;
  DetourTimer *timers = g_new0 (DetourTimer, N);
  gint64 *due_us = g_new0 (gint64, N);
  gint64 now_us = START_US;
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);

  detour_wheel_init (&wheel, now_us);
  for (guint step = 0; step < 4000; step++)
    {
      guint i = (guint) g_rand_int_range (rand, 0, N);
      DetourTimer *timer;

      if (g_rand_int_range (rand, 0, 4) == 0)
        {
          detour_wheel_clear (&wheel, &timers[i]);
          due_us[i] = 0;
        }
      else
        {
          due_us[i] = now_us + g_rand_int_range (rand, 0, 200000000);
          detour_wheel_set (&wheel, &timers[i], due_us[i]);
        }

      now_us += g_rand_int_range (rand, 0, 400000);
      while ((timer = detour_wheel_pop (&wheel, now_us)) != NULL)
        {
          guint fired = (guint) (timer - timers);

          g_assert_cmpint (due_us[fired], >, 0);
          g_assert_cmpint (due_us[fired], <=, now_us);
          due_us[fired] = 0;
        }
      for (guint k = 0; k < N; k++)
        g_assert_true (due_us[k] == 0 || due_us[k] > now_us - DETOUR_WHEEL_TICK_US);
    }
  for (guint k = 0; k < N; k++)
    detour_wheel_clear (&wheel, &timers[k]);
  g_assert_cmpuint (wheel.n_timers, ==, 0);
  g_free (timers);
  g_free (due_us);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wheel/empty", test_empty);
  g_test_add_func ("/wheel/never-early", test_never_early);
  g_test_add_func ("/wheel/clear-and-move", test_clear_and_move);
  g_test_add_func ("/wheel/cleared-slot-wakes-nobody", test_cleared_slot_wakes_nobody);
  g_test_add_func ("/wheel/set-while-popping", test_set_while_popping);
  g_test_add_func ("/wheel/against-a-list", test_against_a_list);
  return g_test_run ();
}
