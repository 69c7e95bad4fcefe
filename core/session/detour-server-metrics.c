/* detour-server-metrics.c: numbers of what is no count of a thread: plugins, certificates, budgets,
 * keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

static void
server_metrics_add (DetourMetricList *list, const char *name, const char *unit, const char *help,
                    guint64 value, const DetourMetricLabel *labels, guint n_labels)
{
  DetourMetric metric = {
    .name = name,
    .unit = unit,
    .help = help,
    .type = DETOUR_METRIC_GAUGE,
    .value = value,
    .n_labels = n_labels,
  };

  g_assert (n_labels <= DETOUR_METRIC_LABELS_MAX);
  for (guint i = 0; i < n_labels; i++)
    metric.labels[i] = labels[i];
  detour_metric_list_add (&metric, list);
}

static void
server_metrics_add_process (const DetourServer *self, DetourMetricList *list)
{
  const DetourMetricLabel version = { "version", DETOUR_VERSION };

  server_metrics_add (list, "build_info", NULL, "always 1; the version is the label", 1, &version,
                      1);
  server_metrics_add (list, "ready", NULL, "1 while the relay takes clients, else 0",
                      self->roster != NULL && detour_roster_is_ready (self->roster) ? 1 : 0, NULL,
                      0);
}

static void
server_metrics_add_total (DetourMetricList *list, const char *name, const char *help, guint64 value)
{
  const DetourMetric metric = {
    .name = name, .help = help, .type = DETOUR_METRIC_COUNTER, .value = value
  };

  detour_metric_list_add (&metric, list);
}

static void
server_metrics_add_keys (const DetourServer *self, DetourMetricList *list)
{
  DetourRegistryStats stats;

  detour_registry_stats (self->registry, &stats);
  server_metrics_add (list, "keys", NULL, "different keys of clients that are registered",
                      stats.n_keys, NULL, 0);
  server_metrics_add (list, "duplicate_keys", NULL, "keys that several connections have now",
                      stats.n_dup_keys, NULL, 0);
  server_metrics_add (list, "duplicate_connections", NULL,
                      "connections that share their key with others now", stats.n_dup_conns, NULL,
                      0);
  server_metrics_add_total (list, "duplicates", "connections that found their key in use",
                            stats.total_dups);
  server_metrics_add (list, "keys_remote", NULL, "keys that are behind links only",
                      stats.n_remote_only, NULL, 0);
  server_metrics_add (list, "keys_region", NULL, "keys that are here or behind links",
                      stats.n_keys + stats.n_remote_only, NULL, 0);
  server_metrics_add_total (list, "multiforwarder_created",
                            "keys that came to be known behind several links",
                            stats.total_multi_created);
  server_metrics_add_total (list, "multiforwarder_deleted",
                            "keys known behind several links that are behind one now",
                            stats.total_multi_deleted);
  server_metrics_add_total (list, "packet_forwarder_delete_other_value",
                            "keys that a link said had left, and that are elsewhere",
                            stats.total_other_deleted);
}

static void
server_metrics_add_links (const DetourServer *self, DetourMetricList *list)
{
  guint n = 0;

  for (guint i = 0; i < self->n_workers; i++)
    n += detour_worker_n_links (self->workers[i]);
  server_metrics_add (list, "links", NULL, "links to other relays that workers have", n, NULL, 0);
}

static void
server_metrics_add_instances (const DetourServer *self, DetourMetricList *list)
{
  for (guint i = 0; self->roster != NULL && i < detour_roster_count (self->roster); i++)
    {
      DetourInstance *instance = detour_roster_nth (self->roster, i);
      DetourInstanceState state = detour_instance_state (instance);
      g_autofree char *trouble = detour_instance_dup_trouble (instance);
      const DetourMetricLabel labels[] = {
        { "instance", detour_instance_id (instance) },
        { "plugin", detour_instance_plugin_name (instance) },
      };

      server_metrics_add (list, "instance_enabled", NULL,
                          "1 when the configuration wants the instance to run, else 0",
                          state != DETOUR_INSTANCE_DISABLED ? 1 : 0, labels, G_N_ELEMENTS (labels));
      server_metrics_add (list, "instance_running", NULL, "1 while the instance runs, else 0",
                          state == DETOUR_INSTANCE_RUNNING ? 1 : 0, labels, G_N_ELEMENTS (labels));
      server_metrics_add (list, "instance_trouble", NULL,
                          "1 while the instance works only in part, else 0",
                          trouble != NULL ? 1 : 0, labels, G_N_ELEMENTS (labels));
    }
}

/* Of those that an instance has under one name, for instance with keys of two kinds, the one that
 * ends first. */
static gint64
server_metrics_first_end (GPtrArray *certs, const char *const *instances, guint nth,
                          const char *name, gboolean *is_first)
{
  gint64 end = detour_cert_not_after (certs->pdata[nth]);

  *is_first = TRUE;
  for (guint i = 0; i < certs->len; i++)
    {
      const char *const *names = detour_cert_names (certs->pdata[i]);

      if (i == nth || !g_str_equal (instances[i], instances[nth])
          || g_strcmp0 (names[0], name) != 0)
        continue;
      end = MIN (end, detour_cert_not_after (certs->pdata[i]));
      *is_first = *is_first && i > nth;
    }
  return end;
}

static void
server_metrics_add_certs (const DetourServer *self, DetourMetricList *list, GPtrArray *kept)
{
  g_auto (GStrv) instances = NULL;
  g_autoptr (GPtrArray) certs = NULL;

  if (self->roster == NULL)
    return;
  certs = detour_cert_store_list (detour_roster_certs (self->roster), &instances);
  for (guint i = 0; i < certs->len; i++)
    {
      const char *name = detour_cert_names (certs->pdata[i])[0];
      gboolean is_first;
      gint64 end = server_metrics_first_end (certs, (const char *const *) instances, i, name,
                                             &is_first);
      char *instance = g_strdup (instances[i]), *copy = g_strdup (name != NULL ? name : "");
      const DetourMetricLabel labels[] = { { "instance", instance }, { "name", copy } };

      g_ptr_array_add (kept, instance);
      g_ptr_array_add (kept, copy);
      if (is_first)
        server_metrics_add (list, "certificate_end_timestamp_seconds", NULL,
                            "Unix time at which the certificate ends; name is the first one in it",
                            (guint64) MAX (end, 0), labels, G_N_ELEMENTS (labels));
    }
}

/* Instances are there as long as the list is made. */
static void
server_metrics_add_auth (const DetourAuthInstanceInfo *info, gpointer data)
{
  DetourMetric metric = {
    .name = "auth_answer",
    .unit = "microseconds",
    .help = "time from asking an auth instance to its answer",
    .type = DETOUR_METRIC_HISTOGRAM,
    .n_labels = 1,
    .labels = { { "instance", info->instance } },
    .histogram = { detour_auth_instance_bounds_us, info->latency_counts,
                   DETOUR_AUTH_INSTANCE_N_BOUNDS, info->latency_sum_us },
  };

  for (guint i = 0; i <= DETOUR_AUTH_INSTANCE_N_BOUNDS; i++)
    metric.value += info->latency_counts[i];
  detour_metric_list_add (&metric, data);
}

static void
server_metrics_add_budget (const DetourBudgetRow *row, gpointer data)
{
  DetourMetricList *list = data;
  const DetourMetricLabel labels[] = { { "kind", row->kind }, { "name", row->name } };

  server_metrics_add (list, "budget_used_bytes", "bytes",
                      "bytes of packets that clients sent in the month of the quota", row->used,
                      labels, G_N_ELEMENTS (labels));
  server_metrics_add (list, "budget_quota_bytes", "bytes", "quota for a month; 0: there is none",
                      row->quota->bytes, labels, G_N_ELEMENTS (labels));
  if (row->name[0] != '\0')
    server_metrics_add (list, "budget_connections", NULL,
                        "connections of the class or the tenant now", row->n_conns, labels,
                        G_N_ELEMENTS (labels));
}

void
detour_server_add_states (const DetourServer *self, DetourMetricList *list, GPtrArray *kept)
{
  server_metrics_add_process (self, list);
  server_metrics_add_keys (self, list);
  server_metrics_add_links (self, list);
  detour_server_add_peers (self, list);
  server_metrics_add_instances (self, list);
  server_metrics_add_certs (self, list, kept);
  detour_admission_foreach_instance (self->admission, server_metrics_add_auth, list);
  if (self->budgets != NULL)
    detour_budgets_foreach (self->budgets, server_metrics_add_budget, list);
}
