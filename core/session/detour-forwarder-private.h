/* detour-forwarder-private.h: the two sides of a forwarded connection, for the files of the
 * forwarder.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-forwarder.h"
#include "detour-log-limit.h"
#include "detour-loop.h"

G_BEGIN_DECLS

/* One read. Larger ones cost less for a byte, and what a side does not take is kept, so this bounds
 * the memory of a connection, too. */
#define DETOUR_FORWARDER_READ_SIZE (64u * 1024)

typedef struct _DetourForwarderPair DetourForwarderPair;

/* One of the two connections. */
typedef struct {
  DetourIo io;
  DetourForwarderPair *pair;
  guint8 *rest; /* bytes for it that its socket did not take; NULL: none */
  guint32 rest_len, rest_at;
  guint has_ended : 1;    /* sends nothing more */
  guint is_parked : 1;    /* not watched: its end is known and its bytes are not wanted yet */
  guint was_told : 1;     /* was told that the other one sends nothing more */
  guint is_sealed : 1;    /* of a tunnel's client: the pair's channel lies over it */
  guint owes_reply : 1;   /* the channel has bytes of its own to send */
  guint said_goodbye : 1; /* the channel has told its end */
} DetourForwarderSide;

struct _DetourForwarderPair {
  DetourTimer timer;
  DetourForwarder *forwarder;
  DetourForwarderSide client, server;
  DetourChannel channel;     /* of a tunnel's client */
  DetourForwardTable *table; /* NULL: a tunnel */
  const DetourForwardTarget *target;
  DetourForwarderCounters *counters;
  const char *listener;
  guint8 address[16]; /* of the client */
  void (*ended) (gpointer user, const DetourForwarderEnd *end);
  gpointer user;
  gint64 start_us;
  guint64 bytes_in, bytes_out; /* as in the counters */
  gint64 idle_us;
  gint64 moved_us; /* when a byte moved last */
  GList link;
  guint is_connecting : 1;
  guint was_begun : 1; /* and counted as such */
  guint is_closed : 1;
};

struct _DetourForwarder {
  DetourLoop *loop;
  DetourForwarderCounters counters, tunnel_counters;
  guint n_pairs; /* atomic */

  /* Of the thread. */
  GQueue pairs;
  guint8 *buffer;
  DetourBuffer opened, sealed; /* of channels; made with the first tunnel */
  DetourLogLimit failures, refusals;
};

static inline DetourForwarderSide *
detour_forwarder_other (DetourForwarderSide *side)
{
  DetourForwarderPair *pair = side->pair;

  return side == &pair->client ? &pair->server : &pair->client;
}

/* @len bytes have come for @side from the other one. */
static inline void
detour_forwarder_count_bytes (DetourForwarderSide *side, gsize len)
{
  DetourForwarderPair *pair = side->pair;

  if (side == &pair->client)
    {
      pair->bytes_out += len;
      detour_counter_add (&pair->counters->bytes_out, len);
    }
  else
    {
      pair->bytes_in += len;
      detour_counter_add (&pair->counters->bytes_in, len);
    }
}

/* Both sides, and the pair. Safe to call twice. */
void detour_forwarder_close (DetourForwarderPair *pair);
/* The same because its channel does not go on. */
void detour_forwarder_break (DetourForwarderPair *pair);

/* In detour-forwarder-bytes.c. Reads what has come and gives it to the other side; sends what
 * waited. FALSE: the pair is closed. */
gboolean detour_forwarder_read (DetourForwarderSide *side);
gboolean detour_forwarder_put_rest (DetourForwarderSide *side);

G_END_DECLS
