/* test-link-silence.c: how long the other relay of a link may say nothing, by a clock that the test
 * moves.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "worker-bench.h"

#include <unistd.h>

#include "detour-link-tie.h"

/* Of DETOUR_CLOSE_SILENT; a link is judged by it to a second. */
#define SILENCE_S 120

static gint64 clock_us = G_USEC_PER_SEC;

/* In the place of GLib's, for everybody in this program. */
gint64
g_get_monotonic_time (void)
{
  return __atomic_load_n (&clock_us, __ATOMIC_RELAXED);
}

/* The worker has looked at its timers since. */
static void
pass (WorkerBench *f, gint64 seconds)
{
  __atomic_fetch_add (&clock_us, seconds * G_USEC_PER_SEC, __ATOMIC_RELAXED);
  detour_worker_wait (f->workers[0]);
  detour_worker_wait (f->workers[0]);
}

static int
join_link (WorkerBench *f, DetourLinkTie **tie)
{
  guint8 got[DETOUR_FRAME_HEADER_SIZE];
  int peer;
  DetourSession *session = worker_bench_session ('R', TRUE, &peer);

  g_byte_array_set_size (session->client.output, 0);
  detour_frame_put_header (got, DETOUR_FRAME_WATCH_CONNS, 0);
  g_byte_array_append (session->client.output, got, sizeof got);
  *tie = detour_link_tie_new (&session->key, "other");
  session->link = detour_link_tie_ref (*tie);
  detour_worker_adopt (f->workers[0], session);
  worker_bench_read (peer, got, sizeof got);
  g_assert_cmpuint (got[0], ==, DETOUR_FRAME_WATCH_CONNS);
  return peer;
}

/* What the other relay says once a minute; the worker has taken it when this returns. */
static void
say_keep_alive (int link)
{
  guint8 frames[DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_PONG_SIZE] = { 0 };
  guint8 *ping = frames + DETOUR_FRAME_HEADER_SIZE;

  detour_frame_put_header (frames, DETOUR_FRAME_KEEP_ALIVE, 0);
  detour_frame_put_header (ping, DETOUR_FRAME_PING, DETOUR_FRAME_PING_SIZE);
  worker_bench_write (link, frames, sizeof frames);
  worker_bench_read (link, ping, DETOUR_FRAME_PONG_SIZE);
  g_assert_cmpuint (ping[0], ==, DETOUR_FRAME_PONG);
}

static gboolean
is_over (DetourLinkTie *tie)
{
  gboolean over;

  g_mutex_lock (&tie->lock);
  over = tie->is_over;
  g_mutex_unlock (&tie->lock);
  return over;
}

static void
test_says_nothing (void)
{
  WorkerBench *f = worker_bench_new (1, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, &tie);

  pass (f, SILENCE_S - 1);
  g_assert_false (is_over (tie));
  pass (f, 2);
  g_assert_true (is_over (tie));
  worker_bench_expect_end (link);
  /* A client may be silent for as long as it likes. */
  worker_bench_burst (f, a, 'A', a, 'A', 1, 30);
  close (a);
  close (link);
  worker_bench_free (f);
}

static void
test_says_something (void)
{
  WorkerBench *f = worker_bench_new (1, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  int link = join_link (f, &tie);

  for (guint i = 0; i < 10; i++)
    {
      pass (f, SILENCE_S - 1);
      g_assert_false (is_over (tie));
      say_keep_alive (link);
    }
  /* From the last word on, whenever its timer was due. */
  pass (f, 60);
  say_keep_alive (link);
  pass (f, SILENCE_S - 1);
  g_assert_false (is_over (tie));
  pass (f, 2);
  g_assert_true (is_over (tie));
  worker_bench_expect_end (link);
  close (link);
  worker_bench_free (f);
}

/* The words of this relay say nothing of the other one. */
static void
test_is_spoken_to (void)
{
  WorkerBench *f = worker_bench_new (1, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, &tie);
  guint8 present[DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE];
  guint8 packet[DETOUR_FRAME_FORWARD_HEAD_SIZE + 10];

  detour_frame_put_header (present, DETOUR_FRAME_PEER_PRESENT, DETOUR_KEY_SIZE);
  memset (present + DETOUR_FRAME_HEADER_SIZE, 'B', DETOUR_KEY_SIZE);
  worker_bench_write (link, present, sizeof present);
  say_keep_alive (link);
  pass (f, SILENCE_S - 1);
  worker_bench_write (a, packet, worker_bench_packet (packet, 'B', 10, 1));
  worker_bench_read (link, packet, sizeof packet);
  g_assert_cmpuint (packet[0], ==, DETOUR_FRAME_FORWARD_PACKET);
  pass (f, 2);
  g_assert_true (is_over (tie));
  worker_bench_expect_end (link);
  close (a);
  close (link);
  worker_bench_free (f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link-silence/says-nothing", test_says_nothing);
  g_test_add_func ("/link-silence/says-something", test_says_something);
  g_test_add_func ("/link-silence/is-spoken-to", test_is_spoken_to);
  return g_test_run ();
}
