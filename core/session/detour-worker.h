/* detour-worker.h: one worker and the registered connections that it carries.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Joins the network and the protocol: bytes are read, opened and given to the relay; what the
 * relay hands out is sealed and sent, one send for each destination and round. Packets for a
 * client of another worker go through a ring that the two share. */
#pragma once

#include <glib.h>

#include "detour-worker-rings.h"
#include "detour-relay.h"
#include "detour-session.h"
#include "detour-loop.h"
#include "detour-metric.h"

G_BEGIN_DECLS

typedef struct _DetourWorker DetourWorker;

/* Of all workers; a copy is kept by each. */
typedef struct {
  DetourRelayLimits relay;
  gint64 write_timeout_us; /* 0: none; a mesh connection has 30 s */
  guint user_timeout_ms;   /* of the sockets, TCP_USER_TIMEOUT; 0: the kernel's */
  gint64 keep_alive_us;    /* between two keep-alives, without their jitter */
} DetourWorkerLimits;

/* Read by anyone. */
typedef struct {
  DetourCounter joined;
  DetourCounter closed[DETOUR_N_CLOSES];
  DetourCounter rounds, reads, sends;
} DetourWorkerCounters;

/* All of them; in detour-worker-metrics.c. */
extern const DetourMetricRow detour_worker_metrics[];

/* Main thread. This is number @index of those that share @rings and @registry; connections that
 * end leave @addresses. */
DetourWorker *detour_worker_new (guint index, DetourWorkerRings *rings, DetourRegistry *registry,
                                 DetourAddressCounts *addresses, const DetourKey *server_key,
                                 const DetourWorkerLimits *limits, GError **error);
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
/* Nothing happens when the connection is gone already. */
void detour_worker_close (DetourWorker *self, DetourHandle handle, DetourClose reason);
/* Tells the clients that received from the key, and every mesh watcher, that it has left the
 * region. */
void detour_worker_peer_gone (DetourWorker *self, const DetourPeer *peer);
/* Tells every mesh watcher of a connection. */
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
/* Takes every connection of a frozen worker apart into a session, added to @sessions, of
 * DetourSession. All other workers are frozen. Any other thread; returns when it is done. */
void detour_worker_detach_all (DetourWorker *self, GPtrArray *sessions);
/* Any other thread; returns when what was posted to the worker before has been done. */
void detour_worker_wait (DetourWorker *self);
void detour_worker_thaw (DetourWorker *self);

guint detour_worker_n_conns (const DetourWorker *self);
const DetourRelayCounters *detour_worker_relay_counters (const DetourWorker *self);
const DetourWorkerCounters *detour_worker_counters (const DetourWorker *self);
DetourLoop *detour_worker_loop (const DetourWorker *self);
/* Bytes that wait for its clients. Any thread. */
gsize detour_worker_queue_bytes (const DetourWorker *self);

G_END_DECLS
