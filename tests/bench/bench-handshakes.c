/* bench-handshakes.c: new connections up to the login, and the floor of their public-key
 * arithmetic.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-command.h"
#include "bench-crypto.h"
#include "bench-options.h"
#include "bench-report.h"

/* How much longer than it was asked for it waits for the first login, as on a machine that does
 * much else. */
#define FIRST_LOGIN_US (30 * G_USEC_PER_SEC)

/* Clients whose login is through, to leave and come again as somebody else. */
static void
bench_handshakes_on_opened (BenchClient *client, gpointer user)
{
  g_ptr_array_add (user, client);
}

static void
bench_handshakes_replace (BenchCrowd *crowd, GPtrArray *done)
{
  for (guint i = 0; i < done->len; i++)
    {
      BenchClient *client = g_ptr_array_index (done, i);

      if (client->state == BENCH_CLIENT_OPEN)
        crowd->n_open--;
      bench_client_close (client, FALSE);
      bench_client_renew (client);
      bench_crowd_want (crowd, (guint) (client - crowd->clients));
    }
  g_ptr_array_set_size (done, 0);
}

/* The time is over, and there is something to report. */
static gboolean
bench_handshakes_is_over (const BenchCrowd *crowd, gint64 limit_us)
{
  gint64 now_us = g_get_monotonic_time ();

  return now_us >= (crowd->n_logins > 0 ? limit_us : limit_us + FIRST_LOGIN_US);
}

static void
bench_handshakes_report_floor (BenchReport *report, gboolean is_tls, double cpu_us)
{
  double sodium_us = bench_crypto_x25519_sodium ();
  double nettle_us = bench_crypto_x25519_nettle ();
  double sign_us = bench_crypto_ecdsa_sign ();
  /* The handshake makes a share and agrees on a key, with GnuTLS; the login's box takes one more,
   * with libsodium. */
  double floor_us = is_tls ? sign_us + 2 * (nettle_us > 0 ? nettle_us : sodium_us) + sodium_us
                           : sodium_us;

  bench_report_number (report, "ecdsa_p256_sign_us", sign_us);
  bench_report_number (report, "x25519_sodium_us", sodium_us);
  if (nettle_us > 0)
    bench_report_number (report, "x25519_nettle_us", nettle_us);
  bench_report_number (report, "floor_us_per_login", floor_us);
  if (cpu_us > 0)
    bench_report_number (report, "ratio_to_floor", cpu_us / floor_us);
}

static void
bench_handshakes_measure (const BenchOptions *options, BenchCrowd *crowd, BenchReport *report,
                          gboolean *wrong)
{
  g_autoptr (GPtrArray) done = g_ptr_array_new ();
  gint64 limit_us = g_get_monotonic_time () + (gint64) (options->seconds * G_USEC_PER_SEC);
  BenchServer before, after;
  guint64 own_ns = bench_server_own_cpu_ns ();
  guint logins;

  crowd->opened = bench_handshakes_on_opened;
  crowd->user = done;
  bench_server_sample (options->server_pid, &before);
  for (guint i = 0; i < crowd->n; i++)
    bench_crowd_want (crowd, i);
  while (!bench_handshakes_is_over (crowd, limit_us)
         && (options->count == 0 || crowd->n_logins < (guint) options->count))
    {
      bench_crowd_turn (crowd, 10 * G_GINT64_CONSTANT (1000000));
      bench_handshakes_replace (crowd, done);
    }
  logins = crowd->n_logins;
  bench_server_sample (options->server_pid, &after);
  own_ns = bench_server_own_cpu_ns () - own_ns;

  *wrong = logins == 0;
  bench_report_count (report, "at_once", crowd->n);
  bench_report_count (report, "logins", logins);
  bench_report_count (report, "retries", crowd->n_retries);
  if (crowd->why != NULL)
    bench_report_text (report, "last_retry", crowd->why);
  bench_report_number (report, "logins_per_second",
                       logins * 1e6 / (double) (after.at_us - before.at_us));
  bench_report_number (report, "login_mean_ms", (double) crowd->opening_us / 1e3 / logins);
  if (options->server_pid != 0)
    bench_report_server (report, &before, &after, logins, "login");
  bench_report_number (report, "bench_cpu_us_per_login", (double) own_ns / 1e3 / logins);
  bench_crowd_close (crowd, FALSE);
  bench_handshakes_report_floor (report, crowd->loop.target->kind == BENCH_TARGET_TLS,
                                 (double) (after.cpu_ns - before.cpu_ns) / 1e3 / logins);
}

gboolean
bench_handshakes (int argc, char **argv, gboolean *wrong, GError **error)
{
  g_auto (BenchOptions) options = { .sources = 64, .at_once = 16, .threads = 1, .seconds = 5 };
  const GOptionEntry own[] = {
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds, "how long (5)", "S" },
    { "count", 0, 0, G_OPTION_ARG_INT, &options.count, "stop after so many logins", "N" },
    { NULL },
  };
  g_autoptr (BenchTarget) target = NULL;
  BenchReport *report;
  BenchCrowd crowd;

  if (!bench_options_parse (&options, argc, argv, "Logs in and leaves, as somebody else each time.",
                            own, error)
      || (target = bench_options_target (&options, error)) == NULL
      || !bench_crowd_init (&crowd, target, 0, (guint) options.at_once, (guint) options.at_once,
                            error))
    return FALSE;
  report = bench_report_new ("handshakes", options.url);
  bench_handshakes_measure (&options, &crowd, report, wrong);
  bench_report_end (report, TRUE, options.json);
  bench_crowd_clear (&crowd);
  return TRUE;
}
