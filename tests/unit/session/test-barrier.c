/* test-barrier.c: a barrier arrives behind everything that was on its way, by whatever loops.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-barrier.h"

#define N_FIRST  2u
#define N_SECOND 4u

typedef struct {
  DetourLoop *first[N_FIRST];
  DetourLoop *second[N_SECOND];
  DetourMailbox *mailbox;
  guint n_arrived; /* atomic */
  guint n_done, n_dropped;
  guint n_arrived_when_done;
  GMutex gate; /* holds up what is on its way */
} Bench;

/* Something on its way, as a client is. */
typedef struct {
  Bench *bench;
  DetourLoop *target;
} Traveller;

static const DetourLoopFuncs no_funcs = { NULL };

static Bench *
bench_new (void)
{
  Bench *bench = g_new0 (Bench, 1);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < N_FIRST; i++)
    bench->first[i] = detour_loop_new ("first", 0, &no_funcs, bench, &error);
  for (guint i = 0; i < N_SECOND; i++)
    bench->second[i] = detour_loop_new ("second", 0, &no_funcs, bench, &error);
  g_assert_no_error (error);
  bench->mailbox = detour_mailbox_new ();
  g_mutex_init (&bench->gate);
  return bench;
}

static void
bench_stop_loops (Bench *bench)
{
  for (guint i = 0; i < N_FIRST; i++)
    detour_loop_clear (&bench->first[i]);
  for (guint i = 0; i < N_SECOND; i++)
    detour_loop_clear (&bench->second[i]);
}

static void
bench_free (Bench *bench)
{
  bench_stop_loops (bench);
  detour_mailbox_free (bench->mailbox);
  g_mutex_clear (&bench->gate);
  g_free (bench);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bench, bench_free)

static void
arrive (DetourLoop *loop, gpointer data)
{
  Bench *bench = data;

  g_mutex_lock (&bench->gate);
  g_atomic_int_inc (&bench->n_arrived);
  g_mutex_unlock (&bench->gate);
}

static void
hand_on (DetourLoop *loop, gpointer data)
{
  g_autofree Traveller *traveller = data;
  Bench *bench = traveller->bench;

  g_mutex_lock (&bench->gate);
  g_mutex_unlock (&bench->gate);
  detour_loop_post (traveller->target, arrive, bench);
}

static void
on_done (gpointer data)
{
  Bench *bench = data;

  bench->n_done++;
  bench->n_arrived_when_done = (guint) g_atomic_int_get (&bench->n_arrived);
}

static void
on_dropped (gpointer data)
{
  ((Bench *) data)->n_dropped++;
}

/* One from each loop to each other one. */
static void
send_travellers (Bench *bench)
{
  for (guint i = 0; i < N_FIRST; i++)
    for (guint k = 0; k < N_SECOND; k++)
      {
        Traveller *traveller = g_new (Traveller, 1);

        *traveller = (Traveller) { bench, bench->second[k] };
        detour_loop_post (bench->first[i], hand_on, traveller);
      }
}

static void
send_barrier (Bench *bench)
{
  detour_barrier_send (bench->first, N_FIRST, bench->second, N_SECOND, bench->mailbox, on_done,
                       bench, on_dropped);
}

static void
test_order (void)
{
  g_autoptr (Bench) bench = bench_new ();

  for (guint round = 1; round <= 50; round++)
    {
      /* Nothing moves until all of it is on its way, the barrier included. */
      g_mutex_lock (&bench->gate);
      send_travellers (bench);
      send_barrier (bench);
      g_mutex_unlock (&bench->gate);
      while (bench->n_done < round)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpuint (bench->n_arrived_when_done, ==, round * N_FIRST * N_SECOND);
    }
}

/* It still arrives when the loops end. */
static void
test_loops_end (void)
{
  g_autoptr (Bench) bench = bench_new ();

  send_travellers (bench);
  send_barrier (bench);
  bench_stop_loops (bench);
  while (bench->n_done < 1)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (bench->n_arrived_when_done, ==, N_FIRST * N_SECOND);
}

static void
test_dropped (void)
{
  g_autoptr (Bench) bench = bench_new ();

  detour_mailbox_close (bench->mailbox);
  send_barrier (bench);
  bench_stop_loops (bench);
  g_assert_cmpuint (bench->n_done, ==, 0);
  g_assert_cmpuint (bench->n_dropped, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/barrier/arrives-behind-what-was-on-its-way", test_order);
  g_test_add_func ("/barrier/arrives-when-the-loops-end", test_loops_end);
  g_test_add_func ("/barrier/dropped-by-a-closed-mailbox", test_dropped);
  return g_test_run ();
}
