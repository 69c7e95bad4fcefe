/* detour-stats.h: what the relay has done and has now, summed over its threads.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-admission.h"
#include "detour-handshake-pool.h"
#include "detour-worker.h"

G_BEGIN_DECLS

/* The sums that status shows. Since the start of the daemon; packets of clients, without what the
 * protocol adds. */
typedef struct {
  guint64 joined, left; /* connections */
  guint64 refused;
  guint64 packets_received, bytes_received;
  guint64 packets_sent, bytes_sent;
  guint64 packets_dropped;
  guint64 packets_dropped_slow; /* because their receiver did not read */
} DetourStats;

/* Where the numbers come from; borrowed for the call. */
typedef struct {
  DetourWorker *const *workers;
  guint n_workers;
  DetourHandshakePool *pool; /* NULL: it is gone, and its numbers with it */
  const DetourAdmission *admission;
  guint n_listeners;
} DetourStatsParts;

/* Reads counters; waits for nobody. Main thread, as all here. */
void detour_stats_read (DetourStats *self, const DetourStatsParts *parts);

/* Every number that core counts, and every gauge of core. */
void detour_stats_each (const DetourStatsParts *parts, DetourMetricFunc func, gpointer user);

G_END_DECLS
