/* bench-load.c: packets between clients: processor time, latency, loss.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-load.h"
#include "bench-beside.h"
#include "bench-command.h"

/* Until servers that are linked know of each other's clients. */
#define TOLD_US (1 * G_USEC_PER_SEC)

typedef struct {
  BenchServer server;
  guint64 delivered, offered;
  guint64 own_ns;
} BenchLoadMark;

void
bench_load_wait (BenchTeam *team, double seconds)
{
  gint64 limit_us = g_get_monotonic_time () + (gint64) (seconds * G_USEC_PER_SEC);
  gint64 left_us;

  while ((left_us = limit_us - g_get_monotonic_time ()) > 0 && !bench_team_is_done (team))
    g_usleep ((gulong) CLAMP (left_us, 100, 10000));
}

static void
bench_load_mark (BenchLoadMark *mark, BenchTeam *team, int server_pid)
{
  BenchTeamCounts counts;

  bench_team_counts (team, &counts);
  mark->delivered = counts.delivered;
  mark->offered = counts.offered;
  mark->own_ns = bench_server_own_cpu_ns ();
  bench_server_sample (server_pid, &mark->server);
}

static void
bench_load_report (const BenchOptions *options, const BenchTeamPlan *plan, BenchTeam *team,
                   const BenchLoadMark *before, const BenchLoadMark *after, BenchReport *report)
{
  double seconds = (double) (after->server.at_us - before->server.at_us) / G_USEC_PER_SEC;
  double packets = (double) (after->delivered - before->delivered);
  g_autofree BenchHistogram *latency = g_new0 (BenchHistogram, 1);
  BenchTeamCounts counts;

  bench_team_counts (team, &counts);
  bench_team_latency (team, 0, latency);
  bench_report_count (report, "clients", plan->n_clients);
  bench_report_count (report, "size_bytes", plan->plan.size);
  bench_report_count (report, "batch", plan->plan.batch);
  if (plan->plan.rate > 0)
    bench_report_number (report, "rate_per_second", plan->plan.rate);
  else
    bench_report_count (report, "window", plan->plan.window);
  bench_report_counts (report, "", &counts);
  bench_report_number (report, "seconds", seconds);
  bench_report_number (report, "offered_per_second",
                       (double) (after->offered - before->offered) / seconds);
  bench_report_number (report, "packets_per_second", packets / seconds);
  bench_report_number (report, "mbit_per_second", packets * plan->plan.size * 8 / 1e6 / seconds);
  bench_report_latency (report, "latency_", latency);
  if (plan->plan.stamps)
    {
      *latency = (BenchHistogram) { 0 };
      bench_team_relayed (team, 0, latency);
      bench_report_count (report, "relayed", latency->total);
      bench_report_latency (report, "relayed_", latency);
    }
  if (options->server_pid != 0)
    bench_report_server (report, &before->server, &after->server,
                         after->delivered - before->delivered, "packet");
  bench_report_number (report, "bench_cpu_us_per_packet",
                       (double) (after->own_ns - before->own_ns) / 1e3 / packets);
}

gboolean
bench_load_run (const BenchOptions *options, BenchTarget *target, BenchReport *report,
                double *cpu_us, gboolean *wrong, GError **error)
{
  BenchTeamPlan plan = {
    .target = target,
    .n_threads = (guint) options->threads,
    .n_clients = (guint) options->clients,
    .at_once = (guint) options->at_once,
  };
  g_autoptr (BenchBeside) beside = NULL;
  g_autoptr (BenchTeam) team = NULL;
  BenchTeamCounts counts;
  BenchLoadMark before, after;

  if (!bench_options_traffic (options, &plan.plan, error))
    return FALSE;
  if (options->idle > 0
      && (beside = bench_beside_start (target, plan.n_clients, (guint) options->idle, plan.at_once,
                                       error))
             == NULL)
    return FALSE;
  if ((team = bench_team_start (&plan, error)) == NULL)
    return FALSE;
  if (target->other != NULL)
    g_usleep (TOLD_US);
  bench_team_go (team);
  if (options->packets == 0)
    bench_load_wait (team, options->warm_up);
  bench_load_mark (&before, team, options->server_pid);
  bench_team_measure (team, 0);
  bench_load_wait (team, options->seconds);
  bench_load_mark (&after, team, options->server_pid);
  bench_team_rest (team);

  bench_load_report (options, &plan, team, &before, &after, report);
  bench_team_counts (team, &counts);
  *wrong = !bench_team_counts_are_true (&counts);
  if (beside != NULL)
    {
      bench_report_count (report, "idle", (guint64) options->idle);
      bench_report_count (report, "idle_closed_by_server", bench_beside_n_closed (beside));
      *wrong = *wrong || bench_beside_n_closed (beside) > 0;
    }
  if (cpu_us != NULL)
    *cpu_us = (double) (after.server.cpu_ns - before.server.cpu_ns) / 1e3
            / (double) MAX (after.delivered - before.delivered, 1);
  return TRUE;
}

gboolean
bench_load (int argc, char **argv, gboolean *wrong, GError **error)
{
  g_auto (BenchOptions) options = {
    .sources = 16,
    .at_once = 32,
    .clients = 20,
    .seconds = 5,
    .threads = 1,
    .size = 1400,
    .batch = 8,
    .window = 16,
    .warm_up = 0.5,
  };
  const GOptionEntry own[] = {
    { "clients", 0, 0, G_OPTION_ARG_INT, &options.clients, "clients in all (20)", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds, "how long it is measured (5)", "S" },
    { "idle", 0, 0, G_OPTION_ARG_INT, &options.idle, "clients beside these that only wait (0)",
      "N" },
    { NULL },
  };
  g_autoptr (BenchTarget) target = NULL;
  BenchReport *report;
  gboolean done;

  if (!bench_options_parse (&options, argc, argv,
                            "Sends packets between clients and checks each on arrival.", own, error)
      || (target = bench_options_target (&options, error)) == NULL)
    return FALSE;
  report = bench_report_new ("load", options.url);
  done = bench_load_run (&options, target, report, NULL, wrong, error);
  bench_report_end (report, done, options.json);
  return done;
}
