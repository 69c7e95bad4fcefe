/* detour-channel-stack.h: one channel over another: a WebSocket over TLS, say.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-channel.h"

G_BEGIN_DECLS

/* Channels over the lowest one. */
#define DETOUR_CHANNEL_STACK_MAX 4u

/* To the rest of core a stack is a channel like any other. What the lower one opens the upper one
 * opens again, and what the upper one seals the lower one seals again. */
extern const DetourChannelClass detour_channel_stack;

/**
 * detour_channel_stack_push:
 * @channel: (inout): its handshake is over; becomes the stack
 * @upper: taken
 *
 * Puts @upper over the channel that is there, which may be a stack already. A plain channel is
 * replaced, because nothing would be left for it to do.
 */
void detour_channel_stack_push (DetourChannel *channel, DetourChannel upper);

/* The two parts of a stack; borrowed. */
const DetourChannel *detour_channel_stack_lower (const DetourChannel *stack);
const DetourChannel *detour_channel_stack_upper (const DetourChannel *stack);

/* How the connection came: "plain", "tls", or the name of the class that lies over all others, such
 * as "websocket". */
const char *detour_channel_stack_way (const DetourChannel *channel);

/* It lies over the channel of the transport, as a WebSocket does, whose peers answer a goodbye. */
gboolean detour_channel_stack_is_upper (const DetourChannel *channel);

G_END_DECLS
