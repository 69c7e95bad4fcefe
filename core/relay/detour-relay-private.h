/* detour-relay-private.h: the inside of a worker's protocol engine, for its two halves, input and
 * output.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-relay.h"
#include "detour-contacts.h"
#include "detour-early-contacts.h"
#include "detour-relay-link.h"

G_BEGIN_DECLS

/* Packets for one client that lie behind one another: all from one read, rewritten in place. */
typedef struct {
  guint8 *data;
  guint32 len;
  guint32 next; /* index + 1; 0: the last */
  guint16 n_frames;
  guint8 kind;
  guint32 head; /* index + 1 of one that goes before `data`; 0: none. Of packets for links only */
} DetourSegment;

/* Of a ForwardPacket, whose rest lies where its SendPacket came. */
typedef struct {
  guint8 bytes[DETOUR_FRAME_RECV_HEAD_SIZE];
} DetourForwardHead;

struct _DetourRelay {
  DetourRegistry *registry;
  DetourContacts *contacts;
  DetourEarlyContacts early;
  const DetourRelayPort *port;
  gpointer user;
  DetourRelayLimits limits;
  gint64 now_us;
  guint worker;
  DetourKey server_key;
  char *announcement; /* NULL: none */

  GPtrArray *slots; /* of DetourClient, by the slot of its handle; NULL: free */
  GPtrArray *dirty; /* clients with something to get */
  guint next_dirty;
  DetourQueueBudget budget; /* of all queues */
  DetourQueued *notices;    /* of this round; segments borrow from them */
  DetourSegment *segments;
  guint32 n_segments, max_segments;
  DetourForwardHead *heads; /* NULL: none was needed yet */
  guint32 n_heads, max_heads;

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

/* Of a packet for a link; of one for a client nothing happens. */
static inline void
detour_relay_count_link_drop (const DetourClient *client, DetourDrop reason, guint n)
{
  if (client->is_link)
    detour_counter_add (&detour_relay_link_of (client)->counters.packets_dropped[reason], n);
}

/* For detour_outgoing_on_drop(). */
typedef struct {
  DetourRelay *relay;
  DetourDrop reason;
} DetourDropContext;

/* Counts a packet that a queue drops; a DetourQueueDropFunc. */
void detour_outgoing_on_drop (const DetourQueued *packet, DetourQueue **queue, gpointer user);

/* Copies of frames for a blocked client, within its limits; the second one for a link, whose frame
 * may have a head apart. */
void detour_outgoing_keep_copy (DetourRelay *self, DetourClient *client, DetourQueueKind kind,
                                const guint8 *frame, gsize len);
void detour_outgoing_keep (DetourRelay *self, DetourClient *client, DetourQueueKind kind,
                           const DetourForwardHead *head, const guint8 *frame, gsize len);

/* A client of this worker has something to get: it is on the list of this round, unless it is
 * blocked. */
void detour_outgoing_mark (DetourRelay *self, DetourClient *client);

/* A frame that says that a peer is gone, copied: goes behind all packets that came before it. */
void detour_outgoing_notice (DetourRelay *self, DetourClient *client, const guint8 *frame,
                             gsize len);

/* A whole RecvPacket frame for a client of this worker; borrowed until detour_relay_end(). */
void detour_outgoing_deliver (DetourRelay *self, DetourClient *client, guint64 sender_id,
                              DetourQueueKind kind, guint8 *frame, gsize len);

/* A packet for a link of this worker. @payload: destination and packet, as in SendPacket; borrowed
 * until detour_relay_end() */
void detour_outgoing_forward (DetourRelay *self, DetourClient *client, DetourQueueKind kind,
                              const DetourKey *sender, guint8 *payload, gsize len);
/* The same as a whole frame. */
void detour_outgoing_pass_on (DetourRelay *self, DetourClient *client, guint8 *frame, gsize len);

/* Drops all that waits for a client that leaves. */
void detour_outgoing_forget (DetourRelay *self, DetourClient *client);

/* Frees what the last gather handed out. */
void detour_outgoing_release (DetourRelay *self);

G_END_DECLS
