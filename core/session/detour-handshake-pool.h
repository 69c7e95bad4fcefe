/* detour-handshake-pool.h: the threads that take connections up to the moment they are registered.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * They run with lower priority than the workers, so a storm of new connections does not stall
 * packets. */
#pragma once

#include <glib.h>

#include "detour-address-counts.h"
#include "detour-admission.h"
#include "detour-mailbox.h"
#include "detour-net-set.h"
#include "detour-worker.h"
#include "detour-http-routes.h"
#include "detour-forwarder.h"
#include "detour-listener.h"
#include "detour-schema.h"
#include "detour-metric.h"
#include "detour-record.h"
#include "detour-tenant-table.h"

G_BEGIN_DECLS

typedef struct _DetourHandshakePool DetourHandshakePool;

/* 0 means no limit, where nothing else is said. */
typedef struct {
  guint connections; /* registered ones */
  guint connections_per_source;
  guint half_open; /* not registered yet, of one listener; refused ones that are held excluded */
  guint half_open_per_source;
  guint64 accept_rate; /* connections a second */
  guint64 accept_burst;
  gint64 handshake_timeout_us; /* record layer and HTTP head together */
  gint64 login_timeout_us;
  guint http_requests;     /* on one connection */
  gint64 http_time_us;     /* for all requests of one connection */
  guint64 half_open_bytes; /* that connections which are not registered hold together */
  guint reserved;          /* descriptors that are kept for other things than connections */
} DetourHandshakePoolLimits;

void detour_handshake_limits_read (const DetourLimits *limits, DetourHandshakePoolLimits *out);

#define DETOUR_HANDSHAKE_N_LOGIN_BOUNDS     14
#define DETOUR_HANDSHAKE_N_ADMISSION_BOUNDS 16
extern const guint64 detour_handshake_login_bounds_us[DETOUR_HANDSHAKE_N_LOGIN_BOUNDS];
extern const guint64 detour_handshake_admission_bounds_us[DETOUR_HANDSHAKE_N_ADMISSION_BOUNDS];

typedef struct {
  DetourCounter accepted; /* connections */
  DetourCounter
      over_limit; /* closed at once; those that were closed later count as DETOUR_CLOSE_LIMIT */
  DetourCounter waited; /* for their turn */
  DetourCounter over_rate;
  DetourCounter banned;   /* from a network that is banned */
  DetourCounter requests; /* HTTP */
  DetourCounter proxied;  /* connections with an acceptable PROXY header */
  DetourCounter derp;     /* DERP connections begun */
  DetourCounter logins;   /* that hold */
  DetourCounter refused;
  DetourCounter handshake_us; /* time in handshake(), for the mean */
  DetourCounter closed[DETOUR_N_CLOSES];
  /* From accepting a connection to giving it to a worker. */
  DetourCounter login_us[DETOUR_HANDSHAKE_N_LOGIN_BOUNDS + 1], login_us_sum;
  /* From asking the admission to its verdict. */
  DetourCounter admission_us[DETOUR_HANDSHAKE_N_ADMISSION_BOUNDS + 1], admission_us_sum;
} DetourHandshakePoolCounters;

/* All of them; in detour-handshake-metrics.c. */
extern const DetourMetricRow detour_handshake_metrics[];

/* The parts of the server that a pool needs. */
typedef struct {
  DetourHttpRoutes *routes;
  DetourAdmission *admission;
  DetourAddressCounts *addresses; /* of all connections */
  DetourTermsTable *terms;
  DetourTenantTable *tenants;
  DetourWorker *const *workers;
  guint n_workers;
  const guint8 *server_secret; /* 32 bytes, in memory that is not swapped */
  DetourKey server_key;
} DetourHandshakePoolParts;

/* Main thread, like all that is not marked otherwise. @parts is copied; what it points to outlives
 * the pool. */
DetourHandshakePool *detour_handshake_pool_new (guint n_threads,
                                                const DetourHandshakePoolParts *parts,
                                                const DetourHandshakePoolLimits *limits,
                                                GError **error);
/* Closes what is not registered and ends the threads. No question to the admission is answered any
 * more. */
void detour_handshake_pool_free (DetourHandshakePool *self);

void detour_handshake_pool_set_limits (DetourHandshakePool *self,
                                       const DetourHandshakePoolLimits *limits);
/* A refused client is held silently for so long; 0: it is closed at once. */
void detour_handshake_pool_set_refuse_hold (DetourHandshakePool *self, gint64 hold_us);
/* Connections from these networks are turned away when they are accepted, or as soon as a proxy has
 * said whose they are; those that are there are closed. NULL: no network is. Listeners for
 * administrators are left out. */
void detour_handshake_pool_set_banned (DetourHandshakePool *self, DetourNetSet *networks);
/* NULL: no connection is a mesh connection. */
void detour_handshake_pool_set_mesh_key (DetourHandshakePool *self, const guint8 *key);

/* Main thread: NULL: no listener forwards, or has. */
/* Makes the forwarder if it is not there yet. @who: for messages. Main thread. */
void detour_handshake_pool_need_forwarder (DetourHandshakePool *self, const char *who);
DetourForwarder *detour_handshake_pool_forwarder (const DetourHandshakePool *self);

/* Accepts from @listener, which is referenced. */
void detour_handshake_pool_add_listener (DetourHandshakePool *self, DetourListener *listener);
/* Returns when nobody accepts from it any more; then its sockets may be closed. */
void detour_handshake_pool_remove_listener (DetourHandshakePool *self, DetourListener *listener);

/* Every thread stands still, whatever it was at, until detour_handshake_pool_go_on(). Returns when
 * that is so. */
void detour_handshake_pool_stand_still (DetourHandshakePool *self);
void detour_handshake_pool_go_on (DetourHandshakePool *self);
/* A connection that is not registered. */
typedef struct {
  int fd;
  gint64 held_until_us; /* in silence, monotonic; 0: it is not held, and closed at some moment */
  DetourListener *came; /* through it, and nothing was read or written yet; otherwise NULL */
} DetourHandshakeLeft;

/* Adds all of them to @out, of DetourHandshakeLeft. All stand still. */
void detour_handshake_pool_list (const DetourHandshakePool *self, GArray *out);
/* Such a connection of the program before, of which nothing was read, as if it came just now. @fd:
 * taken. */
void detour_handshake_pool_take (DetourHandshakePool *self, DetourListener *listener, int fd);
/* Connections so far, by which they are numbered. */
guint64 detour_handshake_pool_n_accepted (const DetourHandshakePool *self);
/* So many came before this program, and @counters: (nullable): is what that one had counted.
 * Returns when it is done. */
void detour_handshake_pool_count_on (DetourHandshakePool *self, guint64 n_accepted,
                                     const DetourRecordItem *counters);

/* Asks again about every client that was refused and is held. */
void detour_handshake_pool_ask_again (DetourHandshakePool *self);

/* Goes on with the handshakes that wait for a certificate. */
void detour_handshake_pool_certs_changed (DetourHandshakePool *self);

/* Posts @done to @mailbox when every client for which the admission gave its verdict before this
 * call is with its worker, held, or gone. @drop as in detour_mailbox_post(). */
void detour_handshake_pool_settle (DetourHandshakePool *self, DetourMailbox *mailbox,
                                   DetourMailboxFunc done, gpointer data, DetourMailboxFunc drop);

/* The functions below are for any thread. */

/* Registered, without those that showed the mesh key. */
guint detour_handshake_pool_n_clients (const DetourHandshakePool *self);
guint detour_handshake_pool_n_mesh (const DetourHandshakePool *self);
/* Not registered: waiting, half open, held. */
guint detour_handshake_pool_n_outside (DetourHandshakePool *self);
/* These and those that are registered. */
guint detour_handshake_pool_n_connections (DetourHandshakePool *self);
guint detour_handshake_pool_n_half_open (DetourHandshakePool *self);
/* Connections that wait for a place, or for a proxy to say whose they are; in no other number. */
guint detour_handshake_pool_n_waiting (DetourHandshakePool *self);
/* Refused connections that are held, also while the admission is asked about them again. */
guint detour_handshake_pool_n_held (DetourHandshakePool *self);
/* Calls @func for the key of each of them, with a lock held. */
void detour_handshake_pool_each_held (DetourHandshakePool *self,
                                      void (*func) (const DetourKey *key, gpointer data),
                                      gpointer data);
/* Connections with a worker, or on their way to one. */
guint detour_handshake_pool_n_registered (const DetourHandshakePool *self);
/* Bytes that connections hold which are not registered; and at most, 0: no limit. */
guint64 detour_handshake_pool_n_bytes (DetourHandshakePool *self);
guint64 detour_handshake_pool_bytes_max (DetourHandshakePool *self);
guint detour_handshake_pool_n_threads (const DetourHandshakePool *self);
/* The loop of a thread, for a message that shows whether it makes progress. */
DetourLoop *detour_handshake_pool_loop (const DetourHandshakePool *self, guint thread);
const DetourHandshakePoolCounters *detour_handshake_pool_counters (const DetourHandshakePool *self,
                                                                   guint thread);

G_END_DECLS
