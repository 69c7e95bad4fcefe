/* websocket-channel.h: the server's end of a WebSocket, as a channel over the one that is there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

extern const DetourChannelClass websocket_channel_class;

/**
 * websocket_channel_new:
 * @max_message: bytes of the longest message that is taken; 0: no limit
 *
 * The payloads of binary messages, one behind the other, are the plain text of the channel; where a
 * message or one of its frames ends means nothing. What is sealed in one call is one message, or
 * several of at most DETOUR_CHANNEL_RECORD_MAX bytes.
 */
gpointer websocket_channel_new (guint64 max_message);

G_END_DECLS
