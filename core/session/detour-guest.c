/* detour-guest.c: one connection from its acceptance to the moment it is registered, answered or
 * refused.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-guest-private.h"

#include "detour-address.h"

#include <errno.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many guests at a time are a storm. */
#define STORM_GUESTS 256u

#define TO(state) (1u << DETOUR_GUEST_##state)

static const guint16 next_states[DETOUR_GUEST_N_STATES] = {
  [DETOUR_GUEST_WAITING] = TO (HANDSHAKE) | TO (CLOSED),
  [DETOUR_GUEST_HANDSHAKE] = TO (HEAD) | TO (CLOSED),
  [DETOUR_GUEST_HEAD] = TO (ANSWERING) | TO (LOGIN) | TO (CLOSED),
  [DETOUR_GUEST_ANSWERING] = TO (HEAD) | TO (LINGERING) | TO (CLOSED),
  [DETOUR_GUEST_LINGERING] = TO (CLOSED),
  [DETOUR_GUEST_LOGIN] = TO (ASKING) | TO (CLOSED),
  [DETOUR_GUEST_ASKING] = TO (HELD) | TO (CLOSED),
  [DETOUR_GUEST_HELD] = TO (ASKING) | TO (CLOSED),
};

void
detour_guest_set_state (DetourGuest *self, DetourGuestState next)
{
  g_assert (next_states[self->state] & (1u << next));
  self->state = next;
}

void
detour_guest_set_limit (DetourGuest *self, gint64 after_us)
{
  DetourWheel *wheel = detour_loop_wheel (self->thread->loop);

  if (after_us > 0)
    detour_wheel_set (wheel, &self->timer, detour_loop_now_us (self->thread->loop) + after_us);
  else
    detour_wheel_clear (wheel, &self->timer);
}

static gboolean
guest_reads (const DetourGuest *self)
{
  return self->state == DETOUR_GUEST_HANDSHAKE || self->state == DETOUR_GUEST_HEAD
      || self->state == DETOUR_GUEST_LOGIN || self->state == DETOUR_GUEST_LINGERING;
}

void
detour_guest_set_events (DetourGuest *self)
{
  guint32 events = EPOLLRDHUP;

  if (guest_reads (self))
    events = EPOLLIN;
  else if (self->state == DETOUR_GUEST_WAITING)
    events = self->has_spoken ? 0 : EPOLLIN; /* the end of what it says is no reason to go */
  if (self->out->len > 0)
    events |= EPOLLOUT;
  detour_loop_modify (self->thread->loop, &self->io, events);
}

void
detour_guest_leave_held (DetourGuest *self)
{
  g_queue_unlink (&self->thread->held, &self->queue_link);
  detour_handshake_pool_adjust (&self->thread->pool->n_held, -1);
}

/* The end -------------------------------------------------------------------------------------- */

/* Handshakes leave behind memory that the C library keeps, some 20 KB each, when many went on at a
 * time: what is left of a storm is given back when it is over. */
static void
guest_give_memory_back (DetourHandshakeThread *thread)
{
  if (thread->peak < STORM_GUESTS || thread->guests.length > thread->held.length)
    return;
  thread->peak = 0;
#ifdef __GLIBC__
  malloc_trim (0);
#endif
}

static void
guest_release_guest (DetourLoop *loop, gpointer data)
{
  DetourGuest *self = data;
  DetourHandshakeThread *thread = self->thread;

  g_byte_array_unref (self->plain);
  g_byte_array_unref (self->out);
  detour_listener_unref (self->listener);
  g_free (self);
  guest_give_memory_back (thread);
}

/* Takes the guest off the thread; descriptor, channel and source are the caller's business. */
void
detour_guest_retire (DetourGuest *self)
{
  if (self->state == DETOUR_GUEST_HELD)
    detour_guest_leave_held (self);
  if (self->state == DETOUR_GUEST_WAITING)
    detour_guest_leave_waiting (self);
  detour_guest_leave_half_open (self);
  detour_guest_drop_question (self);
  detour_guest_set_state (self, DETOUR_GUEST_CLOSED);
  detour_wheel_clear (detour_loop_wheel (self->thread->loop), &self->timer);
  detour_loop_remove (self->thread->loop, &self->io);
  g_queue_unlink (&self->thread->guests, &self->link);
  detour_login_clear (&self->login);
  detour_loop_defer (self->thread->loop, guest_release_guest, self);
}

/* A peer that gets no goodbye of its record layer takes the end for an attack. */
static void
guest_say_goodbye (DetourGuest *self)
{
  DetourBuffer *out = &self->thread->out;

  if (self->state == DETOUR_GUEST_WAITING || self->state == DETOUR_GUEST_HANDSHAKE
      || self->state == DETOUR_GUEST_LINGERING || self->out->len > 0)
    return;
  out->len = 0;
  detour_channel_close (&self->channel, out);
  if (out->len > 0 && send (self->io.fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    g_debug ("no goodbye: %s", g_strerror (errno));
}

void
detour_guest_close (DetourGuest *self, DetourClose reason)
{
  char address[DETOUR_ADDRESS_TEXT_MAX];

  detour_counter_add (&self->thread->counters.closed[reason], 1);
  detour_address_format ((struct sockaddr *) &self->peer, address);
  g_log_structured (
      G_LOG_DOMAIN, detour_close_is_noise (reason) ? G_LOG_LEVEL_DEBUG : G_LOG_LEVEL_INFO,
      DETOUR_LOG_ADDRESS, address, DETOUR_LOG_LISTENER, self->listener->instance, DETOUR_LOG_REASON,
      detour_close_name (reason), "MESSAGE", "%s: connection closed before it was registered, %s",
      address, detour_close_text (reason));

  guest_say_goodbye (self);
  detour_guest_retire (self);
  close (self->io.fd);
  detour_channel_clear (&self->channel);
  detour_sources_leave (self->thread->pool->parts.sources, &self->source);
}

/* Output --------------------------------------------------------------------------------------- */

/* FALSE: closed. */
static gboolean
guest_flush_out (DetourGuest *self)
{
  while (self->out->len > 0)
    {
      gssize n = send (self->io.fd, self->out->data, self->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno != EAGAIN)
        {
          detour_guest_close (self, DETOUR_CLOSE_WRITE);
          return FALSE;
        }
      if (n < 0)
        break;
      self->has_been_told = TRUE;
      g_byte_array_remove_range (self->out, 0, (guint) n);
    }
  detour_guest_set_events (self);
  return TRUE;
}

/* Seals and sends; FALSE: closed. */
gboolean
detour_guest_put (DetourGuest *self, const guint8 *data, gsize len)
{
  DetourBuffer *out = &self->thread->out;

  do
    {
      struct iovec span = { (void *) data, MIN (len, DETOUR_CHANNEL_RECORD_MAX) };

      out->len = 0;
      if (!detour_channel_seal (&self->channel, &span, span.iov_len > 0 ? 1 : 0, out))
        {
          detour_guest_close (self, DETOUR_CLOSE_RECORD);
          return FALSE;
        }
      g_byte_array_append (self->out, out->data, (guint) out->len);
      data += span.iov_len;
      len -= span.iov_len;
    }
  while (len > 0);
  return guest_flush_out (self);
}

/* Input ---------------------------------------------------------------------------------------- */

static void
guest_process (DetourGuest *self)
{
  gboolean goes_on = TRUE;

  while (goes_on)
    {
      if (self->state == DETOUR_GUEST_HEAD)
        goes_on = detour_guest_on_head (self);
      else if (self->state == DETOUR_GUEST_LOGIN)
        goes_on = detour_guest_on_login (self);
      else
        goes_on = FALSE;
    }
}

/* Opens what came into guest->plain; FALSE: closed. */
static gboolean
guest_open_bytes (DetourGuest *self, const guint8 *data, gsize len)
{
  DetourBuffer *plain = &self->thread->plain;
  gboolean reply = FALSE;
  DetourChannelResult result;

  if (len == 0)
    return TRUE;
  plain->len = 0;
  result = detour_channel_feed (&self->channel, data, len, plain, &reply);
  g_byte_array_append (self->plain, plain->data, (guint) plain->len);
  if (reply && !detour_guest_put (self, NULL, 0))
    return FALSE;
  if (result != DETOUR_CHANNEL_OK)
    {
      detour_guest_close (self, result == DETOUR_CHANNEL_CLOSED ? DETOUR_CLOSE_PEER
                                                                : DETOUR_CLOSE_RECORD);
      return FALSE;
    }
  return TRUE;
}

/* FALSE: closed, or the handshake wants more. */
static gboolean
guest_handshake (DetourGuest *self, const guint8 *data, gsize len)
{
  DetourHandshakeThread *thread = self->thread;
  DetourBuffer *out = &thread->out;
  DetourChannelResult result;
  const char *reason = NULL;
  gsize used = 0;
  gint64 start_us = g_get_monotonic_time ();

  do
    {
      gsize n = 0;

      out->len = 0;
      result = self->channel.cls->handshake (self->channel.self, data + used, len - used, &n, out,
                                             &reason);
      used += n;
      g_byte_array_append (self->out, out->data, (guint) out->len);
    }
  while (result == DETOUR_CHANNEL_MORE && used < len);
  detour_counter_add (&thread->counters.handshake_us,
                      (guint64) (g_get_monotonic_time () - start_us));

  if (!guest_flush_out (self))
    return FALSE;
  if (result == DETOUR_CHANNEL_MORE)
    return FALSE;
  if (result != DETOUR_CHANNEL_OK)
    {
      g_debug ("handshake: %s", reason != NULL ? reason : "failed");
      detour_guest_close (self, DETOUR_CLOSE_HANDSHAKE);
      return FALSE;
    }

  if (self->channel.cls->settle != NULL)
    self->channel.self = self->channel.cls->settle (self->channel.self, &self->channel.cls);
  detour_guest_set_state (self, DETOUR_GUEST_HEAD);
  return guest_open_bytes (self, data + used, len - used);
}

/* How a connection ends whose last answer was given. */
static DetourClose
guest_answered (const DetourGuest *self)
{
  return self->is_bad_head ? DETOUR_CLOSE_HEAD : DETOUR_CLOSE_SERVED;
}

static void
guest_read_some (DetourGuest *self)
{
  DetourBuffer *in = &self->thread->in;
  gssize n = recv (self->io.fd, in->data, in->cap, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0)
    {
      detour_guest_close (self, n < 0                                   ? DETOUR_CLOSE_RESET
                                : self->state == DETOUR_GUEST_LINGERING ? guest_answered (self)
                                                                        : DETOUR_CLOSE_PEER);
      return;
    }
  if (self->state == DETOUR_GUEST_LINGERING)
    return;
  detour_guest_note_activity (self);
  if (self->state == DETOUR_GUEST_HANDSHAKE ? guest_handshake (self, in->data, (gsize) n)
                                            : guest_open_bytes (self, in->data, (gsize) n))
    guest_process (self);
}

static void
guest_on_ready (DetourLoop *loop, DetourIo *io, guint32 events)
{
  DetourGuest *self = (DetourGuest *) io;

  if (events & EPOLLOUT)
    {
      if (!guest_flush_out (self))
        return;
      if (self->state == DETOUR_GUEST_ANSWERING && self->out->len == 0)
        {
          if (!detour_guest_after_answer (self))
            return;
          detour_guest_set_events (self);
          guest_process (self);
          if (self->state == DETOUR_GUEST_CLOSED)
            return;
        }
    }
  if (self->state == DETOUR_GUEST_WAITING && !self->has_spoken && events & EPOLLIN)
    detour_guest_speaks (self);
  else if (guest_reads (self) && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
    guest_read_some (self);
  else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
    detour_guest_close (self, DETOUR_CLOSE_PEER);
}

void
detour_guest_timer (DetourTimer *timer)
{
  static const DetourClose reasons[DETOUR_GUEST_N_STATES] = {
    [DETOUR_GUEST_WAITING] = DETOUR_CLOSE_LIMIT,
    [DETOUR_GUEST_HANDSHAKE] = DETOUR_CLOSE_HANDSHAKE_TIME,
    [DETOUR_GUEST_HEAD] = DETOUR_CLOSE_HANDSHAKE_TIME,
    [DETOUR_GUEST_ANSWERING] = DETOUR_CLOSE_WRITE_TIME,
    [DETOUR_GUEST_LOGIN] = DETOUR_CLOSE_LOGIN_TIME,
    [DETOUR_GUEST_HELD] = DETOUR_CLOSE_REFUSED,
  };
  DetourGuest *self = (DetourGuest *) (gpointer) ((guint8 *) timer
                                                  - G_STRUCT_OFFSET (DetourGuest, timer));

  detour_guest_close (self, self->state == DETOUR_GUEST_LINGERING ? guest_answered (self)
                                                                  : reasons[self->state]);
}

/* FALSE: the transport would not have it. */
static gboolean
guest_make_channel (DetourGuest *self)
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
detour_guest_begin (DetourGuest *self)
{
  detour_guest_set_state (self, DETOUR_GUEST_HANDSHAKE);
  if (!guest_make_channel (self))
    {
      detour_guest_close (self, DETOUR_CLOSE_HANDSHAKE);
      return;
    }
  detour_guest_set_limit (self, self->thread->limits.handshake_timeout_us);
  detour_guest_set_events (self);

  /* Some channels need nothing of the peer, or speak first. An empty text and not NULL: nothing may
   * be added to NULL, not even zero. */
  if (guest_handshake (self, (const guint8 *) "", 0))
    guest_process (self);
}

void
detour_guest_new (DetourHandshakeThread *thread, DetourListener *listener, int fd,
                  const struct sockaddr_storage *peer, DetourSource source)
{
  DetourGuest *self = g_new0 (DetourGuest, 1);

  self->io = (DetourIo) { guest_on_ready, fd, EPOLLIN };
  self->thread = thread;
  self->listener = detour_listener_ref (listener);
  self->channel.cls = &detour_channel_plain;
  self->peer = *peer;
  self->source = source;
  self->number = __atomic_add_fetch (&thread->pool->n_connections, 1, __ATOMIC_RELAXED);
  self->link.data = self;
  self->half_open_link.data = self;
  self->queue_link.data = self;
  self->plain = g_byte_array_new ();
  self->out = g_byte_array_new ();
  detour_http_head_init (&self->head);
  g_queue_push_tail_link (&thread->guests, &self->link);
  thread->peak = MAX (thread->peak, thread->guests.length);

  if (!detour_loop_add (thread->loop, &self->io))
    {
      detour_guest_set_state (self, DETOUR_GUEST_HANDSHAKE);
      detour_guest_close (self, DETOUR_CLOSE_HANDSHAKE);
    }
  else if (detour_guest_take_turn (self))
    detour_guest_begin (self);
}
