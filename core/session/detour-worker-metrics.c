/* detour-worker-metrics.c: the numbers of a worker, and what each is called.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-metric-record.h"
#include "detour-worker-private.h"

static const char *
worker_metrics_reason (guint index)
{
  return detour_close_name ((DetourClose) index);
}

const guint64 detour_worker_round_bounds_us[DETOUR_WORKER_N_ROUND_BOUNDS] = {
  10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000,
};

#define ROW(name, member, help) DETOUR_METRIC_ROW (DetourWorkerCounters, member, name, NULL, help)

const DetourMetricRow detour_worker_metrics[] = {
  ROW ("connections_joined", joined, "connections that were registered"),
  { "connections_closed",
    NULL,
    "connections that ended",
    G_STRUCT_OFFSET (DetourWorkerCounters, closed),
    { "stage", "registered" },
    { { "reason", DETOUR_N_CLOSES, worker_metrics_reason } } },
  ROW ("connections_suspected", suspects,
       "connections that were silent, and then neither acknowledged nor answered what they were "
       "sent"),
  ROW ("worker_rounds", rounds, "rounds of the workers"),
  ROW ("worker_reads", reads, "reads of the workers"),
  ROW ("worker_sends", sends, "sends of the workers"),
  DETOUR_METRIC_HISTOGRAM_ROW (
      DetourWorkerCounters, round_us, round_us_sum, "worker_round_microseconds", "microseconds",
      "how long rounds of the workers take, one of 32 measured", detour_worker_round_bounds_us),
  DETOUR_METRIC_HISTOGRAM_ROW (DetourWorkerCounters, round_trip_us, round_trip_us_sum,
                               "client_round_trip_microseconds", "microseconds",
                               "round trips of clients, as TCP sees them, at one keep-alive of 17",
                               detour_conn_sample_bounds_us),
  DETOUR_METRIC_HISTOGRAM_ROW (
      DetourWorkerCounters, queue_delay_us, queue_delay_us_sum, "client_queue_delay_microseconds",
      "microseconds", "how long what waits for a client takes to go out, at one keep-alive of 17",
      detour_conn_sample_bounds_us),
  { NULL },
};

void
detour_worker_count_round (DetourWorker *self, DetourLoop *loop)
{
  DetourWorkerCounters *counters = &self->shared.counters;

  detour_counter_add (&counters->rounds, 1);
  if (detour_counter_get (&counters->rounds) % DETOUR_WORKER_ROUNDS_A_SAMPLE != 0)
    return;
  detour_metric_observe (counters->round_us, &counters->round_us_sum, detour_worker_round_bounds_us,
                         DETOUR_WORKER_N_ROUND_BOUNDS,
                         (guint64) (g_get_monotonic_time () - detour_loop_now_us (loop)));
}

const DetourRelayCounters *
detour_worker_relay_counters (const DetourWorker *self)
{
  return detour_relay_counters (self->shared.relay);
}

gsize
detour_worker_queue_bytes (const DetourWorker *self)
{
  return detour_relay_queue_bytes (self->shared.relay);
}

gsize
detour_worker_queue_bytes_max (const DetourWorker *self)
{
  return self->shared.limits.relay.queue_memory;
}

const DetourWorkerCounters *
detour_worker_counters (const DetourWorker *self)
{
  return &self->shared.counters;
}

typedef struct {
  const DetourRecordItem *relay, *worker;
} CountedBefore;

static void
worker_metrics_on_count_on (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  const CountedBefore *before = data;

  if (before->relay != NULL)
    detour_metric_record_read (before->relay, detour_relay_metrics,
                               (gpointer) detour_relay_counters (self->shared.relay));
  if (before->worker != NULL)
    detour_metric_record_read (before->worker, detour_worker_metrics, &self->shared.counters);
}

void
detour_worker_count_on (DetourWorker *self, const DetourRecordItem *relay,
                        const DetourRecordItem *worker)
{
  CountedBefore before = { relay, worker };

  detour_loop_call (self->shared.loop, worker_metrics_on_count_on, &before);
}
