/* bench-websocket.h: frames of a WebSocket around what a client sends and gets.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Two bytes, eight of the length, four of the mask. */
#define BENCH_WEBSOCKET_HEAD_MAX 14u

typedef struct {
  gboolean begun;
  guint64 left; /* of the frame whose payload comes */
  guint n_head;
  guint8 head[BENCH_WEBSOCKET_HEAD_MAX];
} BenchWebsocket;

/* Headers of the request, and the subprotocol is `derp`. */
#define BENCH_WEBSOCKET_REQUEST                         \
  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"     \
  "Sec-WebSocket-Protocol: derp\r\n"

/* Takes the heads of frames out of @data; *@len becomes the length of what is left. FALSE: that is
 * no binary message of a server. */
gboolean bench_websocket_open (BenchWebsocket *self, guint8 *data, gsize *len)
    G_GNUC_WARN_UNUSED_RESULT;

/* Appends @data as one message, masked with @mask. */
void bench_websocket_put (GByteArray *out, const guint8 *data, gsize len, guint32 mask);

G_END_DECLS
