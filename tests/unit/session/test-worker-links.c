/* test-worker-links.c: links to other relays on their workers, over socket pairs whose far end
 * plays the other relay.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "worker-bench.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-link-tie.h"
#include "detour-worker-private.h"

#define FORWARD_HEAD DETOUR_FRAME_FORWARD_HEAD_SIZE

/* A link to the relay whose key is @letter; its far end. */
static int
join_link_of_window (WorkerBench *f, guint worker, guint8 letter, guint16 window_kib,
                     DetourLinkTie **tie)
{
  static const guint8 watch[] = { DETOUR_FRAME_WATCH_CONNS, 0, 0, 0, 0 };
  guint8 got[sizeof watch];
  int peer;
  DetourSession *session = worker_bench_session (letter, TRUE, &peer);

  g_byte_array_set_size (session->client.output, 0);
  g_byte_array_append (session->client.output, watch, sizeof watch);
  *tie = detour_link_tie_new (&session->key, "other");
  session->link = detour_link_tie_ref (*tie);
  session->window_kib = window_kib;
  detour_worker_adopt (f->workers[worker], session);
  worker_bench_read (peer, got, sizeof got);
  g_assert_cmpmem (got, sizeof got, watch, sizeof watch);
  return peer;
}

static int
join_link (WorkerBench *f, guint worker, guint8 letter, DetourLinkTie **tie)
{
  return join_link_of_window (f, worker, letter, 0, tie);
}

/* Everything that was written to the link before has been taken. */
static void
sync_link (int peer)
{
  guint8 frame[DETOUR_FRAME_PONG_SIZE];

  detour_frame_put_header (frame, DETOUR_FRAME_PING, DETOUR_FRAME_PING_SIZE);
  memset (frame + DETOUR_FRAME_HEADER_SIZE, 'p', DETOUR_FRAME_PING_SIZE);
  worker_bench_write (peer, frame, sizeof frame);
  worker_bench_read (peer, frame, sizeof frame);
  g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PONG);
}

/* @len: of the payload: 32, or what newer servers send */
static void
say_present (int peer, guint8 letter, gsize len)
{
  guint8 frame[DETOUR_FRAME_HEADER_SIZE + 128] = { 0 };

  detour_frame_put_header (frame, DETOUR_FRAME_PEER_PRESENT, (guint32) len);
  memset (frame + DETOUR_FRAME_HEADER_SIZE, letter, DETOUR_KEY_SIZE);
  worker_bench_write (peer, frame, DETOUR_FRAME_HEADER_SIZE + len);
}

static void
say_gone (int peer, guint8 letter, DetourFrameGone reason)
{
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];
  DetourKey key;

  memset (key.bytes, letter, sizeof key.bytes);
  worker_bench_write (peer, frame, detour_frame_put_peer_gone (frame, &key, reason));
}

static void
expect_forwarded (int peer, guint8 from, guint8 to, gsize len, guint32 number)
{
  g_autofree guint8 *frame = g_malloc (FORWARD_HEAD + len);

  worker_bench_read (peer, frame, FORWARD_HEAD + len);
  g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_FORWARD_PACKET);
  g_assert_cmpuint (detour_frame_get_u32 (frame + 1), ==, 64 + len);
  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    {
      g_assert_cmpuint (frame[5 + i], ==, from);
      g_assert_cmpuint (frame[37 + i], ==, to);
    }
  g_assert_cmpuint (detour_frame_get_u32 (frame + FORWARD_HEAD), ==, number);
  for (gsize i = 4; i < len; i++)
    g_assert_cmpuint (frame[FORWARD_HEAD + i], ==, (guint8) number);
}

static void
send_packet (int from, guint8 to, gsize len, guint32 number)
{
  g_autofree guint8 *frame = g_malloc (DETOUR_FRAME_RECV_HEAD_SIZE + len);

  worker_bench_write (from, frame, worker_bench_packet (frame, to, len, number));
}

/* As a mesh connection of the other relay does. */
static void
send_forwarded (int mesh, guint8 from, guint8 to, gsize len)
{
  g_autofree guint8 *frame = g_malloc0 (FORWARD_HEAD + len);

  detour_frame_put_header (frame, DETOUR_FRAME_FORWARD_PACKET, (guint32) (64 + len));
  memset (frame + 5, from, DETOUR_KEY_SIZE);
  memset (frame + 37, to, DETOUR_KEY_SIZE);
  worker_bench_write (mesh, frame, FORWARD_HEAD + len);
}

static void
expect_gone (int fd, guint8 letter, DetourFrameGone reason)
{
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];

  worker_bench_read (fd, frame, sizeof frame);
  g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_GONE);
  g_assert_cmpuint (frame[5], ==, letter);
  g_assert_cmpuint (frame[37], ==, reason);
}

static void
expect_received (int fd, guint8 from, gsize len)
{
  g_autofree guint8 *frame = g_malloc (DETOUR_FRAME_RECV_HEAD_SIZE + len);

  worker_bench_read (fd, frame, DETOUR_FRAME_RECV_HEAD_SIZE + len);
  g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_RECV_PACKET);
  g_assert_cmpuint (frame[5], ==, from);
}

/* A packet that comes over the mesh for the client behind @fd. */
static void
expect_way (int mesh, guint8 from, int fd, guint8 to, gsize len)
{
  send_forwarded (mesh, from, to, len);
  expect_received (fd, from, len);
}

static void
wait_until_over (DetourLinkTie *tie)
{
  gint64 end_us = g_get_monotonic_time () + WORKER_BENCH_PATIENCE_MS * 1000;
  gboolean is_over = FALSE;

  while (!is_over)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end_us);
      g_mutex_lock (&tie->lock);
      is_over = tie->is_over;
      g_mutex_unlock (&tie->lock);
      g_thread_yield ();
    }
}

/* On one worker and from one to another, of all lengths, several in one write. */
static void
test_forwarding (void)
{
  static const gsize lens[] = { 4, 100, 1437, 20000, 65536 };

  for (guint n = 1; n <= WORKER_BENCH_MAX; n++)
    {
      WorkerBench *f = worker_bench_new (n, NULL);
      g_autoptr (DetourLinkTie) tie = NULL;
      int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, n - 1, 'R', &tie);
      guint64 n_bytes = 0;
      DetourLinkStats stats;

      say_present (link, 'B', 32);
      say_present (link, 'C', 50);
      say_present (link, 'D', 51);
      say_present (link, 'E', 52 + 9);
      sync_link (link);
      for (guint i = 0; i < G_N_ELEMENTS (lens); i++)
        {
          gsize at = 0;

          for (guint k = 0; k < 4; k++)
            at += worker_bench_packet (f->buffer + at, (guint8) ('B' + k), lens[i], 10 * i + k);
          worker_bench_write (a, f->buffer, at);
          for (guint k = 0; k < 4; k++)
            expect_forwarded (link, 'A', (guint8) ('B' + k), lens[i], 10 * i + k);
          n_bytes += 4 * lens[i];
        }
      sync_link (link);
      detour_link_tie_read (tie, &stats);
      g_assert_true (stats.is_joined);
      g_assert_cmpuint (stats.keys, ==, 4);
      g_assert_cmpuint (stats.packets, ==, 4 * G_N_ELEMENTS (lens));
      g_assert_cmpuint (stats.bytes, ==, n_bytes);
      g_assert_cmpuint (stats.dropped_queue + stats.dropped_gone + stats.dropped_write, ==, 0);
      g_assert_cmpuint (
          detour_counter_get (
              &detour_worker_relay_counters (f->workers[n - 1])->packets_forwarded_out),
          ==, 4 * G_N_ELEMENTS (lens));
      close (a);
      close (link);
      worker_bench_free (f);
    }
}

/* Frames of the other relay may come byte by byte, and those that mean nothing are passed over. */
static void
test_frames (void)
{
  WorkerBench *f = worker_bench_new (1, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, 0, 'R', &tie);
  static const guint8 others[] = { DETOUR_FRAME_KEEP_ALIVE, DETOUR_FRAME_HEALTH,
                                   DETOUR_FRAME_RESTARTING, DETOUR_FRAME_RECV_PACKET,
                                   DETOUR_FRAME_PONG,       0x7f };
  guint8 frame[DETOUR_FRAME_HEADER_SIZE + 40] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      guint32 len = others[i] == DETOUR_FRAME_KEEP_ALIVE ? 0 : 40;

      detour_frame_put_header (frame, (DetourFrameType) others[i], len);
      worker_bench_write (link, frame, DETOUR_FRAME_HEADER_SIZE + len);
    }
  detour_frame_put_header (frame, DETOUR_FRAME_PEER_PRESENT, 32);
  memset (frame + DETOUR_FRAME_HEADER_SIZE, 'B', DETOUR_KEY_SIZE);
  for (guint i = 0; i < 37; i++)
    worker_bench_write (link, frame + i, 1);
  sync_link (link);
  send_packet (a, 'B', 10, 1);
  expect_forwarded (link, 'A', 'B', 10, 1);

  /* A key that is cut is a fault, and so is a frame without end. */
  detour_frame_put_header (frame, DETOUR_FRAME_PEER_PRESENT, 31);
  worker_bench_write (link, frame, DETOUR_FRAME_HEADER_SIZE + 31);
  worker_bench_expect_end (link);
  wait_until_over (tie);
  close (link);
  detour_link_tie_unref (tie);
  link = join_link (f, 0, 'R', &tie);
  detour_frame_put_header (frame, DETOUR_FRAME_PEER_PRESENT, DETOUR_LINK_FRAME_MAX + 1);
  worker_bench_write (link, frame, DETOUR_FRAME_HEADER_SIZE);
  worker_bench_expect_end (link);
  close (link);
  close (a);
  worker_bench_free (f);
}

/* A client hears of the leaving of one that it received from over the mesh, over one way or the
 * other. */
static void
test_gone (void)
{
  for (guint n = 1; n <= 2; n++)
    {
      WorkerBench *f = worker_bench_new (n, NULL);
      g_autoptr (DetourLinkTie) tie = NULL;
      int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, n - 1, 'R', &tie),
          mesh = worker_bench_join (f, n - 1, 'M', TRUE);

      for (const char *c = "BCDE"; *c != '\0'; c++)
        say_present (link, (guint8) *c, 52);
      sync_link (link);
      for (const char *c = "BCDE"; *c != '\0'; c++)
        {
          expect_way (mesh, (guint8) *c, a, 'A', 20);
        }
      say_gone (link, 'B', DETOUR_FRAME_GONE_DISCONNECTED);
      expect_gone (a, 'B', DETOUR_FRAME_GONE_DISCONNECTED);
      say_gone (link, 'C', DETOUR_FRAME_GONE_NOT_HERE);
      expect_gone (a, 'C', DETOUR_FRAME_GONE_DISCONNECTED);

      /* One that it heard from here and that is behind the link still has not left. */
      {
        int d = worker_bench_join (f, 0, 'D', FALSE);

        worker_bench_burst (f, d, 'D', a, 'A', 1, 30);
        close (d);
        /* The next packet for it goes over the mesh. */
        while (detour_worker_n_conns (f->workers[0]) + (n == 1 ? 0 : 1) > 2)
          g_thread_yield ();
        send_packet (a, 'D', 40, 7);
        expect_forwarded (link, 'A', 'D', 40, 7);
      }

      /* All others are gone with the link. */
      close (link);
      {
        guint8 seen[2];

        for (guint i = 0; i < 2; i++)
          {
            guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];

            worker_bench_read (a, frame, sizeof frame);
            g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_GONE);
            seen[i] = frame[5];
          }
        g_assert_cmpuint (seen[0] + seen[1], ==, 'D' + 'E');
      }
      wait_until_over (tie);
      close (a);
      close (mesh);
      worker_bench_free (f);
    }
}

/* A packet may come before the other relay has told of its sender, which comes over another
 * connection; its receiver hears of the leaving all the same, and once. */
static void
test_gone_early (void)
{
  for (guint n = 1; n <= 2; n++)
    {
      WorkerBench *f = worker_bench_new (n, NULL);
      g_autoptr (DetourLinkTie) tie = NULL;
      int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, n - 1, 'R', &tie),
          mesh = worker_bench_join (f, n - 1, 'M', TRUE),
          left = worker_bench_join (f, 0, 'L', FALSE);

      for (const char *c = "BCBC"; *c != '\0'; c++)
        {
          expect_way (mesh, (guint8) *c, a, 'A', 20);
        }
      expect_way (mesh, 'B', left, 'L', 20);
      close (left);
      say_present (link, 'B', 52);
      say_present (link, 'C', 52);
      sync_link (link);
      expect_way (mesh, 'C', a, 'A', 20);
      for (guint i = 0; i < 2; i++)
        for (const char *c = "BC"; *c != '\0'; c++)
          {
            say_gone (link, (guint8) *c, DETOUR_FRAME_GONE_DISCONNECTED);
            if (i == 0)
              expect_gone (a, (guint8) *c, DETOUR_FRAME_GONE_DISCONNECTED);
            say_present (link, (guint8) *c, 52);
            sync_link (link);
          }
      expect_way (mesh, 'D', a, 'A', 30);
      close (link);
      wait_until_over (tie);
      close (a);
      close (mesh);
      worker_bench_free (f);
    }
}

/* Many keys that leave at once. --------------------------------------------------------------- */

#define MANY 3000u

static void
number_key (guint8 *key, guint32 number)
{
  memset (key, '#', DETOUR_KEY_SIZE);
  detour_frame_put_u32 (key + 1, number);
}

static void
say_many_present (int link)
{
  guint8 frame[DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE];

  detour_frame_put_header (frame, DETOUR_FRAME_PEER_PRESENT, DETOUR_KEY_SIZE);
  for (guint32 i = 0; i < MANY; i++)
    {
      number_key (frame + DETOUR_FRAME_HEADER_SIZE, i);
      worker_bench_write (link, frame, sizeof frame);
    }
  sync_link (link);
}

/* From every @step-th of them, beginning with @first. */
static void
send_from_many (int mesh, guint32 first, guint32 step, int to, guint8 letter)
{
  guint8 frame[FORWARD_HEAD + 20] = { 0 };

  detour_frame_put_header (frame, DETOUR_FRAME_FORWARD_PACKET, sizeof frame - 5);
  memset (frame + 37, letter, DETOUR_KEY_SIZE);
  for (guint32 i = first; i < MANY;)
    {
      guint n = 0; /* on their way: fewer than a queue takes */

      for (; n < 30 && i < MANY; n++, i += step)
        {
          number_key (frame + 5, i);
          worker_bench_write (mesh, frame, sizeof frame);
        }
      while (n-- > 0)
        expect_received (to, '#', 20);
    }
}

static void
expect_many_gone (int fd, guint32 first, guint32 step)
{
  g_autofree guint8 *seen = g_malloc0 (MANY);

  for (guint32 i = first; i < MANY; i += step)
    {
      guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];
      guint32 number;

      worker_bench_read (fd, frame, sizeof frame);
      g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_GONE);
      number = detour_frame_get_u32 (frame + 6);
      g_assert_cmpuint (number, <, MANY);
      g_assert_cmpuint (number % step, ==, first);
      g_assert_cmpuint (seen[number], ==, 0);
      seen[number] = 1;
    }
}

/* Every client hears of all that it received from, once, and of no other one. */
static void
test_many_gone (void)
{
  for (guint n = 1; n <= 2; n++)
    {
      WorkerBench *f = worker_bench_new (n, NULL);
      g_autoptr (DetourLinkTie) tie = NULL;
      int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, n - 1, 'B', FALSE),
          c = worker_bench_join (f, 0, 'C', FALSE), link = join_link (f, n - 1, 'R', &tie),
          mesh = worker_bench_join (f, n - 1, 'M', TRUE);

      say_many_present (link);
      send_from_many (mesh, 0, 1, a, 'A');
      send_from_many (mesh, 1, 3, b, 'B');
      close (link);
      wait_until_over (tie);
      expect_many_gone (a, 0, 1);
      expect_many_gone (b, 1, 3);
      worker_bench_burst (f, c, 'C', a, 'A', 1, 30);
      worker_bench_burst (f, a, 'A', b, 'B', 1, 30);
      worker_bench_burst (f, b, 'B', c, 'C', 1, 30);
      close (a);
      close (b);
      close (c);
      close (mesh);
      worker_bench_free (f);
    }
}

/* The one that is here gets the packets, and what came over the mesh is never sent on over it. */
static void
test_precedence (void)
{
  WorkerBench *f = worker_bench_new (1, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, 0, 'R', &tie),
      mesh = worker_bench_join (f, 0, 'M', TRUE);
  const DetourRelayCounters *counters = detour_worker_relay_counters (f->workers[0]);
  int b;

  say_present (link, 'B', 52);
  sync_link (link);
  send_forwarded (mesh, 'C', 'B', 20);
  send_packet (a, 'B', 40, 1);
  expect_forwarded (link, 'A', 'B', 40, 1);
  sync_link (mesh);
  g_assert_cmpuint (
      detour_counter_get (
          &counters->packets_dropped[DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD][DETOUR_QUEUE_DATA]),
      ==, 1);
  b = worker_bench_join (f, 0, 'B', FALSE);
  worker_bench_burst (f, a, 'A', b, 'B', 3, 100);
  expect_way (mesh, 'C', b, 'B', 20);
  g_assert_cmpuint (detour_counter_get (&counters->packets_forwarded_out), ==, 1);
  close (a);
  close (b);
  close (mesh);
  close (link);
  worker_bench_free (f);
}

/* Two links behind which a key is: packets go over the first, and over the other one when that is
 * gone. */
static void
test_two_links (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  g_autoptr (DetourLinkTie) tie2 = NULL;
  int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, 0, 'R', &tie),
      link2 = join_link (f, 1, 'Q', &tie2);

  say_present (link, 'B', 52);
  sync_link (link);
  say_present (link2, 'B', 52);
  sync_link (link2);
  for (guint i = 0; i < 5; i++)
    {
      send_packet (a, 'B', 40, i);
      expect_forwarded (link, 'A', 'B', 40, i);
    }
  close (link);
  wait_until_over (tie);
  send_packet (a, 'B', 40, 9);
  expect_forwarded (link2, 'A', 'B', 40, 9);
  close (a);
  close (link2);
  worker_bench_free (f);
}

/* A link that is hung up, before a worker has it or while one has. */
static void
test_hang_up (void)
{
  WorkerBench *f = worker_bench_new (1, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  int link = join_link (f, 0, 'R', &tie);
  DetourSession *session;

  g_assert_cmpuint (detour_worker_n_links (f->workers[0]), ==, 1);
  g_assert_cmpuint (detour_worker_n_conns (f->workers[0]), ==, 0);
  detour_worker_end_link (f->workers[0], detour_link_tie_ref (tie));
  worker_bench_expect_end (link);
  close (link);
  wait_until_over (tie);
  detour_link_tie_unref (tie);

  session = worker_bench_session ('R', TRUE, &link);
  tie = detour_link_tie_new (&session->key, NULL);
  session->link = detour_link_tie_ref (tie);
  tie->is_unwanted = TRUE;
  g_byte_array_set_size (session->client.output, 0);
  detour_worker_adopt (f->workers[0], session);
  worker_bench_expect_end (link);
  close (link);
  wait_until_over (tie);
  detour_worker_wait (f->workers[0]);
  g_assert_cmpuint (detour_worker_n_links (f->workers[0]), ==, 0);
  worker_bench_free (f);
}

/* What the other relay had said, what waited for it and who holds it: all of that goes along. */
static void
carry_over (WorkerBench *f, guint to)
{
  g_autoptr (GPtrArray) sessions = g_ptr_array_new ();

  for (guint i = 0; i < f->n; i++)
    detour_worker_freeze (f->workers[i]);
  for (guint i = 0; i < f->n; i++)
    detour_worker_detach_all (f->workers[i], sessions);
  for (guint i = 0; i < sessions->len; i++)
    detour_worker_adopt (f->workers[(to + i) % f->n], sessions->pdata[i]);
  for (guint i = 0; i < f->n; i++)
    detour_worker_wait (f->workers[i]);
  for (guint i = 0; i < f->n; i++)
    detour_worker_thaw (f->workers[i]);
}

static void
test_carrying_over (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, 1, 'R', &tie),
      mesh = worker_bench_join (f, 1, 'M', TRUE);
  DetourLinkStats stats;

  say_present (link, 'B', 52);
  say_present (link, 'C', 52);
  sync_link (link);
  expect_way (mesh, 'B', a, 'A', 20);
  for (guint i = 0; i < 20; i++)
    {
      carry_over (f, i);
      /* Nobody was told of anything, and the first packet already goes over the link. */
      send_packet (a, 'B', 50, i);
      expect_forwarded (link, 'A', 'B', 50, i);
      g_assert_cmpuint (
          detour_worker_n_links (f->workers[0]) + detour_worker_n_links (f->workers[1]), ==, 1);
    }
  detour_link_tie_read (tie, &stats);
  g_assert_true (stats.is_joined);
  g_assert_cmpuint (stats.keys, ==, 2);
  g_assert_cmpuint (stats.packets, ==, 20);
  say_gone (link, 'B', DETOUR_FRAME_GONE_DISCONNECTED);
  expect_gone (a, 'B', DETOUR_FRAME_GONE_DISCONNECTED);
  detour_link_tie_hang_up (tie);
  worker_bench_expect_end (link);
  close (a);
  close (mesh);
  close (link);
  worker_bench_free (f);
}

/* Of several links the same one gets the packets of a key, whichever worker has which. */
static void
test_carrying_over_preferred (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  g_autoptr (DetourLinkTie) tie2 = NULL;
  int a = worker_bench_join (f, 0, 'A', FALSE), link = join_link (f, 0, 'R', &tie),
      link2 = join_link (f, 1, 'Q', &tie2);

  say_present (link, 'B', 52);
  sync_link (link);
  say_present (link2, 'B', 52);
  say_present (link2, 'C', 52);
  sync_link (link2);
  say_present (link, 'C', 52);
  sync_link (link);
  for (guint i = 0; i < 10; i++)
    {
      carry_over (f, i);
      send_packet (a, 'B', 50, i);
      send_packet (a, 'C', 50, i);
      expect_forwarded (link, 'A', 'B', 50, i);
      expect_forwarded (link2, 'A', 'C', 50, i);
    }
  close (a);
  close (link);
  close (link2);
  worker_bench_free (f);
}

/* A link that takes nothing drops the oldest packets and delays nobody: clients here talk on, and
 * so does the other link. When it reads again, it goes on. */
static void
test_slow_link (void)
{
  for (guint n = 1; n <= 2; n++)
    {
      WorkerBench *f = worker_bench_new (n, NULL);
      g_autoptr (DetourLinkTie) tie = NULL;
      g_autoptr (DetourLinkTie) tie2 = NULL;
      int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, 0, 'B', FALSE),
          slow = join_link (f, n - 1, 'R', &tie), other = join_link (f, n - 1, 'Q', &tie2);
      g_autofree guint8 *frame = g_malloc (FORWARD_HEAD + 10000);
      guint32 last = 0, n_got = 0, n_sent = 500;
      DetourLinkStats stats;

      say_present (slow, 'C', 52);
      sync_link (slow);
      say_present (other, 'D', 52);
      sync_link (other);
      for (guint32 i = 1; i <= n_sent; i++)
        {
          send_packet (a, 'C', 10000, i);
          worker_bench_burst (f, a, 'A', b, 'B', 1, 100);
          send_packet (a, 'D', 300, i);
          expect_forwarded (other, 'A', 'D', 300, i);
        }
      detour_link_tie_read (tie, &stats);
      g_assert_cmpuint (stats.dropped_queue, >, 0);
      while (last < n_sent)
        {
          guint32 number;

          worker_bench_read (slow, frame, FORWARD_HEAD + 10000);
          g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_FORWARD_PACKET);
          number = detour_frame_get_u32 (frame + FORWARD_HEAD);
          g_assert_cmpuint (number, >, last);
          g_assert_cmpuint (frame[5], ==, 'A');
          g_assert_cmpuint (frame[37], ==, 'C');
          last = number;
          n_got++;
        }
      sync_link (slow);
      detour_link_tie_read (tie, &stats);
      g_assert_cmpuint (stats.packets, ==, n_got);
      g_assert_cmpuint (stats.packets + stats.dropped_queue, ==, n_sent);
      g_assert_cmpuint (stats.dropped_gone, ==, 0);
      detour_link_tie_read (tie2, &stats);
      g_assert_cmpuint (stats.packets, ==, n_sent);
      g_assert_cmpuint (stats.dropped_queue, ==, 0);
      close (a);
      close (b);
      close (slow);
      close (other);
      worker_bench_free (f);
    }
}

/* Whoever else may have more time to read slowly, a server has its own limit and nothing else,
 * which runs from when it took something last. */
static void
test_takes_nothing (void)
{
  DetourWorkerLimits limits = worker_bench_limits;
  DetourClient mesh = { .is_mesh = TRUE }, client = { .is_mesh = FALSE };
  g_autoptr (DetourLinkTie) tie = NULL;
  WorkerBench *f;
  int a, link;
  guint8 frame[FORWARD_HEAD + 10000];
  DetourLinkStats stats = { 0 };

  limits.write_timeout_us = 3600 * (gint64) G_USEC_PER_SEC;
  limits.mesh_write_timeout_us = G_USEC_PER_SEC;
  f = worker_bench_new (1, &limits);
  a = worker_bench_join (f, 0, 'A', FALSE);
  link = join_link_of_window (f, 0, 'R', G_MAXUINT16, &tie);
  say_present (link, 'C', 52);
  sync_link (link);
  for (guint32 i = 1; stats.dropped_queue == 0; i++)
    {
      send_packet (a, 'C', 10000, i);
      detour_link_tie_read (tie, &stats);
    }
  worker_bench_read (link, frame, sizeof frame);
  wait_until_over (tie);
  close (a);
  close (link);
  worker_bench_free (f);

  g_assert_cmpstr (
      detour_conn_limit_text (&(DetourConn) { .client = &mesh }, DETOUR_CLOSE_WRITE_TIME), ==,
      "it took nothing for 30 s");
  g_assert_cmpstr (
      detour_conn_limit_text (&(DetourConn) { .client = &client }, DETOUR_CLOSE_WRITE_TIME), ==,
      detour_close_text (DETOUR_CLOSE_WRITE_TIME));
  g_assert_cmpstr (detour_conn_limit_text (&(DetourConn) { .client = &mesh }, DETOUR_CLOSE_PEER),
                   ==, detour_close_text (DETOUR_CLOSE_PEER));
}

/* The mesh key is gone: connections that have shown it end, wherever they are. What this relay has
 * dialled stays, and so do clients. */
static void
test_mesh_is_closed (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  g_autoptr (DetourLinkTie) tie = NULL;
  int a = worker_bench_join (f, 0, 'A', FALSE), b = worker_bench_join (f, 1, 'B', FALSE),
      first = worker_bench_join (f, 0, 'M', TRUE), second = worker_bench_join (f, 1, 'N', TRUE),
      third = worker_bench_join (f, 1, 'N', TRUE), link = join_link (f, 1, 'R', &tie);

  g_assert_cmpuint (detour_worker_close_mesh (f->workers[0]), ==, 1);
  worker_bench_expect_end (first);
  worker_bench_burst (f, a, 'A', b, 'B', 1, 100);
  g_assert_cmpuint (detour_worker_close_mesh (f->workers[1]), ==, 2);
  worker_bench_expect_end (second);
  worker_bench_expect_end (third);
  g_assert_cmpuint (detour_worker_close_mesh (f->workers[1]), ==, 0);
  worker_bench_burst (f, b, 'B', a, 'A', 1, 100);
  sync_link (link);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpuint (
        detour_counter_get (&detour_worker_counters (f->workers[i])->closed[DETOUR_CLOSE_MESH_KEY]),
        ==, 1 + i);
  close (a);
  close (b);
  close (first);
  close (second);
  close (third);
  close (link);
  worker_bench_free (f);
}

/* A crowd that comes at once ---------------------------------------------------------------------
 */

#define CROWD 5000u

static void
expect_crowd (int watcher, guint8 *seen)
{
  guint8 frame[DETOUR_FRAME_PEER_PRESENT_SIZE (0)];

  for (guint n = 0; n < CROWD;)
    {
      guint32 number;

      worker_bench_read (watcher, frame, sizeof frame);
      g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_PRESENT);
      if (frame[5] != '#')
        continue;
      number = detour_frame_get_u32 (frame + 6);
      g_assert_cmpuint (number, <, CROWD);
      g_assert_cmpuint (seen[number], ==, 0);
      seen[number] = 1;
      n++;
    }
}

/* 5,000 clients log in. One mesh peer hears of all of them while the other reads nothing; that one
 * costs no more than what it is owed, and hears of all when it reads again. There are far fewer
 * sends than logins. */
static void
test_crowd (void)
{
  WorkerBench *f = worker_bench_new (2, NULL);
  int reading = worker_bench_join (f, 0, 'M', TRUE), stalled = worker_bench_join (f, 0, 'N', TRUE);
  const DetourWorkerCounters *counters = detour_worker_counters (f->workers[0]);
  g_autofree guint8 *seen = g_malloc0 (CROWD), *seen_late = g_malloc0 (CROWD);
  guint8 watch[DETOUR_FRAME_HEADER_SIZE];
  DetourKey key = { { '#' } };
  DetourPeer **peers = g_new (DetourPeer *, CROWD);
  static const DetourPresence presence = { .flags = DETOUR_FRAME_PRESENT_REGULAR };
  DetourSpace *common = detour_registry_common (f->registry);
  guint64 n_sends;
  int size = 4096;

  g_assert_cmpint (setsockopt (stalled, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), ==, 0);
  detour_frame_put_header (watch, DETOUR_FRAME_WATCH_CONNS, 0);
  worker_bench_write (reading, watch, sizeof watch);
  worker_bench_write (stalled, watch, sizeof watch);
  while (detour_worker_n_watchers (f->workers[0]) < 2)
    g_thread_yield ();
  n_sends = detour_counter_get (&counters->sends);
  for (guint32 i = 0; i < CROWD; i++)
    {
      detour_frame_put_u32 (key.bytes + 1, i);
      peers[i] = detour_registry_join (common, &key, DETOUR_HANDLE_MAKE (1, 100 + i, 1), &presence);
    }
  expect_crowd (reading, seen);
  detour_worker_wait (f->workers[0]);
  g_assert_cmpuint (detour_counter_get (&counters->sends) - n_sends, <, CROWD);
  expect_crowd (stalled, seen_late);
  for (guint32 i = 0; i < CROWD; i++)
    detour_registry_leave (common, peers[i], DETOUR_HANDLE_MAKE (1, 100 + i, 1));
  g_free (peers);
  close (reading);
  close (stalled);
  worker_bench_free (f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/worker-links/forwarding", test_forwarding);
  g_test_add_func ("/worker-links/frames", test_frames);
  g_test_add_func ("/worker-links/gone", test_gone);
  g_test_add_func ("/worker-links/gone-early", test_gone_early);
  g_test_add_func ("/worker-links/many-gone", test_many_gone);
  g_test_add_func ("/worker-links/precedence", test_precedence);
  g_test_add_func ("/worker-links/two-links", test_two_links);
  g_test_add_func ("/worker-links/hang-up", test_hang_up);
  g_test_add_func ("/worker-links/carrying-over", test_carrying_over);
  g_test_add_func ("/worker-links/carrying-over-preferred", test_carrying_over_preferred);
  g_test_add_func ("/worker-links/slow-link", test_slow_link);
  g_test_add_func ("/worker-links/takes-nothing", test_takes_nothing);
  g_test_add_func ("/worker-links/mesh-is-closed", test_mesh_is_closed);
  g_test_add_func ("/worker-links/crowd", test_crowd);
  return g_test_run ();
}
