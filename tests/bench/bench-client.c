/* bench-client.c: one DERP client: connects, logs in, gives the frames that come.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-client.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BENCH_CLIENT_INFO     "{\"version\":2,\"CanAckPings\":true}"
#define BENCH_CLIENT_HEAD_MAX 8192u

static void bench_client_ready (BenchClient *self, guint32 events);

gboolean
bench_loop_init (BenchLoop *self, BenchTarget *target, const BenchClientFuncs *funcs, gpointer user,
                 GError **error)
{
  *self = (BenchLoop) { .target = target, .funcs = funcs, .user = user };
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (self->epoll_fd < 0)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_SYSTEM, "epoll_create1: %s", g_strerror (errno));
      return FALSE;
    }
  bench_room_init (&self->room);
  self->message = g_byte_array_new ();
  self->mask = g_random_int ();
  return TRUE;
}

void
bench_loop_clear (BenchLoop *self)
{
  close (self->epoll_fd);
  bench_room_clear (&self->room);
  g_byte_array_unref (self->message);
}

void
bench_loop_turn (BenchLoop *self, gint64 timeout_ns)
{
  struct epoll_event events[256];
  const struct timespec timeout = { .tv_sec = timeout_ns / G_GINT64_CONSTANT (1000000000),
                                    .tv_nsec = timeout_ns % G_GINT64_CONSTANT (1000000000) };
#ifdef __GLIBC__
  int n = epoll_pwait2 (self->epoll_fd, events, G_N_ELEMENTS (events), &timeout, NULL);
#else
  struct pollfd entry = { .fd = self->epoll_fd, .events = POLLIN };
  int n = ppoll (&entry, 1, &timeout, NULL) > 0
            ? epoll_wait (self->epoll_fd, events, G_N_ELEMENTS (events), 0)
            : 0;
#endif

  for (int i = 0; i < n; i++)
    bench_client_ready (events[i].data.ptr, events[i].events);
}

void
bench_client_init (BenchClient *self, BenchLoop *loop, guint index)
{
  self->loop = loop;
  self->index = index;
  self->wire.fd = -1;
  bench_client_renew (self);
}

void
bench_client_renew (BenchClient *self)
{
  g_assert (self->state == BENCH_CLIENT_CLOSED);
  crypto_box_keypair (self->key.bytes, self->secret);
  self->has_shared = FALSE;
}

void
bench_client_clear (BenchClient *self)
{
  bench_client_close (self, FALSE);
  sodium_memzero (self->secret, sizeof self->secret);
}

void
bench_client_close (BenchClient *self, gboolean reset)
{
  if (self->state == BENCH_CLIENT_CLOSED)
    return;
  bench_wire_close (&self->wire, reset);
  g_clear_pointer (&self->partial, g_byte_array_unref);
  self->state = BENCH_CLIENT_CLOSED;
}

static void
bench_client_fail (BenchClient *self, const char *why)
{
  BenchClientState before = self->state;

  if (before == BENCH_CLIENT_CLOSED)
    return;
  bench_client_close (self, FALSE);
  self->loop->funcs->closed (self, before, why, self->loop->user);
}

static void
bench_client_watch (BenchClient *self, guint32 events)
{
  struct epoll_event event = { .events = events, .data.ptr = self };

  if (events == self->events)
    return;
  self->events = events;
  if (epoll_ctl (self->loop->epoll_fd, EPOLL_CTL_MOD, self->wire.fd, &event) < 0)
    g_error ("epoll_ctl: %s", g_strerror (errno));
}

gboolean
bench_client_start (BenchClient *self, GError **error)
{
  struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = self };
  int fd = bench_target_connect (bench_target_of (self->loop->target, self->index), self->index);

  g_assert (self->state == BENCH_CLIENT_CLOSED);
  if (fd < 0 || epoll_ctl (self->loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_SYSTEM, "client %u: connect: %s", self->index,
                   g_strerror (errno));
      if (fd >= 0)
        close (fd);
      return FALSE;
    }
  bench_wire_start (&self->wire, &self->loop->room,
                    bench_target_of (self->loop->target, self->index), fd);
  self->events = event.events;
  self->websocket = (BenchWebsocket) { .begun = FALSE };
  self->state = BENCH_CLIENT_CONNECTING;
  self->started_us = g_get_monotonic_time ();
  return TRUE;
}

static gboolean
bench_client_write (BenchClient *self, const guint8 *data, gsize len)
{
  if (self->websocket.begun)
    {
      GByteArray *message = self->loop->message;

      g_byte_array_set_size (message, 0);
      bench_websocket_put (message, data, len, self->loop->mask += 0x9e3779b9u);
      data = message->data;
      len = message->len;
    }
  switch (bench_wire_write (&self->wire, data, len))
    {
    case BENCH_WIRE_OK:
      return TRUE;
    case BENCH_WIRE_AGAIN:
      bench_client_watch (self, self->events | EPOLLOUT);
      return TRUE;
    case BENCH_WIRE_CLOSED:
    default:
      bench_client_fail (self, self->wire.why);
      return FALSE;
    }
}

gboolean
bench_client_send (BenchClient *self, const guint8 *frames, gsize len)
{
  g_assert (self->state == BENCH_CLIENT_OPEN);
  return bench_client_write (self, frames, len);
}

void
bench_client_stall (BenchClient *self)
{
  g_assert (self->state == BENCH_CLIENT_OPEN);
  /* A reset is told all the same. */
  bench_client_watch (self, 0);
}

void
bench_client_resume (BenchClient *self)
{
  if (self->state == BENCH_CLIENT_OPEN)
    bench_client_watch (self, EPOLLIN);
}

/* Appends the ClientInfo frame. */
static gboolean
bench_client_put_login (BenchClient *self, GByteArray *out)
{
  const gsize text_len = sizeof BENCH_CLIENT_INFO - 1;
  guint8 frame[DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE + crypto_box_NONCEBYTES
               + crypto_box_MACBYTES + sizeof BENCH_CLIENT_INFO - 1];
  guint8 *nonce = frame + DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE;

  if (!self->has_shared
      && crypto_box_beforenm (self->shared,
                              bench_target_of (self->loop->target, self->index)->server_key.bytes,
                              self->secret)
             != 0)
    return FALSE;
  self->has_shared = TRUE;
  detour_frame_put_header (frame, DETOUR_FRAME_CLIENT_INFO,
                           sizeof frame - DETOUR_FRAME_HEADER_SIZE);
  memcpy (frame + DETOUR_FRAME_HEADER_SIZE, self->key.bytes, DETOUR_KEY_SIZE);
  randombytes_buf (nonce, crypto_box_NONCEBYTES);
  if (crypto_box_easy_afternm (nonce + crypto_box_NONCEBYTES, (const guint8 *) BENCH_CLIENT_INFO,
                               text_len, nonce, self->shared)
      != 0)
    return FALSE;
  g_byte_array_append (out, frame, sizeof frame);
  return TRUE;
}

static void
bench_client_now_open (BenchClient *self)
{
  self->state = BENCH_CLIENT_OPEN;
  self->opened_us = g_get_monotonic_time ();
  self->loop->funcs->opened (self, self->loop->user);
}

/* The channel is there: asks for DERP. */
static void
bench_client_request (BenchClient *self)
{
  BenchTarget *target = bench_target_of (self->loop->target, self->index);
  g_autofree char *head = NULL;
  g_autoptr (GByteArray) out = NULL;

  if (target->kind == BENCH_TARGET_RAW)
    {
      guint32 number = GUINT32_TO_BE (self->index);

      if (bench_client_write (self, (const guint8 *) &number, sizeof number))
        bench_client_now_open (self);
      return;
    }
  /* Real clients know the key from the certificates, hence over TLS only. */
  self->is_fast = target->has_server_key && target->kind == BENCH_TARGET_TLS
               && !target->is_websocket;
  head = g_strdup_printf (
      "GET /derp HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nConnection: Upgrade\r\n%s%s\r\n",
      target->host, self->is_fast ? "Derp-Fast-Start: 1\r\n" : "",
      target->is_websocket ? BENCH_WEBSOCKET_REQUEST : "Upgrade: DERP\r\n");
  out = g_byte_array_new ();
  g_byte_array_append (out, (const guint8 *) head, (guint) strlen (head));
  if (self->is_fast && !bench_client_put_login (self, out))
    {
      bench_client_fail (self, "the server key is no key");
      return;
    }
  self->state = self->is_fast ? BENCH_CLIENT_GREETING : BENCH_CLIENT_UPGRADE;
  bench_client_write (self, out->data, out->len);
}

/* The answer to the request; gives how many bytes of it were taken, 0 while it is not whole. */
static gsize
bench_client_take_head (BenchClient *self, const guint8 *data, gsize len)
{
  const char *end = memmem (data, len, "\r\n\r\n", 4);

  if (end == NULL)
    {
      if (len > BENCH_CLIENT_HEAD_MAX)
        bench_client_fail (self, "the server's answer has no end");
      return 0;
    }
  if (len < 12 || memcmp (data, "HTTP/1.1 101", 12) != 0)
    {
      bench_client_fail (self, "the server did not answer with 101");
      return 0;
    }
  self->state = BENCH_CLIENT_GREETING;
  return (gsize) (end - (const char *) data) + 4;
}

static void
bench_client_take_greeting (BenchClient *self, const DetourFrame *frame)
{
  BenchTarget *target = bench_target_of (self->loop->target, self->index);
  g_autoptr (GByteArray) out = NULL;

  if (frame->type != DETOUR_FRAME_SERVER_KEY
      || frame->len < DETOUR_FRAME_MAGIC_SIZE + DETOUR_KEY_SIZE
      || memcmp (frame->payload, DETOUR_FRAME_MAGIC, DETOUR_FRAME_MAGIC_SIZE) != 0)
    {
      bench_client_fail (self, "the server's first frame is no ServerKey");
      return;
    }
  if (!target->has_server_key)
    {
      memcpy (target->server_key.bytes, frame->payload + DETOUR_FRAME_MAGIC_SIZE, DETOUR_KEY_SIZE);
      target->has_server_key = TRUE;
    }
  else if (memcmp (target->server_key.bytes, frame->payload + DETOUR_FRAME_MAGIC_SIZE,
                   DETOUR_KEY_SIZE)
           != 0)
    {
      bench_client_fail (self, "the server has another key than before");
      return;
    }
  self->state = BENCH_CLIENT_LOGIN;
  if (self->is_fast)
    return;
  out = g_byte_array_new ();
  if (bench_client_put_login (self, out))
    bench_client_write (self, out->data, out->len);
  else
    bench_client_fail (self, "the server key is no key");
}

static void
bench_client_take_info (BenchClient *self, const DetourFrame *frame)
{
  guint8 text[1024];

  if (frame->type != DETOUR_FRAME_SERVER_INFO
      || frame->len < crypto_box_NONCEBYTES + crypto_box_MACBYTES || frame->len > sizeof text
      || crypto_box_open_easy_afternm (text, frame->payload + crypto_box_NONCEBYTES,
                                       frame->len - crypto_box_NONCEBYTES, frame->payload,
                                       self->shared)
             != 0)
    {
      bench_client_fail (self, "the server's second frame is no ServerInfo for this client");
      return;
    }
  bench_client_now_open (self);
}

/* What came behind the head of the answer is in a WebSocket already. */
static void
bench_client_begin_websocket (BenchClient *self, guint8 *data, gsize *len)
{
  self->websocket.begun = TRUE;
  if (!bench_websocket_open (&self->websocket, data, len))
    bench_client_fail (self, "the server sent no WebSocket message");
}

/* Gives how many bytes were taken; what is left is the beginning of a frame. */
static gsize
bench_client_take (BenchClient *self, guint8 *data, gsize *data_len)
{
  gsize len = *data_len;
  gsize at = 0;

  if (self->state == BENCH_CLIENT_UPGRADE)
    {
      at = bench_client_take_head (self, data, len);
      if (self->state == BENCH_CLIENT_GREETING
          && bench_target_of (self->loop->target, self->index)->is_websocket)
        {
          gsize rest = len - at;

          bench_client_begin_websocket (self, data + at, &rest);
          len = *data_len = at + rest;
        }
    }
  while (self->state >= BENCH_CLIENT_GREETING && len - at >= DETOUR_FRAME_HEADER_SIZE)
    {
      DetourFrame frame = { .type = data[at], .len = detour_frame_get_u32 (data + at + 1) };

      if (frame.len > DETOUR_FRAME_CLIENT_MAX)
        {
          bench_client_fail (self, "the server sent a frame above the limit");
          break;
        }
      if (len - at - DETOUR_FRAME_HEADER_SIZE < frame.len)
        break;
      frame.payload = data + at + DETOUR_FRAME_HEADER_SIZE;
      at += DETOUR_FRAME_HEADER_SIZE + frame.len;
      if (self->state == BENCH_CLIENT_OPEN)
        self->loop->funcs->frame (self, frame.type, frame.payload, frame.len, self->loop->user);
      else if (self->state == BENCH_CLIENT_GREETING)
        bench_client_take_greeting (self, &frame);
      else
        bench_client_take_info (self, &frame);
    }
  return at;
}

static void
bench_client_input (BenchClient *self, guint8 *data, gsize len)
{
  g_autoptr (GByteArray) held = g_steal_pointer (&self->partial);
  gsize used;

  if (self->websocket.begun && !bench_websocket_open (&self->websocket, data, &len))
    {
      bench_client_fail (self, "the server sent no WebSocket message");
      return;
    }
  if (held != NULL)
    {
      g_byte_array_append (held, data, (guint) len);
      data = held->data;
      len = held->len;
    }
  used = bench_client_take (self, data, &len);
  if (self->state == BENCH_CLIENT_CLOSED || used == len)
    return;
  if (held != NULL)
    {
      g_byte_array_set_size (held, (guint) len);
      if (used > 0)
        g_byte_array_remove_range (held, 0, (guint) used);
      self->partial = g_steal_pointer (&held);
    }
  else
    {
      self->partial = g_byte_array_sized_new ((guint) (len - used));
      g_byte_array_append (self->partial, data + used, (guint) (len - used));
    }
}

static void
bench_client_handshake (BenchClient *self)
{
  switch (bench_wire_handshake (&self->wire))
    {
    case BENCH_WIRE_OK:
      bench_client_request (self);
      break;
    case BENCH_WIRE_AGAIN:
      if (bench_wire_waiting (&self->wire) > 0)
        bench_client_watch (self, EPOLLIN | EPOLLOUT);
      break;
    case BENCH_WIRE_CLOSED:
      bench_client_fail (self, self->wire.why);
      break;
    }
}

static void
bench_client_connected (BenchClient *self)
{
  int failed = 0;
  socklen_t len = sizeof failed;

  if (getsockopt (self->wire.fd, SOL_SOCKET, SO_ERROR, &failed, &len) < 0)
    failed = errno;
  if (failed != 0)
    {
      bench_client_fail (self, g_strerror (failed));
      return;
    }
  if (!bench_target_send_header (bench_target_of (self->loop->target, self->index), self->wire.fd,
                                 self->index))
    {
      bench_client_fail (self, g_strerror (errno));
      return;
    }
  bench_client_watch (self, EPOLLIN);
  self->state = BENCH_CLIENT_HANDSHAKE;
  bench_client_handshake (self);
}

static void
bench_client_receive (BenchClient *self)
{
  guint8 *data;
  gsize len;

  switch (bench_wire_read (&self->wire))
    {
    case BENCH_WIRE_AGAIN:
      return;
    case BENCH_WIRE_CLOSED:
      bench_client_fail (self, self->wire.why);
      return;
    case BENCH_WIRE_OK:
      break;
    }
  if (self->state == BENCH_CLIENT_HANDSHAKE)
    bench_client_handshake (self);
  if (self->state <= BENCH_CLIENT_HANDSHAKE)
    return;
  if (bench_wire_open (&self->wire, &data, &len) == BENCH_WIRE_CLOSED)
    {
      bench_client_fail (self, self->wire.why);
      return;
    }
  if (len > 0)
    bench_client_input (self, data, len);
}

static void
bench_client_ready (BenchClient *self, guint32 events)
{
  /* An event of a connection that was closed in the same batch. */
  if (self->state == BENCH_CLIENT_CLOSED)
    return;
  if (self->state == BENCH_CLIENT_CONNECTING)
    {
      bench_client_connected (self);
      return;
    }
  if (self->events == 0 && (events & (EPOLLERR | EPOLLHUP)) != 0)
    {
      bench_client_fail (self, "the server closed the connection");
      return;
    }
  if ((events & EPOLLOUT) != 0)
    switch (bench_wire_flush (&self->wire))
      {
      case BENCH_WIRE_OK:
        bench_client_watch (self, self->events & ~(guint32) EPOLLOUT);
        break;
      case BENCH_WIRE_AGAIN:
        break;
      case BENCH_WIRE_CLOSED:
        bench_client_fail (self, self->wire.why);
        return;
      }
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
    bench_client_receive (self);
}
