/* test-upper-channel.h: a channel to be put over another: frames with a head of two bytes, whose
 * payload is turned over, as a WebSocket does it; pings are answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

extern const DetourChannelClass test_upper_channel;

gpointer test_upper_channel_new (void);

/* Bytes on the wire: a frame of @len bytes, a ping, the goodbye. */
void test_upper_put_frame (GByteArray *wire, const void *data, gsize len);
void test_upper_put_ping (GByteArray *wire);
void test_upper_put_goodbye (GByteArray *wire);
