/* test-worker.c: registered connections on their workers, over socket pairs: relaying, crossing,
 * closing, no allocation.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "worker-bench.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <unistd.h>

#include "detour-address.h"
#include "detour-worker-private.h"

/* glibc alone has its functions under a second name. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || !defined __GLIBC__
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

  g_assert_cmpuint (detour_worker_n_conns (f->workers[1]), ==, 2);
  g_assert_cmpuint (detour_worker_n_clients (f->workers[1]), ==, 1);
  g_assert_cmpuint (detour_worker_n_mesh (f->workers[1]), ==, 1);
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

/* Its packets cross to the other worker in a ring, and the notice in a message: they come in order
 * all the same. */
static void
test_gone_comes_behind_packets (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  int b = worker_bench_join (f, 1, 'B', FALSE);

  for (guint round = 0; round < 300; round++)
    {
      int a = worker_bench_join (f, 0, 'A', FALSE);
      guint8 frame[37 + 1000];
      gsize size = sizeof frame;

      for (guint i = 0; i < 20; i++)
        worker_bench_packet (f->buffer + i * size, 'B', 1000, i);
      worker_bench_write (a, f->buffer, 20 * size);
      close (a);
      for (guint i = 0; i < 20; i++)
        {
          worker_bench_read (b, frame, size);
          g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_RECV_PACKET);
          g_assert_cmpuint (detour_frame_get_u32 (frame + 37), ==, i);
        }
      worker_bench_read (b, frame, DETOUR_FRAME_PEER_GONE_SIZE);
      g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_GONE);
      g_assert_cmpuint (frame[5], ==, 'A');
    }
  close (b);
  worker_bench_free (f);
}

/* Nothing is dropped, and nobody is closed, however slow the test reads. */
static const DetourWorkerLimits roomy_limits = {
  .relay = { .queue = { .packets = 100000, .bytes = 64 * 1024 * 1024 } },
  .keep_alive_us = 3600 * (gint64) G_USEC_PER_SEC,
};

/* A record layer that answers each '!' with a '#', as TLS answers a KeyUpdate, and changes nothing
 * else. */

static DetourChannelResult
answering_feed (gpointer self, const guint8 *in, gsize len, DetourBuffer *plain, gboolean *reply)
{
  for (gsize i = 0; i < len; i++)
    {
      if (in[i] == '!')
        *(gboolean *) self = *reply = TRUE;
      else
        plain->data[plain->len++] = in[i];
    }
  return DETOUR_CHANNEL_OK;
}

static gboolean
answering_seal (gpointer self, const struct iovec *plain, guint n, DetourBuffer *out)
{
  if (*(gboolean *) self)
    out->data[out->len++] = '#';
  *(gboolean *) self = FALSE;
  for (guint i = 0; i < n; i++)
    {
      memcpy (out->data + out->len, plain[i].iov_base, plain[i].iov_len);
      out->len += plain[i].iov_len;
    }
  return TRUE;
}

static void
answering_info (gpointer self, DetourChannelInfo *info)
{
}

static const DetourChannelClass answering_class = {
  .name = "answering",
  .info = answering_info,
  .feed = answering_feed,
  .seal = answering_seal,
  .free = g_free,
};

static void
look_for_blocked (DetourLoop *loop, gpointer data)
{
  const DetourWorker *worker = detour_loop_user (loop);
  gboolean *is_blocked = data;

  *is_blocked = FALSE;
  for (guint i = 0; i < detour_worker_n_slots (worker); i++)
    *is_blocked |= detour_worker_conn_at (worker, i)->rest != NULL;
}

/* The answer that could not be sent, as the socket was full, goes out once there is room, although
 * no packet comes to take it along. */
static void
test_answer_when_the_socket_was_full (void)
{
  WorkerBench *f = worker_bench_new (1, &roomy_limits);
  int a = worker_bench_join (f, 0, 'A', FALSE), b;
  DetourSession *session = worker_bench_session ('B', FALSE, &b);
  guint8 packet[37 + 10000];
  gboolean is_blocked = FALSE;
  guint n = 0;

  session->channel = (DetourChannel) { &answering_class, g_new0 (gboolean, 1) };
  worker_bench_adopt (f, 0, session, b);
  while (!is_blocked)
    {
      worker_bench_write (a, packet, worker_bench_packet (packet, 'B', 10000, n++));
      worker_bench_burst (f, a, 'A', a, 'A', 1, 100);
      detour_loop_call (detour_worker_loop (f->workers[0]), look_for_blocked, &is_blocked);
    }
  worker_bench_write (b, (const guint8 *) "!", 1);
  worker_bench_burst (f, a, 'A', a, 'A', 1, 100);
  for (guint i = 0; i < n; i++)
    worker_bench_read (b, packet, sizeof packet);
  worker_bench_read (b, packet, 1);
  g_assert_cmpuint (packet[0], ==, '#');
  close (a);
  close (b);
  worker_bench_free (f);
}

/* Carrying over: all connections move to the other worker, again and again, while everybody sends.
 */

typedef struct {
  WorkerBench *bench;
  int from, to;
  guint n;
} Stream;

static gpointer
stream_send (gpointer data)
{
  const Stream *stream = data;
  guint8 packet[37 + 500];

  for (guint i = 0; i < stream->n; i++)
    worker_bench_write (stream->from, packet, worker_bench_packet (packet, 'B', 500, i));
  return NULL;
}

static void
carry_over (WorkerBench *f)
{
  GPtrArray *sessions[2] = { g_ptr_array_new (), g_ptr_array_new () };

  for (guint i = 0; i < 2; i++)
    detour_worker_freeze (f->workers[i]);
  for (guint i = 0; i < 2; i++)
    detour_worker_detach_all (f->workers[i], sessions[i]);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpuint (detour_worker_n_conns (f->workers[i]), ==, 0);
  for (guint i = 0; i < 2; i++)
    for (guint k = 0; k < sessions[i]->len; k++)
      detour_worker_adopt (f->workers[1 - i], g_ptr_array_index (sessions[i], k));
  for (guint i = 0; i < 2; i++)
    detour_worker_wait (f->workers[i]);
  for (guint i = 0; i < 2; i++)
    {
      detour_worker_thaw (f->workers[i]);
      g_ptr_array_unref (sessions[i]);
    }
}

static guint64
count_joined (const WorkerBench *f)
{
  guint64 n = 0;

  for (guint i = 0; i < 2; i++)
    n += detour_counter_get (&detour_worker_counters (f->workers[i])->joined);
  return n;
}

static void
test_carrying_over (void)
{
  WorkerBench *f = worker_bench_new (2, &roomy_limits);
  int b = worker_bench_join (f, 1, 'B', FALSE), c = worker_bench_join (f, 0, 'C', FALSE);
  Stream stream = { f, worker_bench_join (f, 0, 'A', FALSE), b, 30000 };
  guint8 frame[37 + 500];
  GThread *thread;

  worker_bench_burst (f, c, 'C', b, 'B', 1, 500);
  thread = g_thread_new ("sender", stream_send, &stream);
  for (guint i = 0; i < stream.n; i++)
    {
      if (i % 1000 == 999)
        carry_over (f);
      worker_bench_read (b, frame, sizeof frame);
      g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_RECV_PACKET);
      g_assert_cmpuint (frame[5], ==, 'A');
      g_assert_cmpuint (detour_frame_get_u32 (frame + 37), ==, i);
    }
  g_thread_join (thread);
  g_assert_cmpuint (count_joined (f), ==, 3); /* once each, and not again each time */

  /* What B knew of others went with it. */
  for (guint i = 0; i < 2; i++)
    {
      close (i == 0 ? stream.from : c);
      worker_bench_read (b, frame, DETOUR_FRAME_PEER_GONE_SIZE);
      g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_GONE);
      g_assert_cmpuint (frame[5], ==, i == 0 ? 'A' : 'C');
    }
  close (b);
  worker_bench_free (f);
}

/* A connection counts for its address, wherever it is carried to, until it ends. */
static void
test_counted_until_the_end (void)
{
  WorkerBench *f = worker_bench_new (2, &roomy_limits);
  struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr = { htonl (0xc0000201) } };
  DetourAddressKey again;
  DetourSession *session;
  int counted, uncounted = worker_bench_join (f, 0, 'U', FALSE);

  session = worker_bench_session ('C', FALSE, &counted);
  detour_address_bytes ((struct sockaddr *) &peer, session->presence.ip);
  g_assert_true (detour_address_counts_enter (f->addresses, (struct sockaddr *) &peer, 1,
                                              &session->address_key));
  worker_bench_adopt (f, 1, session, counted);
  for (guint i = 0; i < 2; i++)
    {
      carry_over (f);
      g_assert_false (
          detour_address_counts_enter (f->addresses, (struct sockaddr *) &peer, 1, &again));
    }
  close (uncounted);
  close (counted);
  for (guint i = 0; i < 10000 && detour_address_counts_size (f->addresses) > 0; i++)
    g_usleep (1000);
  g_assert_cmpuint (detour_address_counts_size (f->addresses), ==, 0);
  worker_bench_free (f);
}

/* A receiver that does not read takes its queue along, and a frame that is cut its first part. */
/* What is known of the client's program goes with it, and so does the time of its next
 * keep-alive. */
static void
test_carrying_over_who_it_is (void)
{
  WorkerBench *f = worker_bench_new (2, &roomy_limits);
  g_autoptr (GPtrArray) sessions = g_ptr_array_new ();
  int peer;
  DetourSession *session = worker_bench_session ('A', FALSE, &peer);
  gint64 keep_alive_us = 0;

  session->traits = (DetourClientTraits) { DETOUR_CLIENT_RUST, TRUE, TRUE };
  worker_bench_adopt (f, 0, session, peer);
  for (guint i = 0; i < 2; i++)
    {
      detour_worker_freeze (f->workers[i]);
      detour_worker_detach_all (f->workers[i], sessions);
      g_assert_cmpuint (sessions->len, ==, 1);
      session = g_ptr_array_steal_index (sessions, 0);
      g_assert_cmpint (session->traits.kind, ==, DETOUR_CLIENT_RUST);
      g_assert_true (session->traits.takes_extra && session->traits.ends_on_long);
      g_assert_true (session->client.is_active);
      g_assert_cmpint (session->keep_alive_us, >, 0);
      g_assert_true (i == 0 || session->keep_alive_us == keep_alive_us);
      keep_alive_us = session->keep_alive_us;
      detour_worker_adopt (f->workers[1], session);
      detour_worker_wait (f->workers[1]);
    }
  for (guint i = 0; i < 2; i++)
    detour_worker_thaw (f->workers[i]);
  close (peer);
  worker_bench_free (f);
}

static void
test_carrying_over_what_waits (void)
{
  WorkerBench *f = worker_bench_new (2, &roomy_limits);
  int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, 1, 'B', FALSE);
  guint8 packet[37 + 10000];
  guint32 last = 0;
  gsize size;

  for (guint i = 0; i < 200; i++)
    worker_bench_write (a, packet, worker_bench_packet (packet, 'B', 10000, i));
  size = worker_bench_packet (packet, 'A', 10000, 1000);
  worker_bench_write (a, packet, size / 2);
  carry_over (f);
  worker_bench_write (a, packet + size / 2, size - size / 2);
  worker_bench_read (a, packet, sizeof packet);
  g_assert_cmpuint (detour_frame_get_u32 (packet + 37), ==, 1000);
  carry_over (f);
  for (; last < 200; last++)
    {
      worker_bench_read (b, packet, sizeof packet);
      g_assert_cmpuint (detour_frame_get_u32 (packet + 37), ==, last);
    }
  g_assert_cmpuint (
      detour_counter_get (&detour_worker_counters (f->workers[0])->closed[DETOUR_CLOSE_PEER]), ==,
      0);
  worker_bench_burst (f, b, 'B', a, 'A', 3, 100);
  close (a);
  close (b);
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
static gsize
resident_bytes (void)
{
  g_autofree char *text = NULL;
  gulong total = 0, resident = 0;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  g_assert_cmpint (sscanf (text, "%lu %lu", &total, &resident), ==, 2);
  return resident * (gsize) sysconf (_SC_PAGESIZE);
}

/* The first parts of long frames are kept; once the frames are whole, their memory is not. */
static void
test_memory_is_given_back (void)
{
  enum { N = 240, LEN = 60000 };
  WorkerBench *f = worker_bench_new (1, &roomy_limits);
  gsize size = 37 + LEN, before, kept, after;
  int fds[N];

  for (guint i = 0; i < N; i++)
    fds[i] = worker_bench_join (f, 0, (guint8) (1 + i), FALSE);
  before = resident_bytes ();
  for (guint i = 0; i < N; i++)
    {
      worker_bench_packet (f->buffer, (guint8) (1 + i), LEN, i);
      worker_bench_write (fds[i], f->buffer, size - 1);
    }
  detour_worker_wait (f->workers[0]);
  while ((kept = resident_bytes ()) < before + N * LEN / 4 * 3)
    g_usleep (1000);
  for (guint i = 0; i < N; i++)
    {
      guint8 last = (guint8) i;

      worker_bench_write (fds[i], &last, 1);
      worker_bench_read (fds[i], f->buffer, size);
    }
  while ((after = resident_bytes ()) > before + (kept - before) / 3)
    g_usleep (1000);
  for (guint i = 0; i < N; i++)
    close (fds[i]);
  worker_bench_free (f);
}

/* Allocations while packets are relayed. */
static gint
count_allocations (WorkerBench *f, int a, int b)
{
  gint before = __atomic_load_n (&n_allocations, __ATOMIC_RELAXED);

  for (guint i = 0; i < 200; i++)
    {
      worker_bench_burst (f, a, 'A', b, 'B', 8, 1437);
      worker_bench_burst (f, b, 'B', a, 'A', 1, 1437);
      /* More than one read takes, so that a frame is cut, and no more than the receiver's socket
       * holds. */
      worker_bench_burst (f, a, 'A', b, 'B', 50, 1437);
    }
  return __atomic_load_n (&n_allocations, __ATOMIC_RELAXED) - before;
}

static void
test_no_allocation (gconstpointer data)
{
  guint n = GPOINTER_TO_UINT (data);
  WorkerBench *f = worker_bench_new (n, NULL);
  int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, n - 1, 'B', FALSE);

  /* Tables grow to their size first. */
  for (guint i = 0; i < 50; i++)
    {
      worker_bench_burst (f, a, 'A', b, 'B', 50, 1437);
      worker_bench_burst (f, b, 'B', a, 'A', 50, 1437);
    }
  count_allocations (f, a, b);
  g_assert_cmpint (count_allocations (f, a, b), ==, 0);
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
  g_test_add_func ("/worker/gone-comes-behind-packets", test_gone_comes_behind_packets);
  g_test_add_func ("/worker/stalled-receiver", test_stalled_receiver);
  g_test_add_func ("/worker/answer-when-the-socket-was-full", test_answer_when_the_socket_was_full);
  g_test_add_func ("/worker/carrying-over", test_carrying_over);
  g_test_add_func ("/worker/carrying-over-who-it-is", test_carrying_over_who_it_is);
  g_test_add_func ("/worker/carrying-over-what-waits", test_carrying_over_what_waits);
  g_test_add_func ("/worker/counted-until-the-end", test_counted_until_the_end);
  g_test_add_func ("/worker/stop-closes-all", test_stop_closes_all);
#if COUNTS_ALLOCATIONS
  g_test_add_func ("/worker/memory-is-given-back", test_memory_is_given_back);
#endif
#if COUNTS_ALLOCATIONS /* a sanitizer has allocations of its own */
  g_test_add_data_func ("/worker/no-allocation/one-worker", GUINT_TO_POINTER (1),
                        test_no_allocation);
  g_test_add_data_func ("/worker/no-allocation/two-workers", GUINT_TO_POINTER (2),
                        test_no_allocation);
#endif
  return g_test_run ();
}
