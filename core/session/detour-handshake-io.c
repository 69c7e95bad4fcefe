/* detour-handshake-io.c: bytes of a connection before it is registered: read, given to the phase
 * of its state, and written.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-private.h"

#include "detour-channel-stack.h"
#include "detour-hello-name.h"
#include "detour-http-exchange.h"
#include "detour-proxy-header.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Output --------------------------------------------------------------------------------------- */

/* Output of this length may wait for a peer without a look at the memory that is left. */
#define KEEP_MAX (64u * 1024)
/* The same of input whose request or login is not complete: no client that means to log in has a
 * longer head. */
#define UNFINISHED_MAX 4096u

static void handshake_io_run (DetourHandshake *self);

static void
handshake_io_was_told (DetourHandshake *self)
{
  DetourHandshakePool *pool = self->thread->pool;

  if (detour_handshake_row (self->state)->list != DETOUR_HANDSHAKE_LIST_HALF_OPEN)
    return;
  detour_handshake_pool_lock (pool);
  detour_half_open_told (self->gate->backlog, &self->place, detour_handshake_now_us (self));
  detour_handshake_pool_unlock (pool);
}

/* FALSE: closed. */
static gboolean
handshake_io_flush_out (DetourHandshake *self)
{
  gsize len = self->out->len;

  self->is_touched |= len > 0;
  while (self->out->len > 0)
    {
      gssize n = send (self->io.fd, self->out->data, self->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno != EAGAIN)
        {
          detour_handshake_close (self, DETOUR_CLOSE_WRITE);
          return FALSE;
        }
      if (n < 0)
        break;
      g_byte_array_remove_range (self->out, 0, (guint) n);
    }
  if (self->out->len < len)
    handshake_io_was_told (self);
  detour_handshake_watch (self);
  return TRUE;
}

/* A long answer to a peer that does not read is kept only while there is memory for it. */
static gboolean
handshake_io_may_keep (DetourHandshake *self)
{
  if (self->out->len <= KEEP_MAX)
    return TRUE;
  detour_handshake_weigh (self);
  return detour_handshake_gate_has_room (self->gate);
}

/* Seals and sends; what the socket does not take waits in `out`. FALSE: closed. */
static gboolean
handshake_io_put (DetourHandshake *self, const guint8 *data, gsize len)
{
  DetourBuffer *out = &self->thread->out;

  do
    {
      struct iovec span = { (void *) data, MIN (len, DETOUR_CHANNEL_RECORD_MAX) };

      out->len = 0;
      if (!detour_channel_seal (&self->channel, &span, span.iov_len > 0 ? 1 : 0, out))
        {
          detour_handshake_close (self, DETOUR_CLOSE_RECORD);
          return FALSE;
        }
      g_byte_array_append (self->out, out->data, (guint) out->len);
      data += span.iov_len;
      len -= span.iov_len;
    }
  while (len > 0);
  if (!handshake_io_flush_out (self))
    return FALSE;
  if (handshake_io_may_keep (self))
    return TRUE;
  detour_handshake_close (self, DETOUR_CLOSE_LIMIT);
  return FALSE;
}

/* Phases. Each is given the bytes that are there, and its verdict is carried out. The functions
 * give FALSE when the connection was closed or has to wait. */

/* Puts a channel over the one that is there. The bytes behind the request are its first ones. */
static gboolean
handshake_io_put_over (DetourHandshake *self, DetourChannel upper)
{
  GByteArray *reply = self->thread->reply;
  gsize cap = self->plain->len + DETOUR_CHANNEL_FEED_SLACK;
  g_autofree guint8 *room = self->plain->len > 0 ? g_malloc (cap) : NULL;
  DetourBuffer plain = { room, 0, cap };
  DetourChannelResult result = DETOUR_CHANNEL_OK;
  gboolean answers = FALSE;

  detour_channel_stack_push (&self->channel, upper);
  if (self->plain->len > 0)
    result = detour_channel_feed (&upper, self->plain->data, self->plain->len, &plain, &answers);
  g_byte_array_set_size (self->plain, 0);
  g_byte_array_append (self->plain, plain.data, (guint) plain.len);
  g_byte_array_set_size (reply, 0);
  detour_handshake_http_greet (&self->thread->pool->parts.server_key, reply);
  if (!handshake_io_put (self, reply->data, reply->len))
    return FALSE;
  if (result == DETOUR_CHANNEL_OK)
    return TRUE;
  detour_handshake_close (self, result == DETOUR_CHANNEL_CLOSED ? DETOUR_CLOSE_PEER
                                                                : DETOUR_CLOSE_RECORD);
  return FALSE;
}

/* The connection has answered as many requests as it may. */
static gboolean
handshake_io_is_last (const DetourHandshake *self, guint n_requests)
{
  guint most = self->thread->limits.http_requests;

  return most > 0 && n_requests >= most;
}

/* TRUE: the connection was given away, or closed. */
static gboolean
handshake_io_begin_tunnel (DetourHandshake *self, DetourHttpExchange *exchange)
{
  static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n";
  DetourHttpTunnel tunnel;

  if (!detour_http_response_take_tunnel (detour_http_exchange_answer (exchange), &tunnel))
    return FALSE;
  if (handshake_io_put (self, (const guint8 *) answer, strlen (answer)))
    detour_handshake_tunnel (self, &tunnel,
                             detour_http_request_path (detour_http_exchange_request (exchange)));
  else
    {
      close (tunnel.fd);
      tunnel.ended (tunnel.user);
    }
  return TRUE;
}

/* The answer that a route owed is there. */
static gboolean
handshake_io_run_pending (DetourHandshake *self)
{
  g_autoptr (DetourHttpExchange) exchange = g_steal_pointer (&self->exchange);
  GByteArray *reply = self->thread->reply;
  DetourHandshakeState next;

  detour_http_exchange_leave (exchange);
  if (handshake_io_begin_tunnel (self, exchange))
    return FALSE;
  g_byte_array_set_size (reply, 0);
  next = detour_handshake_http_answer_later (
      exchange, handshake_io_is_last (self, self->n_requests), g_get_real_time (), reply);
  detour_handshake_enter (self, next);
  return handshake_io_put (self, reply->data, reply->len);
}

static void
handshake_io_on_answer (DetourLoop *loop, gpointer data)
{
  g_autoptr (DetourHttpExchange) exchange = data;
  DetourHandshake *self = detour_http_exchange_user (exchange);

  /* The connection may have ended while the word was on its way. */
  if (self != NULL && handshake_io_run_pending (self))
    handshake_io_run (self);
}

/* Any thread. */
static void
handshake_io_pass_on (DetourHttpExchange *exchange, gpointer user)
{
  DetourHandshake *self = user;

  detour_loop_post (self->thread->loop, handshake_io_on_answer,
                    detour_http_exchange_ref (exchange));
}

void
detour_handshake_answer_in_its_place (DetourHandshake *self)
{
  detour_http_exchange_cancel (self->exchange, 504, "The answer takes too long");
}

void
detour_handshake_drop_exchange (DetourHandshake *self)
{
  if (self->exchange == NULL)
    return;
  detour_http_exchange_leave (self->exchange);
  g_clear_pointer (&self->exchange, detour_http_exchange_unref);
}

static gboolean
handshake_io_run_head (DetourHandshake *self)
{
  DetourHandshakeThread *thread = self->thread;
  const DetourHandshakePoolParts *parts = &thread->pool->parts;
  DetourHandshakeContext context = {
    .routes = parts->routes,
    .server_key = &parts->server_key,
    .peer = &self->peer,
    .flags = self->listener->flags,
    .proxies = self->is_trusted && self->listener->real_ip_header != NULL ? self->listener : NULL,
    .is_last = handshake_io_is_last (self, self->n_requests + 1),
    .real_us = g_get_real_time (),
  };
  DetourHandshakeVerdict verdict;

  g_byte_array_set_size (thread->reply, 0);
  verdict = detour_handshake_http_read (&self->head, self->plain->data, self->plain->len, &context,
                                        thread->reply, &self->upgrade);
  if (verdict.next == DETOUR_HANDSHAKE_HEAD)
    return FALSE;
  g_byte_array_remove_range (self->plain, 0, (guint) verdict.used);
  self->n_requests++;
  self->parting = verdict.reason;
  detour_counter_add (&thread->counters.requests, 1);
  if (verdict.next == DETOUR_HANDSHAKE_LOGIN)
    detour_counter_add (&thread->counters.derp, 1);
  if (verdict.next == DETOUR_HANDSHAKE_LOGIN && verdict.peer.ss_family != AF_UNSPEC
      && !detour_handshake_set_client (self, &verdict.peer))
    {
      detour_channel_clear (&verdict.upper);
      return FALSE;
    }
  detour_handshake_enter (self, verdict.next);
  if (verdict.next == DETOUR_HANDSHAKE_PENDING)
    {
      self->exchange = verdict.exchange;
      detour_http_exchange_count (self->exchange, self->gate->requests);
      return !detour_http_exchange_wait (self->exchange, handshake_io_pass_on, self)
          && handshake_io_run_pending (self);
    }
  if (!handshake_io_put (self, thread->reply->data, thread->reply->len))
    {
      detour_channel_clear (&verdict.upper);
      return FALSE;
    }
  return verdict.upper.cls == NULL || handshake_io_put_over (self, verdict.upper);
}

static gboolean
handshake_io_run_login (DetourHandshake *self)
{
  DetourHandshakeThread *thread = self->thread;
  DetourHandshakeVerdict verdict = detour_handshake_login_read (
      self->plain->data, self->plain->len, thread->pool->parts.server_secret,
      thread->has_mesh_key ? thread->mesh_key : NULL, &self->login);

  if (verdict.next == DETOUR_HANDSHAKE_CLOSED)
    {
      g_debug ("login refused: %s", verdict.why);
      detour_handshake_close (self, verdict.reason);
    }
  else if (verdict.next == DETOUR_HANDSHAKE_ASKING)
    {
      detour_counter_add (&thread->counters.logins, 1);
      g_byte_array_remove_range (self->plain, 0, (guint) verdict.used);
      detour_handshake_ask (self);
    }
  return FALSE;
}

/* Once the response is sent, another request may follow, or the connection ends. */
static gboolean
handshake_io_run_answered (DetourHandshake *self)
{
  if (self->out->len > 0)
    return FALSE;
  if (self->state == DETOUR_HANDSHAKE_PARTING)
    {
      if (!detour_handshake_say_goodbye (self))
        {
          detour_handshake_close (self, DETOUR_CLOSE_WRITE);
          return FALSE;
        }
      detour_handshake_enter (self, DETOUR_HANDSHAKE_LINGERING);
      shutdown (self->io.fd, SHUT_WR);
      return FALSE;
    }
  detour_http_head_init (&self->head);
  detour_handshake_enter (self,
                          self->plain->len > 0 ? DETOUR_HANDSHAKE_NEXT : DETOUR_HANDSHAKE_IDLE);
  return FALSE;
}

/* Goes on as far as the bytes that are there allow. */
static void
handshake_io_run (DetourHandshake *self)
{
  gboolean goes_on = TRUE;

  while (goes_on)
    switch (self->state)
      {
      case DETOUR_HANDSHAKE_IDLE:
        goes_on = self->plain->len > 0;
        if (goes_on)
          detour_handshake_enter (self, DETOUR_HANDSHAKE_HEAD);
        break;
      case DETOUR_HANDSHAKE_HEAD:
        goes_on = handshake_io_run_head (self);
        break;
      case DETOUR_HANDSHAKE_ANSWERING:
      case DETOUR_HANDSHAKE_PARTING:
        goes_on = handshake_io_run_answered (self);
        break;
      case DETOUR_HANDSHAKE_LOGIN:
        goes_on = handshake_io_run_login (self);
        break;
      default:
        goes_on = FALSE;
        break;
      }
  detour_handshake_weigh (self);
}

/* Input ---------------------------------------------------------------------------------------- */

/* Places are given while there is memory, but a connection with a place goes on to grow. */
static gboolean
handshake_io_may_grow (DetourHandshake *self)
{
  if (self->plain->len <= UNFINISHED_MAX)
    return TRUE;
  detour_handshake_weigh (self);
  return detour_handshake_gate_has_room (self->gate);
}

/* Opens what came into `plain`; FALSE: closed. */
static gboolean
handshake_io_open_bytes (DetourHandshake *self, const guint8 *data, gsize len)
{
  DetourBuffer *plain = &self->thread->plain;
  gboolean reply = FALSE;
  DetourChannelResult result;

  if (len == 0)
    return TRUE;
  plain->len = 0;
  result = detour_channel_feed (&self->channel, data, len, plain, &reply);
  g_byte_array_append (self->plain, plain->data, (guint) plain->len);
  if (reply && !handshake_io_put (self, NULL, 0))
    return FALSE;
  if (result != DETOUR_CHANNEL_OK)
    {
      detour_handshake_close (self, result == DETOUR_CHANNEL_CLOSED ? DETOUR_CLOSE_PEER
                                                                    : DETOUR_CLOSE_RECORD);
      return FALSE;
    }
  return TRUE;
}

/* FALSE: closed, or the handshake wants more. */
static gboolean
handshake_io_run_record (DetourHandshake *self, const guint8 *data, gsize len)
{
  DetourHandshakeThread *thread = self->thread;
  gint64 start_us = g_get_monotonic_time ();
  DetourHandshakeVerdict verdict = detour_handshake_record_read (&self->channel, data, len,
                                                                 &thread->out, self->out);

  detour_counter_add (&thread->counters.handshake_us,
                      (guint64) (g_get_monotonic_time () - start_us));
  if (!handshake_io_flush_out (self))
    return FALSE;
  if (verdict.next == DETOUR_HANDSHAKE_CLOSED)
    {
      g_debug ("handshake: %s", verdict.why != NULL ? verdict.why : "failed");
      detour_handshake_close (self, verdict.reason);
    }
  if (verdict.next == DETOUR_HANDSHAKE_AWAITING)
    {
      g_debug ("handshake: waits for a certificate");
      g_byte_array_append (self->plain, data + verdict.used, (guint) (len - verdict.used));
      detour_handshake_enter (self, DETOUR_HANDSHAKE_AWAITING);
    }
  if (verdict.next != DETOUR_HANDSHAKE_HEAD)
    return FALSE;
  detour_handshake_enter (self, DETOUR_HANDSHAKE_HEAD);
  return handshake_io_open_bytes (self, data + verdict.used, len - verdict.used);
}

static void
handshake_io_take (DetourHandshake *self, const guint8 *data, gsize len)
{
  if (self->state == DETOUR_HANDSHAKE_RECORD ? handshake_io_run_record (self, data, len)
                                             : handshake_io_open_bytes (self, data, len))
    handshake_io_run (self);
  else
    detour_handshake_weigh (self);
  if ((self->state == DETOUR_HANDSHAKE_HEAD || self->state == DETOUR_HANDSHAKE_LOGIN)
      && !handshake_io_may_grow (self))
    detour_handshake_close (self, DETOUR_CLOSE_LIMIT);
}

/* Some channels need nothing of the peer, or speak first, so none are input as well. An empty text
 * and not NULL: nothing may be added to NULL, not even zero. */
void
detour_handshake_take_kept (DetourHandshake *self)
{
  g_autoptr (GByteArray) kept = g_steal_pointer (&self->plain);

  self->plain = g_byte_array_new ();
  handshake_io_take (self, kept->len > 0 ? kept->data : (const guint8 *) "", kept->len);
}

static void
handshake_io_was_heard (DetourHandshake *self)
{
  DetourHandshakePool *pool = self->thread->pool;

  detour_handshake_pool_lock (pool);
  detour_half_open_heard (self->gate->backlog, &self->place, detour_handshake_now_us (self));
  detour_handshake_pool_unlock (pool);
}

/* Reads at most @max bytes into the thread's buffer. 0: there are none yet, or the connection has
 * ended and was closed. */
static guint
handshake_io_receive (DetourHandshake *self, gsize max)
{
  gssize n = recv (self->io.fd, self->thread->in.data, max, MSG_DONTWAIT);

  self->is_touched |= n > 0;
  if (n > 0)
    return (guint) n;
  if (n == 0)
    detour_handshake_close (self, self->state == DETOUR_HANDSHAKE_LINGERING ? self->parting
                                                                            : DETOUR_CLOSE_PEER);
  else if (errno != EAGAIN && errno != EINTR)
    detour_handshake_close (self, DETOUR_CLOSE_RESET);
  return 0;
}

static void
handshake_io_read_some (DetourHandshake *self)
{
  const DetourBuffer *in = &self->thread->in;
  guint n = handshake_io_receive (self, in->cap);

  if (n == 0 || self->state == DETOUR_HANDSHAKE_LINGERING)
    return;
  handshake_io_was_heard (self);
  handshake_io_take (self, in->data, n);
}

/* State PROXY. What came behind the header is kept for the record layer. */
void
detour_handshake_look_for_header (DetourHandshake *self)
{
  DetourHandshakeThread *thread = self->thread;
  guint n = handshake_io_receive (self, DETOUR_PROXY_HEADER_MAX - self->plain->len);
  DetourHandshakeVerdict verdict;

  if (n == 0)
    return;
  g_byte_array_append (self->plain, thread->in.data, n);
  verdict = detour_handshake_proxy_read (self->plain->data, self->plain->len,
                                         self->listener->proxy_protocol);
  if (verdict.next == DETOUR_HANDSHAKE_CLOSED)
    {
      detour_handshake_tell_proxy (thread, self->listener, &self->peer, self->io.fd, verdict.why);
      detour_handshake_close (self, verdict.reason);
    }
  else if (verdict.next == DETOUR_HANDSHAKE_PROXY)
    detour_handshake_weigh (self);
  else
    {
      g_byte_array_remove_range (self->plain, 0, (guint) verdict.used);
      if (verdict.used > 0)
        detour_counter_add (&thread->counters.proxied, 1);
      if (verdict.peer.ss_family == AF_UNSPEC || detour_handshake_set_client (self, &verdict.peer))
        detour_handshake_arrive (self);
    }
}

void
detour_handshake_look_at_hello (DetourHandshake *self)
{
  DetourBuffer *room = &self->thread->out;
  DetourHandshakeVerdict verdict;

  g_assert (room->cap >= DETOUR_HELLO_NAME_MESSAGE_MAX);
  verdict = detour_handshake_hello_read (self->plain->data, self->plain->len,
                                         self->listener->forward, room->data);
  if (verdict.target != NULL)
    detour_handshake_forward (self, verdict.target);
  else if (verdict.next == DETOUR_HANDSHAKE_RECORD)
    detour_handshake_begin_record (self);
  else
    {
      detour_handshake_weigh (self);
      if (!handshake_io_may_grow (self))
        detour_handshake_close (self, DETOUR_CLOSE_LIMIT);
    }
}

static void
handshake_io_read_hello (DetourHandshake *self)
{
  const DetourBuffer *in = &self->thread->in;
  guint n = handshake_io_receive (self, in->cap);

  if (n == 0)
    return;
  handshake_io_was_heard (self);
  g_byte_array_append (self->plain, in->data, n);
  detour_handshake_look_at_hello (self);
}

static void
handshake_io_serve (DetourHandshake *self, guint32 events)
{
  if (events & EPOLLOUT)
    {
      if (!handshake_io_flush_out (self))
        return;
      handshake_io_run (self);
      if (self->state == DETOUR_HANDSHAKE_CLOSED)
        return;
    }
  if (self->state == DETOUR_HANDSHAKE_PROXY)
    detour_handshake_look_for_header (self);
  else if (self->state == DETOUR_HANDSHAKE_HELLO)
    handshake_io_read_hello (self);
  else if (self->state == DETOUR_HANDSHAKE_UNHEARD && events & EPOLLIN
           && (events & (EPOLLHUP | EPOLLERR)) == 0)
    detour_handshake_enter (self, DETOUR_HANDSHAKE_WAITING);
  else if (detour_handshake_reads (self->state) && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
    handshake_io_read_some (self);
  else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
    detour_handshake_close (self, DETOUR_CLOSE_PEER);
}

void
detour_handshake_on_ready (DetourLoop *loop, DetourIo *io, guint32 events)
{
  handshake_io_serve ((DetourHandshake *) io, events);
  detour_handshake_pool_give_way (detour_loop_user (loop));
}

void
detour_handshake_on_turn (DetourHandshake *self)
{
  detour_handshake_enter (self, DETOUR_HANDSHAKE_HEAD);
  handshake_io_run (self);
}
