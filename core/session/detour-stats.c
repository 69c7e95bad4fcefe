/* detour-stats.c: what the relay has done and has now, summed over its threads.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-stats.h"

#include "detour-descriptors.h"

static guint64
stats_sum (gconstpointer const *structs, guint n, gsize offset)
{
  guint64 sum = 0;

  for (guint i = 0; i < n; i++)
    sum += detour_counter_get (G_STRUCT_MEMBER_P (structs[i], offset));
  return sum;
}

/* The same struct of every thread. */
typedef struct {
  gconstpointer *structs;
  guint n;
} Threads;

static Threads
stats_relays (const DetourStatsParts *parts)
{
  Threads self = { NULL, parts->n_workers };

  self.structs = g_new (gconstpointer, self.n + 1);
  for (guint i = 0; i < self.n; i++)
    self.structs[i] = detour_worker_relay_counters (parts->workers[i]);
  return self;
}

static Threads
stats_workers (const DetourStatsParts *parts)
{
  Threads self = { NULL, parts->n_workers };

  self.structs = g_new (gconstpointer, self.n + 1);
  for (guint i = 0; i < self.n; i++)
    self.structs[i] = detour_worker_counters (parts->workers[i]);
  return self;
}

static Threads
stats_handshakes (const DetourStatsParts *parts)
{
  const DetourHandshakePool *pool = parts->pool;
  Threads self = { NULL, pool != NULL ? detour_handshake_pool_n_threads (pool) : 0 };

  self.structs = g_new (gconstpointer, self.n + 1);
  for (guint i = 0; i < self.n; i++)
    self.structs[i] = detour_handshake_pool_counters (pool, i);
  return self;
}

#define SUM(threads, Struct, member) \
  stats_sum ((threads).structs, (threads).n, G_STRUCT_OFFSET (Struct, member))

static void
stats_add_relays (DetourStats *self, Threads relays)
{
  self->bytes_received = SUM (relays, DetourRelayCounters, bytes_received);
  self->packets_sent = SUM (relays, DetourRelayCounters, packets_sent);
  self->bytes_sent = SUM (relays, DetourRelayCounters, bytes_sent);
  for (guint kind = 0; kind < DETOUR_QUEUE_N_KINDS; kind++)
    {
      self->packets_received += SUM (relays, DetourRelayCounters, packets_received[kind]);
      for (guint i = 0; i < DETOUR_N_DROPS; i++)
        self->packets_dropped += SUM (relays, DetourRelayCounters, packets_dropped[i][kind]);
      self->packets_dropped_slow += SUM (relays, DetourRelayCounters,
                                         packets_dropped[DETOUR_DROP_QUEUE_HEAD][kind]);
    }
}

void
detour_stats_read (DetourStats *self, const DetourStatsParts *parts)
{
  Threads relays = stats_relays (parts);
  Threads workers = stats_workers (parts);
  Threads handshakes = stats_handshakes (parts);

  *self = (DetourStats) {
    .joined = SUM (workers, DetourWorkerCounters, joined),
    .refused = SUM (handshakes, DetourHandshakePoolCounters, refused),
  };
  for (guint i = 0; i < DETOUR_N_CLOSES; i++)
    self->left += SUM (workers, DetourWorkerCounters, closed[i]);
  stats_add_relays (self, relays);
  g_free (relays.structs);
  g_free (workers.structs);
  g_free (handshakes.structs);
}

/* ---- every number ---------------------------------------------------------------------------- */

static void
stats_each_counter (const DetourMetricRow *table, Threads threads, DetourMetricFunc func,
                    gpointer user)
{
  detour_metric_each (table, threads.structs, threads.n, func, user);
  g_free (threads.structs);
}

static guint64
stats_n_clients (const DetourStatsParts *parts)
{
  guint64 n = 0;

  for (guint i = 0; i < parts->n_workers; i++)
    n += detour_worker_n_conns (parts->workers[i]);
  return n;
}

static guint64
stats_n_mesh (const DetourStatsParts *parts)
{
  return detour_handshake_pool_n_mesh (parts->pool);
}

static guint64
stats_n_connections (const DetourStatsParts *parts)
{
  return detour_handshake_pool_n_connections (parts->pool);
}

static guint64
stats_n_half_open (const DetourStatsParts *parts)
{
  return detour_handshake_pool_n_half_open (parts->pool);
}

static guint64
stats_n_waiting (const DetourStatsParts *parts)
{
  return detour_handshake_pool_n_waiting (parts->pool);
}

static guint64
stats_n_held (const DetourStatsParts *parts)
{
  return detour_handshake_pool_n_held (parts->pool);
}

static guint64
stats_n_bytes (const DetourStatsParts *parts)
{
  return detour_handshake_pool_n_bytes (parts->pool);
}

static guint64
stats_n_descriptors_left (const DetourStatsParts *parts)
{
  return detour_descriptors_left ();
}

static guint64
stats_n_descriptors_max (const DetourStatsParts *parts)
{
  return detour_descriptors_max ();
}

static guint64
stats_n_watchers (const DetourStatsParts *parts)
{
  guint64 n = 0;

  for (guint i = 0; i < parts->n_workers; i++)
    n += detour_worker_n_watchers (parts->workers[i]);
  return n;
}

static guint64
stats_n_workers (const DetourStatsParts *parts)
{
  return parts->n_workers;
}

static guint64
stats_n_listeners (const DetourStatsParts *parts)
{
  return parts->n_listeners;
}

/* All 0 where nothing is forwarded. */
static void
stats_each_forwarded (const DetourStatsParts *parts, DetourMetricFunc func, gpointer user)
{
  const DetourForwarder *forwarder = parts->pool != NULL
                                       ? detour_handshake_pool_forwarder (parts->pool)
                                       : NULL;
  DetourMetric metric = { .name = "forwarded_connections",
                          .help = "connections that are forwarded to other servers now",
                          .type = DETOUR_METRIC_GAUGE };
  static const DetourForwarderCounters none;
  gconstpointer counters[1];

  counters[0] = forwarder != NULL ? detour_forwarder_counters (forwarder) : &none;
  metric.value = forwarder != NULL ? detour_forwarder_count (forwarder) : 0;
  detour_metric_each (detour_forwarder_metrics, counters, G_N_ELEMENTS (counters), func, user);
  counters[0] = forwarder != NULL ? detour_forwarder_tunnel_counters (forwarder) : &none;
  detour_metric_each (detour_forwarder_tunnel_metrics, counters, G_N_ELEMENTS (counters), func,
                      user);
  func (&metric, user);
}

static const struct {
  const char *name, *help;
  guint64 (*read) (const DetourStatsParts *parts);
} gauges[] = {
  { "clients", "clients that are registered", stats_n_clients },
  { "clients_mesh", "of these, other servers and probers, which showed the mesh key",
    stats_n_mesh },
  { "connections", "connections, registered or on their way to it", stats_n_connections },
  { "connections_half_open", "connections on their way to a login", stats_n_half_open },
  { "connections_waiting", "connections that wait until others have logged in", stats_n_waiting },
  { "connections_held", "refused clients that are held in silence", stats_n_held },
  { "connections_unregistered_bytes", "bytes that connections before their login hold",
    stats_n_bytes },
  { "descriptors_left", "descriptors that the process may still open", stats_n_descriptors_left },
  { "descriptors_max", "descriptors that the process may have", stats_n_descriptors_max },
  { "watchers", "mesh connections that are told who comes and goes", stats_n_watchers },
  { "workers", "threads that carry clients", stats_n_workers },
  { "listeners", "listeners of transports and services", stats_n_listeners },
};

void
detour_stats_each (const DetourStatsParts *parts, DetourMetricFunc func, gpointer user)
{
  gconstpointer admission[] = { detour_admission_stats (parts->admission) };

  stats_each_counter (detour_relay_metrics, stats_relays (parts), func, user);
  stats_each_counter (detour_worker_metrics, stats_workers (parts), func, user);
  stats_each_counter (detour_handshake_metrics, stats_handshakes (parts), func, user);
  detour_metric_each (detour_admission_metrics, admission, G_N_ELEMENTS (admission), func, user);
  stats_each_forwarded (parts, func, user);
  for (guint i = 0; parts->pool != NULL && i < G_N_ELEMENTS (gauges); i++)
    {
      const DetourMetric metric = {
        .name = gauges[i].name,
        .help = gauges[i].help,
        .type = DETOUR_METRIC_GAUGE,
        .value = gauges[i].read (parts),
      };

      func (&metric, user);
    }
}
