/* bench-mix.c: teams of different kinds beside each other, each client of which is awkward in one
 * way.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-mix.h"

#include <string.h>

/* A dribbling client's records between two KeyUpdates. */
#define BENCH_MIX_UPDATE_EVERY 5u

/* So that more waits for a receiver than the kernel takes. */
#define BENCH_MIX_STALLED_SIZE 4000u

static void
bench_mix_dribble (BenchClient *client)
{
  client->wire.dribbles = TRUE;
  client->wire.update_every = BENCH_MIX_UPDATE_EVERY;
}

static void
bench_mix_flow (BenchClient *client)
{
  client->wire.dribbles = FALSE;
}

/* The odd clients of a one-way team are those that receive. */
static void
bench_mix_stall (BenchClient *client)
{
  if (client->index % 2 != 0)
    bench_client_stall (client);
}

static void
bench_mix_resume (BenchClient *client)
{
  if (client->index % 2 != 0)
    bench_client_resume (client);
}

static const struct {
  const char *prefix;
  guint percent; /* of the clients; of the first kind what is left */
  double rate;   /* for one of all packets */
  void (*prepare) (BenchClient *client);
  void (*finish) (BenchClient *client);
} kinds[BENCH_MIX_N_KINDS] = {
  [BENCH_MIX_PLAIN] = { "", 0, 1, NULL, NULL },
  [BENCH_MIX_WEBSOCKET] = { "websocket_", 20, 0.25, NULL, NULL },
  [BENCH_MIX_DRIBBLING] = { "dribbling_", 10, 0.05, bench_mix_dribble, bench_mix_flow },
  [BENCH_MIX_STALLED] = { "stalled_", 10, 0.25, bench_mix_stall, bench_mix_resume },
  [BENCH_MIX_LINKED] = { "linked_", 10, 0.25, NULL, NULL },
};

/* The same server at another URL. */
static BenchTarget *
bench_mix_twin (const BenchOptions *options, const BenchTarget *target, const char *url,
                GError **error)
{
  BenchTarget *found = bench_target_new (url, options->tls_priority, (guint) options->sources,
                                         error);

  if (found != NULL)
    {
      found->is_proxied = target->is_proxied;
      found->has_server_key = target->has_server_key;
      found->server_key = target->server_key;
    }
  return found;
}

/* "https://…": "wss://…" */
static BenchTarget *
bench_mix_websocket_target (const BenchOptions *options, const BenchTarget *target, GError **error)
{
  const char *rest = strstr (options->url, "://");
  g_autofree char *url = g_strconcat (target->kind == BENCH_TARGET_TLS ? "wss" : "ws",
                                      rest != NULL ? rest : "://", NULL);

  return bench_mix_twin (options, target, url, error);
}

static gboolean
bench_mix_find_targets (BenchMix *self, const BenchOptions *options, BenchTarget *target,
                        gboolean awkward, GError **error)
{
  if (awkward)
    self->websocket = bench_mix_websocket_target (options, target, error);
  if (awkward && self->websocket == NULL)
    return FALSE;
  if (target->other == NULL)
    return TRUE;
  self->linked = bench_mix_twin (options, target, options->url, error);
  if (self->linked == NULL)
    return FALSE;
  self->linked->other = g_steal_pointer (&target->other);
  return TRUE;
}

/* Pairs have two. */
static guint
bench_mix_share (const BenchMix *self, guint n, BenchMixKind kind)
{
  const BenchTarget *needed = kind == BENCH_MIX_LINKED ? self->linked : self->websocket;

  return needed != NULL ? n * kinds[kind].percent / 100 / 2 * 2 : 0;
}

static gboolean
bench_mix_start_kind (BenchMix *self, const BenchTeamPlan *all, BenchMixKind kind, guint *first,
                      guint n, GError **error)
{
  BenchTeamPlan plan = *all;

  if (n == 0)
    return TRUE;
  plan.first = *first;
  plan.n_clients = n;
  plan.plan.rate *= kinds[kind].rate;
  plan.prepare = kinds[kind].prepare;
  plan.finish = kinds[kind].finish;
  if (kind != BENCH_MIX_PLAIN)
    plan.n_threads = 1;
  if (kind == BENCH_MIX_WEBSOCKET)
    plan.target = self->websocket;
  if (kind == BENCH_MIX_LINKED)
    plan.target = self->linked;
  if (kind == BENCH_MIX_STALLED)
    {
      plan.plan.match = BENCH_MATCH_ONE_WAY;
      plan.plan.size = BENCH_MIX_STALLED_SIZE;
    }
  *first += n;
  self->teams[kind] = bench_team_start (&plan, error);
  return self->teams[kind] != NULL;
}

gboolean
bench_mix_start (BenchMix *self, const BenchOptions *options, const BenchTeamPlan *plan,
                 gboolean awkward, GError **error)
{
  guint first = plan->first, left = plan->n_clients;
  gboolean good;

  memset (self, 0, sizeof *self);
  good = bench_mix_find_targets (self, options, plan->target, awkward, error);
  for (BenchMixKind kind = BENCH_MIX_PLAIN + 1; kind < BENCH_MIX_N_KINDS; kind++)
    left -= bench_mix_share (self, plan->n_clients, kind);
  good = good && bench_mix_start_kind (self, plan, BENCH_MIX_PLAIN, &first, left, error);
  for (BenchMixKind kind = BENCH_MIX_PLAIN + 1; good && kind < BENCH_MIX_N_KINDS; kind++)
    good = bench_mix_start_kind (self, plan, kind, &first,
                                 bench_mix_share (self, plan->n_clients, kind), error);
  self->n_elsewhere = bench_mix_share (self, plan->n_clients, BENCH_MIX_LINKED) / 2;
  if (!good)
    bench_mix_clear (self);
  return good;
}

void
bench_mix_clear (BenchMix *self)
{
  for (BenchMixKind kind = BENCH_MIX_PLAIN; kind < BENCH_MIX_N_KINDS; kind++)
    g_clear_pointer (&self->teams[kind], bench_team_free);
  g_clear_pointer (&self->websocket, bench_target_free);
  g_clear_pointer (&self->linked, bench_target_free);
}

void
bench_mix_go (BenchMix *self)
{
  for (BenchMixKind kind = BENCH_MIX_PLAIN; kind < BENCH_MIX_N_KINDS; kind++)
    if (self->teams[kind] != NULL)
      {
        bench_team_go (self->teams[kind]);
        bench_team_measure (self->teams[kind], 0);
      }
}

void
bench_mix_rest (BenchMix *self)
{
  for (BenchMixKind kind = BENCH_MIX_PLAIN; kind < BENCH_MIX_N_KINDS; kind++)
    if (self->teams[kind] != NULL)
      bench_team_rest (self->teams[kind]);
}

gboolean
bench_mix_report (BenchMix *self, BenchReport *report)
{
  gboolean good = TRUE;

  for (BenchMixKind kind = BENCH_MIX_PLAIN; kind < BENCH_MIX_N_KINDS; kind++)
    {
      g_autofree BenchHistogram *latency = g_new0 (BenchHistogram, 1);
      BenchTeamCounts end;

      if (self->teams[kind] == NULL)
        continue;
      bench_team_counts (self->teams[kind], &end);
      bench_report_counts (report, kinds[kind].prefix, &end);
      bench_team_latency (self->teams[kind], 0, latency);
      if (kind != BENCH_MIX_STALLED)
        bench_report_latency (report, kinds[kind].prefix, latency);
      good = good && bench_team_counts_are_true (&end) && end.n_closed == 0
          && (end.delivered == end.offered || kind == BENCH_MIX_STALLED);
    }
  return good;
}
