/* worker-bench.c: workers with registered connections over socket pairs, without a server around
 * them, for tests.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "worker-bench.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static const guint8 server_info[] = { DETOUR_FRAME_SERVER_INFO, 0, 0, 0, 2, 'h', 'i' };

const DetourWorkerLimits worker_bench_limits = {
  .relay = { .queue = { .packets = 32, .bytes = 256 * 1024 } },
  .write_timeout_us = 2 * G_USEC_PER_SEC,
  .mesh_write_timeout_us = 30 * G_USEC_PER_SEC,
  .keep_alive_us = 3600 * (gint64) G_USEC_PER_SEC,
};

static void
worker_bench_on_gone (const DetourSpace *space, const DetourGone *gone, guint n, guint from,
                      gpointer user)
{
  WorkerBench *self = user;

  for (guint i = 0; i < self->n; i++)
    detour_worker_peers_gone (self->workers[i], space, gone, n, from);
}

static void
worker_bench_on_joined (const DetourSpace *space, const DetourPeer *peer, DetourHandle handle,
                        const DetourPresence *presence, gpointer user)
{
  WorkerBench *self = user;

  if (!detour_registry_is_common (space))
    return;

  for (guint i = 0; i < self->n; i++)
    if (detour_worker_has_watchers (self->workers[i]))
      detour_worker_peer_present (self->workers[i], &peer->key, presence);
}

WorkerBench *
worker_bench_new (guint n, const DetourWorkerLimits *limits)
{
  WorkerBench *self = g_new0 (WorkerBench, 1);
  DetourRegistryObserver observer = { worker_bench_on_joined, worker_bench_on_gone, NULL, self };
  DetourKey server = { { 'S' } };
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (n, <=, WORKER_BENCH_MAX);
  self->n = n;
  self->registry = detour_registry_new (n, &observer);
  self->addresses = detour_address_counts_new ();
  self->terms = detour_terms_table_new ();
  self->rings = detour_worker_rings_new (n);
  for (guint i = 0; i < n; i++)
    {
      self->workers[i] = detour_worker_new (i, self->rings, self->registry, self->addresses,
                                            self->terms, &server,
                                            limits != NULL ? limits : &worker_bench_limits, &error);
      g_assert_no_error (error);
    }
  return self;
}

void
worker_bench_free (WorkerBench *self)
{
  for (guint i = 0; i < self->n; i++)
    detour_worker_stop (self->workers[i]);
  for (guint i = 0; i < self->n; i++)
    detour_worker_join (self->workers[i]);
  for (guint i = 0; i < self->n; i++)
    detour_worker_free (self->workers[i]);
  detour_worker_rings_free (self->rings);
  detour_registry_free (self->registry);
  detour_address_counts_free (self->addresses);
  detour_terms_table_free (self->terms);
  g_free (self);
}

DetourSession *
worker_bench_session (guint8 letter, gboolean is_mesh, int *peer)
{
  DetourSession *session = g_new0 (DetourSession, 1);
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  *peer = fds[1];
  session->fd = fds[0];
  session->channel.cls = &detour_channel_plain;
  session->is_mesh = is_mesh;
  session->listener = "transport/test";
  session->presence.flags = is_mesh ? DETOUR_FRAME_PRESENT_MESH : DETOUR_FRAME_PRESENT_REGULAR;
  memset (session->key.bytes, letter, DETOUR_KEY_SIZE);
  session->client.output = g_byte_array_append (g_byte_array_new (), server_info,
                                                sizeof server_info);
  return session;
}

void
worker_bench_adopt (WorkerBench *self, guint worker, DetourSession *session, int peer)
{
  guint8 got[sizeof server_info];

  detour_worker_adopt (self->workers[worker], session);
  worker_bench_read (peer, got, sizeof got);
  g_assert_cmpmem (got, sizeof got, server_info, sizeof server_info);
  g_assert_cmpuint (detour_worker_n_conns (self->workers[worker]), >=, 1);
}

int
worker_bench_join (WorkerBench *self, guint worker, guint8 letter, gboolean is_mesh)
{
  int peer;
  DetourSession *session = worker_bench_session (letter, is_mesh, &peer);

  worker_bench_adopt (self, worker, session, peer);
  return peer;
}

void
worker_bench_write (int fd, const guint8 *data, gsize len)
{
  while (len > 0)
    {
      gssize n = send (fd, data, len, MSG_NOSIGNAL);

      g_assert_cmpint (n, >, 0);
      data += n;
      len -= (gsize) n;
    }
}

void
worker_bench_read (int fd, guint8 *data, gsize len)
{
  while (len > 0)
    {
      struct pollfd waiting = { fd, POLLIN, 0 };
      gssize n;

      g_assert_cmpint (poll (&waiting, 1, WORKER_BENCH_PATIENCE_MS), ==, 1);
      n = recv (fd, data, len, 0);
      g_assert_cmpint (n, >, 0);
      data += n;
      len -= (gsize) n;
    }
}

void
worker_bench_expect_end (int fd)
{
  struct pollfd waiting = { fd, POLLIN, 0 };
  guint8 byte;

  g_assert_cmpint (poll (&waiting, 1, WORKER_BENCH_PATIENCE_MS), ==, 1);
  g_assert_cmpint (recv (fd, &byte, 1, 0), <=, 0);
}

gsize
worker_bench_packet (guint8 *out, guint8 to, gsize len, guint32 number)
{
  detour_frame_put_header (out, DETOUR_FRAME_SEND_PACKET, (guint32) (DETOUR_KEY_SIZE + len));
  memset (out + 5, to, DETOUR_KEY_SIZE);
  memset (out + 37, (int) number, len);
  detour_frame_put_u32 (out + 37, number);
  return 37 + len;
}

void
worker_bench_burst (WorkerBench *self, int from, guint8 from_letter, int to, guint8 to_letter,
                    guint n, gsize len)
{
  gsize size = 37 + len;

  for (guint i = 0; i < n; i++)
    worker_bench_packet (self->buffer + i * size, to_letter, len, i);
  worker_bench_write (from, self->buffer, n * size);
  worker_bench_read (to, self->buffer, n * size);
  for (guint i = 0; i < n; i++)
    {
      const guint8 *frame = self->buffer + i * size;

      g_assert_cmpuint (frame[0], ==, DETOUR_FRAME_RECV_PACKET);
      g_assert_cmpuint (detour_frame_get_u32 (frame + 1), ==, DETOUR_KEY_SIZE + len);
      g_assert_cmpuint (frame[5], ==, from_letter);
      g_assert_cmpuint (detour_frame_get_u32 (frame + 37), ==, i);
    }
}
