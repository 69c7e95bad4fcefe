/* websocket-channel.c: the server's end of a WebSocket, as a channel over the one that is there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "websocket-channel.h"

#include <string.h>

#include "websocket-frame.h"

/* Longest message that is sent. Tailscale's client refuses messages of more than 32768 bytes. */
#define MESSAGE_SENT_MAX DETOUR_CHANNEL_RECORD_MAX
/* What is added to @len bytes in one call at most: a pong, and the heads of messages. */
#define SEAL_ADDED(len) \
  (2u + WEBSOCKET_CONTROL_MAX + ((len) / MESSAGE_SENT_MAX + 1u) * WEBSOCKET_HEAD_SENT_MAX)

typedef enum {
  CLOSE_NORMAL = 1000,
  CLOSE_PROTOCOL = 1002,
  CLOSE_UNSUPPORTED = 1003,
  CLOSE_NO_CODE = 1005, /* never on the wire: a goodbye without a code */
  CLOSE_NOT_TEXT = 1007,
  CLOSE_TOO_LONG = 1009,
} WebsocketClose;

/* No part of a payload is kept but that of a control frame, so this is all that an idle connection
 * costs. */
typedef struct {
  guint64 left;        /* bytes of the frame's payload that have not come */
  guint64 message_len; /* bytes of the message, as announced by the frames that came */
  guint64 max_message;
  guint8 mask[WEBSOCKET_MASK_SIZE]; /* turned to the byte that comes next */
  guint16 goodbye;                  /* WebsocketClose, or what the peer said */
  guint8 opcode;                    /* of the frame whose payload comes; while left > 0 */
  guint8 is_final;
  guint8 in_message;
  guint8 owes_pong;
  guint8 is_over; /* the peer said goodbye or broke a rule */
  guint8 n_head;
  guint8 n_control;
  guint8 head[WEBSOCKET_HEAD_MAX]; /* one that has not come whole */
  /* Of a ping or a goodbye that comes; then of the pong that is owed. */
  guint8 control[WEBSOCKET_CONTROL_MAX];
} WebsocketChannel;

G_STATIC_ASSERT (sizeof (WebsocketChannel) <= DETOUR_CHANNEL_UPPER_MAX);

gpointer
websocket_channel_new (guint64 max_message)
{
  WebsocketChannel *self = g_new0 (WebsocketChannel, 1);

  self->max_message = max_message != 0 ? max_message : G_MAXUINT64;
  self->goodbye = CLOSE_NORMAL;
  return self;
}

static DetourChannelResult
websocket_channel_handshake (gpointer ptr, const guint8 *in, gsize len, gsize *used,
                             DetourBuffer *out, const char **reason)
{
  /* The request was the handshake. */
  *used = 0;
  return DETOUR_CHANNEL_OK;
}

static void
websocket_channel_info (gpointer ptr, DetourChannelInfo *info)
{
}

/* ---- what comes ------------------------------------------------------------------------------ */

static DetourChannelResult
websocket_channel_fail (WebsocketChannel *self, WebsocketClose why)
{
  self->goodbye = (guint16) why;
  self->is_over = TRUE;
  return DETOUR_CHANNEL_BAD;
}

/* RFC 6455, 7.4: the others have no meaning, or must not be on the wire. */
static gboolean
websocket_channel_is_code (guint code)
{
  if (code >= 3000 && code <= 4999)
    return TRUE;
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

/* A goodbye is answered with its own code. */
static DetourChannelResult
websocket_channel_on_goodbye (WebsocketChannel *self)
{
  guint code;

  self->goodbye = CLOSE_NO_CODE;
  self->is_over = TRUE;
  if (self->n_control == 0)
    return DETOUR_CHANNEL_CLOSED;
  code = self->n_control >= 2 ? (guint) self->control[0] << 8 | self->control[1] : 0;
  if (!websocket_channel_is_code (code))
    return websocket_channel_fail (self, CLOSE_PROTOCOL);
  if (!g_utf8_validate_len ((const char *) self->control + 2, self->n_control - 2u, NULL))
    return websocket_channel_fail (self, CLOSE_NOT_TEXT);
  self->goodbye = (guint16) code;
  return DETOUR_CHANNEL_CLOSED;
}

static DetourChannelResult
websocket_channel_end_frame (WebsocketChannel *self, gboolean *reply)
{
  switch ((WebsocketOpcode) self->opcode)
    {
    case WEBSOCKET_PING:
      self->owes_pong = TRUE;
      *reply = TRUE;
      break;
    case WEBSOCKET_PONG:
      break;
    case WEBSOCKET_CLOSE:
      return websocket_channel_on_goodbye (self);
    case WEBSOCKET_CONTINUATION:
    case WEBSOCKET_BINARY:
    case WEBSOCKET_TEXT:
      self->in_message = !self->is_final;
      if (self->is_final)
        self->message_len = 0;
      break;
    }
  return DETOUR_CHANNEL_OK;
}

static DetourChannelResult
websocket_channel_begin_frame (WebsocketChannel *self, const WebsocketHead *head, gboolean *reply)
{
  if (head->opcode == WEBSOCKET_PING || head->opcode == WEBSOCKET_CLOSE)
    {
      /* Only the last of several pings needs an answer (RFC 6455, 5.5.3). */
      self->owes_pong = FALSE;
      self->n_control = 0;
    }
  else if (head->opcode != WEBSOCKET_PONG)
    {
      if ((head->opcode == WEBSOCKET_CONTINUATION) != self->in_message)
        return websocket_channel_fail (self, CLOSE_PROTOCOL);
      if (head->opcode == WEBSOCKET_TEXT)
        return websocket_channel_fail (self, CLOSE_UNSUPPORTED);
      if (head->len > self->max_message - self->message_len)
        return websocket_channel_fail (self, CLOSE_TOO_LONG);
      self->message_len += head->len;
      self->is_final = (guint8) head->is_final;
    }
  self->opcode = (guint8) head->opcode;
  self->left = head->len;
  memcpy (self->mask, head->mask, sizeof self->mask);
  return head->len > 0 ? DETOUR_CHANNEL_OK : websocket_channel_end_frame (self, reply);
}

/* Takes the head of a frame, or as much of it as is there. */
static DetourChannelResult
websocket_channel_take_head (WebsocketChannel *self, const guint8 **in, const guint8 *end,
                             gboolean *reply)
{
  WebsocketHeadResult result = WEBSOCKET_HEAD_MORE;
  WebsocketHead head;

  if (self->n_head == 0)
    {
      result = websocket_head_parse (*in, (gsize) (end - *in), &head);
      if (result == WEBSOCKET_HEAD_OK)
        *in += head.size;
    }
  while (result == WEBSOCKET_HEAD_MORE && *in < end)
    {
      self->head[self->n_head++] = *(*in)++;
      result = websocket_head_parse (self->head, self->n_head, &head);
    }
  if (result == WEBSOCKET_HEAD_MORE)
    return DETOUR_CHANNEL_OK;
  self->n_head = 0;
  return result == WEBSOCKET_HEAD_OK ? websocket_channel_begin_frame (self, &head, reply)
                                     : websocket_channel_fail (self, CLOSE_PROTOCOL);
}

/* Takes so much of the payload of a frame; what a pong carries is of no use. */
static void
websocket_channel_take_payload (WebsocketChannel *self, const guint8 *in, gsize len,
                                DetourBuffer *plain)
{
  if (!websocket_opcode_is_control (self->opcode))
    {
      websocket_mask_copy (plain->data + plain->len, in, len, self->mask);
      plain->len += len;
    }
  else if (self->opcode != WEBSOCKET_PONG)
    {
      websocket_mask_copy (self->control + self->n_control, in, len, self->mask);
      self->n_control = (guint8) (self->n_control + len);
    }
  self->left -= len;
}

static DetourChannelResult
websocket_channel_feed (gpointer ptr, const guint8 *in, gsize len, DetourBuffer *plain,
                        gboolean *reply)
{
  WebsocketChannel *self = ptr;
  DetourChannelResult result = DETOUR_CHANNEL_OK;
  const guint8 *end = in + len;

  g_assert (len <= plain->cap - plain->len);
  if (self->is_over)
    return DETOUR_CHANNEL_BAD;
  while (in < end && result == DETOUR_CHANNEL_OK)
    if (self->left == 0)
      result = websocket_channel_take_head (self, &in, end, reply);
    else
      {
        gsize n = (gsize) MIN (self->left, (guint64) (end - in));

        websocket_channel_take_payload (self, in, n, plain);
        in += n;
        if (self->left == 0)
          result = websocket_channel_end_frame (self, reply);
      }
  return result;
}

/* ---- what goes ------------------------------------------------------------------------------- */

static void
websocket_channel_put_control (WebsocketOpcode opcode, const guint8 *payload, gsize len,
                               DetourBuffer *out)
{
  out->len += websocket_head_put (out->data + out->len, opcode, len);
  memcpy (out->data + out->len, payload, len);
  out->len += len;
}

static gboolean
websocket_channel_seal (gpointer ptr, const struct iovec *plain, guint n, DetourBuffer *out)
{
  WebsocketChannel *self = ptr;
  gsize left = 0;
  gsize room = 0; /* of the message that was begun */

  for (guint i = 0; i < n; i++)
    left += plain[i].iov_len;
  g_assert (left + SEAL_ADDED (left) <= out->cap - out->len);
  if (self->owes_pong)
    websocket_channel_put_control (WEBSOCKET_PONG, self->control, self->n_control, out);
  self->owes_pong = FALSE;

  for (guint i = 0; i < n; i++)
    {
      const guint8 *from = plain[i].iov_base;
      const guint8 *end = from + plain[i].iov_len;

      while (from < end)
        {
          gsize part;

          if (room == 0)
            {
              room = MIN (left, MESSAGE_SENT_MAX);
              out->len += websocket_head_put (out->data + out->len, WEBSOCKET_BINARY, room);
            }
          part = MIN (room, (gsize) (end - from));
          memcpy (out->data + out->len, from, part);
          out->len += part;
          from += part;
          room -= part;
          left -= part;
        }
    }
  return TRUE;
}

static void
websocket_channel_close (gpointer ptr, DetourBuffer *out)
{
  const WebsocketChannel *self = ptr;
  const guint8 code[] = { (guint8) (self->goodbye >> 8), (guint8) self->goodbye };

  websocket_channel_put_control (WEBSOCKET_CLOSE, code,
                                 self->goodbye != CLOSE_NO_CODE ? sizeof code : 0, out);
}

/* ---- written down and read back -------------------------------------------------------------- */

/* Everything but what follows from it; the bytes of `control` that are in use come behind. Both
 * processes are on one machine, so numbers are in its order. */
typedef struct {
  guint32 magic;
  guint8 mask[WEBSOCKET_MASK_SIZE];
  guint64 left;
  guint64 message_len;
  guint64 max_message;
  guint8 opcode;
  guint8 flags;
  guint8 n_head;
  guint8 n_control;
  guint8 head[WEBSOCKET_HEAD_MAX];
  guint8 zero[6];
} WebsocketSaved;

G_STATIC_ASSERT (sizeof (WebsocketSaved) == 56);

#define SAVED_MAGIC      0x31736277u /* "wbs1" */
#define SAVED_FINAL      0x1u
#define SAVED_IN_MESSAGE 0x2u
#define SAVED_OWES_PONG  0x4u
#define SAVED_FLAGS      0x7u

static GBytes *
websocket_channel_save (gpointer ptr)
{
  const WebsocketChannel *self = ptr;
  guint8 bytes[sizeof (WebsocketSaved) + WEBSOCKET_CONTROL_MAX];
  WebsocketSaved saved = {
    .magic = SAVED_MAGIC,
    .left = self->left,
    .message_len = self->message_len,
    .max_message = self->max_message,
    .opcode = self->opcode,
    .flags = (guint8) ((self->is_final ? SAVED_FINAL : 0u)
                       | (self->in_message ? SAVED_IN_MESSAGE : 0u)
                       | (self->owes_pong ? SAVED_OWES_PONG : 0u)),
    .n_head = self->n_head,
    .n_control = self->n_control,
  };

  if (self->is_over)
    return NULL;
  memcpy (saved.mask, self->mask, sizeof saved.mask);
  memcpy (saved.head, self->head, self->n_head);
  memcpy (bytes, &saved, sizeof saved);
  memcpy (bytes + sizeof saved, self->control, self->n_control);
  return g_bytes_new (bytes, sizeof saved + self->n_control);
}

/* Whether the frame whose payload comes can be what it says. */
static gboolean
websocket_channel_is_frame (const WebsocketSaved *saved)
{
  gboolean in_message = (saved->flags & SAVED_IN_MESSAGE) != 0;
  gboolean owes_pong = (saved->flags & SAVED_OWES_PONG) != 0;

  switch (saved->opcode)
    {
    case WEBSOCKET_CONTINUATION:
      return in_message && saved->left <= saved->message_len;
    case WEBSOCKET_BINARY:
      return !in_message && saved->left <= saved->message_len;
    case WEBSOCKET_PING:
    case WEBSOCKET_CLOSE:
      return !owes_pong && saved->left <= (guint64) (WEBSOCKET_CONTROL_MAX - saved->n_control);
    case WEBSOCKET_PONG:
      return saved->left <= WEBSOCKET_CONTROL_MAX;
    default:
      return FALSE;
    }
}

static gboolean
websocket_channel_is_state (const WebsocketSaved *saved)
{
  static const guint8 zero[sizeof saved->zero];
  gboolean begins = saved->left > 0 && saved->opcode == WEBSOCKET_BINARY;
  WebsocketHead head;

  if (saved->magic != SAVED_MAGIC || (saved->flags & ~SAVED_FLAGS) != 0
      || memcmp (saved->zero, zero, sizeof zero) != 0 || saved->n_control > WEBSOCKET_CONTROL_MAX
      || saved->n_head >= sizeof saved->head || saved->message_len > saved->max_message)
    return FALSE;
  if ((saved->flags & SAVED_IN_MESSAGE) == 0 && !begins && saved->message_len > 0)
    return FALSE;
  if (saved->left > 0)
    return saved->n_head == 0 && websocket_channel_is_frame (saved);
  return websocket_head_parse (saved->head, saved->n_head, &head) == WEBSOCKET_HEAD_MORE;
}

static gpointer
websocket_channel_restore (const guint8 *data, gsize len)
{
  WebsocketChannel *self;
  WebsocketSaved saved;

  if (len < sizeof saved)
    return NULL;
  memcpy (&saved, data, sizeof saved);
  if (!websocket_channel_is_state (&saved) || len != sizeof saved + saved.n_control)
    return NULL;
  self = websocket_channel_new (saved.max_message);
  self->left = saved.left;
  self->message_len = saved.message_len;
  memcpy (self->mask, saved.mask, sizeof self->mask);
  self->opcode = saved.opcode;
  self->is_final = (saved.flags & SAVED_FINAL) != 0;
  self->in_message = (saved.flags & SAVED_IN_MESSAGE) != 0;
  self->owes_pong = (saved.flags & SAVED_OWES_PONG) != 0;
  self->n_head = saved.n_head;
  self->n_control = saved.n_control;
  memcpy (self->head, saved.head, sizeof self->head);
  memcpy (self->control, data + sizeof saved, saved.n_control);
  return self;
}

const DetourChannelClass websocket_channel_class = {
  .name = "websocket",
  .handshake = websocket_channel_handshake,
  .info = websocket_channel_info,
  .feed = websocket_channel_feed,
  .seal = websocket_channel_seal,
  .close = websocket_channel_close,
  .save = websocket_channel_save,
  .restore = websocket_channel_restore,
  .free = g_free,
};
