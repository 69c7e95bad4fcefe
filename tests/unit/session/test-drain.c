/* test-drain.c: when a relay that is taken out of service closes which connection.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-drain.h"

#define N 20000u

static void
test_turns (void)
{
  const gint64 quiet_us = DETOUR_DRAIN_QUIET_US;

  g_assert_cmpint (detour_drain_turn (DETOUR_CLIENT_GO, FALSE, quiet_us), ==, DETOUR_DRAIN_QUIET);
  g_assert_cmpint (detour_drain_turn (DETOUR_CLIENT_GO, FALSE, quiet_us - 1), ==,
                   DETOUR_DRAIN_BUSY);
  g_assert_cmpint (detour_drain_turn (DETOUR_CLIENT_GO, FALSE, -1), ==, DETOUR_DRAIN_BUSY);
  /* Whether they are quiet changes nothing for others. */
  for (guint kind = 0; kind < DETOUR_N_CLIENT_KINDS; kind++)
    {
      if (kind != DETOUR_CLIENT_GO)
        g_assert_cmpint (detour_drain_turn (kind, FALSE, quiet_us), ==, DETOUR_DRAIN_OTHER);
      g_assert_cmpint (detour_drain_turn (kind, TRUE, quiet_us), ==, DETOUR_DRAIN_MESH);
    }
}

static DetourHandle
handle_of (guint i)
{
  return DETOUR_HANDLE_MAKE (i % 4, i / 4, i + 1);
}

/* Each turn is over before the next begins, all within the time. */
static void
test_order (void)
{
  const DetourDrainPlan plan = { .for_us = 60 * G_USEC_PER_SEC, .salt = 7 };
  gint64 last_us = 0;

  for (guint turn = 0; turn < DETOUR_DRAIN_N_TURNS; turn++)
    {
      gint64 first = G_MAXINT64, last = 0;

      for (guint i = 0; i < N; i++)
        {
          gint64 due_us = detour_drain_due_us (&plan, turn, handle_of (i));

          first = MIN (first, due_us);
          last = MAX (last, due_us);
        }
      g_assert_cmpint (first, >=, last_us);
      last_us = last;
    }
  g_assert_cmpint (last_us, <=, plan.for_us);
}

/* No tenth of the part of quiet clients has more than a share and a bit of them. */
static void
test_spread (void)
{
  const DetourDrainPlan plan = { .for_us = 1000 * G_USEC_PER_SEC, .salt = 1 };
  guint counts[10] = { 0 };

  for (guint i = 0; i < N; i++)
    {
      gint64 due_us = detour_drain_due_us (&plan, DETOUR_DRAIN_QUIET, handle_of (i));

      counts[(due_us / G_USEC_PER_SEC - 50) * 10 / 550]++;
    }
  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_assert_cmpuint (counts[i], >, N / 10 * 8 / 10);
      g_assert_cmpuint (counts[i], <, N / 10 * 12 / 10);
    }
}

/* Who is early in one drain may be late in the next. */
static void
test_salt (void)
{
  DetourDrainPlan one = { .for_us = G_USEC_PER_SEC * 100, .salt = 1 };
  DetourDrainPlan other = { .for_us = G_USEC_PER_SEC * 100, .salt = 2 };
  guint n_earlier = 0;

  for (guint i = 0; i < N; i++)
    n_earlier += detour_drain_due_us (&one, DETOUR_DRAIN_QUIET, handle_of (i))
               < detour_drain_due_us (&other, DETOUR_DRAIN_QUIET, handle_of (i));
  g_assert_cmpuint (n_earlier, >, N / 3);
  g_assert_cmpuint (n_earlier, <, N * 2 / 3);
}

static void
test_at_once (void)
{
  const DetourDrainPlan plan = { .for_us = 0, .salt = 3 };

  for (guint turn = 0; turn < DETOUR_DRAIN_N_TURNS; turn++)
    for (guint i = 0; i < 100; i++)
      g_assert_cmpint (detour_drain_due_us (&plan, turn, handle_of (i)), ==, 0);
}

/* Clients that are left; threads close them as workers do. */
typedef struct {
  DetourDrainPlan plan;
  guint n_left, n_reserved, n_waiting;
} Closing;

#define N_CLOSING 4u

static guint
closing_n_left (gpointer user)
{
  return __atomic_load_n (&((Closing *) user)->n_left, __ATOMIC_SEQ_CST);
}

static gpointer
close_all (gpointer data)
{
  Closing *self = data;

  /* All begin at once. */
  __atomic_fetch_sub (&self->n_waiting, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n (&self->n_waiting, __ATOMIC_SEQ_CST) > 0)
    ;
  while (closing_n_left (self) > self->plan.keep)
    if (detour_drain_reserve (&self->plan))
      {
        g_thread_yield ();
        __atomic_fetch_sub (&self->n_left, 1, __ATOMIC_SEQ_CST);
        detour_drain_release (&self->plan);
      }
  return NULL;
}

/* However many workers close at once, as many are left as are kept, and no fewer. */
static void
test_keep (void)
{
  for (guint round = 0; round < 500; round++)
    {
      Closing closing = { .plan = { .keep = 3, .n_left = closing_n_left }, .n_left = 6 };
      GThread *threads[N_CLOSING];

      closing.plan.user = &closing;
      closing.plan.n_reserved = &closing.n_reserved;
      closing.n_waiting = N_CLOSING;
      for (guint i = 0; i < N_CLOSING; i++)
        threads[i] = g_thread_new ("worker", close_all, &closing);
      for (guint i = 0; i < N_CLOSING; i++)
        g_thread_join (threads[i]);
      g_assert_cmpuint (closing.n_left, ==, 3);
      g_assert_cmpuint (closing.n_reserved, ==, 0);
    }
}

/* One after the other: a place that was reserved is free again when the client stays. */
static void
test_reserve (void)
{
  Closing closing = { .plan = { .keep = 2, .n_left = closing_n_left }, .n_left = 3 };

  closing.plan.user = &closing;
  closing.plan.n_reserved = &closing.n_reserved;
  g_assert_true (detour_drain_reserve (&closing.plan));
  g_assert_false (detour_drain_reserve (&closing.plan));
  detour_drain_release (&closing.plan);
  g_assert_true (detour_drain_reserve (&closing.plan));
  closing.n_left--;
  detour_drain_release (&closing.plan);
  g_assert_false (detour_drain_reserve (&closing.plan));
  closing.plan.keep = G_MAXUINT;
  g_assert_false (detour_drain_reserve (&closing.plan));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/drain/turns", test_turns);
  g_test_add_func ("/drain/order", test_order);
  g_test_add_func ("/drain/spread", test_spread);
  g_test_add_func ("/drain/salt", test_salt);
  g_test_add_func ("/drain/at-once", test_at_once);
  g_test_add_func ("/drain/reserve", test_reserve);
  g_test_add_func ("/drain/keep", test_keep);
  return g_test_run ();
}
