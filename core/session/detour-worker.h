/* detour-worker.h: one worker and the registered connections that it carries.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Joins the network and the protocol: bytes are read, opened and given to the relay; what the
 * relay hands out is sealed and sent, one send for each destination and round. Packets for a
 * client of another worker go through a ring that the two share. */
#pragma once

#include <glib.h>

#include "detour-drain.h"
#include "detour-mesh-received.h"
#include "detour-worker-rings.h"
#include "detour-relay.h"
#include "detour-session.h"
#include "detour-terms-table.h"
#include "detour-loop.h"
#include "detour-metric.h"
#include "detour-record.h"

G_BEGIN_DECLS

typedef struct _DetourWorker DetourWorker;

/* Of all workers; a copy is kept by each. */
typedef struct {
  DetourRelayLimits relay;
  gint64 write_timeout_us;      /* of clients; 0: none */
  gint64 mesh_write_timeout_us; /* of connections of the mesh and links */
  guint user_timeout_ms;        /* of the sockets, TCP_USER_TIMEOUT; 0: the kernel's */
  gint64 black_hole_us;         /* 0: none */
  gint64 keep_alive_us;         /* between two keep-alives, without their jitter */
} DetourWorkerLimits;

/* The other server may take nothing for so long. */
#define DETOUR_WORKER_MESH_WRITE_TIMEOUT_S 30

/* One round of so many is measured. */
#define DETOUR_WORKER_ROUNDS_A_SAMPLE 32u
#define DETOUR_WORKER_N_ROUND_BOUNDS  13
extern const guint64 detour_worker_round_bounds_us[DETOUR_WORKER_N_ROUND_BOUNDS];

/* Of round trips and queues of connections, in detour-conn-sample.c. */
#define DETOUR_CONN_N_SAMPLE_BOUNDS 12
extern const guint64 detour_conn_sample_bounds_us[DETOUR_CONN_N_SAMPLE_BOUNDS];

/* Read by anyone. */
typedef struct {
  DetourCounter joined;
  DetourCounter closed[DETOUR_N_CLOSES];
  DetourCounter suspects;
  DetourCounter rounds, reads, sends;
  DetourCounter round_us[DETOUR_WORKER_N_ROUND_BOUNDS + 1], round_us_sum;
  DetourCounter round_trip_us[DETOUR_CONN_N_SAMPLE_BOUNDS + 1], round_trip_us_sum;
  DetourCounter queue_delay_us[DETOUR_CONN_N_SAMPLE_BOUNDS + 1], queue_delay_us_sum;
} DetourWorkerCounters;

/* All of them; in detour-worker-metrics.c. */
extern const DetourMetricRow detour_worker_metrics[];

/* Main thread. This is number @index of those that share @rings and @registry; connections that
 * end leave @addresses; their terms are from @terms. */
DetourWorker *detour_worker_new (guint index, DetourWorkerRings *rings, DetourRegistry *registry,
                                 DetourAddressCounts *addresses, DetourTermsTable *terms,
                                 const DetourKey *server_key, const DetourWorkerLimits *limits,
                                 GError **error);
/* What connections of the mesh had when they end; before there is one. Main thread. */
void detour_worker_set_received (DetourWorker *self, DetourMeshReceived *received);
/* Closes every connection and takes no more. Main thread. */
void detour_worker_stop (DetourWorker *self);
/* Ends the thread. Workers read each other's rings, so all are joined before the first is freed.
 * Main thread. */
void detour_worker_join (DetourWorker *self);
/* Main thread. */
void detour_worker_free (DetourWorker *self);

/* The functions below may be called from any thread. */

/* Takes over @session; it is reachable under its key soon after. */
void detour_worker_adopt (DetourWorker *self, DetourSession *session);
void detour_worker_set_limits (DetourWorker *self, const DetourWorkerLimits *limits);
/* The table has other terms: every connection gets those that it has now. */
void detour_worker_terms_changed (DetourWorker *self);
/* What clients have sent is added to the accounts of their terms soon. */
void detour_worker_collect (DetourWorker *self);
/* What admission says about a connected client now; its terms follow from it. */
void detour_worker_set_verdict (DetourWorker *self, DetourHandle handle, DetourVerdict *verdict);
/* Ends the link of @tie, which is taken. */
void detour_worker_end_link (DetourWorker *self, DetourLinkTie *tie);
/* Links to other relays, which are no connections of clients. */
guint detour_worker_n_links (const DetourWorker *self);
/* Nothing happens when the connection is gone already. */
void detour_worker_close (DetourWorker *self, DetourHandle handle, DetourClose reason);
/* Closes every connection that has shown the mesh key; links that were dialled stay. Any other
 * thread; returns when it is done: how many there were. */
guint detour_worker_close_mesh (DetourWorker *self);
/* A reason to tell a client's user something begins or ends to hold. */
void detour_worker_set_health (DetourWorker *self, DetourHandle handle, DetourHealth reason,
                               gboolean holds);
/* What the users of all its clients are told, those that come later too; NULL: nothing. */
void detour_worker_announce (DetourWorker *self, const char *text);
/* Connections are closed as @plan says, which is copied, in the passes that follow; NULL: no more.
 */
void detour_worker_drain (DetourWorker *self, const DetourDrainPlan *plan);
/* Looks once at every connection, some at a time, so that packets do not wait for it. */
void detour_worker_drain_pass (DetourWorker *self);
/* Tells the clients that received from the keys that they have left the region, and every mesh
 * watcher that they are not here any more, if they were in the common space. @from: of
 * DetourGoneFrom */
void detour_worker_peers_gone (DetourWorker *self, const DetourSpace *space, const DetourGone *gone,
                               guint n, guint from);
/* Tells every mesh watcher of a connection in the common space. */
void detour_worker_peer_present (DetourWorker *self, const DetourKey *key,
                                 const DetourPresence *presence);
/* Whether a mesh watcher is among its clients. */
gboolean detour_worker_has_watchers (const DetourWorker *self);

/* Carrying all connections over to other workers, or to another process, while clients send on:
 * freeze every worker, detach every worker, adopt every session elsewhere while that is frozen,
 * wait for all of it, thaw. Nothing is lost, as nothing is read until every receiver is in its
 * place. */

/* Reads no client any more, also those adopted from now on; goes on to deliver what has come. Any
 * other thread; returns when it is so. */
void detour_worker_freeze (DetourWorker *self);
/* What could be carried over, and samples of it. */
typedef struct {
  DetourRecord *out;
  guint16 tag;
  GHashTable *seen;     /* of char *: the kinds of record layers that @out has */
  guint n_kept, n_lost; /* clients that could be carried over, and connections that could not */
  guint n_links;        /* of the mesh, that could be carried over */
} DetourWorkerSample;

/* Adds those of the worker. Any other thread; returns when it is done. */
void detour_worker_sample (DetourWorker *self, DetourWorkerSample *sample);
/* Takes every connection of a frozen worker apart into a session, added to @sessions, of
 * DetourSession, whose descriptor is watched on. All other workers are frozen. Any other thread;
 * returns when it is done. */
void detour_worker_detach_all (DetourWorker *self, GPtrArray *sessions);
/* Any other thread; returns when what was posted to the worker before has been done. */
void detour_worker_wait (DetourWorker *self);
void detour_worker_thaw (DetourWorker *self);
/* A frozen worker without connections goes on with what one of the program before watched, see
 * detour_loop_inherit(). Any other thread. FALSE: it did not, and @watch_fd is the caller's. */
gboolean detour_worker_inherit (DetourWorker *self, int watch_fd) G_GNUC_WARN_UNUSED_RESULT;

/* Counts on from what the program before had counted; both: (nullable): of DETOUR_METRIC tables.
 * Any other thread; returns when it is done. */
void detour_worker_count_on (DetourWorker *self, const DetourRecordItem *relay,
                             const DetourRecordItem *worker);

guint detour_worker_n_conns (const DetourWorker *self);
/* Of them, those that showed the mesh key: other servers, and probers; and all others. Either is
 * right at any moment, whatever comes and goes. Any thread. */
guint detour_worker_n_mesh (const DetourWorker *self);
guint detour_worker_n_clients (const DetourWorker *self);
/* Mesh connections that are told who comes and goes. Any thread. */
guint detour_worker_n_watchers (const DetourWorker *self);
const DetourRelayCounters *detour_worker_relay_counters (const DetourWorker *self);
const DetourWorkerCounters *detour_worker_counters (const DetourWorker *self);
DetourLoop *detour_worker_loop (const DetourWorker *self);
/* Bytes that wait for its clients. Any thread. */
gsize detour_worker_queue_bytes (const DetourWorker *self);
/* At most; 0: no limit. Main thread, which sets it. */
gsize detour_worker_queue_bytes_max (const DetourWorker *self);

G_END_DECLS
