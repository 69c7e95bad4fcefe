/* detour-handshake-pool-private.h: what the threads of the pool and the guests on them share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-log-limit.h"
#include "detour-handshake-pool.h"
#include "detour-loop.h"

G_BEGIN_DECLS

typedef struct _DetourGuest DetourGuest;

/* One thread of the pool. Everything in it belongs to that thread, unless marked. */
typedef struct {
  DetourHandshakePool *pool;
  DetourLoop *loop;
  DetourHandshakePoolLimits limits;
  gint64 refuse_hold_us;
  guint8 mesh_key[DETOUR_KEY_SIZE];
  gboolean has_mesh_key;
  GQueue guests;      /* all, as they came */
  guint peak;         /* most of them at a time since memory was given back */
  GQueue half_open;   /* the one that rests longest first */
  GQueue waiting;     /* the one that came last first */
  DetourTimer look;   /* those who wait look for a place; set while there are any */
  gboolean serves;    /* will do so at the end of the round */
  GQueue held;        /* refused ones, the one that is held longest first */
  GPtrArray *sockets; /* of ListenSocket: what it accepts from */
  DetourBuffer in;    /* one read */
  DetourBuffer plain; /* the same, opened */
  DetourBuffer out;   /* what a handshake or seal wrote */
  DetourLogLimit refusals;
  gint64 told_full_us; /* when the log was last told that there are no descriptors; 0: never */
  DetourHandshakePoolCounters counters;
} DetourHandshakeThread;

struct _DetourPool {
  DetourHandshakePoolParts parts;
  DetourSources *half_open_sources; /* any thread */
  guint n_threads;
  DetourHandshakeThread *threads;
  guint64 n_connections; /* accepted since the start; atomic */
  guint n_half_open;     /* atomic */
  guint n_waiting;       /* atomic */
  guint n_held;          /* atomic */
  GMutex accept_lock;
  DetourBucket accept_bucket; /* under the lock */
};

/* Refused clients that are held, in all. */
#define DETOUR_HANDSHAKE_POOL_HELD_MAX 4096u

static inline void
detour_handshake_pool_adjust (guint *counter, gint n)
{
  __atomic_fetch_add (counter, (guint) n, __ATOMIC_RELAXED);
}

/**
 * detour_guest_new:
 * @fd: accepted; taken
 *
 * Begins with a connection that was let in by number and rate, or lets it wait for its turn.
 */
void detour_guest_new (DetourHandshakeThread *thread, DetourListener *listener, int fd,
                       const struct sockaddr_storage *peer, DetourSource source);
/* Those who wait for their turn look for a place. */
void detour_guest_look (DetourHandshakeThread *thread);
void detour_guest_timer (DetourTimer *timer);
void detour_guest_close (DetourGuest *self, DetourClose reason);
/* Held guests only. */
void detour_guest_ask_again (DetourGuest *self);

G_END_DECLS
