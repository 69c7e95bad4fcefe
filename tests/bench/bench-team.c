/* bench-team.c: threads that each have a crowd of clients and the traffic between them; measured
 * from outside.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-team.h"
#include "bench-packet.h"

#define BENCH_TEAM_TURN_NS G_GINT64_CONSTANT (10000000)

typedef enum {
  BENCH_TEAM_OPENING,
  BENCH_TEAM_WAITING,
  BENCH_TEAM_SENDING,
  BENCH_TEAM_RESTING,
  BENCH_TEAM_ENDING,
} BenchTeamPhase;

typedef struct {
  BenchTeam *team;
  GThread *thread;
  BenchCrowd crowd;
  BenchTraffic traffic;
  GError *error;
} BenchMember;

struct _BenchTeam {
  BenchTeamPlan plan;
  BenchMember *members; /* (array length=n_threads) */
  guint n_running;
  GMutex lock;
  GCond changed;
  BenchTeamPhase phase; /* under the lock to write, atomic to read */
  guint n_there;        /* members that have reached the phase; under the lock */
};

static BenchTeamPhase
bench_team_phase (BenchTeam *self)
{
  return __atomic_load_n (&self->phase, __ATOMIC_ACQUIRE);
}

/* A member has reached the phase it was sent to. */
static void
bench_team_arrive (BenchTeam *self)
{
  g_mutex_lock (&self->lock);
  self->n_there++;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static void
bench_team_each (BenchMember *member, void (*func) (BenchClient *client))
{
  for (guint i = 0; func != NULL && i < member->crowd.n; i++)
    func (&member->crowd.clients[i]);
}

static gpointer
bench_team_run (gpointer data)
{
  BenchMember *member = data;
  BenchTeam *self = member->team;
  BenchTeamPhase seen = BENCH_TEAM_OPENING;

  if (bench_crowd_open (&member->crowd, 120 * G_USEC_PER_SEC, &member->error))
    bench_team_each (member, self->plan.prepare);
  bench_team_arrive (self);

  while (member->error == NULL && seen != BENCH_TEAM_ENDING)
    {
      BenchTeamPhase phase = bench_team_phase (self);

      if (phase == BENCH_TEAM_RESTING && seen != phase)
        {
          bench_team_each (member, self->plan.finish);
          bench_traffic_drain (&member->traffic);
          bench_team_arrive (self);
        }
      else if (phase == BENCH_TEAM_SENDING)
        bench_traffic_turn (&member->traffic);
      else
        bench_crowd_turn (&member->crowd, BENCH_TEAM_TURN_NS);
      seen = phase;
    }
  bench_crowd_close (&member->crowd, FALSE);
  return NULL;
}

static void
bench_team_set_phase (BenchTeam *self, BenchTeamPhase phase, gboolean wait)
{
  g_mutex_lock (&self->lock);
  self->n_there = 0;
  __atomic_store_n (&self->phase, phase, __ATOMIC_RELEASE);
  while (wait && self->n_there < self->n_running)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

static gboolean
bench_team_add (BenchTeam *self, guint number, guint first, guint n, GError **error)
{
  BenchMember *member = &self->members[number];
  BenchTrafficPlan plan = self->plan.plan;
  guint threads = self->plan.n_threads;

  plan.rate /= threads;
  plan.packets = (plan.packets + threads - 1) / threads;
  member->team = self;
  if (!bench_crowd_init (&member->crowd, self->plan.target, first, n,
                         MAX (self->plan.at_once / threads, 1), error))
    return FALSE;
  if (!bench_traffic_init (&member->traffic, &member->crowd, &plan, error))
    {
      bench_crowd_clear (&member->crowd);
      return FALSE;
    }
  self->n_running++;
  member->thread = g_thread_new ("clients", bench_team_run, member);
  return TRUE;
}

BenchTeam *
bench_team_start (const BenchTeamPlan *plan, GError **error)
{
  g_autoptr (BenchTeam) self = g_new0 (BenchTeam, 1);
  guint at = plan->first;

  self->plan = *plan;
  self->members = g_new0 (BenchMember, plan->n_threads);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  for (guint i = 0; i < plan->n_threads; i++)
    {
      guint n = plan->n_clients / plan->n_threads / 2 * 2;

      if (i == plan->n_threads - 1)
        n = plan->n_clients - (at - plan->first);
      if (!bench_team_add (self, i, at, n, error))
        return NULL;
      at += n;
    }
  g_mutex_lock (&self->lock);
  while (self->n_there < self->n_running)
    g_cond_wait (&self->changed, &self->lock);
  self->phase = BENCH_TEAM_WAITING;
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < self->n_running; i++)
    if (self->members[i].error != NULL)
      {
        g_propagate_error (error, g_steal_pointer (&self->members[i].error));
        return NULL;
      }
  return g_steal_pointer (&self);
}

void
bench_team_go (BenchTeam *self)
{
  bench_team_set_phase (self, BENCH_TEAM_SENDING, FALSE);
}

void
bench_team_measure (BenchTeam *self, guint epoch)
{
  guint64 now_ns = bench_packet_now_ns ();

  for (guint i = 0; i < self->n_running; i++)
    __atomic_store_n (&self->members[i].traffic.epoch_ns[epoch], now_ns, __ATOMIC_RELAXED);
}

void
bench_team_counts (BenchTeam *self, BenchTeamCounts *counts)
{
  *counts = (BenchTeamCounts) { 0 };
  for (guint i = 0; i < self->n_running; i++)
    {
      const BenchTrafficCounters *from = &self->members[i].traffic.counters;

      counts->delivered += detour_counter_get (&from->delivered);
      counts->offered += detour_counter_get (&from->offered);
      counts->held_back += detour_counter_get (&from->held_back);
      counts->corrupt += detour_counter_get (&from->corrupt);
      counts->misrouted += detour_counter_get (&from->misrouted);
      counts->reordered += detour_counter_get (&from->reordered);
      counts->duplicated += detour_counter_get (&from->duplicated);
      counts->gone += detour_counter_get (&from->gone);
      counts->n_closed += __atomic_load_n (&self->members[i].crowd.n_closed, __ATOMIC_RELAXED);
      counts->n_retries += __atomic_load_n (&self->members[i].crowd.n_retries, __ATOMIC_RELAXED);
    }
}

gboolean
bench_team_is_done (BenchTeam *self)
{
  for (guint i = 0; i < self->n_running; i++)
    if (!bench_traffic_is_done (&self->members[i].traffic))
      return FALSE;
  return TRUE;
}

void
bench_team_rest (BenchTeam *self)
{
  bench_team_set_phase (self, BENCH_TEAM_RESTING, TRUE);
}

void
bench_team_latency (BenchTeam *self, guint epoch, BenchHistogram *latency)
{
  for (guint i = 0; i < self->n_running; i++)
    bench_histogram_merge (latency, &self->members[i].traffic.latency[epoch]);
}

void
bench_team_relayed (BenchTeam *self, guint epoch, BenchHistogram *relayed)
{
  for (guint i = 0; i < self->n_running; i++)
    bench_histogram_merge (relayed, &self->members[i].traffic.relayed[epoch]);
}

void
bench_team_free (BenchTeam *self)
{
  bench_team_set_phase (self, BENCH_TEAM_ENDING, FALSE);
  for (guint i = 0; i < self->n_running; i++)
    {
      BenchMember *member = &self->members[i];

      g_thread_join (member->thread);
      bench_traffic_clear (&member->traffic);
      bench_crowd_clear (&member->crowd);
      g_clear_error (&member->error);
    }
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self->members);
  g_free (self);
}

gboolean
bench_team_counts_are_true (const BenchTeamCounts *counts)
{
  return counts->corrupt == 0 && counts->misrouted == 0 && counts->reordered == 0
      && counts->duplicated == 0 && counts->delivered <= counts->offered;
}
