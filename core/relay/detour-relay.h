/* detour-relay.h: the protocol engine of one worker: decides about frames of clients, counts,
 * collects and hands out.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure protocol: spans of bytes and a clock come in, verdicts and spans go out. A round:
 *
 *   detour_relay_begin()                     the clock
 *   detour_relay_input() for each client     packets are rewritten where they lie and noted for
 *                                            their destination
 *   detour_relay_next() until NULL           each client that has something to get
 *     detour_relay_gather() until nothing    spans for one record, ready to be sealed and sent
 *     detour_relay_park()                    the client's socket is full: copies of what is left,
 *                                            within limits
 *   detour_relay_end()                       the bytes that came in are not needed any more
 *
 * Everything of one DetourRelay belongs to one worker's thread. Nothing is allocated for a packet
 * unless its destination is blocked. */
#pragma once

#include <glib.h>

#include "detour-bucket.h"
#include "detour-client-kind.h"
#include "detour-close.h"
#include "detour-frame.h"
#include "detour-health.h"
#include "detour-metric.h"
#include "detour-plugin.h"
#include "detour-queue.h"
#include "detour-registry.h"
#include "detour-span.h"

G_BEGIN_DECLS

typedef struct _DetourRelay DetourRelay;

/* Limits of a client; a copy is kept. */
typedef struct {
  DetourQueueLimits queue; /* of a blocked client; the limit in bytes counts once it has taken
                              nothing for a while */
  gsize queue_memory;      /* of all queues of this worker; 0: no limit */
  guint64 receive_rate;    /* bytes a second from one client, heads of frames included, unless it
                              has a rate of its own; 0: no limit */
  guint64 receive_burst;   /* bytes; raised to the longest frame */
} DetourRelayLimits;

typedef enum {
  DETOUR_DROP_UNKNOWN_DEST,
  DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD,
  DETOUR_DROP_GONE,       /* the destination closed while the packet waited */
  DETOUR_DROP_QUEUE_HEAD, /* displaced by a newer packet */
  DETOUR_DROP_QUEUE_TAIL, /* a queue without room for a single packet: never, as the oldest makes
                             room */
  DETOUR_DROP_WRITE_ERROR,
  DETOUR_DROP_DUP_CLIENT, /* several connections, none active */
  DETOUR_DROP_TOO_LONG,   /* the destination would end its connection over it */
  DETOUR_N_DROPS,
} DetourDrop;

/* Sizes of packets that are told apart: up to 64, 128 and so on up to 65,536 bytes, and longer. */
#define DETOUR_N_PACKET_SIZES 12u

/* Written by the worker, read by everyone; sums over the workers are what is shown. */
typedef struct {
  DetourCounter packets_received[DETOUR_QUEUE_N_KINDS];
  DetourCounter bytes_received;
  DetourCounter packet_sizes[DETOUR_N_PACKET_SIZES]; /* of packets_received */
  DetourCounter packets_sent;
  DetourCounter bytes_sent;
  DetourCounter packets_dropped[DETOUR_N_DROPS][DETOUR_QUEUE_N_KINDS];
  DetourCounter bytes_dropped[DETOUR_N_DROPS][DETOUR_QUEUE_N_KINDS];
  DetourCounter packets_forwarded_in, packets_forwarded_out, bytes_forwarded_out;
  DetourCounter pings, pongs;
  DetourCounter unknown_frames;
  DetourCounter keep_alives;
  DetourCounter gone_disconnected, gone_not_here;
  DetourCounter home_moves_in, home_moves_out;
  DetourCounter rate_waits;
  DetourCounter health_texts;
  DetourCounter homes, not_ideal; /* clients now: whose home this is, who wanted another node */
} DetourRelayCounters;

/* All of them; in detour-relay-metrics.c. */
extern const DetourMetricRow detour_relay_metrics[];

/* What a client may send; only where there is a limit. */
typedef struct {
  DetourBucket bucket;
  guint64 rate, burst; /* bytes a second, and bytes */
} DetourClientRate;

/* A key that logged in over a connection, as the protocol sees it: its place in the registry, what
 * waits for it, what admission said. All zero to begin with. */
typedef struct _DetourClient DetourClient;
struct _DetourClient {
  gpointer conn; /* the connection that it logged in over; for the owner */

  /* Touched for each packet. */
  DetourPeer *peer;
  DetourHandle handle;
  DetourSpace *space;   /* where its packets are looked up; NULL until it joins: the common one */
  guint32 first, last;  /* segments of this round, index + 1; 0: none */
  guint64 noted_sender; /* the peer that sent last and is among the contacts; ids do not come
                           again */
  guint is_dirty : 1;   /* is on the list of this round */
  guint is_blocked : 1;
  guint is_gone : 1; /* left in this round */
  guint is_mesh : 1;
  guint is_preferred : 1;
  guint is_watcher : 1;
  guint has_pong : 1;
  guint has_keep_alive : 1;
  guint is_overfull : 1;   /* control frames passed their limit: to be closed */
  guint owes_greeting : 1; /* the first of the control frames was not handed out yet */
  guint has_own_rate : 1;  /* that is not the one of the limits */
  guint ends_on_long : 1;  /* see DetourClientTraits */
  guint takes_extra : 1;
  guint was_told : 1;  /* has a text for its user that was not taken back */
  guint health : 4;    /* of DetourHealth; what is announced to all is not in it */
  guint kind : 3;      /* DetourClientKind */
  guint is_hushed : 1; /* is told nothing, as it is going to be closed */
  guint is_link : 1;   /* no client: a link to another relay, see detour-relay-link.h */
  guint32 control_at;  /* so many bytes of `control` were handed out */
  DetourQueue *queue;  /* NULL: empty */
  GByteArray *control; /* ServerInfo, and what a mesh watcher is told of; goes before packets; NULL:
                          none */
  guint64 rx_packets, rx_bytes; /* of ForwardPacket; read by others (detour-mesh-received.h) */
  guint64 tx_packets, tx_bytes;
  guint64 dropped_packets;

  /* Touched now and then. */
  guint8 pong[DETOUR_FRAME_PING_SIZE];
  DetourPresence presence; /* not changed while joined */
  guint32 dropped_long;    /* of the dropped packets those that were too long for it */
  gint64 login_us;
  gint64 progress_us; /* while blocked: since when, or when its socket took something last, which
                         the session notes */
  DetourBucket not_here;
  DetourClientRate *rate; /* NULL: as fast as it likes */
  gpointer verdict;       /* DetourVerdict, held for its owner; NULL: admission was not asked */
};

/* Whose presence it is; the registry has no other ones. */
static inline const DetourClient *
detour_client_of_presence (const DetourPresence *presence)
{
  return (const DetourClient *) (gconstpointer) ((const guint8 *) presence
                                                 - G_STRUCT_OFFSET (DetourClient, presence));
}

/* What a client takes along from one relay to another. All zero: it has just logged in. */
typedef struct {
  GByteArray *output; /* whole frames, after the rest of one, that go first; NULL: none */
  DetourQueue *queue; /* copies of packets, and notices; NULL: none */
  GArray *contacts;   /* of DetourKey: peers whose leaving it is told of; NULL: none */
  gint64 login_us;    /* 0: now */
  guint64 rx_packets, rx_bytes;
  guint64 tx_packets, tx_bytes;
  guint64 dropped_packets;
  guint32 dropped_long;
  DetourBucket bucket; /* of its receive rate; all zero: it had none */
  guint is_active : 1; /* of the connections of its key the one that got the packets */
  guint is_preferred : 1;
  guint is_watcher : 1;
  guint was_told : 1;
  guint is_hushed : 1;
  guint health : 4;
} DetourClientState;

void detour_client_state_clear (DetourClientState *self);

/* Bytes a second that it may send; 0: no limit. */
static inline guint64
detour_client_receive_rate (const DetourClient *self)
{
  return self->rate != NULL ? self->rate->rate : 0;
}

typedef enum {
  DETOUR_FORWARD_DONE,
  DETOUR_FORWARD_FULL, /* the other worker is behind: try again later, nothing is lost meanwhile */
  DETOUR_FORWARD_NOWHERE, /* no such worker */
} DetourForward;

/* Functions of the owner for everything outside of this worker. */
typedef struct {
  /* A packet for a client of another worker; copied, with @sender in front. */
  DetourForward (*forward) (gpointer user, DetourHandle handle, guint64 sender_id,
                            const DetourKey *sender, const guint8 *packet, gsize len);
  /* A mesh peer wants this connection closed; its worker may be any. The registry is locked. */
  void (*close) (gpointer user, DetourHandle handle);
  /* @client, a mesh connection, is to be told of all clients that are here, and of those that come
   * and go from now on. */
  void (*watch) (gpointer user, DetourClient *client);
  /* A client received a packet of a sender that is not here any more: call
   * detour_relay_settle_contact() when all notices that are on their way have come. */
  void (*sender_left) (gpointer user, DetourHandle handle, guint64 sender_id,
                       const DetourKey *sender);
  /* A packet for a link of another worker; copied, with a head in front. @payload: destination and
   * packet, as in SendPacket */
  DetourForward (*pass_on) (gpointer user, DetourHandle handle, const DetourKey *sender,
                            const guint8 *payload, gsize len);
} DetourRelayPort;

/**
 * detour_relay_new:
 * @worker: number of the worker in handles
 * @server_key: its connections are never told of clients that come and go
 */
DetourRelay *detour_relay_new (DetourRegistry *registry, guint worker, const DetourKey *server_key,
                               const DetourRelayLimits *limits, const DetourRelayPort *port,
                               gpointer user);
void detour_relay_free (DetourRelay *self);
void detour_relay_set_limits (DetourRelay *self, const DetourRelayLimits *limits);
/* @rate: bytes a second, 0 for none; @burst: bytes, raised to the longest frame. Of a client that
 * has joined; holds until the next call for it. */
void detour_relay_set_own_rate (DetourRelay *self, DetourClient *client, guint64 rate,
                                guint64 burst);
/* Those of the limits count again. */
void detour_relay_clear_own_rate (DetourRelay *self, DetourClient *client);
const DetourRelayCounters *detour_relay_counters (
    const DetourRelay *self); /* any thread may read */

/**
 * detour_relay_join:
 * @client: with `is_mesh`, `presence`, `space` and what it takes set
 * @key: as authenticated by the login
 * @handle: unique; its slot number finds the client again
 *
 * Makes the client reachable under its key, the newest connection first.
 */
void detour_relay_join (DetourRelay *self, DetourClient *client, const DetourKey *key,
                        DetourHandle handle);
/* Takes it out, frees what waits for it and counts that as dropped. The client's memory must stay
 * until detour_relay_end(). */
void detour_relay_leave (DetourRelay *self, DetourClient *client);
/* Leaves, and gives all that it is to take along. Nothing of this round is left for it. @keys: keys
 * of peers by id */
void detour_relay_detach (DetourRelay *self, DetourClient *client, GHashTable *keys,
                          DetourClientState *state);
/* Takes over what @state holds, right after the client joined; its contacts come with
 * detour_relay_add_contact(). */
void detour_relay_restore (DetourRelay *self, DetourClient *client, DetourClientState *state);
/* It may send what is left of its rate, as soon as it has the one that it is to have. */
void detour_relay_restore_rate (DetourClient *client, const DetourClientState *state);
/* The client is told when that peer leaves, or now if it is not here. */
void detour_relay_add_contact (DetourRelay *self, DetourClient *client, const DetourKey *key);
/* See DetourRelayPort. */
void detour_relay_settle_contact (DetourRelay *self, DetourHandle handle, guint64 sender_id,
                                  const DetourKey *sender);
/* The client with that handle, or NULL when it has left. */
DetourClient *detour_relay_find (DetourRelay *self, DetourHandle handle);

void detour_relay_begin (DetourRelay *self, gint64 now_us);

typedef enum {
  DETOUR_INPUT_OK,    /* all whole frames were taken */
  DETOUR_INPUT_PAUSE, /* the client is over its rate: call again with the rest at @resume_us */
  DETOUR_INPUT_STALL, /* another worker is behind: call again with the rest when it has caught up */
  DETOUR_INPUT_CLOSE, /* the client broke the protocol */
} DetourInput;

/**
 * detour_relay_input:
 * @data: (inout): bytes of @client; packets are rewritten in place and borrowed until
 * detour_relay_end()
 * @used: (out): bytes of whole frames; the rest must come again, in front of what follows
 * @resume_us: (out): set with PAUSE
 * @why: (out): set with CLOSE
 */
DetourInput detour_relay_input (DetourRelay *self, DetourClient *client, guint8 *data, gsize len,
                                gsize *used, gint64 *resume_us, DetourClose *why)
    G_GNUC_WARN_UNUSED_RESULT;

/* A packet that another worker forwarded to a client of this one, or passes on over one of its
 * links; @sender_id is 0 when nobody knows the sender yet; @frame is borrowed until
 * detour_relay_end(). */
void detour_relay_deliver (DetourRelay *self, DetourHandle handle, guint64 sender_id, guint8 *frame,
                           gsize len);

/* The answer to the login, copied: goes before everything else. Right after the client joined. */
void detour_relay_greet (DetourRelay *self, DetourClient *client, const guint8 *frame, gsize len);

/* A frame for a mesh watcher, copied: goes before packets. A client to which more is owed than a
 * mesh watcher can need is to be closed. */
void detour_relay_control (DetourRelay *self, DetourClient *client, const guint8 *frame, gsize len);
/* A reason to tell the user of @client something begins or ends to hold. */
void detour_relay_set_health (DetourRelay *self, DetourClient *client, DetourHealth reason,
                              gboolean holds);
/* What all users are told, copied; NULL: nothing. */
void detour_relay_announce (DetourRelay *self, const char *text);
/* The text as it is now, if there is one or was one; behind the answer to the login. */
void detour_relay_tell_health (DetourRelay *self, DetourClient *client);
/* Its user is told nothing any more, as it is going to be closed: what was told is taken back.
 * TRUE: there was something. */
gboolean detour_relay_hush (DetourRelay *self, DetourClient *client);
/* It is not going to be closed after all. */
void detour_relay_speak (DetourRelay *self, DetourClient *client);
/* The reasons for what its user is told; of DetourHealth. */
guint detour_relay_health (const DetourRelay *self, const DetourClient *client);
void detour_relay_keep_alive (DetourRelay *self, DetourClient *client);
/* The last connection of a key has left the region: clients that received from it are told, behind
 * the packets that came before. */
void detour_relay_peer_gone (DetourRelay *self, guint64 peer_id, const DetourKey *key);

/* Next client that has something to get in this round; each is given once. */
DetourClient *detour_relay_next (DetourRelay *self);

/**
 * detour_relay_gather:
 * @spans: (array length=max): filled with whole frames
 * @limit: bytes; only a single longer frame passes it
 * @bytes: (out): sum of the spans
 *
 * Hands out what @client gets next: pong, keep-alive and control frames, then what waited, then
 * this round's packets. What was handed out counts as sent; the spans live until the next call for
 * any client or detour_relay_park().
 *
 * Returns: number of spans, 0 when nothing is left.
 */
guint detour_relay_gather (DetourRelay *self, DetourClient *client, DetourSpan *spans, guint max,
                           gsize limit, gsize *bytes);

/* Whether detour_relay_gather() would give something. */
gboolean detour_relay_has_output (const DetourClient *client);

/* The client is blocked from now on: keeps copies of what was not handed out. Undone with
 * detour_relay_unblock(). */
void detour_relay_park (DetourRelay *self, DetourClient *client);
void detour_relay_unblock (DetourRelay *self, DetourClient *client);

/* What the last detour_relay_gather() handed out could not be written: those packets were dropped,
 * not sent. */
void detour_relay_write_failed (DetourRelay *self, DetourClient *client);

void detour_relay_end (DetourRelay *self);

typedef void (*DetourRelaySenderFunc) (guint64 peer_id, gpointer user);
/* Calls @func for each peer of whom @client has received something, and who has not left. */
void detour_relay_each_sender (const DetourRelay *self, const DetourClient *client,
                               DetourRelaySenderFunc func, gpointer user);

/* Bytes that wait in all queues. Any thread. */
gsize detour_relay_queue_bytes (const DetourRelay *self);
/* Bytes that wait for @client in copies. */
gsize detour_relay_waiting_bytes (const DetourClient *client);

G_END_DECLS
