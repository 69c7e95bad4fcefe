/* detour-conn-private.h: one registered connection: reading, opening, sealing, sending, its
 * timers.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For detour-worker.c, detour-conn.c, detour-snapshot.c and their tests. Everything runs on the
 * worker's worker. */
#pragma once

#include "detour-block.h"
#include "detour-worker.h"
#include "detour-slab.h"

G_BEGIN_DECLS

typedef struct _DetourConn DetourConn;

/* What an idle connection owns is this and its channel. `client` comes first: the relay knows
 * connections by it. */
struct _DetourConn {
  DetourClient client;
  DetourIo io;
  DetourChannel channel;
  guint8 *out; /* sealed bytes that the socket did not take; NULL: none, and the client is not
                  blocked */
  DetourBlock
      *in; /* plain bytes that are not a whole frame yet, or wait for rate or room; NULL: none */
  guint32 out_len, out_at;
  DetourTimer timer; /* the earliest of these three */
  gint64 keep_alive_us;
  gint64 write_limit_us; /* 0: not blocked */
  gint64 resume_us;      /* 0: reads; else paused by its rate until then */
  guint64 number;
  DetourVerdict *verdict; /* by which it was let in; NULL: admission was not asked */
  const char *listener;   /* interned */
  DetourAddressKey address_key;
  gboolean owes_reply; /* its channel has bytes of its own to send */
  gboolean is_stalled; /* is not read until another worker has caught up */
  gboolean is_closed;
};

/* What all connections of a worker share: room for one round's bytes. */
struct _DetourCarrier {
  DetourLoop *loop;
  DetourRelay *relay;
  DetourWorkerLimits limits;
  guint index;

  guint8 *cipher;       /* one read, before it is opened */
  DetourBuffer arena;   /* opened bytes of this round; the relay borrows from it */
  DetourBuffer sealed;  /* one send */
  DetourBlock *retired; /* blocks the relay borrows from, released with the round */
  DetourBlockStore blocks;

  DetourSlab *slab;
  GPtrArray *conns;   /* by slot; NULL: free */
  GArray *free_slots; /* of guint32 */
  GPtrArray *replies; /* connections whose channel owes a reply */
  GPtrArray *stalled; /* connections that wait for room in a ring */
  guint32 generation;
  GPtrArray *watchers; /* mesh connections that hear of all who come and go */
  guint n_watchers;    /* their number; written here, read by everyone */
  guint n_conns;       /* those on their way to it included; atomic */
  gboolean is_stopping;

  DetourWorkerRings *rings;
  DetourRegistry *registry;
  DetourAddressCounts *addresses;
  DetourWorkerCounters counters;
};

#define DETOUR_CONN_READ_MAX 65536u
/* Sealed bytes of one send, without the last record. */
#define DETOUR_CONN_SEND_MAX 65536u

static inline DetourConn *
detour_conn_of_client (DetourClient *client)
{
  return (DetourConn *) client;
}

/* @sealed: (nullable): goes first; @input: (nullable): plain bytes that came already. */
void detour_conn_start (DetourWorker *worker, DetourConn *conn, const GByteArray *sealed,
                        const GByteArray *input);
void detour_conn_ready (DetourLoop *loop, DetourIo *io, guint32 events);
/* Of a stalled or paused connection: goes on with what it has sent. */
void detour_conn_retry (DetourWorker *worker, DetourConn *conn);
void detour_conn_timer (DetourWorker *worker, DetourTimer *timer);
/* Sends what the relay has for the connection, until it blocks or nothing is left. */
void detour_conn_flush (DetourWorker *worker, DetourConn *conn);
/* Frees what the connection owns; its memory stays until the round is over. */
void detour_conn_clear (DetourWorker *worker, DetourConn *conn, gboolean say_goodbye);

/* In detour-worker.c. */
void detour_worker_end_conn (DetourWorker *self, DetourConn *conn, DetourClose reason);
/* Gives every destination its packets, so that the arena is free again. */
void detour_worker_flush (DetourWorker *self);

G_END_DECLS
