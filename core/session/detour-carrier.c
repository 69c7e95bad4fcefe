/* detour-carrier.c: one worker and the registered connections that it carries.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-conn-private.h"

#include <errno.h>
#include <sys/epoll.h>

#include "detour-watch.h"

/* Opened bytes of one round: so much is read before destinations get what they have. */
#define ARENA_SIZE (512u * 1024)

static void
log_end (const DetourConn *conn, DetourClose reason)
{
  g_autofree char *key = NULL;
  char short_key[9];

  if (detour_close_is_noise (reason))
    return;
  key = detour_key_to_text (&conn->client.peer->key);
  detour_key_to_short (&conn->client.peer->key, short_key);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, DETOUR_LOG_KEY, key, DETOUR_LOG_REASON, detour_close_name (reason),
                    "MESSAGE", "client %s: connection closed, %s", short_key, detour_close_text (reason));
}

/* Connections ------------------------------------------------------------------------------------------------- */

static void
release_conn (DetourWorker *worker, gpointer data)
{
  DetourCarrier *self = detour_worker_user (worker);

  detour_slab_release (self->slab, data);
}

void
detour_carrier_end_conn (DetourCarrier *self, DetourConn *conn, DetourClose reason)
{
  guint32 slot = DETOUR_HANDLE_SLOT (conn->client.handle);

  g_assert (!conn->is_closed);

  log_end (conn, reason);
  detour_counter_add (&self->counters.closed[reason], 1);
  conn->is_closed = TRUE;
  if (conn->client.is_watcher)
    {
      g_ptr_array_remove_fast (self->watchers, conn);
      __atomic_store_n (&self->n_watchers, self->watchers->len, __ATOMIC_SEQ_CST);
    }
  detour_relay_leave (self->relay, &conn->client);
  detour_conn_clear (self, conn, reason != DETOUR_CLOSE_WRITE && reason != DETOUR_CLOSE_RESET);

  g_ptr_array_index (self->conns, slot) = NULL;
  g_array_append_val (self->free_slots, slot);
  __atomic_store_n (&self->n_conns, self->n_conns - 1, __ATOMIC_RELAXED);

  /* Events, the list of destinations and that of replies may still name it in this round; the list of stalled ones
   * for longer. */
  if (conn->is_stalled)
    g_ptr_array_remove_fast (self->stalled, conn);
  detour_worker_defer (self->worker, release_conn, conn);
}

static guint32
take_slot (DetourCarrier *self)
{
  guint32 slot;

  if (self->free_slots->len > 0)
    {
      slot = g_array_index (self->free_slots, guint32, self->free_slots->len - 1);
      g_array_set_size (self->free_slots, self->free_slots->len - 1);
      return slot;
    }
  slot = self->conns->len;
  g_assert (slot <= DETOUR_WATCH_SLOT_MAX);
  g_ptr_array_add (self->conns, NULL);
  return slot;
}

static void
on_adopt (DetourWorker *worker, gpointer data)
{
  DetourCarrier *self = detour_worker_user (worker);
  g_autoptr (DetourSession) session = data;
  DetourConn *conn;
  guint32 slot;

  conn = self->is_stopping ? NULL : detour_slab_alloc (self->slab);
  if (conn == NULL)
    {
      detour_sources_leave (self->sources, &session->source);
      return;
    }
  conn->io = (DetourIo) { detour_conn_ready, session->fd, EPOLLIN };
  if (!detour_worker_add (self->worker, &conn->io))
    {
      g_warning ("cannot watch another connection: %s", g_strerror (errno));
      detour_sources_leave (self->sources, &session->source);
      detour_slab_release (self->slab, conn);
      return;
    }

  session->fd = -1;
  conn->channel = session->channel;
  session->channel = (DetourChannel) { NULL };
  conn->number = session->number;
  conn->label = g_steal_pointer (&session->label);
  conn->listener = session->listener;
  conn->source = session->source;
  conn->client.is_mesh = session->is_mesh;
  conn->client.presence = session->presence;

  slot = take_slot (self);
  g_ptr_array_index (self->conns, slot) = conn;
  self->generation = MAX (self->generation + 1, 1);
  __atomic_store_n (&self->n_conns, self->n_conns + 1, __ATOMIC_RELAXED);
  detour_counter_add (&self->counters.joined, 1);

  detour_relay_join (self->relay, &conn->client, &session->key,
                     DETOUR_HANDLE_MAKE (self->index, slot, self->generation));
  if (session->output != NULL)
    detour_relay_greet (self->relay, &conn->client, session->output->data, session->output->len);
  detour_conn_start (self, conn, session->sealed, session->input);
}

static DetourConn *
find_conn (DetourCarrier *self, DetourHandle handle)
{
  DetourClient *client = detour_relay_find (self->relay, handle);

  return client != NULL ? detour_conn_of_client (client) : NULL;
}

typedef struct {
  DetourHandle handle;
  DetourClose reason;
} CloseMessage;

static void
on_close (DetourWorker *worker, gpointer data)
{
  DetourCarrier *self = detour_worker_user (worker);
  g_autofree CloseMessage *message = data;
  DetourConn *conn = find_conn (self, message->handle);

  if (conn != NULL)
    detour_carrier_end_conn (self, conn, message->reason);
}

static void
post_close (DetourWorker *worker, DetourHandle handle, DetourClose reason)
{
  CloseMessage *message = g_new (CloseMessage, 1);

  *message = (CloseMessage) { handle, reason };
  detour_worker_post (worker, on_close, message);
}

void
detour_carrier_close (DetourCarrier *self, DetourHandle handle, DetourClose reason)
{
  post_close (self->worker, handle, reason);
}

/* Mesh watchers, and who heard of a peer ---------------------------------------------------------------------- */

typedef struct {
  guint64 id; /* of a peer that is gone; unused for one that is present */
  DetourKey key;
  DetourPresence presence;
} PeerMessage;

static void
tell_watchers (DetourCarrier *self, const guint8 *frame, gsize len)
{
  for (guint i = 0; i < self->watchers->len; i++)
    detour_relay_control (self->relay, &((DetourConn *) self->watchers->pdata[i])->client, frame, len);
}

static void
on_peer_gone (DetourWorker *worker, gpointer data)
{
  DetourCarrier *self = detour_worker_user (worker);
  g_autofree PeerMessage *message = data;
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];

  detour_relay_source_gone (self->relay, message->id, &message->key);
  detour_frame_put_peer_gone (frame, &message->key, DETOUR_FRAME_GONE_DISCONNECTED);
  tell_watchers (self, frame, sizeof frame);
}

static void
on_peer_present (DetourWorker *worker, gpointer data)
{
  DetourCarrier *self = detour_worker_user (worker);
  g_autofree PeerMessage *message = data;
  guint8 frame[DETOUR_FRAME_PEER_PRESENT_MAX];
  gsize len = detour_frame_put_peer_present (frame, &message->key, &message->presence);

  tell_watchers (self, frame, len);
}

void
detour_carrier_peer_gone (DetourCarrier *self, const DetourPeer *peer)
{
  PeerMessage *message = g_new0 (PeerMessage, 1);

  message->id = peer->id;
  message->key = peer->key;
  detour_worker_post (self->worker, on_peer_gone, message);
}

void
detour_carrier_peer_present (DetourCarrier *self, const DetourKey *key, const DetourPresence *presence)
{
  PeerMessage *message = g_new0 (PeerMessage, 1);

  message->key = *key;
  message->presence = *presence;
  detour_worker_post (self->worker, on_peer_present, message);
}

gboolean
detour_carrier_has_watchers (const DetourCarrier *self)
{
  return __atomic_load_n (&self->n_watchers, __ATOMIC_SEQ_CST) > 0;
}

typedef struct {
  DetourCarrier *carrier;
  DetourClient *client;
} FloodContext;

static void
flood_one (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence, gpointer user)
{
  const FloodContext *context = user;
  guint8 frame[DETOUR_FRAME_PEER_PRESENT_MAX];
  gsize len = detour_frame_put_peer_present (frame, &peer->key, presence);

  detour_relay_control (context->carrier->relay, context->client, frame, len);
}

/* What the relay asks of the other side ----------------------------------------------------------------------- */

static DetourForward
port_forward (gpointer user, DetourHandle handle, guint64 source_id, const DetourKey *source, const guint8 *packet,
              gsize len)
{
  DetourCarrier *self = user;

  return detour_crossing_send (self->crossing, self->index, handle, source_id, source, packet, len);
}

static void
port_close (gpointer user, DetourHandle handle)
{
  DetourCarrier *self = user;

  post_close (detour_crossing_worker (self->crossing, DETOUR_HANDLE_WORKER (handle)), handle, DETOUR_CLOSE_KICKED);
}

/* Who comes between the two steps is told of twice, which a set of keys does not mind. */
static void
port_watch (gpointer user, DetourClient *client)
{
  DetourCarrier *self = user;
  FloodContext context = { self, client };

  if (!client->is_watcher)
    {
      client->is_watcher = TRUE;
      g_ptr_array_add (self->watchers, detour_conn_of_client (client));
      __atomic_store_n (&self->n_watchers, self->watchers->len, __ATOMIC_SEQ_CST);
    }
  detour_registry_each_key (self->registry, flood_one, &context);
}

static const DetourRelayPort relay_port = { port_forward, port_close, port_watch };

/* Rounds ------------------------------------------------------------------------------------------------------ */

void
detour_carrier_flush (DetourCarrier *self)
{
  DetourClient *client;

  for (guint i = 0; i < self->replies->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->replies, i);

      if (!conn->is_closed && conn->owes_reply)
        detour_conn_flush (self, conn);
    }
  g_ptr_array_set_size (self->replies, 0);

  while ((client = detour_relay_next (self->relay)) != NULL)
    detour_conn_flush (self, detour_conn_of_client (client));

  detour_relay_end (self->relay);
  self->arena.len = 0;
  while (self->retired != NULL)
    {
      DetourBlock *block = self->retired;

      self->retired = block->next;
      detour_block_release (&self->blocks, block);
    }
  detour_crossing_release (self->crossing, self->index);
}

static void
on_begin (DetourWorker *worker, gpointer user)
{
  detour_relay_begin (((DetourCarrier *) user)->relay, detour_worker_now_us (worker));
}

static void
on_timer (DetourWorker *worker, DetourTimer *timer, gpointer user)
{
  detour_conn_timer (user, timer);
}

/* Those that stall again are put at the end of the list, and are not tried twice. TRUE: one of them went on. */
static gboolean
retry_stalled (DetourCarrier *self)
{
  guint n = self->stalled->len;

  for (guint i = 0; i < n; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->stalled, i);

      if (!conn->is_closed)
        detour_conn_retry (self, conn);
    }
  if (n > 0)
    g_ptr_array_remove_range (self->stalled, 0, n);
  return self->stalled->len < n;
}

static gboolean
on_poll (DetourWorker *worker, gpointer user)
{
  DetourCarrier *self = user;
  gboolean went_on = retry_stalled (self);

  return detour_crossing_receive (self->crossing, self->index, self->relay) || went_on;
}

static void
on_round (DetourWorker *worker, gpointer user)
{
  DetourCarrier *self = user;

  detour_counter_add (&self->counters.rounds, 1);
  detour_carrier_flush (self);
  detour_crossing_publish (self->crossing, self->index);
  detour_registry_quiesce (self->registry, self->index);
}

static void
on_sleeping (DetourWorker *worker, gboolean sleeps, gpointer user)
{
  DetourCarrier *self = user;

  if (sleeps)
    detour_registry_offline (self->registry, self->index);
  else
    detour_registry_online (self->registry, self->index);
}

static const DetourWorkerFuncs worker_funcs = {
  .begin = on_begin,
  .timer = on_timer,
  .round = on_round,
  .poll = on_poll,
  .sleeping = on_sleeping,
};

/* ------------------------------------------------------------------------------------------------------------- */

DetourCarrier *
detour_carrier_new (guint index, DetourCrossing *crossing, DetourRegistry *registry, DetourSources *sources,
                    const DetourKey *server_key, const DetourCarrierLimits *limits, GError **error)
{
  DetourCarrier *self = g_new0 (DetourCarrier, 1);
  char name[16];

  self->index = index;
  self->crossing = crossing;
  self->registry = registry;
  self->sources = sources;
  self->limits = *limits;
  self->relay = detour_relay_new (registry, index, server_key, &limits->relay, &relay_port, self);
  self->cipher = g_malloc (DETOUR_CONN_READ_MAX);
  self->arena = (DetourBuffer) { g_malloc (ARENA_SIZE), 0, ARENA_SIZE };
  self->sealed.cap = DETOUR_CHANNEL_SEAL_BOUND (DETOUR_CONN_SEND_MAX + DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_PAYLOAD_MAX);
  self->sealed.data = g_malloc (self->sealed.cap);
  self->replies = g_ptr_array_new ();
  self->stalled = g_ptr_array_new ();
  self->watchers = g_ptr_array_new ();
  self->slab = detour_slab_new (sizeof (DetourConn));
  self->conns = g_ptr_array_new ();
  self->free_slots = g_array_new (FALSE, FALSE, sizeof (guint32));

  g_snprintf (name, sizeof name, "worker-%u", index);
  self->worker = detour_worker_new (name, 0, &worker_funcs, self, error);
  if (self->worker == NULL)
    {
      detour_carrier_free (self);
      return NULL;
    }
  detour_crossing_set_worker (crossing, index, self->worker);
  return self;
}

static void
on_stop (DetourWorker *worker, gpointer data)
{
  DetourCarrier *self = detour_worker_user (worker);

  self->is_stopping = TRUE;
  detour_crossing_leave (self->crossing, self->index);
  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn != NULL)
        detour_carrier_end_conn (self, conn, DETOUR_CLOSE_STOPPING);
    }
  detour_carrier_flush (self);
}

void
detour_carrier_stop (DetourCarrier *self)
{
  detour_worker_call (self->worker, on_stop, NULL);
}

void
detour_carrier_join (DetourCarrier *self)
{
  if (self->worker == NULL)
    return;
  g_clear_pointer (&self->worker, detour_worker_free);
  detour_registry_offline (self->registry, self->index);
}

void
detour_carrier_free (DetourCarrier *self)
{
  detour_carrier_join (self);
  detour_relay_free (self->relay);
  detour_block_store_clear (&self->blocks);
  g_ptr_array_unref (self->replies);
  g_ptr_array_unref (self->stalled);
  g_ptr_array_unref (self->watchers);
  g_ptr_array_unref (self->conns);
  g_array_unref (self->free_slots);
  detour_slab_free (self->slab);
  g_free (self->cipher);
  g_free (self->arena.data);
  g_free (self->sealed.data);
  g_free (self);
}

void
detour_carrier_adopt (DetourCarrier *self, DetourSession *session)
{
  detour_worker_post (self->worker, on_adopt, session);
}

static void
on_set_limits (DetourWorker *worker, gpointer data)
{
  DetourCarrier *self = detour_worker_user (worker);
  g_autofree DetourCarrierLimits *limits = data;

  self->limits = *limits;
  detour_relay_set_limits (self->relay, &limits->relay);

  /* Their wait was reckoned at the old rate. */
  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn != NULL && conn->resume_us != 0)
        detour_conn_retry (self, conn);
    }
}

void
detour_carrier_set_limits (DetourCarrier *self, const DetourCarrierLimits *limits)
{
  detour_worker_post (self->worker, on_set_limits, g_memdup2 (limits, sizeof *limits));
}

guint
detour_carrier_n_conns (const DetourCarrier *self)
{
  return __atomic_load_n (&self->n_conns, __ATOMIC_RELAXED);
}

const DetourRelayCounters *
detour_carrier_relay_counters (const DetourCarrier *self)
{
  return detour_relay_counters (self->relay);
}

const DetourCarrierCounters *
detour_carrier_counters (const DetourCarrier *self)
{
  return &self->counters;
}

DetourWorker *
detour_carrier_worker (const DetourCarrier *self)
{
  return self->worker;
}
