/* detour-pool.h: the threads that take connections up to the moment they are registered.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * They run with lower priority than the workers, so a storm of new connections does not stall packets.
 */
#pragma once

#include <glib.h>

#include "detour-admission.h"
#include "detour-carrier.h"
#include "detour-http-routes.h"
#include "detour-listener.h"
#include "detour-sources.h"

G_BEGIN_DECLS

typedef struct _DetourPool DetourPool;

/* 0 means no limit, where nothing else is said. */
typedef struct {
  guint connections;            /* in all, registered ones included */
  guint connections_per_source;
  guint half_open;              /* not registered yet, refused ones that are held excluded */
  guint half_open_per_source;
  guint64 accept_rate;          /* connections a second */
  guint64 accept_burst;
  gint64 handshake_timeout_us;  /* record layer and HTTP head together */
  gint64 login_timeout_us;
} DetourPoolLimits;

typedef struct {
  DetourCounter accepted;     /* connections */
  DetourCounter over_limit;   /* closed at once; those that were closed later count as DETOUR_CLOSE_LIMIT */
  DetourCounter waited;       /* for their turn */
  DetourCounter over_rate;
  DetourCounter requests;     /* HTTP */
  DetourCounter derp;         /* DERP connections begun */
  DetourCounter logins;       /* that hold */
  DetourCounter refused;
  DetourCounter handshake_us; /* time in handshake(), for the mean */
  DetourCounter closed[DETOUR_N_CLOSES];
} DetourPoolCounters;

/* What a pool hands logins to, and asks. */
typedef struct {
  DetourHttpRoutes *routes;
  DetourAdmission *admission;
  DetourSources *sources; /* of all connections */
  DetourCarrier *const *carriers;
  guint n_carriers;
  const guint8 *server_secret; /* 32 bytes, in memory that is not swapped */
  DetourKey server_key;
} DetourPoolParts;

/* Main thread, like all that is not marked otherwise. @parts is copied; what it points to outlives the pool. */
DetourPool *detour_pool_new (guint n_threads, const DetourPoolParts *parts, const DetourPoolLimits *limits, GError **error);
/* Closes what is not registered and ends the threads. No question to the admission is answered any more. */
void detour_pool_free (DetourPool *self);

void detour_pool_set_limits (DetourPool *self, const DetourPoolLimits *limits);
/* A refused client is held silently for so long; 0: it is closed at once. */
void detour_pool_set_refuse_hold (DetourPool *self, gint64 hold_us);
/* NULL: no connection is a mesh connection. */
void detour_pool_set_mesh_key (DetourPool *self, const guint8 *key);

/* Accepts from @listener, which is referenced. */
void detour_pool_add_listener (DetourPool *self, DetourListener *listener);
/* Returns when nobody accepts from it any more; then its sockets may be closed. */
void detour_pool_remove_listener (DetourPool *self, DetourListener *listener);

/* Asks again about every client that was refused and is held. */
void detour_pool_ask_again (DetourPool *self);

/* In all: half open, held, registered. Any thread. */
guint detour_pool_n_connections (const DetourPool *self);
guint detour_pool_n_half_open (const DetourPool *self); /* any thread */
guint detour_pool_n_waiting (const DetourPool *self);   /* for their turn, in no other number; any thread */
guint detour_pool_n_held (const DetourPool *self);      /* any thread */
guint detour_pool_n_threads (const DetourPool *self);
const DetourPoolCounters *detour_pool_counters (const DetourPool *self, guint thread);

G_END_DECLS
