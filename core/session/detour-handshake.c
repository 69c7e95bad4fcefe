/* detour-handshake.c: a connection from its acceptance to the moment it is registered, answered or
 * refused.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-private.h"

#include "detour-address.h"
#include "detour-log.h"

#include <errno.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Memory is given back after a time in which a thread had so many connections at once. */
#define STORM 256u

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
  detour_loop_modify (self->thread->loop, &self->io, events);
}

/* The limit of all requests together begins with the record layer's handshake. */
static gint64
handshake_http_limit_us (DetourHandshake *self)
{
  const DetourHandshakePoolLimits *limits = &self->thread->limits;
  gint64 now_us = detour_handshake_now_us (self);

  if (self->state == DETOUR_HANDSHAKE_RECORD && limits->http_time_us > 0)
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

/* With the lock. The ones that have been held longest make room. */
static void
handshake_hold (DetourHandshake *self)
{
  DetourHandshakePool *pool = self->thread->pool;
  guint64 n_bytes = __atomic_load_n (&pool->held_bytes, __ATOMIC_RELAXED) + self->n_bytes;
  guint n_too_many = pool->held.length >= pool->held_max ? pool->held.length + 1 - pool->held_max
                   : pool->held_bytes_max > 0 && n_bytes > pool->held_bytes_max ? 1
                                                                                : 0;
  GList *link;

  self->held_link.data = self;
  g_queue_push_tail_link (&pool->held, &self->held_link);
  link = pool->held.head;
  for (guint i = 0; i < n_too_many; i++, link = link->next)
    {
      DetourHandshake *oldest = link->data;

      detour_handshake_pool_decide (oldest->thread, &oldest->decided_link, oldest);
    }
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
  if (list != row->list && list == DETOUR_HANDSHAKE_LIST_HELD)
    g_queue_unlink (&pool->held, &self->held_link);
  if (list != row->list && row->list == DETOUR_HANDSHAKE_LIST_HELD)
    handshake_hold (self);
  if (ends && self->decided_link.data != NULL)
    g_queue_unlink (&self->thread->decided, &self->decided_link);
  detour_handshake_pool_unlock (pool);
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
  self->n_bytes = sizeof *self + self->plain->len + self->out->len
                + (detour_channel_is_plain (&self->channel) ? 0 : row->channel_bytes);
  __atomic_fetch_add (self->account, self->n_bytes, __ATOMIC_RELAXED);
}

void
detour_handshake_enter (DetourHandshake *self, DetourHandshakeState next)
{
  const DetourHandshakeRow *row = detour_handshake_row (next);

  g_assert (detour_loop_is_current (self->thread->loop));
  g_assert (detour_handshake_may_follow (self->state, next));

  handshake_change_lists (self, row, next == DETOUR_HANDSHAKE_CLOSED);
  detour_turns_remove (self->thread->turns, &self->turn);
  self->state = next;
  if (next == DETOUR_HANDSHAKE_NEXT)
    detour_handshake_pool_take_turns (self->thread, &self->turn, &self->address_key, self);
  handshake_start_limit (self, row->limit);
  if (next == DETOUR_HANDSHAKE_CLOSED)
    detour_loop_remove (self->thread->loop, &self->io);
  else
    detour_handshake_watch (self);
  detour_handshake_weigh (self);
}

/* The end -------------------------------------------------------------------------------------- */

/* Handshakes leave behind memory that the C library keeps, some 20 KB each, when many went on at a
 * time: what is left of a storm is given back when it is over. */
static void
handshake_give_memory_back (DetourHandshakeThread *thread)
{
  guint n_held;

  if (thread->peak < STORM)
    return;
  detour_handshake_pool_lock (thread->pool);
  n_held = thread->pool->held.length;
  detour_handshake_pool_unlock (thread->pool);
  if (thread->handshakes.length > n_held)
    return;
  thread->peak = 0;
#ifdef __GLIBC__
  malloc_trim (0);
#endif
}

static void
handshake_release (DetourLoop *loop, gpointer data)
{
  DetourHandshake *self = data;
  DetourHandshakeThread *thread = self->thread;

  g_byte_array_unref (self->plain);
  g_byte_array_unref (self->out);
  g_clear_pointer (&self->request, detour_auth_request_unref);
  detour_listener_unref (self->listener);
  g_free (self);
  handshake_give_memory_back (thread);
}

void
detour_handshake_retire (DetourHandshake *self)
{
  detour_handshake_stop_asking (self);
  detour_handshake_drop_exchange (self);
  detour_handshake_enter (self, DETOUR_HANDSHAKE_CLOSED);
  g_queue_unlink (&self->thread->handshakes, &self->link);
  detour_login_clear (&self->login);
  detour_loop_defer (self->thread->loop, handshake_release, self);
}

gboolean
detour_handshake_say_goodbye (DetourHandshake *self)
{
  DetourBuffer *out = &self->thread->out;

  if (!detour_handshake_row (self->state)->is_sealed || self->out->len > 0)
    return TRUE;
  out->len = 0;
  detour_channel_close (&self->channel, out);
  return out->len == 0 || send (self->io.fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static void
handshake_log_end (const DetourHandshake *self, DetourClose reason)
{
  GLogLevelFlags level = detour_close_is_noise (reason) ? G_LOG_LEVEL_DEBUG : G_LOG_LEVEL_INFO;
  char address[DETOUR_ADDRESS_TEXT_MAX];

  if (!detour_log_wants (level))
    return;
  detour_address_format ((const struct sockaddr *) &self->peer, address);
  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "handshake-end", DETOUR_LOG_ADDRESS,
                    address, DETOUR_LOG_LISTENER, self->listener->instance, DETOUR_LOG_REASON,
                    detour_close_name (reason), "MESSAGE",
                    "%s: connection closed before it was registered, %s", address,
                    detour_close_text (reason));
}

void
detour_handshake_close (DetourHandshake *self, DetourClose reason)
{
  detour_counter_add (&self->thread->counters.closed[reason], 1);
  handshake_log_end (self, reason);
  if (!detour_handshake_say_goodbye (self))
    g_debug ("no goodbye: %s", g_strerror (errno));
  detour_handshake_retire (self);
  close (self->io.fd);
  detour_channel_clear (&self->channel);
  detour_address_counts_leave (self->thread->pool->parts.addresses, &self->counted);
}

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

/* It has a place. */
static void
handshake_begin (DetourHandshake *self)
{
  detour_handshake_enter (self, DETOUR_HANDSHAKE_RECORD);
  if (!handshake_make_channel (self))
    {
      detour_handshake_close (self, DETOUR_CLOSE_HANDSHAKE);
      return;
    }
  /* Some channels need nothing of the peer, or speak first. An empty text and not NULL: nothing may
   * be added to NULL, not even zero. */
  detour_handshake_take (self, (const guint8 *) "", 0);
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
detour_handshake_new (DetourHandshakeThread *thread, DetourListener *listener,
                      DetourHandshakeGate *gate, int fd, const struct sockaddr_storage *peer,
                      const DetourAddressKey *counted)
{
  DetourHandshake *self = g_new0 (DetourHandshake, 1);
  gboolean has_place;

  self->io = (DetourIo) { detour_handshake_on_ready, fd, EPOLLIN };
  self->thread = thread;
  self->listener = detour_listener_ref (listener);
  self->gate = gate;
  self->channel.cls = &detour_channel_plain;
  self->peer = *peer;
  self->address_key = detour_address_key_of ((const struct sockaddr *) peer);
  self->counted = *counted;
  self->number = __atomic_add_fetch (&thread->pool->n_connections, 1, __ATOMIC_RELAXED);
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
  detour_handshake_pool_lock (thread->pool);
  has_place = detour_half_open_arrive (gate->backlog, &self->place, &self->address_key,
                                       detour_loop_now_us (thread->loop));
  detour_handshake_pool_unlock (thread->pool);
  if (has_place)
    {
      handshake_begin (self);
      return;
    }
  detour_counter_add (&thread->counters.waited, 1);
  detour_handshake_enter (self, DETOUR_HANDSHAKE_UNHEARD);
  detour_handshake_pool_look_later (thread);
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
