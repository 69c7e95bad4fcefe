/* detour-conn-private.h: one transport connection: socket, channel and timers, and the client that
 * logged in over it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For workers, scans of connections and their tests. A connection moves bytes
 * between its socket and the relay's client. It never ends itself: functions return a verdict, and
 * its owner, the worker, ends it. Everything runs on the worker's thread. */
#pragma once

#include "detour-block.h"
#include "detour-channel.h"
#include "detour-loop.h"
#include "detour-relay.h"
#include "detour-session.h"
#include "detour-address-counts.h"
#include "detour-worker.h"

G_BEGIN_DECLS

#define DETOUR_CONN_READ_MAX 65536u
/* Sealed bytes of one send, without the last record. */
#define DETOUR_CONN_SEND_MAX 65536u

#define DETOUR_CONN_WINDOW_MAX G_MAXUINT16

/* The verdict of a function about a connection that goes on; any other DetourClose is the reason
 * for which it must end. */
#define DETOUR_CONN_OPEN DETOUR_N_CLOSES

/* Sealed bytes that the socket did not take. */
typedef struct {
  guint32 len, at;
  guint32 unacked; /* bytes that the peer had not acknowledged when the write limit was set */
  guint8 bytes[];
} DetourConnRest;

/* An idle connection owns this, its channel and its client, and nothing else. */
typedef struct {
  DetourClient *client; /* the key that logged in; carries label, class and queues */
  DetourIo io;
  DetourChannel channel;
  DetourConnRest *rest; /* NULL: none, and the client is not blocked */
  DetourBlock *in;   /* plain bytes that are not a whole frame yet, or wait for rate or room; NULL:
                        none */
  DetourTimer timer; /* the earliest of these three */
  gint64 keep_alive_us;
  gint64 write_limit_us; /* 0: not blocked */
  gint64 resume_us;      /* 0: reads; else paused by its rate until then */
  guint64 number;
  const char *listener; /* interned */
  DetourAddressKey address_key;
  guint owes_reply : 1; /* its channel has bytes of its own to send */
  guint is_stalled : 1; /* is not read until another worker has caught up */
  guint is_frozen : 1;  /* is not read until the worker thaws */
  guint is_closed : 1;
  guint is_slow : 1;     /* was blocked, and was never free of bytes to send since */
  guint window_kib : 16; /* what the peer's system buffers */
} DetourConn;

/* What all connections of a worker share: room for one round's bytes, and lists that they put
 * themselves on. */
typedef struct {
  DetourLoop *loop;
  DetourRelay *relay;
  DetourWorkerLimits limits;
  DetourWorkerCounters counters;

  guint8 *cipher;       /* one read, before it is opened */
  DetourBuffer arena;   /* opened bytes of this round; the relay borrows from it */
  DetourBuffer sealed;  /* one send */
  DetourBlock *retired; /* blocks the relay borrows from, released with the round */
  DetourBlockStore blocks;
  GPtrArray *replies; /* connections whose channel owes a reply */
  GPtrArray *stalled; /* connections that wait for room in a ring */
} DetourConnShared;

static inline DetourConn *
detour_conn_of_client (DetourClient *client)
{
  return client->conn;
}

void detour_conn_shared_init (DetourConnShared *self, const DetourWorkerLimits *limits);
void detour_conn_shared_clear (DetourConnShared *self);
/* The round is over: nothing borrows from the arena and from retired blocks any more. */
void detour_conn_shared_reset (DetourConnShared *self);

/* FALSE: clients must get what they have, so that the arena is free again, before
 * detour_conn_ready(). */
static inline gboolean
detour_conn_shared_has_room (const DetourConnShared *self)
{
  return self->arena.cap - self->arena.len >= DETOUR_CONN_READ_MAX + DETOUR_CHANNEL_FEED_SLACK;
}

/* @sealed: (nullable): goes first; @input: (nullable): plain bytes that came already. */
DetourClose detour_conn_start (DetourConnShared *shared, DetourConn *conn, const GByteArray *sealed,
                               const GByteArray *input) G_GNUC_WARN_UNUSED_RESULT;
/* @events: of epoll */
DetourClose detour_conn_ready (DetourConnShared *shared, DetourConn *conn, guint32 events)
    G_GNUC_WARN_UNUSED_RESULT;
/* Of a stalled or paused connection: goes on with what it has sent. */
DetourClose detour_conn_retry (DetourConnShared *shared, DetourConn *conn)
    G_GNUC_WARN_UNUSED_RESULT;
DetourClose detour_conn_timer (DetourConnShared *shared, DetourConn *conn)
    G_GNUC_WARN_UNUSED_RESULT;
/* Sends what the relay has for the connection, until it blocks or nothing is left. */
DetourClose detour_conn_flush (DetourConnShared *shared, DetourConn *conn)
    G_GNUC_WARN_UNUSED_RESULT;
/* It is not read any more, which does not change what the client gets; and is read again. */
void detour_conn_freeze (DetourConnShared *shared, DetourConn *conn);
DetourClose detour_conn_thaw (DetourConnShared *shared, DetourConn *conn) G_GNUC_WARN_UNUSED_RESULT;
/* Moves socket, channel and all bytes that wait into @session. */
void detour_conn_detach (DetourConnShared *shared, DetourConn *conn, DetourSession *session);
/* Says goodbye if asked to, closes the socket and frees the buffers; the memory of the connection
 * stays until the round is over. */
void detour_conn_clear (DetourConnShared *shared, DetourConn *conn, gboolean say_goodbye);

/* In detour-conn-limit.c. */

/* What the peer's system buffers, in KiB, as far as its first window shows. */
guint detour_conn_limit_window (const DetourConn *conn);
/* Blocked, or free of bytes to send again. */
void detour_conn_limit_set_slow (DetourConnShared *shared, DetourConn *conn, gboolean is_slow);
/* Of a blocked connection that took something just now. */
void detour_conn_limit_set (DetourConnShared *shared, DetourConn *conn);
/* The limit has come. FALSE: the peer has taken nothing. */
gboolean detour_conn_limit_extend (DetourConnShared *shared, DetourConn *conn)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
