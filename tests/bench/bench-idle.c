/* bench-idle.c: many clients that only wait: memory, wake-ups, and whether they still relay.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-command.h"
#include "bench-options.h"
#include "bench-report.h"

static void
bench_idle_wait (BenchCrowd *crowd, double seconds)
{
  gint64 limit_us = g_get_monotonic_time () + (gint64) (seconds * G_USEC_PER_SEC);
  gint64 left_us;

  while ((left_us = limit_us - g_get_monotonic_time ()) > 0)
    bench_crowd_turn (crowd, left_us * 1000);
}

static double
bench_idle_share (guint64 before, guint64 after, guint n)
{
  return ((double) after - (double) before) / (double) n;
}

/* Everyone sends one packet to one other, chosen at random. */
static gboolean
bench_idle_prove (BenchCrowd *crowd, guint size, BenchReport *report, gboolean *wrong,
                  GError **error)
{
  const BenchTrafficPlan plan = {
    .match = BENCH_MATCH_RANDOM,
    .size = size,
    .batch = 1,
    .window = 1,
    .rate = 10000,
    .packets = crowd->n,
  };
  BenchTraffic traffic;
  guint64 delivered;

  if (!bench_traffic_init (&traffic, crowd, &plan, error))
    return FALSE;
  traffic.epoch_ns[0] = 1;
  while (!bench_traffic_is_done (&traffic))
    bench_traffic_turn (&traffic);
  bench_traffic_drain (&traffic);
  delivered = detour_counter_get (&traffic.counters.delivered);
  bench_report_count (report, "proof_offered", detour_counter_get (&traffic.counters.offered));
  bench_report_count (report, "proof_delivered", delivered);
  bench_report_latency (report, "proof_", &traffic.latency[0]);
  *wrong = delivered != crowd->n || crowd->n_closed > 0;
  crowd->frame = NULL;
  bench_traffic_clear (&traffic);
  return TRUE;
}

static gboolean
bench_idle_measure (const BenchOptions *options, BenchCrowd *crowd, BenchReport *report,
                    gboolean *wrong, GError **error)
{
  guint n = crowd->n;
  BenchServer before, full, held, empty;
  double held_s;
  gint64 began_us;

  bench_server_sample (options->server_pid, &before);
  began_us = g_get_monotonic_time ();
  if (!bench_crowd_open (crowd, 300 * G_USEC_PER_SEC, error))
    return FALSE;
  bench_report_count (report, "clients", n);
  bench_report_number (report, "opened_in_seconds",
                       (double) (g_get_monotonic_time () - began_us) / G_USEC_PER_SEC);
  bench_report_count (report, "retries", crowd->n_retries);
  bench_idle_wait (crowd, options->settle);
  bench_server_sample (options->server_pid, &full);
  bench_idle_wait (crowd, options->hold);
  bench_server_sample (options->server_pid, &held);
  held_s = (double) (held.at_us - full.at_us) / G_USEC_PER_SEC;

  if (options->server_pid != 0)
    {
      bench_report_number (report, "server_empty_rss_mib", (double) before.rss_bytes / 1048576);
      bench_report_number (report, "server_full_rss_mib", (double) full.rss_bytes / 1048576);
      bench_report_number (report, "server_bytes_per_client",
                           bench_idle_share (before.rss_bytes, full.rss_bytes, n));
      bench_report_number (report, "server_anon_bytes_per_client",
                           bench_idle_share (before.anon_bytes, full.anon_bytes, n));
      bench_report_number (report, "login_cpu_us_per_client",
                           (double) (full.cpu_ns - before.cpu_ns) / 1e3 / (double) n);
      bench_report_number (report, "held_seconds", held_s);
      bench_report_number (report, "idle_cpu_us_per_second",
                           held_s > 0 ? (double) (held.cpu_ns - full.cpu_ns) / 1e3 / held_s : 0);
      bench_report_number (report, "idle_wakeups_per_minute",
                           held_s > 0 ? (double) (held.wakeups - full.wakeups) * 60 / held_s : 0);
      bench_report_count (report, "server_threads", held.n_threads);
    }
  if (!bench_idle_prove (crowd, (guint) options->size, report, wrong, error))
    return FALSE;
  bench_report_count (report, "closed_by_server", crowd->n_closed);
  bench_server_sample (options->server_pid, &held);
  bench_crowd_close (crowd, FALSE);
  bench_idle_wait (crowd, options->settle);
  bench_server_sample (options->server_pid, &empty);
  if (options->server_pid != 0)
    {
      bench_report_number (report, "server_rss_after_proof_mib", (double) held.rss_bytes / 1048576);
      bench_report_number (report, "server_rss_when_all_left_mib",
                           (double) empty.rss_bytes / 1048576);
    }
  return TRUE;
}

gboolean
bench_idle (int argc, char **argv, gboolean *wrong, GError **error)
{
  g_auto (BenchOptions) options = {
    .sources = 64,
    .at_once = 64,
    .clients = 1000,
    .threads = 1,
    .size = 100,
    .batch = 1,
    .window = 1,
    .hold = 10,
    .settle = 2,
  };
  const GOptionEntry own[] = {
    { "clients", 0, 0, G_OPTION_ARG_INT, &options.clients, "clients (1000)", "N" },
    { "settle", 0, 0, G_OPTION_ARG_DOUBLE, &options.settle,
      "time for what a login needs to be given back (2)", "S" },
    { "hold", 0, 0, G_OPTION_ARG_DOUBLE, &options.hold, "how long they only wait (10)", "S" },
    { NULL },
  };
  g_autoptr (BenchTarget) target = NULL;
  BenchReport *report;
  BenchCrowd crowd;
  gboolean done;

  if (!bench_options_parse (&options, argc, argv,
                            "Connects clients that wait, then lets each send to another.", own,
                            error)
      || (target = bench_options_target (&options, error)) == NULL
      || !bench_crowd_init (&crowd, target, 0, (guint) options.clients, (guint) options.at_once,
                            error))
    return FALSE;
  report = bench_report_new ("idle", options.url);
  done = bench_idle_measure (&options, &crowd, report, wrong, error);
  bench_report_end (report, done, options.json);
  bench_crowd_clear (&crowd);
  return done;
}
