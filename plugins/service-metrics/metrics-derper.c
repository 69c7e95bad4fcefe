/* metrics-derper.c: the numbers under the names, and in the forms, of derper's /debug/vars and
 * /debug/varz.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "metrics-derper.h"

#include <string.h>

#include "metrics-text.h"

/* How a number is called in JSON, and what it is in the text. */
typedef enum {
  FORM_COUNTER,  /* "accepts" */
  FORM_COUNTER_, /* "counter_packets_received_kind" */
  FORM_GAUGE_,   /* "gauge_watchers" */
  FORM_UNTYPED,  /* "process_start_unix_time" */
} Form;

/* Rows of one set, and of one name, stand together. A number that has no metric is 0: nothing of
 * the kind happens here. */
typedef struct {
  const char *set; /* "derp"; NULL: none */
  const char *name;
  Form form;
  const char *label, *value;   /* one entry of a map; NULL: it is a plain number */
  const char *plugin, *metric; /* whose sum it is; plugin NULL: of core */
  const char *by, *is;         /* only of those with this label; NULL: of all */
  const char *less;            /* a metric that is taken away from it; NULL: none */
} Row;

#define DERP(name, form, metric)                  \
  {                                               \
    "derp", name, form, NULL, NULL, NULL, metric, \
  }
#define STUN(name, label, value, metric)                              \
  {                                                                   \
    "stun", name, FORM_COUNTER_, label, value, "service-stun", metric \
  }
#define DNS(name)                                                                                  \
  {                                                                                                \
    NULL, "bootstrap_dns_" name, FORM_COUNTER_, NULL, NULL, "http-bootstrap-dns", name, NULL, NULL \
  }

static const Row rows[] = {
  DNS ("published_hits"),
  DNS ("published_misses"),
  DNS ("requests"),
  DNS ("unpublished_hits"),
  DNS ("unpublished_misses"),
  DNS ("unpublished_percent_misses"),
  DERP ("accepts", FORM_COUNTER, "derp_upgrades"),
  DERP ("bytes_received", FORM_COUNTER, "bytes_received"),
  DERP ("bytes_sent", FORM_COUNTER, "bytes_sent"),
  { "derp", "packets_received_kind", FORM_COUNTER_, "kind", "disco", NULL, "packets_received",
    "kind", "disco" },
  { "derp", "packets_received_kind", FORM_COUNTER_, "kind", "other", NULL, "packets_received",
    "kind", "data" },
  DERP ("total_dup_client_conns", FORM_COUNTER_, "duplicates"),
  DERP ("clients_local", FORM_GAUGE_, "keys"),
  DERP ("clients_remote", FORM_GAUGE_, "keys_remote"),
  DERP ("clients_total", FORM_GAUGE_, "keys_region"),
  DERP ("current_connections", FORM_GAUGE_, "clients"),
  DERP ("current_dup_client_conns", FORM_GAUGE_, "duplicate_connections"),
  DERP ("current_dup_client_keys", FORM_GAUGE_, "duplicate_keys"),
  { "derp", "current_file_descriptors", FORM_GAUGE_, NULL, NULL, NULL, "descriptors_max", NULL,
    NULL, "descriptors_left" },
  DERP ("current_home_connections", FORM_GAUGE_, "clients_home"),
  DERP ("current_notideal_connections", FORM_GAUGE_, "clients_not_ideal"),
  DERP ("watchers", FORM_GAUGE_, "watchers"),
  DERP ("got_ping", FORM_COUNTER, "pings"),
  DERP ("home_moves_in", FORM_COUNTER, "home_moves_in"),
  DERP ("home_moves_out", FORM_COUNTER, "home_moves_out"),
  DERP ("multiforwarder_created", FORM_COUNTER, "multiforwarder_created"),
  DERP ("multiforwarder_deleted", FORM_COUNTER, "multiforwarder_deleted"),
  DERP ("packet_forwarder_delete_other_value", FORM_COUNTER, "packet_forwarder_delete_other_value"),
  DERP ("packets_forwarded_in", FORM_COUNTER, "packets_forwarded_in"),
  DERP ("packets_forwarded_out", FORM_COUNTER, "packets_forwarded_out"),
  DERP ("packets_received", FORM_COUNTER, "packets_received"),
  DERP ("packets_sent", FORM_COUNTER, "packets_sent"),
  DERP ("peer_gone_disconnected_frames", FORM_COUNTER, "gone_disconnected"),
  DERP ("peer_gone_not_here_frames", FORM_COUNTER, "gone_not_here"),
  DERP ("rate_limit_per_client_waited", FORM_COUNTER, "rate_waits"),
  { "derp", "sclient_write_timeouts", FORM_COUNTER, NULL, NULL, NULL, "connections_closed",
    "reason", "write_timeout" },
  DERP ("sent_pong", FORM_COUNTER, "pongs"),
  DERP ("unknown_frames", FORM_COUNTER, "unknown_frames"),
  { NULL, "derp_websocket_accepts", FORM_COUNTER, NULL, NULL, "transport-websocket", "accepts" },
  { NULL, "derper_tls_request_version", FORM_UNTYPED, "version", "1.2", "transport-tls",
    "handshakes_tls12" },
  { NULL, "derper_tls_request_version", FORM_UNTYPED, "version", "1.3", "transport-tls",
    "handshakes_tls13" },
  STUN ("addrfamily", "family", "ipv4", "addrfamily_ipv4"),
  STUN ("addrfamily", "family", "ipv6", "addrfamily_ipv6"),
  STUN ("no_local_addr", NULL, NULL, "no_local_addr"),
  STUN ("requests", "disposition", "not_stun", "not_stun"),
  STUN ("requests", "disposition", "read_error", "read_error"),
  STUN ("requests", "disposition", "success", "requests_success"),
  STUN ("requests", "disposition", "write_error", "write_error"),
  { "tls_listener", "accepted_connections", FORM_COUNTER_, NULL, NULL, NULL,
    "connections_accepted" },
  { "tls_listener", "rejected_connections", FORM_COUNTER_, NULL, NULL, NULL,
    "connections_over_rate" },
};

/* Maps with two labels. The last reason is one that derper does not have. */
static const struct {
  const char *name, *metric, *help;
} drops[] = {
  { "derp_bytes_dropped", "bytes_dropped", "bytes dropped by reason and kind" },
  { "derp_packets_dropped", "packets_dropped", "packets dropped by reason and kind" },
};
static const struct {
  const char *derpers, *ours;
} reasons[] = {
  { "dup_client", "dup_client" },     { "gone_disconnected", "gone" },
  { "queue_head", "queue_head" },     { "queue_tail", "queue_tail" },
  { "too_long", "too_long" },         { "unknown_dest", "unknown_dest" },
  { "write_error", "write_error" },   { "unknown_dest_on_fwd", "unknown_dest_on_forward" },
}, kinds[] = {
  { "disco", "disco" },
  { "other", "data" },
};

struct _MetricsDerper {
  guint64 values[G_N_ELEMENTS (rows)];
  guint64 drops[G_N_ELEMENTS (drops)][G_N_ELEMENTS (reasons)][G_N_ELEMENTS (kinds)];
};

MetricsDerper *
metrics_derper_new (void)
{
  return g_new0 (MetricsDerper, 1);
}

void
metrics_derper_free (MetricsDerper *self)
{
  g_free (self);
}

/* ---- taking numbers -------------------------------------------------------------------------- */

/* "" when the metric has no such label. */
static const char *
metrics_derper_label (const DetourMetric *metric, const char *name)
{
  for (guint i = 0; i < metric->n_labels; i++)
    if (strcmp (metric->labels[i].name, name) == 0)
      return metric->labels[i].value;
  return "";
}

static void
metrics_derper_add_drop (MetricsDerper *self, guint nth, const DetourMetric *metric)
{
  for (guint r = 0; r < G_N_ELEMENTS (reasons); r++)
    for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
      if (strcmp (metrics_derper_label (metric, "reason"), reasons[r].ours) == 0
          && strcmp (metrics_derper_label (metric, "kind"), kinds[k].ours) == 0)
        self->drops[nth][r][k] += metric->value;
}

void
metrics_derper_add (const DetourMetric *metric, gpointer derper)
{
  MetricsDerper *self = derper;

  for (guint i = 0; metric->plugin == NULL && i < G_N_ELEMENTS (drops); i++)
    if (strcmp (metric->name, drops[i].metric) == 0)
      {
        metrics_derper_add_drop (self, i, metric);
        return;
      }
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const Row *row = &rows[i];

      if (g_strcmp0 (row->plugin, metric->plugin) != 0)
        continue;
      if (row->metric != NULL && strcmp (row->metric, metric->name) == 0
          && (row->by == NULL || strcmp (metrics_derper_label (metric, row->by), row->is) == 0))
        self->values[i] += metric->value;
      else if (g_strcmp0 (row->less, metric->name) == 0)
        self->values[i] -= metric->value;
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static const char *
metrics_derper_prefix (Form form)
{
  if (form == FORM_COUNTER_)
    return "counter_";
  return form == FORM_GAUGE_ ? "gauge_" : "";
}

static gboolean
metrics_derper_same (const char *a, const char *b)
{
  return g_strcmp0 (a, b) == 0;
}

/* Row @i is the first, or the last, of its set or of its name. */
static gboolean
metrics_derper_begins (guint i, gboolean name_too)
{
  return i == 0 || !metrics_derper_same (rows[i].set, rows[i - 1].set)
      || (name_too && !metrics_derper_same (rows[i].name, rows[i - 1].name));
}

static gboolean
metrics_derper_ends (guint i, gboolean name_too)
{
  return i + 1 == G_N_ELEMENTS (rows) || metrics_derper_begins (i + 1, name_too);
}

static void
metrics_derper_vars_row (const MetricsDerper *self, guint i, GString *out)
{
  const Row *row = &rows[i];

  if (row->set != NULL && metrics_derper_begins (i, FALSE))
    g_string_append_printf (out, "\"%s\": {", row->set);
  if (row->label == NULL)
    g_string_append_printf (out, "\"%s%s\": %" G_GUINT64_FORMAT, metrics_derper_prefix (row->form),
                            row->name, self->values[i]);
  else
    {
      if (metrics_derper_begins (i, TRUE))
        g_string_append_printf (out, "\"%s%s\": {", metrics_derper_prefix (row->form), row->name);
      g_string_append_printf (out, "\"%s\": %" G_GUINT64_FORMAT "%s", row->value, self->values[i],
                              metrics_derper_ends (i, TRUE) ? "}" : "");
    }
  if (row->set != NULL && metrics_derper_ends (i, FALSE))
    g_string_append_printf (
        out, "%s}", strcmp (row->set, "derp") == 0 ? ", \"version\": \"" DETOUR_VERSION "\"" : "");
  g_string_append (out, row->set == NULL || metrics_derper_ends (i, FALSE) ? ",\n" : ", ");
}

GString *
metrics_derper_vars (const MetricsDerper *self, const MetricsProcess *process)
{
  GString *out = g_string_new ("{\n");

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    metrics_derper_vars_row (self, i, out);
  for (guint i = 0; i < G_N_ELEMENTS (drops); i++)
    g_string_append_printf (out, "\"%s\": \"MultiLabelMap\",\n", drops[i].name);
  g_string_append_printf (out,
                          "\"counter_uptime_sec\": %" G_GUINT64_FORMAT ",\n"
                          "\"process_start_unix_time\": %" G_GINT64_FORMAT ",\n"
                          "\"node_boot_time_seconds\": %" G_GINT64_FORMAT ",\n"
                          "\"version\": \"" DETOUR_VERSION "\"\n}\n",
                          metrics_process_uptime_s (process), process->start_us / G_USEC_PER_SEC,
                          process->boot_us / G_USEC_PER_SEC);
  return out;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void
metrics_derper_varz_row (const MetricsDerper *self, guint i, GString *out)
{
  const Row *row = &rows[i];
  g_autofree char *name = row->set != NULL ? g_strconcat (row->set, "_", row->name, NULL)
                                           : g_strdup (row->name);

  if (row->form != FORM_UNTYPED && metrics_derper_begins (i, TRUE))
    g_string_append_printf (out, "# TYPE %s %s\n", name,
                            row->form == FORM_GAUGE_ ? "gauge" : "counter");
  g_string_append (out, name);
  if (row->label != NULL)
    g_string_append_printf (out, "{%s=\"%s\"}", row->label, row->value);
  g_string_append_printf (out, " %" G_GUINT64_FORMAT "\n", self->values[i]);
}

static void
metrics_derper_varz_drops (const MetricsDerper *self, guint nth, GString *out)
{
  g_string_append_printf (out, "# TYPE %s counter\n# HELP %s %s\n", drops[nth].name,
                          drops[nth].name, drops[nth].help);
  for (guint r = 0; r < G_N_ELEMENTS (reasons); r++)
    for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
      g_string_append_printf (out, "%s{reason=\"%s\",kind=\"%s\"} %" G_GUINT64_FORMAT "\n",
                              drops[nth].name, reasons[r].derpers, kinds[k].derpers,
                              self->drops[nth][r][k]);
}

GString *
metrics_derper_varz (const MetricsDerper *self, const MetricsProcess *process)
{
  MetricsText *text = metrics_text_new (METRICS_FORMAT_TEXT);
  GString *out;

  metrics_process_each (process, metrics_text_add, text);
  out = metrics_text_end (text);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    metrics_derper_varz_row (self, i, out);
  for (guint i = 0; i < G_N_ELEMENTS (drops); i++)
    metrics_derper_varz_drops (self, i, out);
  g_string_append_printf (out,
                          "# TYPE uptime_sec counter\nuptime_sec %" G_GUINT64_FORMAT "\n"
                          "process_start_unix_time %" G_GINT64_FORMAT "\n"
                          "node_boot_time_seconds %" G_GINT64_FORMAT "\n"
                          "version{version=\"" DETOUR_VERSION "\",binary=\"detourd\"} 1\n",
                          metrics_process_uptime_s (process), process->start_us / G_USEC_PER_SEC,
                          process->boot_us / G_USEC_PER_SEC);
  return out;
}
