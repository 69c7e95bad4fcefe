/* detour-server.h: the relay as a whole: registry, workers, pool, listeners, routes, admission.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-admission.h"
#include "detour-worker.h"
#include "detour-host-hooks.h"
#include "detour-handshake-pool.h"
#include "detour-roster.h"
#include "detour-server-key.h"
#include "detour-stats.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourServer DetourServer;

/**
 * detour_server_new:
 * @config: number of workers, limits
 * @key: outlives the server
 *
 * Starts the threads; nothing is accepted before a transport listens.
 */
DetourServer *detour_server_new (const DetourConfig *config, const DetourServerKey *key,
                                 GError **error);
/* Stops accepting and closes every connection; the roster may be stopped afterwards. */
void detour_server_stop (DetourServer *self);
/* Stopped, and no instance of a plugin runs any more. */
void detour_server_free (DetourServer *self);

/* What a roster asks of the server; its data is the server. */
extern const DetourHostHooks detour_server_hooks;
/* The instances that the admission may ask; NULL when they are gone. */
void detour_server_set_roster (DetourServer *self, DetourRoster *roster);

/* @func is called whenever an instance of a plugin changes its state, its words or its
 * certificates; NULL: nobody. */
void detour_server_set_observer (DetourServer *self, void (*func) (gpointer user), gpointer user);

/* Closes the listeners for good and lets connections be; for draining. */
void detour_server_stop_listening (DetourServer *self);

/* Bound sockets: the listeners of all transports. Borrowed. */
const GPtrArray *detour_server_listeners (const DetourServer *self); /* of DetourListener */
/* Clients, and connections on their way to become one. */
guint detour_server_n_connections (const DetourServer *self);
guint detour_server_n_workers (const DetourServer *self);
DetourWorker *detour_server_worker (const DetourServer *self, guint index);
DetourHandshakePool *detour_server_pool (const DetourServer *self);
DetourRegistry *detour_server_registry (const DetourServer *self);
DetourAdmission *detour_server_admission (const DetourServer *self);

/* Sums over all threads; waits for nobody. */
void detour_server_read_stats (const DetourServer *self, DetourStats *stats);
/* As detour_host_foreach_metric(). */
void detour_server_each_metric (const DetourServer *self, DetourMetricFunc func, gpointer user);

G_END_DECLS
