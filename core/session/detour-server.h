/* detour-server.h: the relay as a whole: registry, workers, pool, listeners, routes, admission.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-admission.h"
#include "detour-budgets.h"
#include "detour-worker.h"
#include "detour-host-hooks.h"
#include "detour-handshake-pool.h"
#include "detour-roster.h"
#include "detour-server-key.h"
#include "detour-stats.h"
#include "detour-tenant-table.h"

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

/* What opens connections for detour_host_open_control(): a descriptor, or -1 with @error set; NULL:
 * nothing does. */
typedef int (*DetourServerOpen) (gpointer user, GError **error);
void detour_server_set_control (DetourServer *self, DetourServerOpen func, gpointer user);

/* Goes on with what was used of quotas before. Before the roster starts. */
void detour_server_open_budgets (DetourServer *self, const char *state_directory);
const DetourBudgets *detour_server_budgets (const DetourServer *self);

/* Goes on with what was known of keys before, and keeps it in that directory. When the roster runs.
 */
void detour_server_open_verdicts (DetourServer *self, const char *state_directory,
                                  const DetourServerKey *key);

/* Taking the relay out of service. */
typedef struct {
  gint64 begin_real_us; /* Unix time */
  gint64 for_us;        /* all clients are closed after so long; 0: at once */
  guint keep;           /* none is closed any more when so many clients are left */
  guint n_begin;        /* clients when it began */
  gboolean is_done;     /* no more are left than are to be kept */
  guint32 salt;         /* who is early in its turn; 0: is drawn */
} DetourServerDrain;

/* The drain is done. From the main loop. */
typedef void (*DetourServerDrained) (gpointer user);

/**
 * detour_server_drain:
 * @drain: what is wanted, or how far another process had come; copied
 *
 * Listens no more, but for administrators, and closes clients one after the other, those first that
 * find another relay most easily; see detour-drain.h. Mesh watchers are told of each that leaves.
 * @done is called once, unless the drain is cancelled. A drain that is under way goes on as @drain
 * says. Main thread.
 */
void detour_server_drain (DetourServer *self, const DetourServerDrain *drain,
                          DetourServerDrained done, gpointer user);
/* What starts from now on does not listen, but for administrators, until the drain that follows
 * ends.
 */
void detour_server_stay_out (DetourServer *self);
/* Listens again, and closes nobody any more. FALSE: it does not listen everywhere, see @error; the
 * rest is as before the drain. */
gboolean detour_server_cancel_drain (DetourServer *self, GError **error);
/* NULL: it does not drain. */
const DetourServerDrain *detour_server_draining (const DetourServer *self);

/* Bound sockets: the listeners of all transports. Borrowed. */
const GPtrArray *detour_server_listeners (const DetourServer *self); /* of DetourListener */
/* Clients, and connections on their way to become one; none with the mesh key. */
guint detour_server_n_clients (const DetourServer *self);
/* Connections that showed the mesh key: other servers, and probers. */
guint detour_server_n_mesh (const DetourServer *self);
guint detour_server_n_workers (const DetourServer *self);
DetourWorker *detour_server_worker (const DetourServer *self, guint index);
DetourHandshakePool *detour_server_pool (const DetourServer *self);
DetourRegistry *detour_server_registry (const DetourServer *self);
/* What came from a peer; @report: of an instance. Main thread. */
void detour_server_read_received (const DetourServer *self, const DetourMeshReport *report,
                                  DetourMeshTraffic *now, DetourMeshTraffic *all);
DetourAdmission *detour_server_admission (const DetourServer *self);
DetourTenantTable *detour_server_tenants (const DetourServer *self);

/* Whom the operator keeps out. For changes use detour_server_ban() and detour_bans_remove(). */
DetourBans *detour_server_bans (const DetourServer *self);
/* Takes the bans that are kept in that directory, and keeps them there from now on. To be called
 * before anything listens. */
void detour_server_open_bans (DetourServer *self, const char *state_directory);

/* @n: connections that were closed; @problem: (nullable): why the bans will not last */
typedef void (*DetourServerBanned) (guint n, const GError *problem, gpointer data);

/**
 * detour_server_ban:
 *
 * As detour_bans_add(), and closes the connections of those that are banned. @done is called from
 * the main loop when that has happened and the bans are on the disk. Clients on their way to a
 * worker are closed when they have arrived, and are not in the number.
 */
gboolean detour_server_ban (DetourServer *self, const DetourBanTarget *targets, guint n,
                            gint64 for_us, const char *reason, DetourServerBanned done,
                            gpointer data, GError **error);

/* A node that had the key @before has @after now: a ban on the former is made for the latter, too,
 * for the same time and reason. Its connections are closed. */
void detour_server_follow_ban (DetourServer *self, const DetourKey *before, const DetourKey *after);

/* What the users of all clients are told, those that come later too; NULL: nothing. Main thread. */
void detour_server_announce (DetourServer *self, const char *text);
const char *detour_server_announcement (const DetourServer *self); /* (nullable) */

/* Sums over all threads; waits for nobody. */
void detour_server_read_stats (const DetourServer *self, DetourStats *stats);
/* As detour_host_foreach_metric(). */
void detour_server_each_metric (const DetourServer *self, DetourMetricFunc func, gpointer user);

G_END_DECLS
