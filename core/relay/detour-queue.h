/* detour-queue.h: packets that wait for a client which does not read fast enough.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client has none most of the time: the pointer to it is NULL while nothing waits. Thread: the
 * worker that owns the client. */
#pragma once

#include <glib.h>

#include "detour-frame.h"

G_BEGIN_DECLS

/* Two lines, so that a flood of data cannot push out the packets that would find a better path. */
typedef enum {
  DETOUR_QUEUE_DATA,
  DETOUR_QUEUE_DISCO,
  DETOUR_QUEUE_N_KINDS,
} DetourQueueKind;

typedef struct {
  guint packets; /* in each line; at least 1 */
  gsize bytes;   /* of whole frames, in both */
} DetourQueueLimits;

/* One RecvPacket frame. Free with g_free(). */
typedef struct _DetourQueued DetourQueued;
struct _DetourQueued {
  DetourQueued *next; /* of the queue */
  guint32 len;
  guint8 kind;
  guint8 frame[];
};

typedef struct _DetourQueue DetourQueue;

/* @packet is lent for the call. */
typedef void (*DetourQueueDropFunc) (const DetourQueued *packet, gpointer user);

/* Bytes of the packet in a frame, without header and key: what drop counters count. */
static inline gsize
detour_queued_packet_len (const DetourQueued *packet)
{
  return packet->len - DETOUR_FRAME_RECV_HEAD_SIZE;
}

static inline DetourQueueKind
detour_queue_kind_of (const guint8 *packet, gsize len)
{
  return detour_frame_is_disco (packet, len) ? DETOUR_QUEUE_DISCO : DETOUR_QUEUE_DATA;
}

/**
 * detour_queue_push:
 * @self: (in) (out): the client's queue; created when NULL
 * @kind: its line
 * @frame: (array length=len): a whole RecvPacket frame, copied
 * @drop: (nullable): called for each packet that is pushed out, oldest first
 *
 * Puts the frame at the end of its line. While the line is full, or both lines together would hold
 * too many bytes, the oldest packet of the same line goes; the other line is never touched. A frame
 * whose line is empty is always taken, so that neither line starves and a frame longer than the
 * limit still passes: at most one frame above the limit is held.
 */
void detour_queue_push (DetourQueue **self, const DetourQueueLimits *limits, DetourQueueKind kind,
                        const guint8 *frame, gsize len, DetourQueueDropFunc drop, gpointer user);

/* Length of the frame that detour_queue_pop() gives next; 0 when nothing waits. */
gsize detour_queue_next_len (const DetourQueue *self);

/**
 * detour_queue_pop:
 * @self: (in) (out): the client's queue; freed, and NULL, when this was the last packet
 *
 * Each line is first in, first out; while both hold packets they take turns.
 *
 * Returns: (transfer full) (nullable): a packet; NULL when nothing waits.
 */
DetourQueued *detour_queue_pop (DetourQueue **self);

/* Empties and frees it: the client is gone. @drop (nullable) gets every packet. */
void detour_queue_clear (DetourQueue **self, DetourQueueDropFunc drop, gpointer user);

/* What waits; NULL is an empty queue. */
guint detour_queue_n_packets (const DetourQueue *self);
gsize detour_queue_n_bytes (const DetourQueue *self);

G_END_DECLS
