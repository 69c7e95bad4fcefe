/* test-metrics-text.c: names, units and both text forms; which form a request wants.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "metrics-text.h"
#include "test-program.h"

static const struct {
  const char *name, *accept;
  MetricsFormat format;
} accepts[] = {
  { "none", NULL, METRICS_FORMAT_TEXT },
  { "empty", "", METRICS_FORMAT_TEXT },
  { "anything", "*/*", METRICS_FORMAT_TEXT },
  { "browser", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", METRICS_FORMAT_TEXT },
  { "prometheus-2",
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    METRICS_FORMAT_OPEN },
  { "prometheus-3",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,*/*;q=0.1",
    METRICS_FORMAT_OPEN },
  { "text-first", "application/openmetrics-text;q=0.5, text/plain", METRICS_FORMAT_TEXT },
  { "never", "application/openmetrics-text;q=0", METRICS_FORMAT_TEXT },
  { "case-and-blanks", " Application/OpenMetrics-Text ; Q=0.7 , text/plain ; q=0.2",
    METRICS_FORMAT_OPEN },
  { "nonsense", ";;q=;,,q=2,application/openmetrics-text;q=7", METRICS_FORMAT_TEXT },
};

static void
test_choice (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);

  g_assert_cmpint (metrics_text_choose (accepts[i].accept), ==, accepts[i].format);
}

static const guint64 bounds[] = { 1000, 2000000 };
static const guint64 counts[] = { 3, 2, 1 };

static const DetourMetric metrics[] = {
  { .name = "packets_dropped",
    .help = "lost \\ not found\n",
    .type = DETOUR_METRIC_COUNTER,
    .n_labels = 2,
    .labels = { { "reason", "a\"b\\c\nd" }, { "kind", "disco" } },
    .value = 7 },
  { .name = "packets_dropped",
    .help = "lost \\ not found\n",
    .type = DETOUR_METRIC_COUNTER,
    .n_labels = 1,
    .labels = { { "instance", "service/stun" } },
    .value = G_MAXUINT64 },
  { .name = "bytes_received", .unit = "bytes", .help = "bytes", .type = DETOUR_METRIC_COUNTER },
  { .name = "bytes_received",
    .plugin = "service-stun",
    .unit = "bytes",
    .help = "bytes",
    .type = DETOUR_METRIC_COUNTER },
  { .name = "handshake_microseconds",
    .unit = "microseconds",
    .help = "time",
    .type = DETOUR_METRIC_COUNTER,
    .value = 1500000 },
  { .name = "clients", .help = "now", .type = DETOUR_METRIC_GAUGE, .value = 3 },
  { .name = "wait_microseconds",
    .unit = "microseconds",
    .help = "waits",
    .type = DETOUR_METRIC_HISTOGRAM,
    .n_labels = 1,
    .labels = { { "instance", "auth/a" } },
    .value = 6,
    .histogram = { bounds, counts, G_N_ELEMENTS (bounds), 5000001 } },
};

static void
check (MetricsFormat format, const char *expected)
{
  MetricsText *text = metrics_text_new (format);
  g_autoptr (GString) out = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (metrics); i++)
    metrics_text_add (&metrics[i], text);
  out = metrics_text_end (text);
  g_assert_cmpstr (out->str, ==, expected);
}

static void
test_text (void)
{
  check (METRICS_FORMAT_TEXT,
         "# HELP detour_packets_dropped_total lost \\\\ not found\\n\n"
         "# TYPE detour_packets_dropped_total counter\n"
         "detour_packets_dropped_total{reason=\"a\\\"b\\\\c\\nd\",kind=\"disco\"} 7\n"
         "detour_packets_dropped_total{plugin_instance=\"service/stun\"} 18446744073709551615\n"
         "# HELP detour_received_bytes_total bytes\n"
         "# TYPE detour_received_bytes_total counter\n"
         "detour_received_bytes_total 0\n"
         "# HELP detour_service_stun_received_bytes_total bytes\n"
         "# TYPE detour_service_stun_received_bytes_total counter\n"
         "detour_service_stun_received_bytes_total 0\n"
         "# HELP detour_handshake_seconds_total time\n"
         "# TYPE detour_handshake_seconds_total counter\n"
         "detour_handshake_seconds_total 1.5\n"
         "# HELP detour_clients now\n"
         "# TYPE detour_clients gauge\n"
         "detour_clients 3\n"
         "# HELP detour_wait_seconds waits\n"
         "# TYPE detour_wait_seconds histogram\n"
         "detour_wait_seconds_bucket{plugin_instance=\"auth/a\",le=\"0.001\"} 3\n"
         "detour_wait_seconds_bucket{plugin_instance=\"auth/a\",le=\"2\"} 5\n"
         "detour_wait_seconds_bucket{plugin_instance=\"auth/a\",le=\"+Inf\"} 6\n"
         "detour_wait_seconds_sum{plugin_instance=\"auth/a\"} 5.000001\n"
         "detour_wait_seconds_count{plugin_instance=\"auth/a\"} 6\n");
}

static void
test_open (void)
{
  check (METRICS_FORMAT_OPEN,
         "# HELP detour_packets_dropped lost \\\\ not found\\n\n"
         "# TYPE detour_packets_dropped counter\n"
         "detour_packets_dropped_total{reason=\"a\\\"b\\\\c\\nd\",kind=\"disco\"} 7\n"
         "detour_packets_dropped_total{plugin_instance=\"service/stun\"} 18446744073709551615\n"
         "# HELP detour_received_bytes bytes\n"
         "# TYPE detour_received_bytes counter\n"
         "# UNIT detour_received_bytes bytes\n"
         "detour_received_bytes_total 0\n"
         "# HELP detour_service_stun_received_bytes bytes\n"
         "# TYPE detour_service_stun_received_bytes counter\n"
         "# UNIT detour_service_stun_received_bytes bytes\n"
         "detour_service_stun_received_bytes_total 0\n"
         "# HELP detour_handshake_seconds time\n"
         "# TYPE detour_handshake_seconds counter\n"
         "# UNIT detour_handshake_seconds seconds\n"
         "detour_handshake_seconds_total 1.5\n"
         "# HELP detour_clients now\n"
         "# TYPE detour_clients gauge\n"
         "detour_clients 3\n"
         "# HELP detour_wait_seconds waits\n"
         "# TYPE detour_wait_seconds histogram\n"
         "# UNIT detour_wait_seconds seconds\n"
         "detour_wait_seconds_bucket{plugin_instance=\"auth/a\",le=\"0.001\"} 3\n"
         "detour_wait_seconds_bucket{plugin_instance=\"auth/a\",le=\"2.0\"} 5\n"
         "detour_wait_seconds_bucket{plugin_instance=\"auth/a\",le=\"+Inf\"} 6\n"
         "detour_wait_seconds_sum{plugin_instance=\"auth/a\"} 5.000001\n"
         "detour_wait_seconds_count{plugin_instance=\"auth/a\"} 6\n"
         "# EOF\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/metrics-text/choice/", accepts, test_choice);
  g_test_add_func ("/metrics-text/prometheus", test_text);
  g_test_add_func ("/metrics-text/openmetrics", test_open);
  return g_test_run ();
}
