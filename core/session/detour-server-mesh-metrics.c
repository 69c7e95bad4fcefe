/* detour-server-mesh-metrics.c: numbers of the links to the other servers of the region.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-mesh-report.h"
#include "detour-server-private.h"

/* One peer; all borrowed for the call that adds it. */
typedef struct {
  DetourMetricList *list;
  const char *instance, *peer;
} Row;

static void
server_mesh_metrics_add (const Row *row, DetourMetricType type, const char *name, const char *unit,
                         const char *help, guint64 value)
{
  const DetourMetric metric = {
    .name = name,
    .unit = unit,
    .help = help,
    .type = type,
    .n_labels = 2,
    .labels = { { "instance", row->instance }, { "peer", row->peer } },
    .value = value,
  };

  detour_metric_list_add (&metric, row->list);
}

static void
server_mesh_metrics_add_dropped (const Row *row, const char *reason, guint64 value)
{
  const DetourMetric metric = {
    .name = "mesh_link_packets_dropped",
    .help = "packets to the peer that no link to it took over: displaced in its queue, left over "
            "when it was gone, not written",
    .type = DETOUR_METRIC_COUNTER,
    .n_labels = 3,
    .labels = { { "instance", row->instance }, { "peer", row->peer }, { "reason", reason } },
    .value = value,
  };

  detour_metric_list_add (&metric, row->list);
}

static void
server_mesh_metrics_add_peer (const DetourServer *self, DetourMetricList *list,
                              DetourInstance *instance, const DetourMeshReport *report)
{
  const Row row = { list, detour_instance_id (instance), report->name };
  DetourMeshTraffic now, received;
  DetourLinkStats stats;

  detour_instance_mesh_stats (instance, report, &stats);
  detour_server_read_received (self, report, &now, &received);
  server_mesh_metrics_add (&row, DETOUR_METRIC_GAUGE, "mesh_link_up", NULL,
                           "1 while the link to the peer is up, else 0",
                           report->state == DETOUR_MESH_UP ? 1 : 0);
  server_mesh_metrics_add (&row, DETOUR_METRIC_GAUGE, "mesh_link_keys", NULL,
                           "keys that are known behind the link to the peer", stats.keys);
  server_mesh_metrics_add (&row, DETOUR_METRIC_COUNTER, "mesh_links_made", NULL,
                           "times that the link to the peer came up", report->n_up);
  server_mesh_metrics_add (&row, DETOUR_METRIC_COUNTER, "mesh_link_packets", NULL,
                           "packets passed on to the peer", stats.packets);
  server_mesh_metrics_add (&row, DETOUR_METRIC_COUNTER, "mesh_link_bytes", "bytes",
                           "bytes of packets passed on to the peer", stats.bytes);
  server_mesh_metrics_add (&row, DETOUR_METRIC_COUNTER, "mesh_link_packets_received", NULL,
                           "packets that the peer passed on to this relay", received.packets);
  server_mesh_metrics_add (&row, DETOUR_METRIC_COUNTER, "mesh_link_received_bytes", "bytes",
                           "bytes of packets that the peer passed on to this relay",
                           received.bytes);
  server_mesh_metrics_add_dropped (&row, "gone", stats.dropped_gone);
  server_mesh_metrics_add_dropped (&row, "queue", stats.dropped_queue);
  server_mesh_metrics_add_dropped (&row, "write", stats.dropped_write);
}

void
detour_server_add_peers (const DetourServer *self, DetourMetricList *list)
{
  for (guint i = 0; self->roster != NULL && i < detour_roster_count (self->roster); i++)
    {
      DetourInstance *instance = detour_roster_nth (self->roster, i);
      const GPtrArray *reports = detour_instance_mesh_reports (instance);

      for (guint k = 0; k < reports->len; k++)
        {
          const DetourMeshReport *report = reports->pdata[k];

          /* A list that is the same everywhere has the relay itself in it; no link is missed. */
          if (report->state != DETOUR_MESH_ITSELF)
            server_mesh_metrics_add_peer (self, list, instance, report);
        }
    }
}
