/* detour-worker-peers.c: tells the clients of a worker of peers that come and go.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker-private.h"

void
detour_worker_add_watcher (DetourWorker *self, DetourClient *client)
{
  client->is_watcher = TRUE;
  g_ptr_array_add (self->watchers, detour_conn_of_client (client));
  __atomic_store_n (&self->n_watchers, self->watchers->len, __ATOMIC_SEQ_CST);
}

guint
detour_worker_n_watchers (const DetourWorker *self)
{
  return __atomic_load_n (&self->n_watchers, __ATOMIC_RELAXED);
}

static void
worker_peers_on_close_mesh (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  guint *n = data;

  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn == NULL || !conn->client->is_mesh || conn->client->is_link)
        continue;
      detour_worker_judge (self, conn, DETOUR_CLOSE_MESH_KEY);
      (*n)++;
    }
}

guint
detour_worker_close_mesh (DetourWorker *self)
{
  guint n = 0;

  detour_loop_call (self->shared.loop, worker_peers_on_close_mesh, &n);
  return n;
}

typedef struct {
  DetourKey key;
  DetourPresence presence;
} PresentMessage;

typedef struct {
  gboolean tells_clients, tells_watchers;
  guint n;
  DetourGone gone[];
} GoneMessage;

static void
worker_peers_tell_watchers (DetourWorker *self, const guint8 *frame, gsize len)
{
  for (guint i = 0; i < self->watchers->len; i++)
    detour_relay_control (self->shared.relay, ((DetourConn *) self->watchers->pdata[i])->client,
                          frame, len);
}

void
detour_worker_tell_watchers_gone (DetourWorker *self, const DetourKey *key)
{
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];

  detour_frame_put_peer_gone (frame, key, DETOUR_FRAME_GONE_DISCONNECTED);
  worker_peers_tell_watchers (self, frame, sizeof frame);
}

static void
worker_peers_on_gone (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree GoneMessage *message = data;

  /* Their last packets were published before this was posted. */
  if (!self->carry.is_frozen)
    detour_worker_rings_receive (self->rings, self->index, self->shared.relay);
  for (guint i = 0; i < message->n; i++)
    {
      const DetourGone *gone = &message->gone[i];

      if (self->carry.is_frozen && message->tells_watchers)
        g_array_append_val (self->carry.gone, gone->key);
      if (self->carry.is_frozen)
        continue;
      if (message->tells_clients)
        detour_relay_peer_gone (self->shared.relay, gone->id, &gone->key);
      if (message->tells_watchers)
        detour_worker_tell_watchers_gone (self, &gone->key);
    }
}

static void
worker_peers_on_present (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree PresentMessage *message = data;
  guint8 frame[DETOUR_FRAME_PEER_PRESENT_MAX];
  gsize len = detour_frame_put_peer_present (frame, &message->key, &message->presence);

  worker_peers_tell_watchers (self, frame, len);
}

void
detour_worker_peers_gone (DetourWorker *self, const DetourSpace *space, const DetourGone *gone,
                          guint n, guint from)
{
  GoneMessage *message = g_malloc (sizeof *message + n * sizeof *gone);

  message->tells_clients = (from & DETOUR_GONE_FROM_REGION) != 0;
  message->tells_watchers = (from & DETOUR_GONE_FROM_HERE) != 0
                         && detour_registry_is_common (space);
  message->n = n;
  memcpy (message->gone, gone, n * sizeof *gone);
  detour_loop_post (self->shared.loop, worker_peers_on_gone, message);
}

void
detour_worker_peer_present (DetourWorker *self, const DetourKey *key,
                            const DetourPresence *presence)
{
  PresentMessage *message = g_new0 (PresentMessage, 1);

  message->key = *key;
  message->presence = *presence;
  detour_loop_post (self->shared.loop, worker_peers_on_present, message);
}

gboolean
detour_worker_has_watchers (const DetourWorker *self)
{
  return __atomic_load_n (&self->n_watchers, __ATOMIC_SEQ_CST) > 0;
}

typedef struct {
  DetourWorker *worker;
  DetourClient *client;
} FloodContext;

static void
worker_peers_flood_one (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
                        gpointer user)
{
  const FloodContext *context = user;
  guint8 frame[DETOUR_FRAME_PEER_PRESENT_MAX];
  gsize len = detour_frame_put_peer_present (frame, &peer->key, presence);

  detour_relay_control (context->worker->shared.relay, context->client, frame, len);
}

/* A client that logs in between the two steps is reported twice, which is no harm to a set of
 * keys. */
void
detour_worker_watch (gpointer user, DetourClient *client)
{
  DetourWorker *self = user;
  FloodContext context = { self, client };

  if (!client->is_watcher)
    detour_worker_add_watcher (self, client);
  detour_registry_each_key (client->space, worker_peers_flood_one, &context);
}

typedef struct {
  DetourHandle handle;
  guint64 sender_id;
  DetourKey sender;
} SenderMessage;

static void
worker_peers_on_sender_left (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree SenderMessage *message = data;

  detour_relay_settle_contact (self->shared.relay, message->handle, message->sender_id,
                               &message->sender);
}

/* The message comes behind those that are in the inbox. */
void
detour_worker_sender_left (gpointer user, DetourHandle handle, guint64 sender_id,
                           const DetourKey *sender)
{
  DetourWorker *self = user;
  SenderMessage *message = g_new (SenderMessage, 1);

  *message = (SenderMessage) { handle, sender_id, *sender };
  detour_loop_post (self->shared.loop, worker_peers_on_sender_left, message);
}
