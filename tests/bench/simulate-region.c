/* simulate-region.c: one region of many nodes, as a model that counts.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client is at one node. Every change is told to all other nodes, by one frame each; that is all
 * a mesh does without packets. Churn goes by seconds. When a node ends its clients come back by
 * ticks of 10 ms, and wait for the login at their new node in a queue, first come, first served. */
#include "config.h"

#include "simulate-region.h"

#include "detour-frame.h"
#include "simulate-random.h"

#include <string.h>

#define TICK_MS        10u
#define TICKS_A_SECOND (1000u / TICK_MS)
/* Tailscale's client: a whole connect may take this long, and after the n-th failure in a row it
 * waits n² × 10 ms, at most 5 s, times 0.5 to 1.5. */
#define PATIENCE_TICKS    (10u * TICKS_A_SECOND)
#define BACKOFF_MAX_TICKS (5u * TICKS_A_SECOND)
#define CALENDAR_TICKS    (PATIENCE_TICKS + 2u * BACKOFF_MAX_TICKS)
#define NOBODY            G_MAXUINT32

/* Clients in a row; each is in one at most. */
typedef struct {
  guint32 first;
  guint32 last;
} Row;

typedef struct {
  const SimulateRegionPlan *plan;
  SimulateRandom random;
  guint16 *node_of;   /* of each client */
  guint *n_local;     /* of each node */
  guint32 *next;      /* of each client, in its row */
  guint32 *since;     /* of each client: the tick in which it began to wait */
  guint8 *n_failures; /* of each client */
  int dead;           /* node; -1 is none */
} Region;

static guint
region_choose (Region *self)
{
  guint n = self->plan->nodes;
  guint node;

  if (self->plan->in_order)
    return self->dead == 0 && n > 1 ? 1 : 0;
  do
    node = simulate_random_below (&self->random, n);
  while ((int) node == self->dead && n > 1);
  return node;
}

static void
region_settle (Region *self, guint32 client, guint node)
{
  self->node_of[client] = (guint16) node;
  self->n_local[node]++;
}

static guint
region_fullest (const Region *self)
{
  guint fullest = 0;

  for (guint i = 1; i < self->plan->nodes; i++)
    if (self->n_local[i] > self->n_local[fullest])
      fullest = i;
  return fullest;
}

static double
region_forwarded (Region *self)
{
  guint n = 0;

  for (guint i = 0; i < self->plan->packets; i++)
    {
      guint from = simulate_random_below (&self->random, self->plan->keys);
      guint to = simulate_random_below (&self->random, self->plan->keys);

      n += self->node_of[from] != self->node_of[to];
    }
  return self->plan->packets > 0 ? (double) n / self->plan->packets : 0;
}

/* ---- churn ----------------------------------------------------------------------------------- */

static void
region_churn (Region *self, SimulateRegionResult *result)
{
  const SimulateRegionPlan *plan = self->plan;
  guint watchers = plan->nodes - 1;
  g_autofree guint *told = g_new (guint, plan->nodes); /* changes at each node in this second */
  double a_second = plan->keys * plan->churn / 3600;

  for (guint second = 0; second < plan->seconds; second++)
    {
      guint moves = simulate_random_count (&self->random, a_second);
      guint least = G_MAXUINT;

      memset (told, 0, plan->nodes * sizeof *told);
      for (guint i = 0; i < moves; i++)
        {
          guint32 client = simulate_random_below (&self->random, plan->keys);
          guint from = self->node_of[client], to = region_choose (self);

          self->n_local[from]--;
          told[from]++;
          region_settle (self, client, to);
          told[to]++;
        }
      for (guint i = 0; i < plan->nodes; i++)
        least = MIN (least, told[i]);
      result->changes += 2u * moves;
      result->frames += (guint64) 2 * moves * watchers;
      if (watchers > 0)
        result->heard_peak = MAX (result->heard_peak, 2.0 * moves - least);
    }
  if (watchers > 0 && plan->seconds > 0)
    {
      result->heard = (double) result->frames / plan->nodes / plan->seconds;
      result->link_bytes = (double) result->frames / 2
                         * (DETOUR_FRAME_PEER_GONE_SIZE + DETOUR_FRAME_PEER_PRESENT_SIZE (0u))
                         / (double) result->links / plan->seconds;
    }
}

/* ---- a node that ends ------------------------------------------------------------------------ */

static void
region_append (Region *self, Row *row, guint32 client)
{
  self->next[client] = NOBODY;
  if (row->first == NOBODY)
    row->first = client;
  else
    self->next[row->last] = client;
  row->last = client;
}

static guint32
region_take (const Region *self, Row *row)
{
  guint32 client = row->first;

  if (client != NOBODY)
    row->first = self->next[client];
  return client;
}

static guint
region_backoff (Region *self, guint n_failures)
{
  double ticks = MIN ((double) n_failures * n_failures * 10 / TICK_MS, BACKOFF_MAX_TICKS);

  return MAX (1u, (guint) (ticks * (0.5 + simulate_random_unit (&self->random))));
}

static void
region_end (Region *self, SimulateRegionResult *result)
{
  const SimulateRegionPlan *plan = self->plan;
  guint n = plan->nodes, dead = region_fullest (self), left = self->n_local[dead];
  g_autofree Row *calendar = g_new (Row, CALENDAR_TICKS);
  g_autofree Row *queues = g_new (Row, n);
  g_autofree double *budgets = g_new0 (double, n);
  g_autofree guint *told = g_new0 (guint, n); /* logins at each node in this second */
  guint tick;

  for (guint i = 0; i < CALENDAR_TICKS; i++)
    calendar[i].first = NOBODY;
  for (guint i = 0; i < n; i++)
    queues[i].first = NOBODY;
  result->lost = left;
  self->dead = (int) dead;
  self->n_local[dead] = 0;
  for (guint32 i = 0; i < plan->keys; i++)
    if (self->node_of[i] == dead)
      {
        self->n_failures[i] = 1;
        region_append (self, &calendar[region_backoff (self, 1)], i);
      }

  for (tick = 0; left > 0; tick++)
    {
      Row *due = &calendar[tick % CALENDAR_TICKS];

      for (guint32 client; (client = region_take (self, due)) != NOBODY;)
        {
          self->since[client] = tick;
          region_append (self, &queues[region_choose (self)], client);
        }
      if (tick % TICKS_A_SECOND == 0)
        memset (told, 0, n * sizeof *told);
      for (guint i = 0; i < n; i++)
        {
          Row *queue = &queues[i];

          while (queue->first != NOBODY && tick - self->since[queue->first] > PATIENCE_TICKS)
            {
              guint32 client = region_take (self, queue);
              guint n_failures = MIN (self->n_failures[client] + 1u, 255u);

              self->n_failures[client] = (guint8) n_failures;
              result->retries++;
              region_append (self,
                             &calendar[(tick + region_backoff (self, n_failures)) % CALENDAR_TICKS],
                             client);
            }
          budgets[i] = MIN (budgets[i] + plan->logins / TICKS_A_SECOND,
                            MAX (1, plan->logins / TICKS_A_SECOND));
          for (; budgets[i] >= 1 && queue->first != NOBODY; budgets[i]--, left--)
            {
              region_settle (self, region_take (self, queue), i);
              told[i]++;
            }
          result->link_peak = MAX (result->link_peak, n > 2 ? told[i] : 0);
        }
    }
  result->back_seconds = (double) tick / TICKS_A_SECOND;
  result->forwarded_without = region_forwarded (self);

  /* The node is there again: each of the others tells it of all its clients. */
  result->flood_frames = plan->keys;
  result->flood_link = self->n_local[region_fullest (self)];
}

void
simulate_region (const SimulateRegionPlan *plan, SimulateRegionResult *result)
{
  g_autofree guint16 *node_of = g_new (guint16, plan->keys);
  g_autofree guint *n_local = g_new0 (guint, plan->nodes);
  g_autofree guint32 *next = g_new (guint32, plan->keys);
  g_autofree guint32 *since = g_new (guint32, plan->keys);
  g_autofree guint8 *n_failures = g_new0 (guint8, plan->keys);
  Region self = {
    .plan = plan,
    .random = { plan->seed },
    .node_of = node_of,
    .n_local = n_local,
    .next = next,
    .since = since,
    .n_failures = n_failures,
    .dead = -1,
  };
  guint least;

  *result = (SimulateRegionResult) { .links = (guint64) plan->nodes * (plan->nodes - 1) };
  for (guint32 i = 0; i < plan->keys; i++)
    region_settle (&self, i, region_choose (&self));
  least = plan->keys;
  for (guint i = 0; i < plan->nodes; i++)
    least = MIN (least, n_local[i]);
  result->local_most = n_local[region_fullest (&self)];
  result->local_mean = (double) plan->keys / plan->nodes;
  result->remote_most = plan->keys - least;
  result->forwarded = region_forwarded (&self);
  region_churn (&self, result);
  if (plan->nodes > 1)
    region_end (&self, result);
}
