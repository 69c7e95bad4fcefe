/* test-worker.c: registered connections on their workers, over socket pairs: relaying, crossing,
 * closing, no allocation.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>
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

#define PATIENCE_MS  20000
#define CARRIERS_MAX 3

typedef struct {
  DetourRegistry *registry;
  DetourSources *sources;
  DetourWorkerRings *rings;
  DetourWorker *workers[CARRIERS_MAX];
  guint n;
  guint8 buffer[1 << 20];
} Fixture;

static const DetourWorkerLimits default_limits = {
  .relay = { .queue = { .packets = 32, .bytes = 256 * 1024 } },
  .write_timeout_us = 2 * G_USEC_PER_SEC,
  .keep_alive_us = 3600 * (gint64) G_USEC_PER_SEC,
};

static void
on_gone (const DetourPeer *peer, gpointer user)
{
  Fixture *f = user;

  for (guint i = 0; i < f->n; i++)
    detour_worker_peer_gone (f->workers[i], peer);
}

static void
on_joined (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
           gpointer user)
{
  Fixture *f = user;

  for (guint i = 0; i < f->n; i++)
    if (detour_worker_has_watchers (f->workers[i]))
      detour_worker_peer_present (f->workers[i], &peer->key, presence);
}

static Fixture *
start (guint n, const DetourWorkerLimits *limits)
{
  Fixture *f = g_new0 (Fixture, 1);
  DetourRegistryObserver observer = { on_joined, on_gone, f };
  DetourKey server = { { 'S' } };
  g_autoptr (GError) error = NULL;

  f->n = n;
  f->registry = detour_registry_new (n, &observer);
  f->sources = detour_sources_new ();
  f->rings = detour_worker_rings_new (n);
  for (guint i = 0; i < n; i++)
    {
      f->workers[i] = detour_worker_new (i, f->rings, f->registry, f->sources, &server, limits,
                                         &error);
      g_assert_no_error (error);
    }
  return f;
}

static void
stop (Fixture *f)
{
  for (guint i = 0; i < f->n; i++)
    detour_worker_stop (f->workers[i]);
  for (guint i = 0; i < f->n; i++)
    detour_worker_join (f->workers[i]);
  for (guint i = 0; i < f->n; i++)
    detour_worker_free (f->workers[i]);
  detour_worker_rings_free (f->rings);
  detour_registry_free (f->registry);
  detour_sources_free (f->sources);
  g_free (f);
}

/* A client on a worker, whose key is a letter n times; gives its end of the line. */
static int
join (Fixture *f, guint worker, guint8 letter, gboolean is_mesh)
{
  DetourSession *session = g_new0 (DetourSession, 1);
  static const guint8 hello[] = { DETOUR_FRAME_SERVER_INFO, 0, 0, 0, 2, 'h', 'i' };
  guint8 got[sizeof hello];
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  session->fd = fds[0];
  session->channel.cls = &detour_channel_plain;
  session->is_mesh = is_mesh;
  session->listener = "transport/test";
  session->presence.flags = is_mesh ? DETOUR_FRAME_PRESENT_MESH : DETOUR_FRAME_PRESENT_REGULAR;
  memset (session->key.bytes, letter, DETOUR_KEY_SIZE);
  session->output = g_byte_array_append (g_byte_array_new (), hello, sizeof hello);
  detour_worker_adopt (f->workers[worker], session);

  /* ServerInfo comes first, and when it is there the client is registered. */
  g_assert_cmpint (recv (fds[1], got, sizeof got, MSG_WAITALL), ==, sizeof got);
  g_assert_cmpmem (got, sizeof got, hello, sizeof hello);
  g_assert_cmpuint (detour_worker_n_conns (f->workers[worker]), >=, 1);
  return fds[1];
}

static void
write_all (int fd, const guint8 *data, gsize len)
{
  while (len > 0)
    {
      gssize n = send (fd, data, len, MSG_NOSIGNAL);

      g_assert_cmpint (n, >, 0);
      data += n;
      len -= (gsize) n;
    }
}

static void
read_all (int fd, guint8 *data, gsize len)
{
  while (len > 0)
    {
      struct pollfd waiting = { fd, POLLIN, 0 };
      gssize n;

      g_assert_cmpint (poll (&waiting, 1, PATIENCE_MS), ==, 1);
      n = recv (fd, data, len, 0);
      g_assert_cmpint (n, >, 0);
      data += n;
      len -= (gsize) n;
    }
}

static gsize
make_packet (guint8 *out, guint8 to, gsize len, guint32 number)
{
  detour_frame_put_header (out, DETOUR_FRAME_SEND_PACKET, (guint32) (DETOUR_KEY_SIZE + len));
  memset (out + 5, to, DETOUR_KEY_SIZE);
  memset (out + 37, (int) number, len);
  detour_frame_put_u32 (out + 37, number);
  return 37 + len;
}

/* Sends @n packets of @len bytes in one write, and reads them at the other end. */
static void
burst (Fixture *f, int from, guint8 from_letter, int to, guint8 to_letter, guint n, gsize len)
{
  gsize size = 37 + len;

  for (guint i = 0; i < n; i++)
    make_packet (f->buffer + i * size, to_letter, len, i);
  write_all (from, f->buffer, n * size);
  read_all (to, f->buffer, n * size);
  for (guint i = 0; i < n; i++)
    {
      const guint8 *frame = f->buffer + i * size;

      g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_RECV_PACKET);
      g_assert_cmpuint (detour_frame_get_u32 (frame + 1), ==, DETOUR_KEY_SIZE + len);
      g_assert_cmpuint (frame[5], ==, from_letter);
      g_assert_cmpuint (detour_frame_get_u32 (frame + 37), ==, i);
    }
}

static void
test_relaying (void)
{
  for (guint n = 1; n <= CARRIERS_MAX; n++)
    {
      Fixture *f = start (n, &default_limits);
      int a = join (f, 0, 'A', FALSE), b = join (f, n - 1, 'B', FALSE);

      for (gsize len = 4; len <= 65536; len *= 4)
        {
          burst (f, a, 'A', b, 'B', 3, len);
          burst (f, b, 'B', a, 'A', 3, len);
        }
      close (a);
      close (b);
      stop (f);
    }
}

static void
test_bytes_one_at_a_time (void)
{
  Fixture *f = start (2, &default_limits);
  int a = join (f, 0, 'A', FALSE), b = join (f, 1, 'B', FALSE);
  gsize size = make_packet (f->buffer, 'B', 300, 7);

  for (guint round = 0; round < 3; round++)
    for (gsize i = 0; i < size; i++)
      write_all (a, f->buffer + i, 1);
  for (guint round = 0; round < 3; round++)
    {
      guint8 got[337];

      read_all (b, got, sizeof got);
      g_assert_cmpuint (got[0], ==, DETOUR_FRAME_RECV_PACKET);
      g_assert_cmpuint (detour_frame_get_u32 (got + 37), ==, 7);
    }
  close (a);
  close (b);
  stop (f);
}

/* More at a time than a ring between workers holds: its sender is slowed, and nothing is lost. */
static void
test_more_than_a_ring (void)
{
  Fixture *f = start (2, &default_limits);
  int a = join (f, 0, 'A', FALSE), b = join (f, 1, 'B', FALSE);
  guint8 packet[37 + 60000];
  guint n = 0;

  for (guint i = 0; i < 200; i++)
    {
      write_all (a, packet, make_packet (packet, 'B', 60000, i));
      if (i < 20)
        continue;
      read_all (b, packet, sizeof packet);
      g_assert_cmpuint (detour_frame_get_u32 (packet + 37), ==, n++);
    }
  for (; n < 200; n++)
    {
      read_all (b, packet, sizeof packet);
      g_assert_cmpuint (detour_frame_get_u32 (packet + 37), ==, n);
    }
  close (a);
  close (b);
  stop (f);
}

static void
expect_end (int fd)
{
  struct pollfd waiting = { fd, POLLIN, 0 };
  guint8 byte;

  g_assert_cmpint (poll (&waiting, 1, PATIENCE_MS), ==, 1);
  g_assert_cmpint (recv (fd, &byte, 1, 0), <=, 0);
}

static void
test_gone_across_workers (void)
{
  Fixture *f = start (2, &default_limits);
  int a = join (f, 0, 'A', FALSE), b = join (f, 1, 'B', FALSE), watcher = join (f, 1, 'M', TRUE);
  guint8 frame[DETOUR_FRAME_PEER_PRESENT_MAX] = { DETOUR_FRAME_WATCH_CONNS };

  write_all (watcher, frame, 5);
  for (guint i = 0; i < 3; i++)
    {
      read_all (watcher, frame, DETOUR_FRAME_PEER_PRESENT_SIZE (0));
      g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_PRESENT);
    }

  burst (f, a, 'A', b, 'B', 1, 10);
  close (a);
  read_all (b, frame, DETOUR_FRAME_PEER_GONE_SIZE);
  g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_GONE);
  g_assert_cmpuint (frame[5], ==, 'A');
  read_all (watcher, frame, DETOUR_FRAME_PEER_GONE_SIZE);
  g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_PEER_GONE);

  /* A newcomer is announced, and closed by the mesh peer. */
  a = join (f, 0, 'A', FALSE);
  read_all (watcher, frame, DETOUR_FRAME_PEER_PRESENT_SIZE (0));
  g_assert_cmpuint (frame[5], ==, 'A');
  detour_frame_put_header (frame, DETOUR_FRAME_CLOSE_PEER, 32);
  memset (frame + 5, 'A', 32);
  write_all (watcher, frame, 37);
  expect_end (a);
  close (a);
  close (b);
  close (watcher);
  stop (f);
}

/* The one that does not read is closed after the write timeout; others go on meanwhile. */
static void
test_stalled_receiver (void)
{
  DetourWorkerLimits limits = default_limits;
  Fixture *f;
  int a, b, stalled;
  guint8 packet[37 + 10000];

  limits.write_timeout_us = G_USEC_PER_SEC / 2;
  f = start (1, &limits);
  a = join (f, 0, 'A', FALSE);
  b = join (f, 0, 'B', FALSE);
  stalled = join (f, 0, 'C', FALSE);
  for (guint i = 0; i < 200; i++)
    {
      write_all (a, packet, make_packet (packet, 'C', 10000, i));
      burst (f, a, 'A', b, 'B', 1, 100);
    }
  while (detour_worker_n_conns (f->workers[0]) == 3)
    burst (f, a, 'A', b, 'B', 1, 100);
  g_assert_cmpuint (
      detour_counter_get (&detour_worker_counters (f->workers[0])->closed[DETOUR_CLOSE_WRITE_TIME]),
      ==, 1);
  close (a);
  close (b);
  close (stalled);
  stop (f);
}

static void
test_stop_closes_all (void)
{
  Fixture *f = start (2, &default_limits);
  int fds[20];

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = join (f, i % 2, (guint8) ('a' + i), FALSE);
  stop (f);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      expect_end (fds[i]);
      close (fds[i]);
    }
}

#if COUNTS_ALLOCATIONS
static void
test_no_allocation (gconstpointer data)
{
  guint n = GPOINTER_TO_UINT (data);
  Fixture *f = start (n, &default_limits);
  int a = join (f, 0, 'A', FALSE), b = join (f, n - 1, 'B', FALSE);
  gint before;

  /* Tables grow to their size first. */
  for (guint i = 0; i < 50; i++)
    {
      burst (f, a, 'A', b, 'B', 50, 1437);
      burst (f, b, 'B', a, 'A', 50, 1437);
    }
  before = __atomic_load_n (&n_allocations, __ATOMIC_RELAXED);
  for (guint i = 0; i < 200; i++)
    {
      burst (f, a, 'A', b, 'B', 8, 1437);
      burst (f, b, 'B', a, 'A', 1, 1437);
      /* More than one read takes, so that a frame is cut, and no more than the receiver's socket
       * holds. */
      burst (f, a, 'A', b, 'B', 50, 1437);
    }
  g_assert_cmpint (__atomic_load_n (&n_allocations, __ATOMIC_RELAXED), ==, before);
  close (a);
  close (b);
  stop (f);
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
