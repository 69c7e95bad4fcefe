/* bench-report.c: the numbers of a run, as lines or as one JSON object.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-report.h"

#include <math.h>

#define MEBIBYTE 1048576.0

BenchReport *
bench_report_new (const char *command, const char *url)
{
  BenchReport *self = json_object_new ();

  bench_report_text (self, "command", command);
  if (url != NULL)
    bench_report_text (self, "url", url);
  return self;
}

void
bench_report_text (BenchReport *self, const char *name, const char *value)
{
  json_object_set_string_member (self, name, value);
}

void
bench_report_count (BenchReport *self, const char *name, guint64 value)
{
  json_object_set_int_member (self, name, (gint64) value);
}

void
bench_report_number (BenchReport *self, const char *name, double value)
{
  json_object_set_double_member (self, name, isfinite (value) ? round (value * 10000) / 10000 : 0);
}

static const char *
bench_report_name (const char *prefix, const char *name, char *out, gsize len)
{
  g_snprintf (out, len, "%s%s", prefix, name);
  return out;
}

void
bench_report_counts (BenchReport *self, const char *prefix, const BenchTeamCounts *counts)
{
  guint64 lost = counts->offered - MIN (counts->delivered, counts->offered);
  const struct {
    const char *name;
    guint64 value;
  } lines[] = {
    { "offered", counts->offered },
    { "delivered", counts->delivered },
    { "lost", lost },
    { "held_back", counts->held_back },
    { "corrupt", counts->corrupt },
    { "misrouted", counts->misrouted },
    { "reordered", counts->reordered },
    { "duplicated", counts->duplicated },
    { "peer_gone", counts->gone },
    { "closed_by_server", counts->n_closed },
  };
  char name[64];

  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    bench_report_count (self, bench_report_name (prefix, lines[i].name, name, sizeof name),
                        lines[i].value);
  bench_report_number (self, bench_report_name (prefix, "loss_percent", name, sizeof name),
                       counts->offered > 0 ? 100.0 * (double) lost / (double) counts->offered : 0);
}

void
bench_report_latency (BenchReport *self, const char *prefix, const BenchHistogram *latency)
{
  char name[64];

  bench_report_number (self, bench_report_name (prefix, "p50_us", name, sizeof name),
                       (double) bench_histogram_at (latency, 0.5) / 1e3);
  bench_report_number (self, bench_report_name (prefix, "p99_us", name, sizeof name),
                       (double) bench_histogram_at (latency, 0.99) / 1e3);
  bench_report_number (self, bench_report_name (prefix, "p999_us", name, sizeof name),
                       (double) bench_histogram_at (latency, 0.999) / 1e3);
  bench_report_number (self, bench_report_name (prefix, "max_us", name, sizeof name),
                       (double) latency->max / 1e3);
}

void
bench_report_server (BenchReport *self, const BenchServer *before, const BenchServer *after,
                     guint64 n, const char *each)
{
  double cpu_us = (double) (after->cpu_ns - MIN (before->cpu_ns, after->cpu_ns)) / 1e3;
  double ticks_us = (double) (after->user_us + after->system_us - before->user_us
                              - before->system_us);
  double system_share = ticks_us > 0 ? (double) (after->system_us - before->system_us) / ticks_us
                                     : 0;
  double wall_us = (double) (after->at_us - before->at_us);
  char name[64];

  if (n > 0 && each != NULL)
    {
      g_snprintf (name, sizeof name, "server_cpu_us_per_%s", each);
      bench_report_number (self, name, cpu_us / (double) n);
      g_snprintf (name, sizeof name, "server_system_us_per_%s", each);
      bench_report_number (self, name, cpu_us * system_share / (double) n);
    }
  bench_report_number (self, "server_cpu_percent", wall_us > 0 ? 100 * cpu_us / wall_us : 0);
  bench_report_number (
      self, "server_waiting_percent",
      wall_us > 0 ? (double) (after->waiting_ns - MIN (before->waiting_ns, after->waiting_ns)) / 10
                        / wall_us
                  : 0);
  bench_report_number (self, "server_rss_mib", (double) after->rss_bytes / MEBIBYTE);
  bench_report_number (self, "server_anon_mib", (double) after->anon_bytes / MEBIBYTE);
  bench_report_count (self, "server_threads", after->n_threads);
}

static void
bench_report_print (JsonObject *object, const char *name, JsonNode *node, gpointer user)
{
  if (json_node_get_value_type (node) == G_TYPE_STRING)
    g_print ("%-34s %s\n", name, json_node_get_string (node));
  else if (json_node_get_value_type (node) == G_TYPE_DOUBLE)
    g_print ("%-34s %.*f\n", name, fabs (json_node_get_double (node)) >= 100 ? 1 : 3,
             json_node_get_double (node));
  else
    g_print ("%-34s %" G_GINT64_FORMAT "\n", name, json_node_get_int (node));
}

void
bench_report_end (BenchReport *self, gboolean done, gboolean json)
{
  if (done && json)
    {
      g_autoptr (JsonNode) root = json_node_init_object (json_node_alloc (), self);
      g_autofree char *text = json_to_string (root, TRUE);

      g_print ("%s\n", text);
    }
  else if (done)
    json_object_foreach_member (self, bench_report_print, NULL);
  json_object_unref (self);
}
