/* bench-team.h: threads that each have a crowd of clients and the traffic between them; measured
 * from outside.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-server.h"
#include "bench-traffic.h"

G_BEGIN_DECLS

typedef struct _BenchTeam BenchTeam;

typedef struct {
  BenchTarget *target;
  guint n_threads;
  guint first;           /* number of the first client */
  guint n_clients;       /* of all threads; each has an even share */
  guint at_once;         /* logins on their way, in all */
  BenchTrafficPlan plan; /* rate and packets are those of all threads */
  /* (nullable): each client, on its thread, when all are logged in and before the first packet. */
  void (*prepare) (BenchClient *client);
  /* (nullable): the same, after the last packet. */
  void (*finish) (BenchClient *client);
} BenchTeamPlan;

/* Sums over all threads. */
typedef struct {
  guint64 offered, delivered, held_back, corrupt, misrouted, reordered, duplicated, gone;
  guint64 n_closed, n_retries;
} BenchTeamCounts;

/* Starts the threads; returns when all clients are logged in. */
BenchTeam *bench_team_start (const BenchTeamPlan *plan, GError **error);
/* Packets begin. */
void bench_team_go (BenchTeam *self);
/* Packets sent from now on count for the latency of @epoch. */
void bench_team_measure (BenchTeam *self, guint epoch);
/* At any time. */
void bench_team_counts (BenchTeam *self, BenchTeamCounts *counts);
/* All packets of the plan were offered. */
gboolean bench_team_is_done (BenchTeam *self);
/* No packets any more; returns when those on their way have come, or no more come. Clients stay. */
void bench_team_rest (BenchTeam *self);
/* After bench_team_rest(): adds the latencies of all threads. */
void bench_team_latency (BenchTeam *self, guint epoch, BenchHistogram *latency);
/* From kernel to kernel, where the plan asks for stamps. */
void bench_team_relayed (BenchTeam *self, guint epoch, BenchHistogram *relayed);
/* Closes all connections and ends the threads. */
void bench_team_free (BenchTeam *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchTeam, bench_team_free)

/* Nothing came that was not sent, or not as it was sent. */
gboolean bench_team_counts_are_true (const BenchTeamCounts *counts);

G_END_DECLS
