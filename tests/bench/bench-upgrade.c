/* bench-upgrade.c: the server is upgraded in place again and again, beside clients that send and
 * others that wait.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-command.h"
#include "bench-crowd.h"
#include "bench-held.h"
#include "bench-mix.h"
#include "bench-load.h"

#define BENCH_UPGRADE_TURN_NS G_GINT64_CONSTANT (10000000)
#define BENCH_UPGRADE_OPEN_US (300 * G_USEC_PER_SEC)
#define BENCH_UPGRADE_HELD_US (30 * G_USEC_PER_SEC)

typedef struct {
  char *command;
  gboolean mixed;
  int n_held;
  BenchHeld held;
  GArray *paused_us; /* of gint64: as the server tells them */
  guint64 kept_min;
  guint64 lost;
  BenchServer first, last; /* behind the first upgrade, and behind the last */
} BenchUpgrade;

/* Those who wait take what comes for them. */
static void
bench_upgrade_wait (BenchUpgrade *self, BenchCrowd *crowd, double seconds)
{
  gint64 limit_us = g_get_monotonic_time () + (gint64) (seconds * G_USEC_PER_SEC);

  do
    {
      bench_crowd_turn (crowd, BENCH_UPGRADE_TURN_NS);
      bench_held_turn (&self->held);
    }
  while (g_get_monotonic_time () < limit_us);
}

/* One upgrade, and what the server says of it. */
static gboolean
bench_upgrade_once (BenchUpgrade *self, GError **error)
{
  g_autofree char *out = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonNode *root;
  JsonObject *said;
  gint64 paused_us;

  if (!g_spawn_command_line_sync (self->command, &out, NULL, NULL, error)
      || !json_parser_load_from_data (parser, out, -1, error))
    return FALSE;
  root = json_parser_get_root (parser);
  said = root != NULL && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  if (said == NULL || !json_object_get_boolean_member_with_default (said, "upgraded", FALSE))
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_SERVER, "not upgraded: %s", out);
      return FALSE;
    }
  paused_us = json_object_get_int_member_with_default (said, "paused_us", 0);
  g_array_append_val (self->paused_us, paused_us);
  self->kept_min = MIN (self->kept_min,
                        (guint64) json_object_get_int_member_with_default (said, "kept", 0));
  self->lost += (guint64) json_object_get_int_member_with_default (said, "lost", 0);
  return TRUE;
}

static int
bench_upgrade_compare (gconstpointer a, gconstpointer b)
{
  gint64 left = *(const gint64 *) a, right = *(const gint64 *) b;

  return (left > right) - (left < right);
}

static void
bench_upgrade_report (BenchUpgrade *self, const BenchOptions *options, BenchReport *report)
{
  guint n = self->paused_us->len;

  g_array_sort (self->paused_us, bench_upgrade_compare);
  bench_report_count (report, "upgrades", n);
  bench_report_count (report, "kept_least", self->kept_min);
  bench_report_count (report, "asked_to_reconnect", self->lost);
  bench_report_number (report, "paused_p50_ms",
                       (double) g_array_index (self->paused_us, gint64, n / 2) / 1e3);
  bench_report_number (report, "paused_max_ms",
                       (double) g_array_index (self->paused_us, gint64, n - 1) / 1e3);
  if (options->server_pid == 0)
    return;
  bench_report_number (report, "server_rss_after_first_mib",
                       (double) self->first.rss_bytes / 1048576);
  bench_report_number (report, "server_rss_after_last_mib",
                       (double) self->last.rss_bytes / 1048576);
}

static gboolean
bench_upgrade_measure (BenchUpgrade *self, const BenchOptions *options, BenchCrowd *crowd,
                       BenchMix *mix, BenchReport *report, gboolean *wrong, GError **error)
{
  gboolean good;

  if (!bench_crowd_open (crowd, BENCH_UPGRADE_OPEN_US, error)
      || !bench_held_open (&self->held, BENCH_UPGRADE_HELD_US, error))
    return FALSE;
  bench_mix_go (mix);
  bench_upgrade_wait (self, crowd, options->hold);
  for (int i = 0; i < options->count; i++)
    {
      if (!bench_upgrade_once (self, error))
        return FALSE;
      bench_upgrade_wait (self, crowd, options->hold);
      bench_server_sample (options->server_pid, i == 0 ? &self->first : &self->last);
    }
  if (options->count == 1)
    self->last = self->first;
  bench_mix_rest (mix);
  bench_upgrade_wait (self, crowd, 0);

  bench_report_count (report, "waiting", crowd->n);
  bench_report_count (report, "sending", (guint64) options->clients - crowd->n);
  if (mix->linked != NULL)
    bench_report_count (report, "elsewhere", mix->n_elsewhere);
  bench_upgrade_report (self, options, report);
  bench_report_count (report, "waiting_closed_by_server", crowd->n_closed);
  good = bench_mix_report (mix, report);
  good = bench_held_report (&self->held, report) && good;
  /* The other server may be a client, too. */
  *wrong = !good || crowd->n_closed > 0
        || self->kept_min < (guint64) options->clients - mix->n_elsewhere;
  return TRUE;
}

static gboolean
bench_upgrade_run (BenchUpgrade *self, BenchOptions *options, BenchTarget *target,
                   BenchTeamPlan *plan, gboolean *wrong, GError **error)
{
  guint n_waiting = (guint) options->clients / 4 * 2;
  BenchMix mix;
  BenchReport *report;
  BenchCrowd crowd;
  gboolean done;

  plan->target = target;
  plan->n_threads = (guint) options->threads;
  plan->n_clients = (guint) options->clients - n_waiting;
  plan->at_once = (guint) options->at_once;
  if (!bench_mix_start (&mix, options, plan, self->mixed, error))
    return FALSE;
  if (!bench_crowd_init (&crowd, target, plan->n_clients, n_waiting, (guint) options->at_once,
                         error))
    {
      bench_mix_clear (&mix);
      return FALSE;
    }
  report = bench_report_new ("upgrade", options->url);
  done = bench_held_init (&self->held, target, (guint) options->clients, (guint) self->n_held,
                          error)
      && bench_upgrade_measure (self, options, &crowd, &mix, report, wrong, error);
  bench_report_end (report, done, options->json);
  bench_held_clear (&self->held);
  bench_crowd_clear (&crowd);
  bench_mix_clear (&mix);
  return done;
}

gboolean
bench_upgrade (int argc, char **argv, gboolean *wrong, GError **error)
{
  g_auto (BenchOptions) options = {
    .sources = 250,
    .at_once = 64,
    .clients = 1000,
    .threads = 1,
    .size = 200,
    .batch = 1,
    .window = 1,
    .rate = 2000,
    .hold = 0.5,
    .count = 10,
  };
  BenchUpgrade self = { .kept_min = G_MAXUINT64 };
  const GOptionEntry own[] = {
    { "command", 0, 0, G_OPTION_ARG_STRING, &self.command,
      "upgrades the server and prints JSON, as detourctl upgrade --json does", "COMMAND" },
    { "clients", 0, 0, G_OPTION_ARG_INT, &options.clients,
      "clients; half of them send to each other (1000)", "N" },
    { "count", 0, 0, G_OPTION_ARG_INT, &options.count, "upgrades, one behind the other (10)", "N" },
    { "hold", 0, 0, G_OPTION_ARG_DOUBLE, &options.hold, "time between them (0.5)", "S" },
    { "mixed", 0, 0, G_OPTION_ARG_NONE, &self.mixed,
      "some that send use WebSockets, some send byte by byte and change their keys, and some "
      "receivers do not read before the end",
      NULL },
    { "held", 0, 0, G_OPTION_ARG_INT, &self.n_held,
      "clients more that the server refuses and holds, because their class has its connections (0)",
      "N" },
    { NULL },
  };
  g_autoptr (BenchTarget) target = NULL;
  BenchTeamPlan plan = { 0 };
  gboolean done;

  if (!bench_options_parse (&options, argc, argv,
                            "Upgrades the server in place beside clients that send and wait.", own,
                            error)
      || !bench_options_traffic (&options, &plan.plan, error))
    return FALSE;
  if (self.command == NULL || options.clients < 8 || options.count < 1 || self.n_held < 0)
    {
      g_set_error_literal (error, BENCH_ERROR, BENCH_ERROR_USAGE,
                           "--command, at least 8 clients and one upgrade are needed");
      g_free (self.command);
      return FALSE;
    }
  target = bench_options_target (&options, error);
  self.paused_us = g_array_new (FALSE, FALSE, sizeof (gint64));
  done = target != NULL && bench_upgrade_run (&self, &options, target, &plan, wrong, error);
  g_array_unref (self.paused_us);
  g_free (self.command);
  return done;
}
