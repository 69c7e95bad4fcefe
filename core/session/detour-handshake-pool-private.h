/* detour-handshake-pool-private.h: what the threads of the pool and the handshakes on them share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-half-open.h"
#include "detour-handshake-pool.h"
#include "detour-log-limit.h"
#include "detour-loop.h"
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
  guint64 n_bytes;   /* that its connections in the backlog hold; atomic */
  guint64 bytes_max; /* atomic; 0: no limit */
} DetourHandshakeGate;

/* Any thread. */
static inline gboolean
detour_handshake_gate_has_room (DetourHandshakeGate *self)
{
  guint64 max = __atomic_load_n (&self->bytes_max, __ATOMIC_RELAXED);

  return max == 0 || __atomic_load_n (&self->n_bytes, __ATOMIC_RELAXED) < max;
}

/* One thread of the pool. Everything in it belongs to that thread, unless marked. */
typedef struct {
  DetourHandshakePool *pool;
  DetourLoop *loop;
  DetourHandshakePoolLimits limits;
  gint64 refuse_hold_us;
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
  DetourBuffer out;   /* what a handshake or seal wrote */
  GByteArray *reply;  /* what a phase wrote */
  DetourLogLimit refusals;
  gint64 told_full_us; /* when the log was last told that there are no descriptors; 0: never */
  DetourHandshakePoolCounters counters;
} DetourHandshakeThread;

struct _DetourHandshakePool {
  DetourHandshakePoolParts parts;
  guint n_threads;
  DetourHandshakeThread *threads;
  guint64 n_connections; /* accepted since the start; atomic */

  /* Taken a few times for each connection, never while something waits. It guards what follows,
   * the backlogs, and the lists that handshakes of several threads are on. */
  GMutex lock;
  GPtrArray *gates; /* of DetourHandshakeGate; grows only */
  GQueue held;      /* refused ones, the one that is held longest first */
  DetourHandshakePoolLimits limits;
  guint64 n_descriptors;  /* the process may have; for which the limits were divided */
  gboolean is_told_short; /* the log has said so since the limits were set */
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
/* On the thread @self: it will look for places for connections that wait. */
void detour_handshake_pool_look_later (DetourHandshakeThread *self);

/* On the thread @self: @member is in state NEXT, and detour_handshake_on_turn() is called when it
 * is its turn.
 */
void detour_handshake_pool_take_turns (DetourHandshakeThread *self, DetourTurn *turn,
                                       const DetourAddressKey *key, DetourHandshake *member);
/* Main thread: @n listeners of that name more, or fewer. */
DetourHandshakeGate *detour_handshake_pool_count_listener (DetourHandshakePool *self,
                                                           const char *instance, int n);
/* Descriptors that connections may have, as the process's limit is now. On the thread. */
guint detour_handshake_pool_check_descriptors (DetourHandshakeThread *thread);

/* In detour-handshake-accept.c: a list for `sockets`; the thread accepts no more. */
GPtrArray *detour_handshake_accept_sockets_new (void);
void detour_handshake_accept_stop (DetourHandshakeThread *thread);

/* In detour-handshake.c; on the thread that is given. */
/**
 * detour_handshake_new:
 * @fd: accepted; taken
 *
 * Begins with a connection that was let in by number and rate, or lets it wait for its turn.
 */
void detour_handshake_new (DetourHandshakeThread *thread, DetourListener *listener,
                           DetourHandshakeGate *gate, int fd, const struct sockaddr_storage *peer,
                           const DetourAddressKey *counted);
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
