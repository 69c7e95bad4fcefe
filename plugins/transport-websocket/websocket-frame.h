/* websocket-frame.h: the head of a WebSocket frame (RFC 6455, 5.2), and the mask of its payload.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The longest head: two bytes, eight of the length, four of the mask. */
#define WEBSOCKET_HEAD_MAX 14u
/* The same of a head without a mask, as a server writes it. */
#define WEBSOCKET_HEAD_SENT_MAX 10u
/* Payload of a control frame, in bytes. */
#define WEBSOCKET_CONTROL_MAX 125u
#define WEBSOCKET_MASK_SIZE   4u

typedef enum {
  WEBSOCKET_CONTINUATION = 0x0,
  WEBSOCKET_TEXT = 0x1,
  WEBSOCKET_BINARY = 0x2,
  WEBSOCKET_CLOSE = 0x8,
  WEBSOCKET_PING = 0x9,
  WEBSOCKET_PONG = 0xa,
} WebsocketOpcode;

typedef struct {
  guint64 len; /* of the payload, in bytes */
  gsize size;  /* of the head itself, in bytes */
  WebsocketOpcode opcode;
  gboolean is_final; /* the message ends with this frame */
  guint8 mask[WEBSOCKET_MASK_SIZE];
} WebsocketHead;

typedef enum {
  WEBSOCKET_HEAD_OK,
  WEBSOCKET_HEAD_MORE, /* the head goes on behind these bytes */
  WEBSOCKET_HEAD_BAD,  /* breaks a rule of the protocol; said as soon as it can be seen */
} WebsocketHeadResult;

static inline gboolean
websocket_opcode_is_control (WebsocketOpcode opcode)
{
  return (opcode & 0x8) != 0;
}

/**
 * websocket_head_parse:
 * @data: (array length=len): where a frame of a client begins
 * @head: (out): set when the result is OK
 *
 * A client has to mask its frames and to write each length in its shortest form, and no extension
 * is in use, so the reserved bits are zero. Looks at no byte behind the head.
 */
WebsocketHeadResult websocket_head_parse (const guint8 *data, gsize len, WebsocketHead *head)
    G_GNUC_WARN_UNUSED_RESULT;

/* Writes the head of a whole message without a mask, at most WEBSOCKET_HEAD_SENT_MAX bytes; returns
 * its size. */
gsize websocket_head_put (guint8 *to, WebsocketOpcode opcode, guint64 len);

/* Copies @len bytes with the mask put on or taken off, and turns @mask so that it fits the byte
 * that follows. The two blocks do not overlap. */
void websocket_mask_copy (guint8 *to, const guint8 *from, gsize len,
                          guint8 mask[WEBSOCKET_MASK_SIZE]);

G_END_DECLS
