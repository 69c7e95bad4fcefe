/* test-worker.c: registered connections on their workers, over socket pairs: relaying, crossing,
 * closing, no allocation.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "worker-bench.h"

#include <sodium.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define COUNTS_ALLOCATIONS 0
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef COUNTS_ALLOCATIONS
#define COUNTS_ALLOCATIONS 1
#endif

#if COUNTS_ALLOCATIONS
/* Every allocation of the process comes by here. */
static gint n_allocations;

extern void *__libc_malloc (size_t size);
extern void *__libc_calloc (size_t n, size_t size);
extern void *__libc_realloc (void *old, size_t size);

void *
malloc (size_t size)
{
  __atomic_fetch_add (&n_allocations, 1, __ATOMIC_RELAXED);
  return __libc_malloc (size);
}

void *
calloc (size_t n, size_t size)
{
  __atomic_fetch_add (&n_allocations, 1, __ATOMIC_RELAXED);
  return __libc_calloc (n, size);
}

void *
realloc (void *old, size_t size)
{
  __atomic_fetch_add (&n_allocations, 1, __ATOMIC_RELAXED);
  return __libc_realloc (old, size);
}
#endif

static void
test_relaying (void)
{
  for (guint n = 1; n <= WORKER_BENCH_MAX; n++)
    {
      WorkerBench *f = worker_bench_new (n, NULL);
      int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, n - 1, 'B', FALSE);

      for (gsize len = 4; len <= 65536; len *= 4)
        {
          worker_bench_burst (f, a, 'A', b, 'B', 3, len);
          worker_bench_burst (f, b, 'B', a, 'A', 3, len);
        }
      close (a);
      close (b);
      worker_bench_free (f);
    }
}

static void
test_bytes_one_at_a_time (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, 1, 'B', FALSE);
  gsize size = worker_bench_packet (f->buffer, 'B', 300, 7);

  for (guint round = 0; round < 3; round++)
    for (gsize i = 0; i < size; i++)
      worker_bench_write (a, f->buffer + i, 1);
  for (guint round = 0; round < 3; round++)
    {
      guint8 got[337];

      worker_bench_read (b, got, sizeof got);
      g_assert_cmpuint (got[0], ==, DETOUR_FRAME_RECV_PACKET);
      g_assert_cmpuint (detour_frame_get_u32 (got + 37), ==, 7);
    }
  close (a);
  close (b);
  worker_bench_free (f);
}

/* More at a time than a ring between workers holds: its sender is slowed, and nothing is lost. */
static void
test_more_than_a_ring (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, 1, 'B', FALSE);
  guint8 packet[37 + 60000];
  guint n = 0;

  for (guint i = 0; i < 200; i++)
    {
      worker_bench_write (a, packet, worker_bench_packet (packet, 'B', 60000, i));
      if (i < 20)
        continue;
      worker_bench_read (b, packet, sizeof packet);
      g_assert_cmpuint (detour_frame_get_u32 (packet + 37), ==, n++);
    }
  for (; n < 200; n++)
    {
      worker_bench_read (b, packet, sizeof packet);
      g_assert_cmpuint (detour_frame_get_u32 (packet + 37), ==, n);
    }
  close (a);
  close (b);
  worker_bench_free (f);
}

static void
test_gone_across_workers (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, 1, 'B', FALSE),
      watcher = worker_bench_join (f, 1, 'M', TRUE);
  guint8 frame[DETOUR_FRAME_PEER_PRESENT_MAX] = { DETOUR_FRAME_WATCH_CONNS };

  worker_bench_write (watcher, frame, 5);
  for (guint i = 0; i < 3; i++)
    {
      worker_bench_read (watcher, frame, DETOUR_FRAME_PEER_PRESENT_SIZE (0));
      g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_PRESENT);
    }

  worker_bench_burst (f, a, 'A', b, 'B', 1, 10);
  close (a);
  worker_bench_read (b, frame, DETOUR_FRAME_PEER_GONE_SIZE);
  g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_GONE);
  g_assert_cmpuint (frame[5], ==, 'A');
  worker_bench_read (watcher, frame, DETOUR_FRAME_PEER_GONE_SIZE);
  g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_GONE);

  /* A newcomer is announced, and closed by the mesh peer. */
  a = worker_bench_join (f, 0, 'A', FALSE);
  worker_bench_read (watcher, frame, DETOUR_FRAME_PEER_PRESENT_SIZE (0));
  g_assert_cmpuint (frame[5], ==, 'A');
  detour_frame_put_header (frame, DETOUR_FRAME_CLOSE_PEER, 32);
  memset (frame + 5, 'A', 32);
  worker_bench_write (watcher, frame, 37);
  worker_bench_expect_end (a);
  close (a);
  close (b);
  close (watcher);
  worker_bench_free (f);
}

/* The one that does not read is closed after the write timeout; others go on meanwhile. */
static void
test_stalled_receiver (void)
{
  DetourWorkerLimits limits = worker_bench_limits;
  WorkerBench *f;
  int a, b, stalled;
  guint8 packet[37 + 10000];

  limits.write_timeout_us = G_USEC_PER_SEC / 2;
  f = worker_bench_new (1, &limits);
  a = worker_bench_join (f, 0, 'A', FALSE);
  b = worker_bench_join (f, 0, 'B', FALSE);
  stalled = worker_bench_join (f, 0, 'C', FALSE);
  for (guint i = 0; i < 200; i++)
    {
      worker_bench_write (a, packet, worker_bench_packet (packet, 'C', 10000, i));
      worker_bench_burst (f, a, 'A', b, 'B', 1, 100);
    }
  while (detour_worker_n_conns (f->workers[0]) == 3)
    worker_bench_burst (f, a, 'A', b, 'B', 1, 100);
  g_assert_cmpuint (
      detour_counter_get (&detour_worker_counters (f->workers[0])->closed[DETOUR_CLOSE_WRITE_TIME]),
      ==, 1);
  close (a);
  close (b);
  close (stalled);
  worker_bench_free (f);
}

static void
test_stop_closes_all (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  int fds[20];

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = worker_bench_join (f, i % 2, (guint8) ('a' + i), FALSE);
  worker_bench_free (f);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      worker_bench_expect_end (fds[i]);
      close (fds[i]);
    }
}

#if COUNTS_ALLOCATIONS
static void
test_no_allocation (gconstpointer data)
{
  guint n = GPOINTER_TO_UINT (data);
  WorkerBench *f = worker_bench_new (n, NULL);
  int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, n - 1, 'B', FALSE);
  gint before;

  /* Tables grow to their size first. */
  for (guint i = 0; i < 50; i++)
    {
      worker_bench_burst (f, a, 'A', b, 'B', 50, 1437);
      worker_bench_burst (f, b, 'B', a, 'A', 50, 1437);
    }
  before = __atomic_load_n (&n_allocations, __ATOMIC_RELAXED);
  for (guint i = 0; i < 200; i++)
    {
      worker_bench_burst (f, a, 'A', b, 'B', 8, 1437);
      worker_bench_burst (f, b, 'B', a, 'A', 1, 1437);
      /* More than one read takes, so that a frame is cut, and no more than the receiver's socket
       * holds. */
      worker_bench_burst (f, a, 'A', b, 'B', 50, 1437);
    }
  g_assert_cmpint (__atomic_load_n (&n_allocations, __ATOMIC_RELAXED), ==, before);
  close (a);
  close (b);
  worker_bench_free (f);
}
#endif

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (sodium_init (), >=, 0);
  g_test_add_func ("/worker/relaying", test_relaying);
  g_test_add_func ("/worker/bytes-one-at-a-time", test_bytes_one_at_a_time);
  g_test_add_func ("/worker/more-than-a-ring", test_more_than_a_ring);
  g_test_add_func ("/worker/gone-across-workers", test_gone_across_workers);
  g_test_add_func ("/worker/stalled-receiver", test_stalled_receiver);
  g_test_add_func ("/worker/stop-closes-all", test_stop_closes_all);
#if COUNTS_ALLOCATIONS /* a sanitizer has allocations of its own */
  g_test_add_data_func ("/worker/no-allocation/one-worker", GUINT_TO_POINTER (1),
                        test_no_allocation);
  g_test_add_data_func ("/worker/no-allocation/two-workers", GUINT_TO_POINTER (2),
                        test_no_allocation);
#endif
  return g_test_run ();
}
