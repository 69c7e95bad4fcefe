/* detour-worker.c: one worker and the registered connections that it carries.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker.h"

#include <errno.h>
#include <sys/epoll.h>

#include "detour-address.h"
#include "detour-contacts.h"
#include "detour-events.h"
#include "detour-log.h"
#include "detour-memory.h"
#include "detour-slab.h"
#include "detour-worker-private.h"

/* Kept for clients; less is not worth giving back. */
#define TRIM_FROM ((gsize) 8 << 20)

static void
worker_assert_thread (const DetourWorker *self)
{
  g_assert (detour_loop_is_current (self->shared.loop));
}

/* Connections ---------------------------------------------------------------------------------- */

static void
worker_release_conn (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  DetourConn *conn = data;

  detour_slab_release (self->client_slab, conn->client);
  detour_slab_release (self->conn_slab, conn);
}

/* @by: 1 or -1 */
static void
worker_count_conn (DetourWorker *self, gboolean is_mesh, int by)
{
  __atomic_fetch_add (is_mesh ? &self->n_mesh : &self->n_clients, (guint) by, __ATOMIC_RELAXED);
}

void
detour_worker_forget_conn (DetourWorker *self, DetourConn *conn)
{
  guint32 slot = DETOUR_HANDLE_SLOT (conn->client->handle);

  conn->is_closed = TRUE;
  if (conn->client->is_watcher)
    {
      g_ptr_array_remove_fast (self->watchers, conn);
      __atomic_store_n (&self->n_watchers, self->watchers->len, __ATOMIC_SEQ_CST);
    }
  g_ptr_array_index (self->conns, slot) = NULL;
  g_array_append_val (self->free_slots, slot);
  if (conn->client->is_link)
    detour_worker_forget_link (self, conn);
  else
    worker_count_conn (self, conn->client->is_mesh, -1);
  if (conn->is_stalled)
    g_ptr_array_remove_fast (self->shared.stalled, conn);
  detour_loop_defer (self->shared.loop, worker_release_conn, conn);
}

static void
worker_end_conn (DetourWorker *self, DetourConn *conn, DetourClose reason)
{
  DetourClient *client = conn->client;
  DetourAddressKey address_key;

  worker_assert_thread (self);
  g_assert (!conn->is_closed);

  if (client->is_link)
    {
      detour_worker_close_link (self, conn, reason);
      return;
    }
  detour_worker_tell_end (self, conn, reason);
  detour_counter_add (&self->shared.counters.closed[reason], 1);
  detour_worker_drop_terms (conn);
  detour_worker_forget_conn (self, conn);
  /* Other workers get its packets before the message that it is gone. */
  detour_worker_rings_publish (self->rings, self->index);
  if (client->is_mesh && self->received != NULL)
    detour_mesh_received_leave (self->received, self->shared.relay, client);
  else
    detour_relay_leave (self->shared.relay, client);
  detour_conn_clear (&self->shared, conn,
                     reason != DETOUR_CLOSE_WRITE && reason != DETOUR_CLOSE_RESET);
  address_key = detour_conn_address_key (conn);
  detour_address_counts_leave (self->addresses, &address_key);
  g_clear_pointer (&client->verdict, detour_verdict_unref);
}

void
detour_worker_judge (DetourWorker *self, DetourConn *conn, DetourClose verdict)
{
  if (verdict != DETOUR_CONN_OPEN)
    worker_end_conn (self, conn, verdict);
}

void
detour_worker_flush (DetourWorker *self)
{
  DetourConnShared *shared = &self->shared;
  DetourClient *client;

  for (guint i = 0; i < shared->replies->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (shared->replies, i);

      if (!conn->is_closed && conn->owes_reply)
        detour_worker_judge (self, conn, detour_conn_flush (shared, conn));
    }
  g_ptr_array_set_size (shared->replies, 0);

  while ((client = detour_relay_next (shared->relay)) != NULL)
    {
      DetourConn *conn = detour_conn_of_client (client);

      detour_worker_judge (self, conn, detour_conn_flush (shared, conn));
    }

  detour_relay_end (shared->relay);
  detour_conn_shared_reset (shared);
  detour_worker_rings_release (self->rings, self->index);
}

static void
worker_on_ready (DetourLoop *loop, DetourIo *io, guint32 events)
{
  DetourConn *conn = (DetourConn *) (gpointer) ((guint8 *) io - G_STRUCT_OFFSET (DetourConn, io));
  DetourWorker *self = detour_loop_user (loop);

  if (!detour_conn_shared_has_room (&self->shared))
    {
      detour_worker_flush (self);
      if (conn->is_closed)
        return;
    }
  detour_worker_judge (self, conn, detour_conn_ready (&self->shared, conn, events));
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
  g_assert (slot <= DETOUR_CONTACTS_SLOT_MAX);
  g_ptr_array_add (self->conns, NULL);
  return slot;
}

/* A connection and its client, without a slot. NULL: there is no memory, or it stops. */
static DetourConn *
worker_new_conn (DetourWorker *self)
{
  DetourConn *conn = self->is_stopping ? NULL : detour_slab_alloc (self->conn_slab);

  if (conn == NULL)
    return NULL;
  conn->client = detour_slab_alloc (self->client_slab);
  if (conn->client == NULL)
    {
      detour_slab_release (self->conn_slab, conn);
      return NULL;
    }
  conn->client->conn = conn;
  return conn;
}

/* It will not come, or has left. */
static void
worker_count_out (DetourWorker *self, DetourSession *session)
{
  if (session->link != NULL)
    __atomic_fetch_sub (&self->n_links, 1, __ATOMIC_RELAXED);
  else
    worker_count_conn (self, session->is_mesh, -1);
  detour_address_counts_leave (self->addresses, &session->address_key);
}

/* The kernel may watch it already. FALSE with errno. */
static gboolean
worker_watch_conn (DetourWorker *self, DetourConn *conn, const DetourSession *session)
{
  DetourLoop *watched_by = NULL;

  conn->io = (DetourIo) { worker_on_ready, session->fd, EPOLLIN };
  if (session->watched_by != 0)
    {
      watched_by = detour_worker_rings_loop (self->rings, session->watched_by - 1);
      conn->io.events = session->watched_events;
    }
  if (!detour_loop_add_lasting (self->shared.loop, &conn->io, watched_by))
    return FALSE;
  if (!conn->is_frozen)
    detour_loop_modify (self->shared.loop, &conn->io, EPOLLIN);
  return TRUE;
}

static void
worker_on_adopt (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autoptr (DetourSession) session = data;
  DetourConn *conn = worker_new_conn (self);
  guint32 slot;
  guint health;

  if (conn == NULL)
    {
      worker_count_out (self, session);
      return;
    }
  conn->is_frozen = self->carry.is_frozen;
  if (!worker_watch_conn (self, conn, session))
    {
      g_warning ("cannot watch another connection: %s", g_strerror (errno));
      worker_count_out (self, session);
      worker_release_conn (loop, conn);
      return;
    }

  session->fd = -1;
  conn->channel = session->channel;
  session->channel = (DetourChannel) { NULL };
  conn->number = session->number;
  conn->listener = session->listener;
  conn->owes_reply = session->owes_reply;
  conn->was_slowed = session->was_slowed;
  conn->client->verdict = g_steal_pointer (&session->verdict);
  conn->client->is_mesh = session->is_mesh;
  conn->client->kind = session->traits.kind;
  conn->client->takes_extra = session->traits.takes_extra;
  conn->client->ends_on_long = session->traits.ends_on_long;
  conn->client->presence = session->presence;
  /* Counted with the address that the client comes from, so one bit keeps it. */
  conn->is_counted = !detour_address_key_is_none (&session->address_key);
  detour_worker_tie (conn, session);

  slot = worker_take_slot (self);
  g_ptr_array_index (self->conns, slot) = conn;
  self->generation = MAX (self->generation + 1, 1);
  if (session->link != NULL)
    {
      detour_worker_join_link (self, conn, session,
                               DETOUR_HANDLE_MAKE (self->index, slot, self->generation));
      return;
    }
  if (session->client.login_us == 0) /* else it comes from another worker */
    detour_counter_add (&self->shared.counters.joined, 1);

  detour_relay_join (self->shared.relay, conn->client, &session->key,
                     DETOUR_HANDLE_MAKE (self->index, slot, self->generation));
  detour_relay_restore (self->shared.relay, conn->client, &session->client);
  health = conn->client->health;
  detour_worker_choose_terms (self, conn);
  detour_relay_restore_rate (conn->client, &session->client);
  /* Terms that change this tell it everything. */
  if (conn->client->health == health)
    detour_relay_tell_health (self->shared.relay, conn->client);
  if (session->client.is_watcher)
    detour_worker_add_watcher (self, conn->client);
  if (session->client.contacts != NULL)
    detour_worker_resolve (self, conn->client, g_steal_pointer (&session->client.contacts));
  detour_worker_judge (self, conn, detour_conn_start (&self->shared, conn, session));
  if (!conn->is_closed)
    detour_worker_judge_terms (self, conn);
}

static DetourConn *
worker_find_conn (DetourWorker *self, DetourHandle handle)
{
  DetourClient *client = detour_relay_find (self->shared.relay, handle);

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
    worker_end_conn (self, conn, message->reason);
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
  worker_post_close (self->shared.loop, handle, reason);
}

/* Port of the relay ---------------------------------------------------------------------------- */

static DetourForward
worker_port_forward (gpointer user, DetourHandle handle, guint64 sender_id, const DetourKey *sender,
                     const guint8 *packet, gsize len)
{
  DetourWorker *self = user;

  return detour_worker_rings_send (self->rings, self->index, handle, sender_id, sender, packet,
                                   len);
}

static DetourForward
worker_port_pass_on (gpointer user, DetourHandle handle, const DetourKey *sender,
                     const guint8 *payload, gsize len)
{
  DetourWorker *self = user;

  return detour_worker_rings_pass_on (self->rings, self->index, handle, sender, payload, len);
}

static void
worker_port_close (gpointer user, DetourHandle handle)
{
  DetourWorker *self = user;

  worker_post_close (detour_worker_rings_loop (self->rings, DETOUR_HANDLE_WORKER (handle)), handle,
                     DETOUR_CLOSE_KICKED);
}

static const DetourRelayPort relay_port = { worker_port_forward, worker_port_close,
                                            detour_worker_watch, detour_worker_sender_left,
                                            worker_port_pass_on };

/* Rounds --------------------------------------------------------------------------------------- */

static void
worker_on_begin (DetourLoop *loop, gpointer user)
{
  detour_relay_begin (((DetourWorker *) user)->shared.relay, detour_loop_now_us (loop));
}

static void
worker_on_timer (DetourLoop *loop, DetourTimer *timer, gpointer user)
{
  DetourWorker *self = user;
  DetourConn *conn = (DetourConn *) (gpointer) ((guint8 *) timer
                                                - G_STRUCT_OFFSET (DetourConn, timer));

  if (detour_partings_on_timer (&self->shared.partings, loop, timer))
    return;
  detour_worker_judge (self, conn, detour_conn_timer (&self->shared, conn));
}

/* Those that stall again are put at the end of the list, and are not tried twice. TRUE: one of them
 * went on. */
static gboolean
worker_retry_stalled (DetourWorker *self)
{
  guint n = self->shared.stalled->len;

  for (guint i = 0; i < n; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->shared.stalled, i);

      if (!conn->is_closed)
        detour_worker_judge (self, conn, detour_conn_retry (&self->shared, conn));
    }
  if (n > 0)
    g_ptr_array_remove_range (self->shared.stalled, 0, n);
  return self->shared.stalled->len < n;
}

static gboolean
worker_on_poll (DetourLoop *loop, gpointer user)
{
  DetourWorker *self = user;
  gboolean went_on = worker_retry_stalled (self);

  return detour_worker_rings_receive (self->rings, self->index, self->shared.relay) || went_on;
}

/* Long frames that are cut and packets that wait come from the C library, which keeps what it gets
 * back. After a flood that is given to the system. */
static void
worker_trim (DetourWorker *self)
{
  gsize n_bytes = self->shared.blocks.n_bytes + detour_relay_queue_bytes (self->shared.relay);

  if (n_bytes > self->peak_bytes)
    self->peak_bytes = n_bytes;
  if (self->peak_bytes >= TRIM_FROM && n_bytes < self->peak_bytes / 4)
    {
      self->peak_bytes = n_bytes;
      detour_memory_trim ();
    }
}

static void
worker_on_round (DetourLoop *loop, gpointer user)
{
  DetourWorker *self = user;

  detour_worker_flush (self);
  detour_worker_rings_publish (self->rings, self->index);
  detour_registry_quiescent (self->registry, self->index);
  worker_trim (self);
  detour_worker_count_round (self, loop);
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
                   DetourAddressCounts *addresses, DetourTermsTable *terms,
                   const DetourKey *server_key, const DetourWorkerLimits *limits, GError **error)
{
  DetourWorker *self = g_new0 (DetourWorker, 1);
  char name[16];

  self->index = index;
  self->rings = rings;
  self->registry = registry;
  self->addresses = addresses;
  self->terms = terms;
  detour_conn_shared_init (&self->shared, limits);
  self->shared.relay = detour_relay_new (registry, index, server_key, &limits->relay, &relay_port,
                                         self);
  self->watchers = g_ptr_array_new ();
  self->links = g_ptr_array_new ();
  self->conn_slab = detour_slab_new (sizeof (DetourConn));
  self->client_slab = detour_slab_new (sizeof (DetourClient));
  self->conns = g_ptr_array_new ();
  self->free_slots = g_array_new (FALSE, FALSE, sizeof (guint32));
  detour_worker_carry_init (&self->carry);

  g_snprintf (name, sizeof name, "worker-%u", index);
  self->shared.loop = detour_loop_new (name, 0, &loop_funcs, self, error);
  if (self->shared.loop == NULL)
    {
      detour_worker_free (self);
      return NULL;
    }
  detour_worker_rings_set_loop (rings, index, self->shared.loop);
  return self;
}

void
detour_worker_set_received (DetourWorker *self, DetourMeshReceived *received)
{
  self->received = received;
}

/* All workers wait at the same time, since none of them is waited for here. */
static void
worker_on_last_words (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);

  detour_partings_finish (&self->shared.partings, loop, DETOUR_PARTINGS_STOP_US);
}

static void
worker_on_stop (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);

  self->is_stopping = TRUE;
  detour_partings_stop (&self->shared.partings, loop);
  detour_worker_rings_leave (self->rings, self->index);
  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn != NULL)
        worker_end_conn (self, conn, DETOUR_CLOSE_STOPPING);
    }
  detour_worker_flush (self);
  detour_loop_post (loop, worker_on_last_words, NULL);
}

void
detour_worker_stop (DetourWorker *self)
{
  detour_loop_call (self->shared.loop, worker_on_stop, NULL);
}

void
detour_worker_join (DetourWorker *self)
{
  if (self->shared.loop == NULL)
    return;
  detour_loop_clear (&self->shared.loop);
  detour_registry_offline (self->registry, self->index);
}

void
detour_worker_free (DetourWorker *self)
{
  detour_worker_join (self);
  detour_relay_free (self->shared.relay);
  detour_conn_shared_clear (&self->shared);
  g_ptr_array_unref (self->watchers);
  g_ptr_array_unref (self->links);
  g_ptr_array_unref (self->conns);
  g_array_unref (self->free_slots);
  detour_worker_carry_clear (&self->carry);
  detour_slab_free (self->conn_slab);
  detour_slab_free (self->client_slab);
  g_free (self);
}

void
detour_worker_adopt (DetourWorker *self, DetourSession *session)
{
  /* It counts from now on, so that limits and draining do not overlook it on its way. */
  if (session->link != NULL)
    __atomic_fetch_add (&self->n_links, 1, __ATOMIC_RELAXED);
  else
    worker_count_conn (self, session->is_mesh, 1);
  detour_loop_post (self->shared.loop, worker_on_adopt, session);
}

guint
detour_worker_n_conns (const DetourWorker *self)
{
  return detour_worker_n_clients (self) + detour_worker_n_mesh (self);
}

guint
detour_worker_n_clients (const DetourWorker *self)
{
  return __atomic_load_n (&self->n_clients, __ATOMIC_RELAXED);
}

guint
detour_worker_n_mesh (const DetourWorker *self)
{
  return __atomic_load_n (&self->n_mesh, __ATOMIC_RELAXED);
}

DetourLoop *
detour_worker_loop (const DetourWorker *self)
{
  return self->shared.loop;
}

guint
detour_worker_n_slots (const DetourWorker *self)
{
  return self->conns->len;
}

const DetourConn *
detour_worker_conn_at (const DetourWorker *self, guint slot)
{
  return g_ptr_array_index (self->conns, slot);
}
