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
#include "detour-log-limit.h"
#include "detour-loop.h"
#include "detour-partings.h"
#include "detour-relay-link.h"
#include "detour-relay.h"
#include "detour-session.h"
#include "detour-terms.h"
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
  gint64 limit_us; /* its peer is looked at then */
  gint64 end_us;   /* the connection ends then, unless its peer takes something before */
  guint32 len, at;
  guint32 unacked; /* bytes that the peer had not acknowledged when the limit was set */
  guint8 bytes[];
} DetourConnRest;

/* Where a connection counts that has a class, a tenant or both. */
typedef struct {
  DetourTenantVisit *visit; /* NULL: of no tenant */
  DetourTerms *terms;       /* NULL: those of [limits] */
  guint64 charged_bytes;    /* of those that its client sent: that were counted there */
} DetourConnTies;

/* An idle connection owns this, its channel and its client, and nothing else. There are many of
 * them, so what only some need is elsewhere: see DETOUR_CONN_SIZE_MAX. */
typedef struct {
  DetourClient *client; /* the key that logged in; carries label, class and queues */
  DetourIo io;
  DetourChannel channel;
  DetourConnRest *rest; /* NULL: none, and the client is not blocked */
  DetourBlock *in;   /* plain bytes that are not a whole frame yet, or wait for rate or room; NULL:
                        none */
  DetourTimer timer; /* the earliest of these two and the limit of `rest` */
  gint64 keep_alive_us;
  gint64 resume_us; /* 0: reads; else paused by its rate until then */
  guint64 number;
  const char *listener; /* interned */
  DetourConnTies *ties; /* NULL: of no tenant and no class */
  guint owes_reply : 1; /* its channel has bytes of its own to send */
  guint is_stalled : 1; /* is not read until another worker has caught up */
  guint is_frozen : 1;  /* is not read until the worker thaws */
  guint is_closed : 1;
  guint was_slowed : 1;    /* had to wait for its receive rate at least once */
  guint is_hasty : 1;      /* had to wait for it since the last keep-alive */
  guint is_slow : 1;       /* was blocked, and was never free of bytes to send since */
  guint is_counted : 1;    /* among the connections of its address, that of its client's presence */
  guint is_silent : 1;     /* perhaps: a keep-alive was due, and it got no packet since */
  guint is_kept_alive : 1; /* and what it gets next is that keep-alive */
  guint is_pinged : 1;     /* it was silent, and nothing came since the ping */
  guint is_suspect : 1;    /* and should have come */
  guint window_kib : 16;   /* what the peer's system buffers */
  guint32 told_drops;      /* of the client's dropped packets, those that an event has told of */
} DetourConn;

/* Two cache lines. */
#define DETOUR_CONN_SIZE_MAX 128u
G_STATIC_ASSERT (sizeof (DetourConn) <= DETOUR_CONN_SIZE_MAX);

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
  DetourLogLimit slowed;
  DetourPartings partings;
  GHashTable *pinged;  /* when connections were that are so, in milliseconds; NULL: none yet */
  guint n_keep_alives; /* so far; goes round */
} DetourConnShared;

static inline DetourConn *
detour_conn_of_client (DetourClient *client)
{
  return client->conn;
}

/* In detour-conn-shared.c. */
void detour_conn_shared_init (DetourConnShared *self, const DetourWorkerLimits *limits);
void detour_conn_shared_clear (DetourConnShared *self);
/* The round is over: nothing borrows from the arena and from retired blocks any more. */
void detour_conn_shared_reset (DetourConnShared *self);

/* What the client was not sent yet, as far as the socket has not taken it. */
static inline gsize
detour_conn_waiting_bytes (const DetourConn *self)
{
  return detour_relay_waiting_bytes (self->client)
       + (self->rest != NULL ? self->rest->len - self->rest->at : 0);
}

/* (nullable): NULL: those of [limits]. */
static inline DetourTerms *
detour_conn_terms (const DetourConn *self)
{
  return self->ties != NULL ? self->ties->terms : NULL;
}

/* (nullable): NULL: of no tenant. */
static inline DetourTenantVisit *
detour_conn_visit (const DetourConn *self)
{
  return self->ties != NULL ? self->ties->visit : NULL;
}

/* As it was counted with; none if it was not. */
static inline DetourAddressKey
detour_conn_address_key (const DetourConn *self)
{
  return self->is_counted ? detour_address_key_of_bytes (self->client->presence.ip)
                          : (DetourAddressKey) { 0, 0 };
}

/* It is read more slowly because a quota is used up. */
static inline gboolean
detour_conn_is_over_quota (const DetourConn *self)
{
  const DetourTerms *terms = detour_conn_terms (self);

  return terms != NULL && terms->slow_rate > 0
      && detour_client_receive_rate (self->client) == terms->slow_rate;
}

/* FALSE: clients must get what they have, so that the arena is free again, before
 * detour_conn_ready(). */
static inline gboolean
detour_conn_shared_has_room (const DetourConnShared *self)
{
  return self->arena.cap - self->arena.len >= DETOUR_CONN_READ_MAX + DETOUR_CHANNEL_FEED_SLACK;
}

/* Goes on with the bytes of @session, out of which it was made. */
DetourClose detour_conn_start (DetourConnShared *shared, DetourConn *conn,
                               const DetourSession *session) G_GNUC_WARN_UNUSED_RESULT;
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
/* One that was frozen, which only its worker does, is read again. */
DetourClose detour_conn_thaw (DetourConnShared *shared, DetourConn *conn) G_GNUC_WARN_UNUSED_RESULT;
/* Moves socket, channel and all bytes that wait into @session. */
void detour_conn_detach (DetourConnShared *shared, DetourConn *conn, DetourSession *session);
/* Says goodbye if asked to, gives the socket away or closes it, and frees the buffers; the memory
 * of the connection stays until the round is over. */
void detour_conn_clear (DetourConnShared *shared, DetourConn *conn, gboolean say_goodbye);

/* In detour-conn-limit.c. */

/* What the peer's system buffers, in KiB, as far as its first window shows. */
guint detour_conn_limit_window (const DetourConn *conn);
/* Blocked, or free of bytes to send again. */
void detour_conn_limit_set_slow (DetourConnShared *shared, DetourConn *conn, gboolean is_slow);
/* It has sent more than its receive rate allows and is not read for a while: said once for each
 * connection in the log. Its user is told until it had not to wait between two keep-alives. */
void detour_conn_limit_tell_slowed (DetourConnShared *shared, DetourConn *conn);
/* Packets for it were dropped since this was called last: an event tells how many. */
void detour_conn_limit_note_drops (DetourConn *conn);
/* A keep-alive is due. */
void detour_conn_limit_forget_slowed (DetourConnShared *shared, DetourConn *conn);
/* Of a blocked connection that took something just now. */
void detour_conn_limit_set (DetourConnShared *shared, DetourConn *conn);
/* The limit has come. FALSE: the peer has taken nothing, and has no more time. */
gboolean detour_conn_limit_extend (DetourConnShared *shared, DetourConn *conn)
    G_GNUC_WARN_UNUSED_RESULT;
/* detour_close_text() of that connection, with the limit that holds for it. Static. */
const char *detour_conn_limit_text (const DetourConn *conn, DetourClose reason);

/* In detour-conn-sample.c: a keep-alive is due, and with one of some the connection is looked at.
 */
void detour_conn_sample (DetourConnShared *shared, const DetourConn *conn);

/* In detour-conn-silent.c. */

/* A keep-alive is due. */
void detour_conn_silent_keep_alive (DetourConn *conn);
/* It ends, or goes elsewhere. */
void detour_conn_silent_forget (DetourConnShared *shared, DetourConn *conn);
/* Of a silent connection that is about to get something: the ping that goes with a packet. TRUE:
 * the timer must be set. */
gboolean detour_conn_silent_send (DetourConnShared *shared, DetourConn *conn);
/* When to look at a connection that was pinged. */
gint64 detour_conn_silent_next_us (const DetourConnShared *shared, DetourConn *conn);
/* FALSE: nothing came back, and the limit for that has come. */
gboolean detour_conn_silent_look (DetourConnShared *shared, DetourConn *conn)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
