/* probe-run.c: looks at the nodes of a map, several at a time, and then at pairs of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "detourctl-mesh-key.h"
#include "probe.h"

/* Most of the time is waiting. */
#define THREADS_MAX 8

static gboolean
probe_run_wants (const DetourctlMapRegion *region, const char *wanted)
{
  g_autofree char *number = g_strdup_printf ("%" G_GINT64_FORMAT, region->key);

  return !region->is_null
      && (wanted == NULL || g_strcmp0 (region->code, wanted) == 0
          || g_strcmp0 (number, wanted) == 0);
}

static void
probe_run_look_at_node (gpointer data, gpointer user)
{
  ProbeNode *node = data;
  const Probe *self = user;

  probe_node_resolve (node, self->limit_us);
  probe_stun_check (self, node);
  probe_tls_check (self, node);
  probe_captive_check (self, node);
  probe_login_check (self, node);
  probe_websocket_check (self, node);
}

/* ---- pairs ----------------------------------------------------------------------------------- */

typedef struct {
  const ProbeNode *from, *to;
  GPtrArray *results;
} Pair;

static void
probe_run_pair_free (gpointer data)
{
  Pair *pair = data;

  g_ptr_array_unref (pair->results);
  g_free (pair);
}

static void
probe_run_look_at_pair (gpointer data, gpointer user)
{
  Pair *pair = data;

  probe_between_check (user, pair->from, pair->to, pair->results);
}

/* Both directions of each pair within a region. */
static GPtrArray *
probe_run_pairs (const Probe *self)
{
  GPtrArray *pairs = g_ptr_array_new_with_free_func (probe_run_pair_free);

  for (guint i = 0; i < self->nodes->len; i++)
    for (guint k = 0; k < self->nodes->len; k++)
      {
        const ProbeNode *from = self->nodes->pdata[i], *to = self->nodes->pdata[k];
        Pair *pair;

        if (i == k || from->region != to->region || from->entry->stun_only || to->entry->stun_only)
          continue;
        pair = g_new (Pair, 1);
        *pair = (Pair) { from, to, g_ptr_array_new_with_free_func (probe_result_free) };
        g_ptr_array_add (pairs, pair);
      }
  return pairs;
}

/* ---------------------------------------------------------------------------------------------- */

/* Each element on a thread; waits for all. */
static void
probe_run_all (Probe *self, GFunc func, const GPtrArray *elements)
{
  GThreadPool *pool;

  if (elements->len == 0)
    return;
  pool = g_thread_pool_new (func, self, MIN (THREADS_MAX, (int) elements->len), FALSE, NULL);
  for (guint i = 0; i < elements->len; i++)
    g_thread_pool_push (pool, elements->pdata[i], NULL);
  g_thread_pool_free (pool, FALSE, TRUE);
}

static void
probe_run_between (Probe *self)
{
  g_autoptr (GPtrArray) pairs = probe_run_pairs (self);

  /* Without a key that gets in there is nothing to try. */
  if (self->no_between || (self->is_closed && self->mesh_key == NULL))
    return;
  probe_run_all (self, probe_run_look_at_pair, pairs);
  for (guint i = 0; i < pairs->len; i++)
    {
      const Pair *pair = pairs->pdata[i];

      while (pair->results->len > 0)
        g_ptr_array_add (self->between, g_ptr_array_steal_index (pair->results, 0));
    }
}

void
probe_run (Probe *self, const DetourctlMap *map, const char *region)
{
  self->map = map;
  self->nodes = g_ptr_array_new_with_free_func (probe_node_free);
  self->between = g_ptr_array_new_with_free_func (probe_result_free);
  for (guint i = 0; i < map->regions->len; i++)
    {
      const DetourctlMapRegion *one = map->regions->pdata[i];

      for (guint k = 0; probe_run_wants (one, region) && k < one->nodes->len; k++)
        g_ptr_array_add (self->nodes, probe_node_new (one, one->nodes->pdata[k]));
    }
  probe_run_all (self, probe_run_look_at_node, self->nodes);
  probe_run_between (self);
}

void
probe_clear (Probe *self)
{
  g_clear_pointer (&self->nodes, g_ptr_array_unref);
  g_clear_pointer (&self->between, g_ptr_array_unref);
  g_free (self->ca_file);
  detourctl_mesh_key_free (self->mesh_key);
}

/* A node's own results come in the order of the enum, whatever was asked first. */
void
probe_foreach (const Probe *self, ProbeResultFunc func, gpointer user)
{
  for (guint i = 0; i < self->nodes->len; i++)
    {
      const ProbeNode *node = self->nodes->pdata[i];

      for (guint check = 0; check < PROBE_N_CHECKS; check++)
        {
          const ProbeResult *result = probe_node_result (node, (ProbeCheck) check);

          if (result != NULL)
            func (result, user);
        }
    }
  for (guint i = 0; i < self->between->len; i++)
    func (self->between->pdata[i], user);
}

typedef struct {
  ProbeStatus status;
  guint n;
} Count;

static void
probe_run_count (const ProbeResult *result, gpointer user)
{
  Count *count = user;

  count->n += result->status == count->status;
}

guint
probe_count (const Probe *self, ProbeStatus status)
{
  Count count = { status, 0 };

  probe_foreach (self, probe_run_count, &count);
  return count.n;
}
