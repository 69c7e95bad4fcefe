/* detour-worker.c: one worker and the registered connections that it carries.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-conn-private.h"

#include <errno.h>
#include <sys/epoll.h>

#include "detour-log.h"
#include "detour-watch.h"

/* Opened bytes of one round: so much is read before destinations get what they have. */
#define ARENA_SIZE (512u * 1024)

/* What is written costs a few microseconds, and many may end at once, so the log is asked first. */
static void
worker_log_end (DetourWorker *self, const DetourConn *conn, DetourClose reason)
{
  const DetourClient *client = &conn->client;
  gint64 duration_ms = (detour_loop_now_us (self->loop) - client->login_us) / 1000;
  g_autofree char *key = NULL;
  char number[24], duration[24], in[24], out[24], short_key[9];

  if (!detour_log_wants (G_LOG_LEVEL_INFO))
    return;
  key = detour_key_to_text (&client->peer->key);
  detour_key_to_short (&client->peer->key, short_key);
  g_snprintf (number, sizeof number, "%" G_GUINT64_FORMAT, conn->number);
  g_snprintf (duration, sizeof duration, "%" G_GINT64_FORMAT, duration_ms);
  g_snprintf (in, sizeof in, "%" G_GUINT64_FORMAT, client->rx_bytes);
  g_snprintf (out, sizeof out, "%" G_GUINT64_FORMAT, client->tx_bytes);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, DETOUR_LOG_EVENT, "session-end",
                    DETOUR_LOG_CONN, number, DETOUR_LOG_KEY, key, DETOUR_LOG_LISTENER,
                    conn->listener, DETOUR_LOG_REASON, detour_close_name (reason),
                    DETOUR_LOG_DURATION, duration, DETOUR_LOG_BYTES_IN, in, DETOUR_LOG_BYTES_OUT,
                    out, "MESSAGE",
                    "client %s: session ended after %" G_GINT64_FORMAT ".%03d s, %s bytes in, %s "
                    "bytes out: %s",
                    short_key, duration_ms / 1000, (int) (duration_ms % 1000), in, out,
                    detour_close_text (reason));
}

/* Connections ---------------------------------------------------------------------------------- */

static void
worker_release_conn (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);

  detour_slab_release (self->slab, data);
}

void
detour_worker_end_conn (DetourWorker *self, DetourConn *conn, DetourClose reason)
{
  guint32 slot = DETOUR_HANDLE_SLOT (conn->client.handle);

  g_assert (!conn->is_closed);

  worker_log_end (self, conn, reason);
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
  __atomic_fetch_sub (&self->n_conns, 1, __ATOMIC_RELAXED);

  /* Events, the list of destinations and that of replies may still name it in this round; the list
   * of stalled ones for longer. */
  if (conn->is_stalled)
    g_ptr_array_remove_fast (self->stalled, conn);
  detour_loop_defer (self->loop, worker_release_conn, conn);
}

static guint32
worker_take_slot (DetourWorker *self)
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
worker_on_adopt (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autoptr (DetourSession) session = data;
  DetourConn *conn;
  guint32 slot;

  conn = self->is_stopping ? NULL : detour_slab_alloc (self->slab);
  if (conn == NULL)
    {
      __atomic_fetch_sub (&self->n_conns, 1, __ATOMIC_RELAXED);
      detour_address_counts_leave (self->addresses, &session->address_key);
      return;
    }
  conn->io = (DetourIo) { detour_conn_ready, session->fd, EPOLLIN };
  if (!detour_loop_add (self->loop, &conn->io))
    {
      g_warning ("cannot watch another connection: %s", g_strerror (errno));
      __atomic_fetch_sub (&self->n_conns, 1, __ATOMIC_RELAXED);
      detour_address_counts_leave (self->addresses, &session->address_key);
      detour_slab_release (self->slab, conn);
      return;
    }

  session->fd = -1;
  conn->channel = session->channel;
  session->channel = (DetourChannel) { NULL };
  conn->number = session->number;
  conn->verdict = g_steal_pointer (&session->verdict);
  conn->listener = session->listener;
  conn->address_key = session->address_key;
  conn->client.is_mesh = session->is_mesh;
  conn->client.presence = session->presence;

  slot = worker_take_slot (self);
  g_ptr_array_index (self->conns, slot) = conn;
  self->generation = MAX (self->generation + 1, 1);
  detour_counter_add (&self->counters.joined, 1);

  detour_relay_join (self->relay, &conn->client, &session->key,
                     DETOUR_HANDLE_MAKE (self->index, slot, self->generation));
  if (session->output != NULL)
    detour_relay_greet (self->relay, &conn->client, session->output->data, session->output->len);
  detour_conn_start (self, conn, session->sealed, session->input);
}

static DetourConn *
worker_find_conn (DetourWorker *self, DetourHandle handle)
{
  DetourClient *client = detour_relay_find (self->relay, handle);

  return client != NULL ? detour_conn_of_client (client) : NULL;
}

typedef struct {
  DetourHandle handle;
  DetourClose reason;
} CloseMessage;

static void
worker_on_close (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree CloseMessage *message = data;
  DetourConn *conn = worker_find_conn (self, message->handle);

  if (conn != NULL)
    detour_worker_end_conn (self, conn, message->reason);
}

static void
worker_post_close (DetourLoop *loop, DetourHandle handle, DetourClose reason)
{
  CloseMessage *message = g_new (CloseMessage, 1);

  *message = (CloseMessage) { handle, reason };
  detour_loop_post (loop, worker_on_close, message);
}

void
detour_worker_close (DetourWorker *self, DetourHandle handle, DetourClose reason)
{
  worker_post_close (self->loop, handle, reason);
}

/* Mesh watchers, and who heard of a peer ------------------------------------------------------- */

typedef struct {
  guint64 id; /* of a peer that is gone; unused for one that is present */
  DetourKey key;
  DetourPresence presence;
} PeerMessage;

static void
worker_tell_watchers (DetourWorker *self, const guint8 *frame, gsize len)
{
  for (guint i = 0; i < self->watchers->len; i++)
    detour_relay_control (self->relay, &((DetourConn *) self->watchers->pdata[i])->client, frame,
                          len);
}

static void
worker_on_peer_gone (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree PeerMessage *message = data;
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];

  detour_relay_source_gone (self->relay, message->id, &message->key);
  detour_frame_put_peer_gone (frame, &message->key, DETOUR_FRAME_GONE_DISCONNECTED);
  worker_tell_watchers (self, frame, sizeof frame);
}

static void
worker_on_peer_present (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree PeerMessage *message = data;
  guint8 frame[DETOUR_FRAME_PEER_PRESENT_MAX];
  gsize len = detour_frame_put_peer_present (frame, &message->key, &message->presence);

  worker_tell_watchers (self, frame, len);
}

void
detour_worker_peer_gone (DetourWorker *self, const DetourPeer *peer)
{
  PeerMessage *message = g_new0 (PeerMessage, 1);

  message->id = peer->id;
  message->key = peer->key;
  detour_loop_post (self->loop, worker_on_peer_gone, message);
}

void
detour_worker_peer_present (DetourWorker *self, const DetourKey *key,
                            const DetourPresence *presence)
{
  PeerMessage *message = g_new0 (PeerMessage, 1);

  message->key = *key;
  message->presence = *presence;
  detour_loop_post (self->loop, worker_on_peer_present, message);
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
worker_flood_one (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
                  gpointer user)
{
  const FloodContext *context = user;
  guint8 frame[DETOUR_FRAME_PEER_PRESENT_MAX];
  gsize len = detour_frame_put_peer_present (frame, &peer->key, presence);

  detour_relay_control (context->worker->relay, context->client, frame, len);
}

/* What the relay asks of the other side -------------------------------------------------------- */

static DetourForward
worker_port_forward (gpointer user, DetourHandle handle, guint64 source_id, const DetourKey *source,
                     const guint8 *packet, gsize len)
{
  DetourWorker *self = user;

  return detour_worker_rings_send (self->rings, self->index, handle, source_id, source, packet,
                                   len);
}

static void
worker_port_close (gpointer user, DetourHandle handle)
{
  DetourWorker *self = user;

  worker_post_close (detour_worker_rings_loop (self->rings, DETOUR_HANDLE_WORKER (handle)), handle,
                     DETOUR_CLOSE_KICKED);
}

/* Who comes between the two steps is told of twice, which a set of keys does not mind. */
static void
worker_port_watch (gpointer user, DetourClient *client)
{
  DetourWorker *self = user;
  FloodContext context = { self, client };

  if (!client->is_watcher)
    {
      client->is_watcher = TRUE;
      g_ptr_array_add (self->watchers, detour_conn_of_client (client));
      __atomic_store_n (&self->n_watchers, self->watchers->len, __ATOMIC_SEQ_CST);
    }
  detour_registry_each_key (self->registry, worker_flood_one, &context);
}

static const DetourRelayPort relay_port = { worker_port_forward, worker_port_close,
                                            worker_port_watch };

/* Rounds --------------------------------------------------------------------------------------- */

void
detour_worker_flush (DetourWorker *self)
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
  detour_worker_rings_release (self->rings, self->index);
}

static void
worker_on_begin (DetourLoop *loop, gpointer user)
{
  detour_relay_begin (((DetourWorker *) user)->relay, detour_loop_now_us (loop));
}

static void
worker_on_timer (DetourLoop *loop, DetourTimer *timer, gpointer user)
{
  detour_conn_timer (user, timer);
}

/* Those that stall again are put at the end of the list, and are not tried twice. TRUE: one of them
 * went on. */
static gboolean
worker_retry_stalled (DetourWorker *self)
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
worker_on_poll (DetourLoop *loop, gpointer user)
{
  DetourWorker *self = user;
  gboolean went_on = worker_retry_stalled (self);

  return detour_worker_rings_receive (self->rings, self->index, self->relay) || went_on;
}

static void
worker_on_round (DetourLoop *loop, gpointer user)
{
  DetourWorker *self = user;

  detour_counter_add (&self->counters.rounds, 1);
  detour_worker_flush (self);
  detour_worker_rings_publish (self->rings, self->index);
  detour_registry_quiescent (self->registry, self->index);
}

static void
worker_on_sleeping (DetourLoop *loop, gboolean sleeps, gpointer user)
{
  DetourWorker *self = user;

  if (sleeps)
    detour_registry_offline (self->registry, self->index);
  else
    detour_registry_online (self->registry, self->index);
}

static const DetourLoopFuncs loop_funcs = {
  .begin = worker_on_begin,
  .timer = worker_on_timer,
  .round = worker_on_round,
  .poll = worker_on_poll,
  .sleeping = worker_on_sleeping,
};

/* ---------------------------------------------------------------------------------------------- */

DetourWorker *
detour_worker_new (guint index, DetourWorkerRings *rings, DetourRegistry *registry,
                   DetourAddressCounts *addresses, const DetourKey *server_key,
                   const DetourWorkerLimits *limits, GError **error)
{
  DetourWorker *self = g_new0 (DetourWorker, 1);
  char name[16];

  self->index = index;
  self->rings = rings;
  self->registry = registry;
  self->addresses = addresses;
  self->limits = *limits;
  self->relay = detour_relay_new (registry, index, server_key, &limits->relay, &relay_port, self);
  self->cipher = g_malloc (DETOUR_CONN_READ_MAX);
  self->arena = (DetourBuffer) { g_malloc (ARENA_SIZE), 0, ARENA_SIZE };
  self->sealed.cap = DETOUR_CHANNEL_SEAL_BOUND (DETOUR_CONN_SEND_MAX + DETOUR_FRAME_HEADER_SIZE
                                                + DETOUR_FRAME_PAYLOAD_MAX);
  self->sealed.data = g_malloc (self->sealed.cap);
  self->replies = g_ptr_array_new ();
  self->stalled = g_ptr_array_new ();
  self->watchers = g_ptr_array_new ();
  self->slab = detour_slab_new (sizeof (DetourConn));
  self->conns = g_ptr_array_new ();
  self->free_slots = g_array_new (FALSE, FALSE, sizeof (guint32));

  g_snprintf (name, sizeof name, "worker-%u", index);
  self->loop = detour_loop_new (name, 0, &loop_funcs, self, error);
  if (self->loop == NULL)
    {
      detour_worker_free (self);
      return NULL;
    }
  detour_worker_rings_set_loop (rings, index, self->loop);
  return self;
}

static void
worker_on_stop (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);

  self->is_stopping = TRUE;
  detour_worker_rings_leave (self->rings, self->index);
  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn != NULL)
        detour_worker_end_conn (self, conn, DETOUR_CLOSE_STOPPING);
    }
  detour_worker_flush (self);
}

void
detour_worker_stop (DetourWorker *self)
{
  detour_loop_call (self->loop, worker_on_stop, NULL);
}

void
detour_worker_join (DetourWorker *self)
{
  if (self->loop == NULL)
    return;
  g_clear_pointer (&self->loop, detour_loop_free);
  detour_registry_offline (self->registry, self->index);
}

void
detour_worker_free (DetourWorker *self)
{
  detour_worker_join (self);
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
detour_worker_adopt (DetourWorker *self, DetourSession *session)
{
  /* It counts from now on, so that limits and draining do not overlook it on its way. */
  __atomic_fetch_add (&self->n_conns, 1, __ATOMIC_RELAXED);
  detour_loop_post (self->loop, worker_on_adopt, session);
}

static void
worker_on_set_limits (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree DetourWorkerLimits *limits = data;

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
detour_worker_set_limits (DetourWorker *self, const DetourWorkerLimits *limits)
{
  detour_loop_post (self->loop, worker_on_set_limits, g_memdup2 (limits, sizeof *limits));
}

guint
detour_worker_n_conns (const DetourWorker *self)
{
  return __atomic_load_n (&self->n_conns, __ATOMIC_RELAXED);
}

const DetourRelayCounters *
detour_worker_relay_counters (const DetourWorker *self)
{
  return detour_relay_counters (self->relay);
}

const DetourWorkerCounters *
detour_worker_counters (const DetourWorker *self)
{
  return &self->counters;
}

DetourLoop *
detour_loop_loop (const DetourWorker *self)
{
  return self->loop;
}
