/* detour-handshake-pool-private.h: what the threads of the pool and the handshakes on them share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-forwarder.h"
#include "detour-half-open.h"
#include "detour-handshake-pool.h"
#include "detour-http-exchange.h"
#include "detour-log-limit.h"
#include "detour-loop.h"
#include "detour-partings.h"
#include "detour-turns.h"

G_BEGIN_DECLS

typedef struct _DetourHandshake DetourHandshake;

/* The backlog of one listener. Strangers at one listener do not take the places of another one. It
 * stays when its listener goes, for the connections that came through it, and serves the next
 * listener of that name. */
typedef struct {
  char *instance; /* "transport/https" */
  DetourHalfOpen *backlog;
  guint n_listeners; /* that are served now */
  GQueue prefaces;   /* those that wait for a proxy to say whose they are, the oldest first */
  guint prefaces_max;
  gboolean has_prefaces; /* the listener has such connections at all */
  guint64 n_bytes;       /* that its connections in the backlog hold; atomic */
  guint64 bytes_max;     /* atomic; 0: no limit */
  /* Of requests that plugins work on, also when their connection is gone. */
  DetourHttpHoldings *requests;
} DetourHandshakeGate;

/* Any thread. */
static inline guint64
detour_handshake_gate_bytes (const DetourHandshakeGate *self)
{
  return __atomic_load_n (&self->n_bytes, __ATOMIC_RELAXED)
       + __atomic_load_n (&self->requests->n, __ATOMIC_RELAXED);
}

/* Any thread. */
static inline gboolean
detour_handshake_gate_has_room (DetourHandshakeGate *self)
{
  guint64 max = __atomic_load_n (&self->bytes_max, __ATOMIC_RELAXED);

  return max == 0 || detour_handshake_gate_bytes (self) < max;
}

/* One thread of the pool. Everything in it belongs to that thread, unless marked. */
typedef struct {
  DetourHandshakePool *pool;
  DetourLoop *loop;
  DetourHandshakePoolLimits limits;
  gint64 refuse_hold_us;
  DetourNetSet *banned; /* NULL: no network is */
  guint8 mesh_key[DETOUR_KEY_SIZE];
  gboolean has_mesh_key;
  GQueue handshakes;  /* all, as they came */
  guint peak;         /* most of them at a time since memory was given back */
  DetourTimer look;   /* those that wait look for a place; set while there are any */
  DetourTurns *turns; /* of those in state NEXT */
  GQueue decided;     /* of handshakes that must hear of a decision; under the pool's lock */
  GPtrArray *sockets; /* of ListenSocket: what it accepts from */
  DetourBuffer in;    /* one read */
  DetourBuffer plain; /* the same, opened */
  DetourBuffer out;   /* what a handshake or seal wrote, or a ClientHello out of its records */
  GByteArray *reply;  /* what a phase wrote */
  DetourLogLimit refusals;
  DetourLogLimit proxy_refusals;
  DetourPartings partings;
  gint64 gave_way_us;  /* when workers were last looked at */
  gint64 told_full_us; /* when the log was last told that there are no descriptors; 0: never */
  DetourHandshakePoolCounters counters;
} DetourHandshakeThread;

struct _DetourHandshakePool {
  DetourHandshakePoolParts parts;
  guint n_threads;
  DetourHandshakeThread *threads;
  guint64 n_connections;      /* accepted since the start; atomic */
  guint n_taken;              /* of the program before; main thread */
  DetourForwarder *forwarder; /* made with the first listener that forwards, or route for CONNECT;
                                 NULL: there was none */

  /* Taken a few times for each connection, never while something waits. It guards what follows,
   * the backlogs, and the lists that handshakes of several threads are on. */
  GMutex lock;
  GPtrArray *gates; /* of DetourHandshakeGate; grows only */
  GQueue held;      /* refused ones, the one that is held longest first */
  DetourHandshakePoolLimits limits;
  guint64 n_descriptors;  /* the process may have; for which the limits were divided */
  gboolean is_told_short; /* the log has said so since the limits were set */
  guint n_standing;       /* threads that stand still */
  gboolean stands_still;  /* they are to */
  GCond standing_changed; /* one of these two has */
  guint held_max;
  guint64 held_bytes;     /* that refused connections hold; atomic */
  guint64 held_bytes_max; /* 0: no limit */
  DetourBucket accept_bucket;
};

static inline void
detour_handshake_pool_lock (DetourHandshakePool *self)
{
  g_mutex_lock (&self->lock);
}

static inline void
detour_handshake_pool_unlock (DetourHandshakePool *self)
{
  g_mutex_unlock (&self->lock);
}

/* With the lock, any thread: @handshake must hear that its place in the backlog has changed, or
 * that it is held no more. Its thread, which is @self, calls detour_handshake_on_decision(). */
void detour_handshake_pool_decide (DetourHandshakeThread *self, GList *link,
                                   DetourHandshake *handshake);
/* On the thread @self, after each piece of work: a worker that waits for the processor runs first.
 */
void detour_handshake_pool_give_way (DetourHandshakeThread *self);
/* On the thread @self: whether connections of @client at @listener are turned away. */
static inline gboolean
detour_handshake_is_banned (const DetourHandshakeThread *self, const DetourListener *listener,
                            const struct sockaddr_storage *client)
{
  return G_UNLIKELY (self->banned != NULL) && (listener->flags & DETOUR_LISTENER_ADMIN) == 0
      && detour_net_set_has (self->banned, (const struct sockaddr *) client);
}

/* On the thread @self: it will look for places for connections that wait. */
void detour_handshake_pool_look_later (DetourHandshakeThread *self);

/* On the thread @self: @member is in state NEXT, and detour_handshake_on_turn() is called when it
 * is its turn.
 */
void detour_handshake_pool_take_turns (DetourHandshakeThread *self, DetourTurn *turn,
                                       const DetourAddressKey *key, DetourHandshake *member);
/* Main thread: one listener of that name more (@n is 1), or fewer (-1). */
DetourHandshakeGate *detour_handshake_pool_count_listener (DetourHandshakePool *self,
                                                           const DetourListener *listener, int n);
/* Main thread, with the lock: made if it is not there yet. */
DetourHandshakeGate *detour_handshake_pool_find_gate (DetourHandshakePool *self,
                                                      const char *instance);
/* With the lock: connections that wait for a place. */
guint detour_handshake_pool_count_waiting (const DetourHandshakePool *self);
/* Connections that may be forwarded at a time, as far as descriptors go. Any thread. */
guint detour_handshake_pool_forward_max (DetourHandshakePool *self);
/* Descriptors that connections may have, as the process's limit is now. On the thread. */
guint detour_handshake_pool_check_descriptors (DetourHandshakeThread *thread);

/* In detour-handshake-accept.c: a list for `sockets`; the thread accepts no more. */
GPtrArray *detour_handshake_accept_sockets_new (void);
void detour_handshake_accept_stop (DetourHandshakeThread *thread);

/* In detour-handshake.c; with the lock, any thread: while too many are held, or more memory than
 * they may have, @n_bytes_more included, those that were held longest go. */
void detour_handshake_pool_shorten_held (DetourHandshakePool *self, guint64 n_bytes_more);

/* In detour-handshake.c and detour-handshake-end.c; on the thread that is given. */
/**
 * detour_handshake_new:
 * @fd: accepted; taken
 * @is_trusted: @peer may say whose connection it hands on; then it has no part of its own in what
 * a client address may have, and its part is nobody's
 *
 * Begins with a connection that was let in by number and rate, or lets it wait for its turn.
 */
void detour_handshake_new (DetourHandshakeThread *thread, DetourListener *listener,
                           DetourHandshakeGate *gate, int fd, const struct sockaddr_storage *peer,
                           const DetourAddressKey *counted, gboolean is_trusted);
/* Says in the log, with a limit, that @peer, who is connected to @fd, is no proxy as it should be.
 */
void detour_handshake_tell_proxy (DetourHandshakeThread *thread, const DetourListener *listener,
                                  const struct sockaddr_storage *peer, int fd, const char *why);
void detour_handshake_on_decision (DetourHandshake *self);
void detour_handshake_on_timer (DetourTimer *timer);
/* State NEXT: it is its turn. */
void detour_handshake_on_turn (DetourHandshake *self);
void detour_handshake_close (DetourHandshake *self, DetourClose reason);
/* The admission is asked again if @self is held; otherwise nothing happens. */
void detour_handshake_ask_again (DetourHandshake *self);

/* Of the backlogs; the last argument is the gate. With the lock. */
extern const DetourHalfOpenFuncs detour_handshake_half_open_funcs;

G_END_DECLS
