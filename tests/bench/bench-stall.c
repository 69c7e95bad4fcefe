/* bench-stall.c: receivers that stop reading beside others that go on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-command.h"
#include "bench-diag.h"
#include "bench-load.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Looking costs time too. */
#define BENCH_STALL_LOOK_US 50000

/* In life these have processors of their own: here they must not take them from those who are
 * measured. */
static void
bench_stall_yield (BenchClient *client)
{
  setpriority (PRIO_PROCESS, (id_t) syscall (SYS_gettid), 19);
}

/* The odd clients of a one-way team are those that receive. */
static void
bench_stall_prepare (BenchClient *client)
{
  bench_stall_yield (client);
  if (client->index % 2 != 0)
    bench_client_stall (client);
}

static void
bench_stall_finish (BenchClient *client)
{
  if (client->index % 2 != 0)
    bench_client_resume (client);
}

static guint16
bench_stall_port (const BenchTarget *target)
{
  const struct sockaddr_in *in = (const struct sockaddr_in *) (const void *) &target->address;

  /* The port is at the same place in both families. */
  return GUINT16_FROM_BE (in->sin_port);
}

/* Waits, and looks how much memory the server takes meanwhile, and the kernel for what it sends. */
static void
bench_stall_watch (int server_pid, guint16 port, double seconds, BenchServer *highest,
                   guint64 *send_bytes)
{
  gint64 limit_us = g_get_monotonic_time () + (gint64) (seconds * G_USEC_PER_SEC);

  bench_server_sample (server_pid, highest);
  *send_bytes = 0;
  while (g_get_monotonic_time () < limit_us)
    {
      BenchServer now;

      g_usleep (BENCH_STALL_LOOK_US);
      bench_server_sample (server_pid, &now);
      highest->rss_bytes = MAX (highest->rss_bytes, now.rss_bytes);
      highest->kernel_bytes = MAX (highest->kernel_bytes, now.kernel_bytes);
      *send_bytes = MAX (*send_bytes, bench_diag_send_bytes (port));
    }
}

static void
bench_stall_report (const BenchOptions *options, BenchReport *report, BenchTeam *healthy,
                    BenchTeam *reading, BenchTeam *stalled, gboolean *wrong)
{
  static const char *const stretches[BENCH_TRAFFIC_EPOCHS] = { "calm_", "reading_", "stalled_" };
  BenchTeamCounts end, busy, stuck;

  bench_team_counts (healthy, &end);
  bench_team_counts (reading, &busy);
  bench_team_counts (stalled, &stuck);
  *wrong = !bench_team_counts_are_true (&end) || !bench_team_counts_are_true (&busy)
        || !bench_team_counts_are_true (&stuck) || end.n_closed > 0 || busy.n_closed > 0;
  bench_report_count (report, "clients", (guint64) options->clients);
  bench_report_count (report, "stalled", (guint64) options->stalled);
  bench_report_counts (report, "", &end);
  for (guint i = 0; i < BENCH_TRAFFIC_EPOCHS; i++)
    {
      g_autofree BenchHistogram *latency = g_new0 (BenchHistogram, 1);

      bench_team_latency (healthy, i, latency);
      bench_report_latency (report, stretches[i], latency);
    }
  bench_report_count (report, "reading_offered", busy.offered);
  bench_report_count (report, "reading_delivered", busy.delivered);
  bench_report_count (report, "stalled_offered", stuck.offered);
  bench_report_count (report, "stalled_delivered", stuck.delivered);
  bench_report_count (report, "stalled_closed_by_server", stuck.n_closed);
}

static gboolean
bench_stall_measure (const BenchOptions *options, const BenchTeamPlan plans[3], BenchReport *report,
                     gboolean *wrong, GError **error)
{
  g_autoptr (BenchTeam) healthy = bench_team_start (&plans[0], error);
  g_autoptr (BenchTeam) reading = healthy != NULL ? bench_team_start (&plans[1], error) : NULL;
  g_autoptr (BenchTeam) stalled = reading != NULL ? bench_team_start (&plans[2], error) : NULL;
  BenchServer before, highest;
  guint16 port = bench_stall_port (plans[0].target);
  guint64 send_bytes;

  if (stalled == NULL)
    return FALSE;
  bench_stall_yield (NULL);
  bench_team_go (healthy);
  bench_load_wait (healthy, options->warm_up);
  bench_team_measure (healthy, 0);
  bench_load_wait (healthy, options->seconds / 2);
  /* What the same packets do to the others while somebody takes them. */
  bench_team_measure (healthy, 1);
  bench_team_go (reading);
  bench_stall_watch (options->server_pid, port, options->seconds, &highest, &send_bytes);
  bench_team_rest (reading);
  bench_server_sample (options->server_pid, &before);
  bench_team_measure (healthy, 2);
  bench_team_go (stalled);
  bench_stall_watch (options->server_pid, port, options->seconds, &highest, &send_bytes);
  bench_team_rest (healthy);
  bench_team_rest (stalled);

  bench_stall_report (options, report, healthy, reading, stalled, wrong);
  if (options->server_pid != 0)
    {
      double grown = (double) highest.rss_bytes - (double) before.rss_bytes;

      bench_report_number (report, "server_rss_before_mib", (double) before.rss_bytes / 1048576);
      bench_report_number (report, "server_rss_highest_mib", (double) highest.rss_bytes / 1048576);
      bench_report_number (report, "server_bytes_per_stalled",
                           options->stalled > 0 ? grown / options->stalled : 0);
      bench_report_number (report, "server_send_bytes_per_stalled",
                           options->stalled > 0 ? (double) send_bytes / options->stalled : 0);
      bench_report_number (report, "kernel_bytes_per_stalled",
                           options->stalled > 0
                               ? ((double) highest.kernel_bytes - (double) before.kernel_bytes)
                                     / options->stalled
                               : 0);
    }
  return TRUE;
}

gboolean
bench_stall (int argc, char **argv, gboolean *wrong, GError **error)
{
  g_auto (BenchOptions) options = {
    .sources = 64,
    .at_once = 32,
    .clients = 20,
    .threads = 1,
    .seconds = 4,
    .size = 1400,
    .batch = 1,
    .window = 1,
    .rate = 2000,
    .stalled = 10,
    .stalled_rate = 20000,
    .warm_up = 0.5,
  };
  const GOptionEntry own[] = {
    { "clients", 0, 0, G_OPTION_ARG_INT, &options.clients, "clients that read (20)", "N" },
    { "stalled", 0, 0, G_OPTION_ARG_INT, &options.stalled, "clients that stop reading (10)", "N" },
    { "stalled-rate", 0, 0, G_OPTION_ARG_DOUBLE, &options.stalled_rate,
      "packets a second to those, in all (20000)", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds, "how long they do not read (4)",
      "S" },
    { NULL },
  };
  g_autoptr (BenchTarget) target = NULL;
  BenchTeamPlan plans[3] = { 0 };
  BenchReport *report;
  gboolean done;

  if (!bench_options_parse (&options, argc, argv,
                            "Lets some receivers hang and measures the others.", own, error)
      || !bench_options_traffic (&options, &plans[0].plan, error)
      || (target = bench_options_target (&options, error)) == NULL)
    return FALSE;
  plans[0].target = target;
  plans[0].n_threads = (guint) options.threads;
  plans[0].n_clients = (guint) options.clients;
  plans[0].at_once = (guint) options.at_once;
  plans[1] = plans[0];
  plans[1].n_threads = 1;
  plans[1].first = plans[0].n_clients;
  plans[1].n_clients = 2 * (guint) options.stalled;
  plans[1].plan.match = BENCH_MATCH_ONE_WAY;
  plans[1].plan.rate = options.stalled_rate;
  plans[1].plan.packets = 0;
  plans[1].prepare = bench_stall_yield;
  plans[2] = plans[1];
  plans[2].first += plans[1].n_clients;
  plans[2].prepare = bench_stall_prepare;
  plans[2].finish = bench_stall_finish;

  report = bench_report_new ("stall", options.url);
  done = bench_stall_measure (&options, plans, report, wrong, error);
  bench_report_end (report, done, options.json);
  return done;
}
