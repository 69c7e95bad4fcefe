/* bench-traffic.h: packets between the clients of a crowd, each checked on arrival.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Belongs to the thread of its crowd, but for the counters, which anyone may read. */
#pragma once

#include "bench-crowd.h"
#include "bench-histogram.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

typedef enum {
  BENCH_MATCH_PAIRS,   /* neighbours, both ways */
  BENCH_MATCH_RANDOM,  /* everyone sends to one other and hears from a third */
  BENCH_MATCH_SCATTER, /* every packet to somebody else */
  BENCH_MATCH_ONE_WAY, /* even clients to their odd neighbours, which say nothing */
} BenchMatch;

typedef struct {
  BenchMatch match;
  guint size;      /* bytes of a packet, without header and key */
  guint batch;     /* frames in one record and one send */
  guint window;    /* packets of one sender that may be on their way, when there is no rate */
  double rate;     /* packets a second of this crowd; 0: as fast as the window allows */
  guint64 packets; /* so many are offered, then no more; 0: no end */
  gboolean stamps; /* also measure from kernel to kernel */
} BenchTrafficPlan;

typedef struct {
  DetourCounter offered;
  DetourCounter delivered; /* whole, to whom they were sent, from whom they came */
  DetourCounter held_back; /* not offered, as the sender's own socket was full */
  DetourCounter corrupt;
  DetourCounter misrouted;
  DetourCounter reordered;
  DetourCounter duplicated;
  DetourCounter gone; /* PeerGone frames */
} BenchTrafficCounters;

/* Stretches of time whose latencies are kept apart. */
#define BENCH_TRAFFIC_EPOCHS 3u

typedef struct {
  guint in_flight;
  gboolean is_ready; /* is on the list */
  guint64 credited_ns;
} BenchSender;

typedef struct {
  BenchCrowd *crowd;
  BenchTrafficPlan plan;
  BenchTrafficCounters counters;
  BenchHistogram latency[BENCH_TRAFFIC_EPOCHS]; /* ns */
  /* With stamps, ns: from where the sender gives a packet to its kernel to where the receiver's
   * kernel has it. What a client waits for its own processor is not in it. */
  BenchHistogram relayed[BENCH_TRAFFIC_EPOCHS];
  guint64 epoch_ns[BENCH_TRAFFIC_EPOCHS]; /* atomic; when it began; 0: it did not */

  guint *partner; /* (array length=n) unless scattered */
  BenchSender *senders;
  guint32 *next;     /* sequence numbers: by sender, or by sender and receiver when scattered */
  guint32 *expected; /* by the same */
  GArray *ready;     /* of guint: senders whose window has room */
  guint8 *frames;    /* one batch */
  guint turn;        /* next sender, with a rate */
  guint64 due_ns;
  guint64 checked_ns;
  gboolean has_begun;
} BenchTraffic;

gboolean bench_match_parse (const char *text, BenchMatch *match, GError **error);

/* Sets frame handler and data of @crowd. */
gboolean bench_traffic_init (BenchTraffic *self, BenchCrowd *crowd, const BenchTrafficPlan *plan,
                             GError **error);
void bench_traffic_clear (BenchTraffic *self);

/* One turn of the loop; sends what is due. */
void bench_traffic_turn (BenchTraffic *self);
/* All that the plan allows was offered. */
gboolean bench_traffic_is_done (const BenchTraffic *self);
/* Sends nothing more and waits for what is on its way, until nothing came for a quarter of a
 * second. */
void bench_traffic_drain (BenchTraffic *self);

G_END_DECLS
