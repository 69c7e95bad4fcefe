/* detour-link.c: a connection that this relay made to another one, login included.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-link-private.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-frame.h"
#include "detour-http-upgrade.h"

/* An answer to the upgrade. */
#define ANSWER_MAX 8192u
/* Frames that wait for the socket; a peer that takes less is closed. */
#define OUT_MAX (1024u * 1024u)

/* The end -------------------------------------------------------------------------------------- */

/* @parts: the other relay is to get what was sent last. */
static void
link_end (DetourLink *self, gboolean parts)
{
  gboolean has_joined = self->state == DETOUR_LINK_JOINED;

  self->state = DETOUR_LINK_DOWN;
  if (has_joined)
    return;
  detour_wheel_clear (detour_loop_wheel (self->loop), &self->timer);
  detour_loop_remove (self->loop, &self->io);
  if (parts)
    detour_partings_add (detour_loop_user (self->loop), self->loop, self->io.fd, FALSE);
  else
    close (self->io.fd);
  detour_channel_clear (&self->channel);
  detour_dial_login_clear (&self->login);
  sodium_memzero (self->mesh_key, sizeof self->mesh_key);
}

/* The user is told, and the memory stays until the owner lets go. */
void
detour_link_fail (DetourLink *self, DetourLinkFault fault, const char *reason)
{
  if (self->state == DETOUR_LINK_DOWN)
    return;
  link_end (self, FALSE);
  self->start.funcs->down (self->start.user, self, fault, reason);
}

void
detour_link_release (DetourLoop *loop, gpointer data)
{
  DetourLink *self = data;

  g_clear_pointer (&self->plain, g_byte_array_unref);
  g_clear_pointer (&self->out, g_byte_array_unref);
  g_clear_pointer (&self->tie, detour_link_tie_unref);
  g_free (self->host);
  g_free (self);
}

static void
link_on_free (DetourLoop *loop, gpointer data)
{
  DetourLink *self = data;

  if (self->tie != NULL)
    detour_link_tie_hang_up (self->tie);
  if (self->state == DETOUR_LINK_JOINED)
    link_end (self, FALSE);
  if (self->state != DETOUR_LINK_DOWN)
    {
      guint8 bytes[DETOUR_CHANNEL_SEAL_BOUND (0)];
      DetourBuffer goodbye = { bytes, 0, sizeof bytes };

      if (self->state > DETOUR_LINK_RECORD && self->out->len == 0)
        detour_channel_close (&self->channel, &goodbye);
      if (goodbye.len > 0
          && send (self->io.fd, bytes, goodbye.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        g_debug ("no goodbye: %s", g_strerror (errno));
      link_end (self, self->state > DETOUR_LINK_RECORD && self->out->len == 0);
    }
  detour_loop_defer (loop, detour_link_release, self);
}

void
detour_link_free (DetourLink *self)
{
  detour_loop_call (self->loop, link_on_free, self);
}

/* Output --------------------------------------------------------------------------------------- */

/* FALSE: the link is down. */
static gboolean
link_flush (DetourLink *self)
{
  while (self->out->len > 0)
    {
      gssize n = send (self->io.fd, self->out->data, self->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno != EAGAIN)
        {
          detour_link_fail (self, DETOUR_LINK_FAULT_OTHER, "writing failed");
          return FALSE;
        }
      if (n < 0)
        break;
      g_byte_array_remove_range (self->out, 0, (guint) n);
    }
  detour_loop_modify (self->loop, &self->io,
                      (guint32) EPOLLIN | (self->out->len > 0 ? (guint32) EPOLLOUT : 0));
  return TRUE;
}

/* FALSE: the link is down. */
static gboolean
link_put (DetourLink *self, const guint8 *data, gsize len)
{
  do
    {
      struct iovec span = { (void *) data, MIN (len, DETOUR_CHANNEL_RECORD_MAX) };
      gsize cap = DETOUR_CHANNEL_SEAL_BOUND (span.iov_len);
      g_autofree guint8 *room = g_malloc (cap);
      DetourBuffer out = { room, 0, cap };

      if (!detour_channel_seal (&self->channel, &span, span.iov_len > 0 ? 1 : 0, &out))
        {
          detour_link_fail (self, DETOUR_LINK_FAULT_OTHER, "the record layer is broken");
          return FALSE;
        }
      g_byte_array_append (self->out, room, (guint) out.len);
      data += span.iov_len;
      len -= span.iov_len;
    }
  while (len > 0);
  if (self->out->len > OUT_MAX)
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_OTHER, "the other relay takes too little");
      return FALSE;
    }
  return link_flush (self);
}

void
detour_link_send (DetourLink *self, guint8 type, const guint8 *payload, gsize len)
{
  g_autofree guint8 *frame = g_malloc (DETOUR_FRAME_HEADER_SIZE + len);

  g_assert (detour_loop_is_current (self->loop));
  if (self->state != DETOUR_LINK_UP)
    return;
  detour_frame_put_header (frame, (DetourFrameType) type, (guint32) len);
  if (len > 0)
    memcpy (frame + DETOUR_FRAME_HEADER_SIZE, payload, len);
  link_put (self, frame, DETOUR_FRAME_HEADER_SIZE + len);
}

/* Phases: each takes what is complete off `plain`. FALSE: more bytes are needed, or the link is
 * down. --------------------------------------------------------------------------------------- */

static gboolean
link_ask_for_derp (DetourLink *self)
{
  g_autofree char *request = g_strdup_printf ("GET " DETOUR_HTTP_UPGRADE_PATH " HTTP/1.1\r\n"
                                              "Host: %s\r\nUpgrade: DERP\r\n"
                                              "Connection: Upgrade\r\n\r\n",
                                              self->host);

  self->state = DETOUR_LINK_ANSWER;
  return link_put (self, (const guint8 *) request, strlen (request));
}

static gboolean
link_run_answer (DetourLink *self)
{
  static const char good[] = "HTTP/1.1 101 ";
  const char *text = (const char *) self->plain->data;
  const char *end = g_strstr_len (text, (gssize) self->plain->len, "\r\n\r\n");

  if (end == NULL && self->plain->len <= ANSWER_MAX)
    return FALSE;
  if (end == NULL || strncmp (text, good, strlen (good)) != 0)
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_NOT_DERP, "the other side does not begin DERP");
      return FALSE;
    }
  g_byte_array_remove_range (self->plain, 0, (guint) (end + 4 - text));
  self->state = DETOUR_LINK_KEY;
  return TRUE;
}

static gboolean
link_on_key (DetourLink *self, const guint8 *payload, gsize len)
{
  g_autoptr (GByteArray) info = g_byte_array_new ();
  DetourKey server;

  if (len < DETOUR_FRAME_MAGIC_SIZE + DETOUR_KEY_SIZE)
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_OTHER, "its first frame is no ServerKey");
      return FALSE;
    }
  if (memcmp (payload, DETOUR_FRAME_MAGIC, DETOUR_FRAME_MAGIC_SIZE) != 0)
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_NOT_DERP,
                        "its first frame does not begin as that of a DERP server does");
      return FALSE;
    }
  memcpy (server.bytes, payload + DETOUR_FRAME_MAGIC_SIZE, DETOUR_KEY_SIZE);
  if (!detour_key_is_zero (&self->server_key) && !detour_key_equal (&self->server_key, &server))
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_OTHER_KEY,
                        "it has another key than the one that is pinned");
      return FALSE;
    }
  if (!detour_dial_login_begin (&self->login, self->start.own, self->start.secret, &server))
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_OTHER, "its key is one that nobody can have");
      return FALSE;
    }
  detour_dial_login_client_info (&self->login, self->has_mesh_key ? self->mesh_key : NULL, info);
  self->state = DETOUR_LINK_INFO;
  return link_put (self, info->data, info->len);
}

static gboolean
link_on_info (DetourLink *self, const guint8 *payload, gsize len)
{
  if (!detour_dial_login_is_server (&self->login, payload, len))
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_OTHER, "it does not have the key that it showed");
      return FALSE;
    }
  detour_wheel_clear (detour_loop_wheel (self->loop), &self->timer);
  if (self->start.join != NULL)
    return detour_link_begin_joining (self);
  self->state = DETOUR_LINK_UP;
  self->start.funcs->up (self->start.user, self, self->login.server.bytes);
  return self->state == DETOUR_LINK_UP;
}

static gboolean
link_on_frame (DetourLink *self, guint8 type, const guint8 *payload, gsize len)
{
  if (self->state == DETOUR_LINK_UP)
    {
      self->start.funcs->frame (self->start.user, self, type, payload, len);
      return self->state == DETOUR_LINK_UP;
    }
  if (self->state == DETOUR_LINK_KEY && type == DETOUR_FRAME_SERVER_KEY)
    return link_on_key (self, payload, len);
  if (self->state == DETOUR_LINK_INFO && type == DETOUR_FRAME_SERVER_INFO)
    return link_on_info (self, payload, len);
  detour_link_fail (self, DETOUR_LINK_FAULT_OTHER, "a frame came before its time");
  return FALSE;
}

static gboolean
link_run_frame (DetourLink *self)
{
  g_autofree guint8 *payload = NULL;
  guint8 type;
  guint32 len;

  if (self->plain->len < DETOUR_FRAME_HEADER_SIZE)
    return FALSE;
  type = self->plain->data[0];
  len = detour_frame_get_u32 (self->plain->data + 1);
  if (len > DETOUR_LINK_FRAME_MAX)
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_OTHER, "a frame is too long");
      return FALSE;
    }
  if (self->plain->len - DETOUR_FRAME_HEADER_SIZE < len)
    return FALSE;
  payload = g_memdup2 (self->plain->data + DETOUR_FRAME_HEADER_SIZE, len);
  g_byte_array_remove_range (self->plain, 0, DETOUR_FRAME_HEADER_SIZE + len);
  return link_on_frame (self, type, payload, len);
}

static void
link_run (DetourLink *self)
{
  gboolean goes_on = TRUE;

  /* A record may have no data: a TLS 1.3 server sends messages of its own behind the handshake. */
  while (goes_on && self->plain->len > 0 && self->state != DETOUR_LINK_DOWN)
    goes_on = self->state == DETOUR_LINK_ANSWER ? link_run_answer (self) : link_run_frame (self);
}

/* Input ---------------------------------------------------------------------------------------- */

static void
link_take_plain (DetourLink *self, const guint8 *data, gsize len)
{
  gsize cap = len + DETOUR_CHANNEL_FEED_SLACK;
  g_autofree guint8 *room = g_malloc (cap);
  DetourBuffer plain = { room, 0, cap };
  gboolean reply = FALSE;
  DetourChannelResult result = detour_channel_feed (&self->channel, data, len, &plain, &reply);

  g_byte_array_append (self->plain, room, (guint) plain.len);
  if (reply && !link_put (self, NULL, 0))
    return;
  link_run (self);
  if (result != DETOUR_CHANNEL_OK)
    detour_link_fail (self, DETOUR_LINK_FAULT_OTHER,
                      result == DETOUR_CHANNEL_CLOSED ? "the other relay ended it"
                                                      : "the record layer is broken");
  else if (self->state == DETOUR_LINK_JOINING)
    detour_link_join (self);
}

static void
link_shake_hands (DetourLink *self, const guint8 *data, gsize len)
{
  g_autofree guint8 *room = g_malloc (DETOUR_CHANNEL_FEED_SLACK);
  const char *reason = NULL;
  DetourChannelResult result;
  gsize used = 0;

  do
    {
      DetourBuffer out = { room, 0, DETOUR_CHANNEL_FEED_SLACK };
      gsize n = 0;

      result = self->channel.cls->handshake (self->channel.self, data + used, len - used, &n, &out,
                                             &reason);
      used += n;
      g_byte_array_append (self->out, room, (guint) out.len);
    }
  while (result == DETOUR_CHANNEL_MORE && used < len);

  if (!link_flush (self))
    return;
  if (result == DETOUR_CHANNEL_MORE)
    return;
  if (result != DETOUR_CHANNEL_OK)
    {
      detour_link_fail (self,
                        result == DETOUR_CHANNEL_UNTRUSTED ? DETOUR_LINK_FAULT_UNTRUSTED
                                                           : DETOUR_LINK_FAULT_OTHER,
                        reason != NULL ? reason : "the handshake failed");
      return;
    }
  if (self->channel.cls->settle != NULL)
    self->channel.self = self->channel.cls->settle (self->channel.self, &self->channel.cls);
  if (link_ask_for_derp (self) && used < len)
    link_take_plain (self, data + used, len - used);
}

/* @error: of the system */
static DetourLinkFault
link_fault_of (int error)
{
  switch (error)
    {
    case ECONNREFUSED:
      return DETOUR_LINK_FAULT_REFUSED;
    case ETIMEDOUT:
      return DETOUR_LINK_FAULT_SILENT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
      return DETOUR_LINK_FAULT_UNREACHABLE;
    default:
      return DETOUR_LINK_FAULT_OTHER;
    }
}

static void
link_on_connected (DetourLink *self)
{
  int error = 0;
  socklen_t len = sizeof error;

  if (getsockopt (self->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
    {
      detour_link_fail (self, link_fault_of (error),
                        error != 0 ? g_strerror (error) : "the connection cannot be made");
      return;
    }
  self->state = DETOUR_LINK_RECORD;
  /* An empty text and not NULL: nothing may be added to NULL, not even zero. */
  link_shake_hands (self, (const guint8 *) "", 0);
}

static void
link_read (DetourLink *self)
{
  guint8 data[16384];
  gssize n = recv (self->io.fd, data, sizeof data, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0)
    detour_link_fail (self, n < 0 ? link_fault_of (errno) : DETOUR_LINK_FAULT_OTHER,
                      n < 0 ? g_strerror (errno) : "the other relay ended it");
  else if (self->state == DETOUR_LINK_RECORD)
    link_shake_hands (self, data, (gsize) n);
  else
    link_take_plain (self, data, (gsize) n);
}

static void
link_on_ready (DetourLoop *loop, DetourIo *io, guint32 events)
{
  DetourLink *self = (DetourLink *) io;

  if (self->state == DETOUR_LINK_CONNECTING)
    {
      link_on_connected (self);
      return;
    }
  if ((events & EPOLLOUT) != 0 && !link_flush (self))
    return;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
    link_read (self);
}

/* The beginning -------------------------------------------------------------------------------- */

static void
link_on_timer (DetourLoop *loop, DetourTimer *timer, gpointer user)
{
  DetourLink *self = (DetourLink *) (gpointer) ((guint8 *) timer
                                                - G_STRUCT_OFFSET (DetourLink, timer));

  if (detour_partings_on_timer (user, loop, timer))
    return;
  if (self->state == DETOUR_LINK_INFO)
    detour_link_fail (self, DETOUR_LINK_FAULT_NOT_ADMITTED,
                      "the other relay does not admit this one in time");
  else
    detour_link_fail (self, DETOUR_LINK_FAULT_SILENT, "the other relay does not answer in time");
}

static const DetourLoopFuncs link_loop_funcs = { .timer = link_on_timer };

DetourLoop *
detour_link_loop_new (DetourPartings *partings, GError **error)
{
  detour_partings_init (partings, DETOUR_PARTINGS_TIME_US, detour_partings_most ());
  return detour_loop_new ("links", 0, &link_loop_funcs, partings, error);
}

static void
link_on_last_words (DetourLoop *loop, gpointer data)
{
  DetourPartings *partings = detour_loop_user (loop);

  detour_partings_stop (partings, loop);
  detour_partings_finish (partings, loop, 0);
}

void
detour_link_loop_clear (DetourLoop **loop)
{
  if (*loop != NULL)
    detour_loop_call (*loop, link_on_last_words, NULL);
  detour_loop_clear (loop);
}

static void
link_on_new (DetourLoop *loop, gpointer data)
{
  DetourLink *self = data;

  if (!detour_loop_add (loop, &self->io))
    detour_link_fail (self, DETOUR_LINK_FAULT_OTHER, g_strerror (errno));
  else
    detour_wheel_set (detour_loop_wheel (loop), &self->timer,
                      detour_loop_now_us (loop) + self->start.timeout_us);
}

DetourLink *
detour_link_new (DetourLoop *loop, const DetourLinkStart *start)
{
  DetourLink *self = g_new0 (DetourLink, 1);

  self->io = (DetourIo) { link_on_ready, start->fd, EPOLLOUT };
  self->loop = loop;
  self->channel = start->channel;
  self->start = *start;
  self->host = g_strdup (start->host);
  self->has_mesh_key = start->mesh_key != NULL;
  if (self->has_mesh_key)
    memcpy (self->mesh_key, start->mesh_key, DETOUR_KEY_SIZE);
  if (start->server_key != NULL)
    memcpy (self->server_key.bytes, start->server_key, DETOUR_KEY_SIZE);
  self->plain = g_byte_array_new ();
  self->out = g_byte_array_new ();
  if (start->join != NULL)
    {
      self->tie = detour_link_tie_new (start->own, start->name);
      detour_link_tie_set_link (self->tie, loop, self);
    }
  detour_loop_post (loop, link_on_new, self);
  return self;
}
