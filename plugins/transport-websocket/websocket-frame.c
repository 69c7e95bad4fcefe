/* websocket-frame.c: the head of a WebSocket frame (RFC 6455, 5.2), and the mask of its payload.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "websocket-frame.h"

#include <string.h>

#define FINAL    0x80u
#define RESERVED 0x70u
#define OPCODE   0x0fu
#define MASKED   0x80u
#define LEN      0x7fu
/* In the place of a length: it follows in two bytes, or in eight. */
#define LEN_16 126u
#define LEN_64 127u

/* What the mask is put on at a time: that loop is the whole price of a payload. Compilers use the
 * widest registers there are. */
typedef guint8 Vector __attribute__ ((vector_size (32)));

static gboolean
websocket_frame_begins_well (guint8 byte)
{
  guint opcode = byte & OPCODE;

  if ((byte & RESERVED) != 0)
    return FALSE;
  if (opcode <= WEBSOCKET_BINARY)
    return TRUE;
  return opcode >= WEBSOCKET_CLOSE && opcode <= WEBSOCKET_PONG && (byte & FINAL) != 0;
}

WebsocketHeadResult
websocket_head_parse (const guint8 *data, gsize len, WebsocketHead *head)
{
  gsize n_len = 0;
  guint64 payload;

  if (len < 1)
    return WEBSOCKET_HEAD_MORE;
  if (!websocket_frame_begins_well (data[0]))
    return WEBSOCKET_HEAD_BAD;
  if (len < 2)
    return WEBSOCKET_HEAD_MORE;
  payload = data[1] & LEN;
  if ((data[1] & MASKED) == 0
      || (websocket_opcode_is_control (data[0] & OPCODE) && payload > WEBSOCKET_CONTROL_MAX))
    return WEBSOCKET_HEAD_BAD;

  if (payload >= LEN_16)
    {
      n_len = payload == LEN_16 ? 2 : 8;
      if (len < 2 + n_len)
        return WEBSOCKET_HEAD_MORE;
      payload = 0;
      for (gsize i = 0; i < n_len; i++)
        payload = payload << 8 | data[2 + i];
      if (payload < (n_len == 2 ? LEN_16 : G_GUINT64_CONSTANT (0x10000)) || payload > G_MAXINT64)
        return WEBSOCKET_HEAD_BAD;
    }
  if (len < 2 + n_len + WEBSOCKET_MASK_SIZE)
    return WEBSOCKET_HEAD_MORE;

  head->len = payload;
  head->size = 2 + n_len + WEBSOCKET_MASK_SIZE;
  head->opcode = data[0] & OPCODE;
  head->is_final = (data[0] & FINAL) != 0;
  memcpy (head->mask, data + 2 + n_len, WEBSOCKET_MASK_SIZE);
  return WEBSOCKET_HEAD_OK;
}

gsize
websocket_head_put (guint8 *to, WebsocketOpcode opcode, guint64 len)
{
  gsize n_len = len < LEN_16 ? 0 : len <= G_MAXUINT16 ? 2 : 8;

  to[0] = (guint8) (FINAL | opcode);
  to[1] = (guint8) (n_len == 0 ? len : n_len == 2 ? LEN_16 : LEN_64);
  for (gsize i = 0; i < n_len; i++)
    to[2 + i] = (guint8) (len >> 8 * (n_len - 1 - i));
  return 2 + n_len;
}

void
websocket_mask_copy (guint8 *to, const guint8 *from, gsize len, guint8 mask[WEBSOCKET_MASK_SIZE])
{
  guint8 turned[WEBSOCKET_MASK_SIZE];
  Vector wide;
  gsize i = 0;

  for (gsize k = 0; k < sizeof wide; k += WEBSOCKET_MASK_SIZE)
    memcpy ((guint8 *) &wide + k, mask, WEBSOCKET_MASK_SIZE);
  for (; len - i >= sizeof wide; i += sizeof wide)
    {
      Vector part;

      memcpy (&part, from + i, sizeof part);
      part ^= wide;
      memcpy (to + i, &part, sizeof part);
    }
  for (; i < len; i++)
    to[i] = from[i] ^ mask[i % WEBSOCKET_MASK_SIZE];
  for (gsize k = 0; k < WEBSOCKET_MASK_SIZE; k++)
    turned[k] = mask[(len + k) % WEBSOCKET_MASK_SIZE];
  memcpy (mask, turned, sizeof turned);
}
