/* detour-handshake.c: a connection from its acceptance to the moment it is registered, answered or
 * refused.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-private.h"

#include "detour-address.h"
#include "detour-log.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Beside its arrays and its channel: what is allocated for it elsewhere, and what the C library
 * adds. tests/attack/memory measures this. */
#define SMALL_BYTES 1024u

/* How long a connection that waits may take for its first bytes: a client speaks first. */
#define FIRST_WORD_US (3 * G_USEC_PER_SEC)
/* After the last response the peer has so long to read it. */
#define LINGER_US (2 * G_USEC_PER_SEC)
/* A route that answers later has so long. */
#define ANSWER_US (30 * G_USEC_PER_SEC)

gint64
detour_handshake_now_us (const DetourHandshake *self)
{
  return detour_loop_now_us (self->thread->loop);
}

/* States --------------------------------------------------------------------------------------- */

void
detour_handshake_watch (DetourHandshake *self)
{
  guint32 events = detour_handshake_row (self->state)->events;

  if (self->out->len > 0)
    events |= EPOLLOUT;
  /* The response is about to be written, or was written as a whole: what comes next follows at
   * once, and most responses cost no call of the kernel here. */
  else if (self->state == DETOUR_HANDSHAKE_ANSWERING || self->state == DETOUR_HANDSHAKE_PARTING)
    return;
  detour_loop_modify (self->thread->loop, &self->io, events);
}

/* The limit of all requests together begins with the record layer's handshake. */
static gint64
handshake_http_limit_us (DetourHandshake *self)
{
  const DetourHandshakePoolLimits *limits = &self->thread->limits;
  gint64 now_us = detour_handshake_now_us (self);

  if ((self->state == DETOUR_HANDSHAKE_RECORD || self->state == DETOUR_HANDSHAKE_HELLO)
      && limits->http_time_us > 0)
    self->http_until_us = now_us + limits->http_time_us;
  if (self->http_until_us == 0)
    return limits->handshake_timeout_us;
  return CLAMP (self->http_until_us - now_us, 1, limits->handshake_timeout_us);
}

static void
handshake_start_limit (DetourHandshake *self, DetourHandshakeLimit limit)
{
  DetourWheel *wheel = detour_loop_wheel (self->thread->loop);
  gint64 after_us = 0;

  switch (limit)
    {
    case DETOUR_HANDSHAKE_LIMIT_SAME:
      return;
    case DETOUR_HANDSHAKE_LIMIT_NONE:
      break;
    case DETOUR_HANDSHAKE_LIMIT_FIRST_WORD:
      after_us = MIN (FIRST_WORD_US, self->thread->limits.handshake_timeout_us);
      break;
    case DETOUR_HANDSHAKE_LIMIT_HANDSHAKE:
      after_us = handshake_http_limit_us (self);
      break;
    case DETOUR_HANDSHAKE_LIMIT_ANSWER:
      after_us = ANSWER_US;
      break;
    case DETOUR_HANDSHAKE_LIMIT_LINGER:
      after_us = LINGER_US;
      break;
    case DETOUR_HANDSHAKE_LIMIT_LOGIN:
      after_us = self->thread->limits.login_timeout_us;
      break;
    case DETOUR_HANDSHAKE_LIMIT_HOLD:
      after_us = self->thread->refuse_hold_us;
      break;
    }
  if (after_us > 0)
    detour_wheel_set (wheel, &self->timer, detour_handshake_now_us (self) + after_us);
  else
    detour_wheel_clear (wheel, &self->timer);
}

static gboolean
handshake_is_in_backlog (DetourHandshakeList list)
{
  return list == DETOUR_HANDSHAKE_LIST_WAITING || list == DETOUR_HANDSHAKE_LIST_HALF_OPEN;
}

/* With the lock. Ends the first @n of @queue, or all where there are fewer. */
static void
handshake_end_first (GQueue *queue, guint n)
{
  GList *link = queue->head;

  for (guint i = 0; i < n && link != NULL; i++, link = link->next)
    {
      DetourHandshake *oldest = link->data;

      detour_handshake_pool_decide (oldest->thread, &oldest->decided_link, oldest);
    }
}

/* With the lock. A proxy says at once whose connection it is, so those that have waited longest for
 * that make room. */
static void
handshake_begin_preface (DetourHandshake *self)
{
  DetourHandshakeGate *gate = self->gate;

  self->held_link.data = self;
  g_queue_push_tail_link (&gate->prefaces, &self->held_link);
  if (gate->prefaces.length > gate->prefaces_max)
    handshake_end_first (&gate->prefaces, gate->prefaces.length - gate->prefaces_max);
}

void
detour_handshake_pool_shorten_held (DetourHandshakePool *self, guint64 n_bytes_more)
{
  guint length = self->held.length;
  guint n_too_many = length > self->held_max ? length - self->held_max : 0;
  guint64 n_bytes = __atomic_load_n (&self->held_bytes, __ATOMIC_RELAXED) + n_bytes_more;

  /* As many as hold what is too much, if all hold the same. */
  if (self->held_bytes_max > 0 && n_bytes > self->held_bytes_max)
    n_too_many = MAX (n_too_many, length - (guint) (length * self->held_bytes_max / n_bytes));
  handshake_end_first (&self->held, n_too_many);
}

/* With the lock. The ones that have been held longest make room. */
static void
handshake_hold (DetourHandshake *self)
{
  DetourHandshakePool *pool = self->thread->pool;

  self->held_link.data = self;
  g_queue_push_tail_link (&pool->held, &self->held_link);
  detour_handshake_pool_shorten_held (pool, self->n_bytes);
}

/* A place in the backlog is given by the backlog; what the connection does with it is in the row of
 * its state. */
static void
handshake_change_lists (DetourHandshake *self, const DetourHandshakeRow *row, gboolean ends)
{
  DetourHandshakePool *pool = self->thread->pool;
  DetourHandshakeList list = detour_handshake_row (self->state)->list;

  if (!ends && row->stage == DETOUR_HALF_OPEN_NONE && row->list == list)
    return;
  detour_handshake_pool_lock (pool);
  if (handshake_is_in_backlog (list) && !handshake_is_in_backlog (row->list))
    detour_half_open_leave (self->gate->backlog, &self->place, detour_handshake_now_us (self));
  if (row->stage != DETOUR_HALF_OPEN_NONE)
    detour_half_open_advance (self->gate->backlog, &self->place, row->stage,
                              detour_handshake_now_us (self));
  if (list != row->list && list == DETOUR_HANDSHAKE_LIST_PREFACE)
    g_queue_unlink (&self->gate->prefaces, &self->held_link);
  if (list != row->list && row->list == DETOUR_HANDSHAKE_LIST_PREFACE)
    handshake_begin_preface (self);
  if (list != row->list && list == DETOUR_HANDSHAKE_LIST_HELD)
    g_queue_unlink (&pool->held, &self->held_link);
  if (list != row->list && row->list == DETOUR_HANDSHAKE_LIST_HELD)
    handshake_hold (self);
  if (ends && self->decided_link.data != NULL)
    g_queue_unlink (&self->thread->decided, &self->decided_link);
  detour_handshake_pool_unlock (pool);
}

/* What an array has, which is a power of two. */
static gsize
handshake_array_bytes (const GByteArray *array)
{
  return array->len > 0 ? (gsize) 1 << g_bit_storage (array->len - 1) : 0;
}

/* Counts the memory that the connection holds. */
void
detour_handshake_weigh (DetourHandshake *self)
{
  const DetourHandshakeRow *row = detour_handshake_row (self->state);
  gboolean is_held = row->list == DETOUR_HANDSHAKE_LIST_HELD;
  guint64 *account = is_held ? &self->thread->pool->held_bytes : &self->gate->n_bytes;

  if (self->account != NULL)
    __atomic_fetch_sub (self->account, self->n_bytes, __ATOMIC_RELAXED);
  self->account = row->list != DETOUR_HANDSHAKE_LIST_NONE ? account : NULL;
  /* A connection that was closed has no channel any more. */
  if (self->account == NULL)
    return;
  self->n_bytes = sizeof *self + SMALL_BYTES + handshake_array_bytes (self->plain)
                + handshake_array_bytes (self->out)
                + (detour_channel_is_plain (&self->channel) ? 0 : row->channel_bytes);
  __atomic_fetch_add (self->account, self->n_bytes, __ATOMIC_RELAXED);
}

void
detour_handshake_enter (DetourHandshake *self, DetourHandshakeState next)
{
  const DetourHandshakeRow *row = detour_handshake_row (next);
  /* Both are parts of one handshake. */
  gboolean goes_on = self->state == DETOUR_HANDSHAKE_HELLO && next == DETOUR_HANDSHAKE_RECORD;

  g_assert (detour_loop_is_current (self->thread->loop));
  g_assert (detour_handshake_may_follow (self->state, next));

  handshake_change_lists (self, row, next == DETOUR_HANDSHAKE_CLOSED);
  detour_turns_remove (self->thread->turns, &self->turn);
  self->state = next;
  if (next == DETOUR_HANDSHAKE_NEXT)
    detour_handshake_pool_take_turns (self->thread, &self->turn, &self->address_key, self);
  handshake_start_limit (self, goes_on ? DETOUR_HANDSHAKE_LIMIT_SAME : row->limit);
  if (next == DETOUR_HANDSHAKE_CLOSED)
    detour_loop_remove (self->thread->loop, &self->io);
  else
    detour_handshake_watch (self);
  detour_handshake_weigh (self);
}

/* Time ----------------------------------------------------------------------------------------- */

void
detour_handshake_on_timer (DetourTimer *timer)
{
  DetourHandshake *self = (DetourHandshake *) (gpointer) ((guint8 *) timer
                                                          - G_STRUCT_OFFSET (DetourHandshake,
                                                                             timer));

  if (self->state == DETOUR_HANDSHAKE_PENDING)
    {
      detour_handshake_answer_in_its_place (self);
      return;
    }
  detour_handshake_close (self, self->state == DETOUR_HANDSHAKE_LINGERING
                                    ? self->parting
                                    : detour_handshake_row (self->state)->reason);
}

/* The beginning -------------------------------------------------------------------------------- */

/* FALSE: the transport would not have it. */
static gboolean
handshake_make_channel (DetourHandshake *self)
{
  DetourAccepted accepted = { .peer = self->peer, .listener = self->listener->instance };
  socklen_t len = sizeof accepted.local;

  if (self->listener->channel == NULL)
    return TRUE;
  if (getsockname (self->io.fd, (struct sockaddr *) &accepted.local, &len) < 0)
    return FALSE;
  self->channel.self = self->listener->accept (self->listener->user, &accepted);
  if (self->channel.self == NULL)
    return FALSE;
  self->channel.cls = self->listener->channel;
  return TRUE;
}

void
detour_handshake_begin_record (DetourHandshake *self)
{
  detour_handshake_enter (self, DETOUR_HANDSHAKE_RECORD);
  if (!handshake_make_channel (self))
    {
      detour_handshake_close (self, DETOUR_CLOSE_HANDSHAKE);
      return;
    }
  detour_handshake_take_kept (self);
}

/* It has a place. Bytes that are here already came behind a header, or in place of one. */
static void
handshake_begin (DetourHandshake *self)
{
  if (self->listener->forward == NULL)
    {
      detour_handshake_begin_record (self);
      return;
    }
  detour_handshake_enter (self, DETOUR_HANDSHAKE_HELLO);
  if (self->plain->len > 0)
    detour_handshake_look_at_hello (self);
}

void
detour_handshake_on_decision (DetourHandshake *self)
{
  DetourHandshakePool *pool = self->thread->pool;
  DetourHalfOpenStage stage;

  detour_handshake_pool_lock (pool);
  stage = self->place.stage;
  detour_handshake_pool_unlock (pool);

  if (detour_handshake_row (self->state)->list == DETOUR_HANDSHAKE_LIST_HELD)
    detour_handshake_close (self, DETOUR_CLOSE_REFUSED);
  else if (stage == DETOUR_HALF_OPEN_NONE)
    detour_handshake_close (self, DETOUR_CLOSE_LIMIT);
  else if (self->state == DETOUR_HANDSHAKE_WAITING && stage == DETOUR_HALF_OPEN_FIRST)
    handshake_begin (self);
}

void
detour_handshake_arrive (DetourHandshake *self)
{
  DetourHandshakeThread *thread = self->thread;
  gboolean has_place;

  detour_handshake_pool_lock (thread->pool);
  has_place = detour_half_open_arrive (self->gate->backlog, &self->place, &self->address_key,
                                       detour_loop_now_us (thread->loop));
  if (has_place && self->plain->len > 0)
    detour_half_open_heard (self->gate->backlog, &self->place, detour_loop_now_us (thread->loop));
  detour_handshake_pool_unlock (thread->pool);
  if (has_place)
    {
      handshake_begin (self);
      return;
    }
  detour_counter_add (&thread->counters.waited, 1);
  detour_handshake_enter (self, DETOUR_HANDSHAKE_UNHEARD);
  if (self->plain->len > 0)
    detour_handshake_enter (self, DETOUR_HANDSHAKE_WAITING);
  detour_handshake_pool_look_later (thread);
}

gboolean
detour_handshake_set_client (DetourHandshake *self, const struct sockaddr_storage *client)
{
  DetourHandshakePool *pool = self->thread->pool;
  DetourAddressKey key = detour_address_key_of ((const struct sockaddr *) client);
  gboolean has_place;

  if (self->proxy == NULL)
    self->proxy = g_memdup2 (&self->peer, sizeof self->peer);
  self->peer = *client;
  self->address_key = key;
  detour_address_counts_leave (pool->parts.addresses, &self->counted);
  detour_handshake_pool_lock (pool);
  has_place = detour_half_open_rename (self->gate->backlog, &self->place, &key,
                                       detour_handshake_now_us (self));
  detour_handshake_pool_unlock (pool);
  if (detour_handshake_is_banned (self->thread, self->listener, client))
    {
      detour_counter_add (&self->thread->counters.banned, 1);
      detour_handshake_close (self, DETOUR_CLOSE_REFUSED);
      return FALSE;
    }
  if (has_place
      && detour_address_counts_enter (pool->parts.addresses, (const struct sockaddr *) client,
                                      self->thread->limits.connections_per_source, &self->counted))
    return TRUE;
  detour_handshake_close (self, DETOUR_CLOSE_LIMIT);
  return FALSE;
}

void
detour_handshake_tell_proxy (DetourHandshakeThread *thread, const DetourListener *listener,
                             const struct sockaddr_storage *peer, int fd, const char *why)
{
  GLogLevelFlags level = detour_log_limit_level (&thread->proxy_refusals,
                                                 detour_loop_now_us (thread->loop));
  struct sockaddr_storage local = { 0 };
  socklen_t len = sizeof local;
  char address[DETOUR_ADDRESS_TEXT_MAX];

  if (!detour_log_wants (level))
    return;
  /* A peer on a Unix socket has no address; that of the socket itself tells which one it is. */
  if (peer->ss_family == AF_UNIX && getsockname (fd, (struct sockaddr *) &local, &len) == 0)
    peer = &local;
  detour_address_format ((const struct sockaddr *) peer, address);
  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "proxy-refused", DETOUR_LOG_ADDRESS,
                    address, DETOUR_LOG_LISTENER, listener->instance, DETOUR_LOG_REASON, why,
                    "MESSAGE", "%s: connection of %s closed: %s", listener->instance, address, why);
}

void
detour_handshake_new (DetourHandshakeThread *thread, DetourListener *listener,
                      DetourHandshakeGate *gate, int fd, const struct sockaddr_storage *peer,
                      const DetourAddressKey *counted, gboolean is_trusted)
{
  DetourHandshake *self = g_new0 (DetourHandshake, 1);

  self->io = (DetourIo) { detour_handshake_on_ready, fd, EPOLLIN };
  self->thread = thread;
  self->listener = detour_listener_ref (listener);
  self->gate = gate;
  self->channel.cls = &detour_channel_plain;
  self->peer = *peer;
  self->is_trusted = is_trusted;
  if (!is_trusted)
    self->address_key = detour_address_key_of ((const struct sockaddr *) peer);
  self->counted = *counted;
  self->number = __atomic_add_fetch (&thread->pool->n_connections, 1, __ATOMIC_RELAXED);
  self->accepted_us = detour_loop_now_us (thread->loop);
  self->link.data = self;
  self->plain = g_byte_array_new ();
  self->out = g_byte_array_new ();
  detour_http_head_init (&self->head);
  g_queue_push_tail_link (&thread->handshakes, &self->link);
  thread->peak = MAX (thread->peak, thread->handshakes.length);

  if (!detour_loop_add (thread->loop, &self->io))
    {
      detour_handshake_close (self, DETOUR_CLOSE_HANDSHAKE);
      return;
    }
  if (!is_trusted || listener->proxy_protocol == DETOUR_PROXY_OFF)
    {
      detour_handshake_arrive (self);
      return;
    }
  detour_handshake_enter (self, DETOUR_HANDSHAKE_PROXY);
  /* A proxy sends the header with the connection, so it is there in most cases. */
  detour_handshake_look_for_header (self);
}

/* What the backlog decides. With the lock, on any thread --------------------------------------- */

static DetourHandshake *
handshake_of_place (DetourHalfOpenEntry *entry)
{
  return (DetourHandshake *) (gpointer) ((guint8 *) entry
                                         - G_STRUCT_OFFSET (DetourHandshake, place));
}

static void
handshake_on_place (DetourHalfOpenEntry *entry, gpointer user)
{
  DetourHandshake *self = handshake_of_place (entry);

  detour_handshake_pool_decide (self->thread, &self->decided_link, self);
}

/* The descriptor is open: it is closed by its thread, and after it has left the backlog. */
static gboolean
handshake_on_evicted (DetourHalfOpenEntry *entry, gpointer user)
{
  DetourHandshake *self = handshake_of_place (entry);
  char byte;

  if (detour_half_open_may_have_unread (entry->stage)
      && recv (self->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
    return FALSE;
  detour_handshake_pool_decide (self->thread, &self->decided_link, self);
  return TRUE;
}

static gboolean
handshake_has_room (gpointer user)
{
  return detour_handshake_gate_has_room (user);
}

const DetourHalfOpenFuncs detour_handshake_half_open_funcs = {
  .begin = handshake_on_place,
  .evict = handshake_on_evicted,
  .has_room = handshake_has_room,
};
