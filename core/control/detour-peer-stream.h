/* detour-peer-stream.h: the bytes of one peer of the control socket, as a stream for GDBus that
 * holds the peer to its limits.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GDBus reads as fast as a peer sends, keeps all answers that the peer does not read, and takes a
 * message of 128 MB. This stream lets in one call at a time: the next one is read when the answer
 * to it has been written. So a peer that does not read its answers is not read either, and the
 * daemon owes it one answer. A message that is longer than DETOUR_PEER_MESSAGE_MAX, or is no call,
 * ends the connection before its body is read. The flag that no answer is wanted is taken off,
 * since every call has to be followed by something that can be counted. */
#pragma once

#include <gio/gio.h>

#include "detour-peer-turns.h"

G_BEGIN_DECLS

/* The longest call that there is has a few hundred bytes. */
#define DETOUR_PEER_MESSAGE_MAX 65536u

#define DETOUR_TYPE_PEER_STREAM (detour_peer_stream_get_type ())
G_DECLARE_FINAL_TYPE (DetourPeerStream, detour_peer_stream, DETOUR, PEER_STREAM, GIOStream)

/* @fd: of a Unix socket behind its authentication; closed with the stream. @turns: referenced. */
DetourPeerStream *detour_peer_stream_new (int fd, DetourPeerTurns *turns);

/* Ends it in both directions; reads give the end, writes an error. Any thread. */
void detour_peer_stream_end (DetourPeerStream *self);

/* The answer to the call that was read takes long: the turn of the call passes to others. Any
 * thread. */
void detour_peer_stream_answer_later (DetourPeerStream *self);

/* Calls that were read. Any thread. */
guint detour_peer_stream_n_calls (DetourPeerStream *self);
/* Messages that were written to the last byte. Any thread. */
guint detour_peer_stream_n_written (DetourPeerStream *self);
/* What the peer did wrong, for the log; NULL: nothing. Any thread. */
const char *detour_peer_stream_fault (DetourPeerStream *self);

G_END_DECLS
