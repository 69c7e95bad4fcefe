/* detour-worker-metrics.c: what each number of a worker is called.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker.h"

static const char *
worker_metrics_reason (guint index)
{
  return detour_close_name ((DetourClose) index);
}

#define ROW(name, member, help) DETOUR_METRIC_ROW (DetourWorkerCounters, member, name, NULL, help)

const DetourMetricRow detour_worker_metrics[] = {
  ROW ("connections_joined", joined, "connections that were registered"),
  { "connections_closed",
    NULL,
    "connections that ended",
    G_STRUCT_OFFSET (DetourWorkerCounters, closed),
    { "stage", "registered" },
    { { "reason", DETOUR_N_CLOSES, worker_metrics_reason } } },
  ROW ("worker_rounds", rounds, "rounds of the workers"),
  ROW ("worker_reads", reads, "reads of the workers"),
  ROW ("worker_sends", sends, "sends of the workers"),
  { NULL },
};
