/* detour-relay-private.h: the inside of a worker's protocol engine, for its two halves, input and
 * output.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-relay.h"
#include "detour-contacts.h"

G_BEGIN_DECLS

/* Packets for one client that lie behind one another: all from one read, rewritten in place. */
typedef struct {
  guint8 *data;
  guint32 len;
  guint32 next; /* index + 1; 0: the last */
  guint16 n_frames;
  guint8 kind;
} DetourSegment;

struct _DetourRelay {
  DetourRegistry *registry;
  DetourContacts *contacts;
  const DetourRelayPort *port;
  gpointer user;
  DetourRelayLimits limits;
  gint64 now_us;
  guint worker;
  DetourKey server_key;

  GPtrArray *slots; /* of DetourClient, by the slot of its handle; NULL: free */
  GPtrArray *dirty; /* clients with something to get */
  guint next_dirty;
  DetourQueueBudget budget; /* of all queues */
  DetourQueued *notices;    /* of this round; segments borrow from them */
  DetourSegment *segments;
  guint32 n_segments, max_segments;

  /* Handed out by the last gather. */
  DetourQueued *handed_packets;
  GByteArray *handed_control;
  guint8 handed_small[DETOUR_FRAME_PONG_SIZE + DETOUR_FRAME_KEEP_ALIVE_SIZE];
  guint64 handed_bytes[DETOUR_QUEUE_N_KINDS];
  guint32 handed_n[DETOUR_QUEUE_N_KINDS];

  DetourRelayCounters counters;
};

static inline void
detour_relay_count_drop (DetourRelay *self, DetourDrop reason, DetourQueueKind kind, gsize bytes,
                         guint n)
{
  detour_counter_add (&self->counters.packets_dropped[reason][kind], n);
  detour_counter_add (&self->counters.bytes_dropped[reason][kind], bytes);
}

/* A client of this worker has something to get: it is on the list of this round, unless it is
 * blocked. */
void detour_outgoing_mark (DetourRelay *self, DetourClient *client);

/* A frame that says that a peer is gone, copied: goes behind all packets that came before it. */
void detour_outgoing_notice (DetourRelay *self, DetourClient *client, const guint8 *frame,
                             gsize len);

/* A whole RecvPacket frame for a client of this worker; borrowed until detour_relay_end(). */
void detour_outgoing_deliver (DetourRelay *self, DetourClient *client, guint64 sender_id,
                              DetourQueueKind kind, guint8 *frame, gsize len);

/* Drops all that waits for a client that leaves. */
void detour_outgoing_forget (DetourRelay *self, DetourClient *client);

/* Frees what the last gather handed out. */
void detour_outgoing_release (DetourRelay *self);

G_END_DECLS
