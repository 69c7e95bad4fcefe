/* test-mailbox.c: calls to the main thread come in order, exactly once, or are dropped.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-mailbox.h"

#define N_THREADS 4u
#define N_CALLS   1000u

static GThread *main_thread;
static DetourMailbox *mailbox;
static guint n_called, n_dropped;

static void
called (gpointer data)
{
  g_assert_true (g_thread_self () == main_thread);
  g_assert_cmpuint (GPOINTER_TO_UINT (data), ==, n_called);
  n_called++;
}

static void
dropped (gpointer data)
{
  g_atomic_int_inc (&n_dropped);
}

static void
closes (gpointer data)
{
  detour_mailbox_close (mailbox);
}

static void
begin (void)
{
  n_called = n_dropped = 0;
  main_thread = g_thread_self ();
  mailbox = detour_mailbox_new ();
}

static void
run_loop (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    {
    }
}

static void
in_order_and_not_at_once (void)
{
  begin ();
  for (guint i = 0; i < 3; i++)
    detour_mailbox_post (mailbox, called, GUINT_TO_POINTER (i), dropped);
  g_assert_cmpuint (n_called, ==, 0);
  run_loop ();
  g_assert_cmpuint (n_called, ==, 3);

  /* And again, once the mailbox was empty. */
  detour_mailbox_post (mailbox, called, GUINT_TO_POINTER (3), dropped);
  run_loop ();
  g_assert_cmpuint (n_called, ==, 4);
  g_assert_cmpuint (n_dropped, ==, 0);
  detour_mailbox_free (mailbox);
}

static void
dropped_when_closed (void)
{
  begin ();
  detour_mailbox_post (mailbox, called, NULL, dropped);
  detour_mailbox_post (mailbox, called, NULL, NULL);
  detour_mailbox_close (mailbox);
  g_assert_cmpuint (n_dropped, ==, 1);
  detour_mailbox_post (mailbox, called, NULL, dropped);
  g_assert_cmpuint (n_dropped, ==, 2);
  run_loop ();
  g_assert_cmpuint (n_called, ==, 0);

  detour_mailbox_open (mailbox);
  detour_mailbox_post (mailbox, called, NULL, dropped);
  run_loop ();
  g_assert_cmpuint (n_called, ==, 1);

  detour_mailbox_post (mailbox, called, NULL, dropped);
  detour_mailbox_free (mailbox);
  g_assert_cmpuint (n_dropped, ==, 3);
  run_loop ();
  g_assert_cmpuint (n_called, ==, 1);
}

static void
closed_by_a_call (void)
{
  begin ();
  detour_mailbox_post (mailbox, called, NULL, dropped);
  detour_mailbox_post (mailbox, closes, NULL, dropped);
  detour_mailbox_post (mailbox, called, NULL, dropped);
  run_loop ();
  g_assert_cmpuint (n_called, ==, 1);
  g_assert_cmpuint (n_dropped, ==, 1);
  detour_mailbox_free (mailbox);
}

static void
without_a_mailbox (void)
{
  n_called = n_dropped = 0;
  main_thread = g_thread_self ();
  detour_mailbox_post (NULL, called, NULL, dropped);
  g_assert_cmpuint (n_called, ==, 0);
  run_loop ();
  g_assert_cmpuint (n_called, ==, 1);
  g_assert_cmpuint (n_dropped, ==, 0);
}

static void
count (gpointer data)
{
  g_assert_true (g_thread_self () == main_thread);
  n_called++;
}

static gpointer
post_many (gpointer data)
{
  for (guint i = 0; i < N_CALLS; i++)
    detour_mailbox_post (mailbox, count, NULL, dropped);
  return NULL;
}

/* Closed in the middle of it: each call happens or is dropped. */
static void
from_several_threads (void)
{
  GThread *threads[N_THREADS];

  begin ();
  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("poster", post_many, NULL);
  while (n_called < N_CALLS)
    g_main_context_iteration (NULL, FALSE);
  detour_mailbox_close (mailbox);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (n_called + n_dropped, ==, N_THREADS * N_CALLS);
  run_loop ();
  g_assert_cmpuint (n_called + n_dropped, ==, N_THREADS * N_CALLS);
  detour_mailbox_free (mailbox);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mailbox/in-order-and-not-at-once", in_order_and_not_at_once);
  g_test_add_func ("/mailbox/dropped-when-closed", dropped_when_closed);
  g_test_add_func ("/mailbox/closed-by-a-call", closed_by_a_call);
  g_test_add_func ("/mailbox/without-a-mailbox", without_a_mailbox);
  g_test_add_func ("/mailbox/from-several-threads", from_several_threads);
  return g_test_run ();
}
