/* detour-queue.h: packets that wait for a client which does not read fast enough.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client has none most of the time: the pointer to it is NULL while nothing waits. Thread: the
 * worker that owns the client. */
#pragma once

#include <glib.h>

#include "detour-frame.h"

G_BEGIN_DECLS

/* Packets wait in two lines, so that a flood of data cannot push out those that would find a better
 * path. Notices, which say that a peer is gone, are no packets and have a line of their own. */
typedef enum {
  DETOUR_QUEUE_DATA,
  DETOUR_QUEUE_DISCO,
  DETOUR_QUEUE_N_KINDS,
  DETOUR_QUEUE_NOTICE = DETOUR_QUEUE_N_KINDS,
} DetourQueueKind;

/* Notices that may wait for one client: as many as it can have peers. Of more the oldest is
 * forgotten, and the client learns the same when it next sends to that peer. */
#define DETOUR_QUEUE_NOTICES_MAX 4096u

typedef struct {
  guint packets; /* in each line; at least 1 */
  gsize bytes;   /* of whole frames, in both */
} DetourQueueLimits;

/* One frame: RecvPacket, on its way to another relay ForwardPacket, or a notice. Free with
 * g_free().
 */
typedef struct _DetourQueued DetourQueued;
struct _DetourQueued {
  DetourQueued *next; /* of the queue */
  guint32 len;
  guint32 number; /* frames of a queue are numbered as they come */
  guint8 kind;
  guint8 frame[];
};

typedef struct _DetourQueue DetourQueue;

/* @packet is lent for the call; @queue is where the pointer to its queue is kept. */
typedef void (*DetourQueueDropFunc) (const DetourQueued *packet, DetourQueue **queue,
                                     gpointer user);

/* What all queues of a worker may hold together. All zero, with `max_bytes` set, to begin with. */
#define DETOUR_QUEUE_SIZE_CLASSES 26
typedef struct {
  gsize n_bytes, max_bytes; /* of packets */
  struct {
    DetourQueue *first, *last;
  } classes[DETOUR_QUEUE_SIZE_CLASSES]; /* by the logarithm of what a queue holds */
} DetourQueueBudget;

/* Bytes of the packet in a frame, without header and key: what drop counters count. */
static inline gsize
detour_queued_packet_len (const DetourQueued *packet)
{
  return packet->len
       - (packet->frame[0] == DETOUR_FRAME_FORWARD_PACKET ? DETOUR_FRAME_FORWARD_HEAD_SIZE
                                                          : DETOUR_FRAME_RECV_HEAD_SIZE);
}

static inline DetourQueueKind
detour_queue_kind_of (const guint8 *packet, gsize len)
{
  return detour_frame_is_disco (packet, len) ? DETOUR_QUEUE_DISCO : DETOUR_QUEUE_DATA;
}

/**
 * detour_queue_push:
 * @self: (in) (out): the client's queue; created when NULL; stays where it is while the queue lives
 * @budget: (nullable): of the worker; the same for every call
 * @kind: its line
 * @frame: (array length=len): a whole RecvPacket or ForwardPacket frame, copied
 * @drop: (nullable): called for each packet that is pushed out, oldest first
 *
 * Puts the frame at the end of its line. While the line is full, or both lines together would hold
 * too many bytes, the oldest packet of the same line goes; the other line is never touched. A frame
 * whose line is empty is always taken, so that neither line starves and a frame longer than the
 * limit still passes: at most one frame above the limit is held.
 *
 * Then, while @budget is passed, the oldest packet of a large queue goes: of those whose size is
 * within a factor of two of the largest, the one that reached that size first. It may be the packet
 * that was just pushed, and @self may be NULL then.
 */
void detour_queue_push (DetourQueue **self, DetourQueueBudget *budget,
                        const DetourQueueLimits *limits, DetourQueueKind kind, const guint8 *frame,
                        gsize len, DetourQueueDropFunc drop, gpointer user);

/* The same for a frame that lies in two pieces. */
void detour_queue_push_parts (DetourQueue **self, DetourQueueBudget *budget,
                              const DetourQueueLimits *limits, DetourQueueKind kind,
                              const guint8 *head, gsize head_len, const guint8 *rest,
                              gsize rest_len, DetourQueueDropFunc drop, gpointer user);

/* A notice: it comes out when all that was pushed before it is gone, and before what is pushed
 * later. */
void detour_queue_push_notice (DetourQueue **self, DetourQueueBudget *budget, const guint8 *frame,
                               gsize len);

/* Calls @func for every packet and notice, in the order in which they came. */
typedef void (*DetourQueueFunc) (const DetourQueued *queued, gpointer user);
void detour_queue_each (const DetourQueue *self, DetourQueueFunc func, gpointer user);

/* Takes over @from, which is NULL then; @self is NULL before. */
void detour_queue_move (DetourQueue **self, DetourQueueBudget *budget, DetourQueue **from);

/* Length of the frame that detour_queue_pop() gives next; 0 when nothing waits. */
gsize detour_queue_next_len (const DetourQueue *self);

/**
 * detour_queue_pop:
 * @self: (in) (out): the client's queue; freed, and NULL, when this was the last packet
 *
 * Each line is first in, first out; while both hold packets they take turns. A notice comes when no
 * packet before it is left.
 *
 * Returns: (transfer full) (nullable): a packet or a notice; NULL when nothing waits.
 */
DetourQueued *detour_queue_pop (DetourQueue **self);

/* Empties and frees it: the client is gone. @drop (nullable) gets every packet, but no notice. */
void detour_queue_clear (DetourQueue **self, DetourQueueDropFunc drop, gpointer user);

/* What waits, without notices; NULL is an empty queue. */
guint detour_queue_n_packets (const DetourQueue *self);
gsize detour_queue_n_bytes (const DetourQueue *self);
guint detour_queue_n_notices (const DetourQueue *self);

G_END_DECLS
