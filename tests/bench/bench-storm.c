/* bench-storm.c: all clients come back at once beside others that go on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-command.h"
#include "bench-load.h"
#include "bench-packet.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BENCH_STORM_PACKET_SIZE 64u
#define BENCH_STORM_TURN_NS     G_GINT64_CONSTANT (10000000)
#define BENCH_STORM_LIMIT_US    (120 * G_USEC_PER_SEC)

typedef struct {
  BenchCrowd crowd;
  gboolean *relayed; /* (array length=n) */
  guint n_relayed;
  guint n_wrong;
} BenchStorm;

/* A client is back when a packet to its own key has come round. */
static void
bench_storm_on_opened (BenchClient *client, gpointer user)
{
  guint8 frame[DETOUR_FRAME_RECV_HEAD_SIZE + BENCH_STORM_PACKET_SIZE];
  const BenchPacket packet = { .sent_ns = bench_packet_now_ns (),
                               .from = client->index,
                               .to = client->index };

  detour_frame_put_header (frame, DETOUR_FRAME_SEND_PACKET,
                           sizeof frame - DETOUR_FRAME_HEADER_SIZE);
  memcpy (frame + DETOUR_FRAME_HEADER_SIZE, client->key.bytes, DETOUR_KEY_SIZE);
  bench_packet_write (&packet, frame + DETOUR_FRAME_RECV_HEAD_SIZE, BENCH_STORM_PACKET_SIZE);
  bench_client_send (client, frame, sizeof frame);
}

static void
bench_storm_on_frame (BenchClient *client, guint8 type, guint8 *payload, guint32 len, gpointer user)
{
  BenchStorm *self = user;
  guint index = (guint) (client - self->crowd.clients);
  BenchPacket packet;

  if (type != DETOUR_FRAME_RECV_PACKET)
    return;
  if (self->relayed[index] || len != DETOUR_KEY_SIZE + BENCH_STORM_PACKET_SIZE
      || !bench_packet_read (&packet, payload + DETOUR_KEY_SIZE, BENCH_STORM_PACKET_SIZE)
      || packet.from != client->index)
    {
      self->n_wrong++;
      return;
    }
  self->relayed[index] = TRUE;
  self->n_relayed++;
}

/* Opens all and waits until each has had its packet; gives the time it took. */
static double
bench_storm_run (BenchStorm *self, guint at_once)
{
  gint64 began_us = g_get_monotonic_time ();

  self->crowd.at_once = at_once;
  self->n_relayed = 0;
  memset (self->relayed, 0, self->crowd.n * sizeof *self->relayed);
  for (guint i = 0; i < self->crowd.n; i++)
    bench_crowd_want (&self->crowd, i);
  while (self->n_relayed < self->crowd.n
         && g_get_monotonic_time () - began_us < BENCH_STORM_LIMIT_US)
    bench_crowd_turn (&self->crowd, BENCH_STORM_TURN_NS);
  return (double) (g_get_monotonic_time () - began_us) / G_USEC_PER_SEC;
}

static void
bench_storm_report_latency (BenchReport *report, BenchTeam *team, guint epoch, const char *prefix)
{
  g_autofree BenchHistogram *latency = g_new0 (BenchHistogram, 1);

  bench_team_latency (team, epoch, latency);
  bench_report_latency (report, prefix, latency);
}

static gboolean
bench_storm_measure (const BenchOptions *options, BenchStorm *self, BenchTeam *team,
                     BenchReport *report, gboolean *wrong, GError **error)
{
  BenchTeamCounts end;
  BenchServer before, after;
  double seconds;

  bench_storm_run (self, (guint) options->at_once);
  if (self->n_relayed < self->crowd.n)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_SERVER,
                   "%u of %u clients relayed before the storm", self->n_relayed, self->crowd.n);
      return FALSE;
    }
  bench_team_go (team);
  bench_load_wait (team, options->warm_up);
  bench_team_measure (team, 0);
  bench_load_wait (team, options->seconds);
  self->crowd.n_retries = 0;
  bench_server_sample (options->server_pid, &before);
  bench_team_measure (team, 1);
  bench_crowd_close (&self->crowd, TRUE);
  seconds = bench_storm_run (self, self->crowd.n);
  bench_server_sample (options->server_pid, &after);
  bench_team_rest (team);
  bench_team_counts (team, &end);

  *wrong = self->n_relayed < self->crowd.n || self->n_wrong > 0
        || !bench_team_counts_are_true (&end) || end.n_closed > 0;
  bench_report_count (report, "clients", self->crowd.n);
  bench_report_count (report, "back", self->n_relayed);
  bench_report_number (report, "back_in_seconds", seconds);
  bench_report_number (report, "back_per_second", self->n_relayed / seconds);
  bench_report_count (report, "retries", self->crowd.n_retries);
  bench_report_count (report, "bystanders", (guint64) options->bystanders);
  bench_report_number (report, "rate_per_second", options->rate);
  bench_storm_report_latency (report, team, 0, "calm_");
  bench_storm_report_latency (report, team, 1, "storm_");
  bench_report_counts (report, "bystanders_", &end);
  if (options->server_pid != 0)
    {
      bench_report_server (report, &before, &after, self->n_relayed, "login");
      bench_report_number (report, "server_peak_mib", (double) after.peak_bytes / 1048576);
    }
  return TRUE;
}

gboolean
bench_storm (int argc, char **argv, gboolean *wrong, GError **error)
{
  g_auto (BenchOptions) options = {
    .sources = 250,
    .at_once = 64,
    .clients = 1000,
    .threads = 1,
    .seconds = 2,
    .size = 1400,
    .batch = 1,
    .window = 1,
    .rate = 2000,
    .bystanders = 20,
    .warm_up = 0.5,
  };
  const GOptionEntry own[] = {
    { "clients", 0, 0, G_OPTION_ARG_INT, &options.clients, "clients that come back (1000)", "N" },
    { "bystanders", 0, 0, G_OPTION_ARG_INT, &options.bystanders,
      "clients that send to each other meanwhile (20)", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds, "how long it is measured before (2)",
      "S" },
    { NULL },
  };
  g_autoptr (BenchTarget) target = NULL;
  g_autoptr (BenchTeam) team = NULL;
  BenchTeamPlan plan = { 0 };
  BenchStorm storm = { 0 };
  BenchReport *report;
  gboolean done;

  if (!bench_options_parse (&options, argc, argv,
                            "Drops many connections at once; their clients come back.", own, error)
      || !bench_options_traffic (&options, &plan.plan, error)
      || (target = bench_options_target (&options, error)) == NULL)
    return FALSE;
  plan.target = target;
  plan.n_threads = (guint) options.threads;
  plan.n_clients = (guint) options.bystanders;
  plan.at_once = (guint) options.at_once;
  team = bench_team_start (&plan, error);
  if (team == NULL
      || !bench_crowd_init (&storm.crowd, target, (guint) options.bystanders,
                            (guint) options.clients, (guint) options.at_once, error))
    return FALSE;
  storm.relayed = g_new0 (gboolean, storm.crowd.n);
  storm.crowd.opened = bench_storm_on_opened;
  storm.crowd.frame = bench_storm_on_frame;
  storm.crowd.user = &storm;
  /* In life the storm has processors of its own: here it must not take them from those who measure.
   */
  setpriority (PRIO_PROCESS, (id_t) syscall (SYS_gettid), 19);

  report = bench_report_new ("storm", options.url);
  done = bench_storm_measure (&options, &storm, team, report, wrong, error);
  bench_report_end (report, done, options.json);
  bench_crowd_clear (&storm.crowd);
  g_free (storm.relayed);
  return done;
}
