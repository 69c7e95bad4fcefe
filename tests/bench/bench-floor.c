/* bench-floor.c: what the same load costs without a relay: copying bytes, and the cipher alone.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-command.h"
#include "bench-copy.h"
#include "bench-crypto.h"
#include "bench-load.h"

#include <errno.h>

#define BENCH_FLOOR_RECORD_MAX 16384u

/* µs a packet for records that hold one batch; longer batches take several. */
static double
bench_floor_aead (const BenchOptions *options, double (*measure) (gsize len))
{
  gsize batch_len = (gsize) options->batch * (DETOUR_FRAME_RECV_HEAD_SIZE + (gsize) options->size);
  double us = 0;

  if (batch_len >= BENCH_FLOOR_RECORD_MAX)
    us = (double) (batch_len / BENCH_FLOOR_RECORD_MAX) * measure (BENCH_FLOOR_RECORD_MAX);
  if (batch_len % BENCH_FLOOR_RECORD_MAX != 0)
    us += measure (batch_len % BENCH_FLOOR_RECORD_MAX);
  return us / options->batch;
}

gboolean
bench_floor (int argc, char **argv, gboolean *wrong, GError **error)
{
  g_auto (BenchOptions) options = {
    .at_once = 32,
    .clients = 20,
    .seconds = 5,
    .threads = 1,
    .size = 1400,
    .batch = 8,
    .window = 16,
    .warm_up = 0.5,
    .server_cpu = -1,
  };
  const GOptionEntry own[] = {
    { "clients", 0, 0, G_OPTION_ARG_INT, &options.clients, "clients in all (20)", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds, "how long it is measured (5)", "S" },
    { "server-cpu", 0, 0, G_OPTION_ARG_INT, &options.server_cpu, "processor for what copies (any)",
      "N" },
    { NULL },
  };
  g_autoptr (BenchTarget) target = NULL;
  BenchReport *report;
  guint16 port = 0;
  pid_t pid;
  double copy_us = 0;
  gboolean done;

  if (!bench_options_parse (&options, argc, argv, "Measures what no relay can do without.", own,
                            error))
    return FALSE;
  if (options.match != NULL && !g_str_equal (options.match, "pairs"))
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE, "bytes are copied between pairs only");
      return FALSE;
    }
  pid = bench_copy_start (&port, options.server_cpu);
  if (pid < 0)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_SYSTEM, "the copying relay does not start: %s",
                   g_strerror (errno));
      return FALSE;
    }
  g_free (options.url);
  options.url = g_strdup_printf ("raw://127.0.0.1:%u", port);
  options.server_pid = pid;
  report = bench_report_new ("floor", NULL);
  target = bench_options_target (&options, error);
  done = target != NULL && bench_load_run (&options, target, report, &copy_us, wrong, error);
  bench_copy_stop (pid);
  if (done)
    {
      double gnutls_us = bench_floor_aead (&options, bench_crypto_aead_gnutls);
      double ipsec_mb_us = bench_floor_aead (&options, bench_crypto_aead_ipsec_mb);

      bench_report_number (report, "copy_us_per_packet", copy_us);
      bench_report_number (report, "aead_gnutls_us_per_packet", gnutls_us);
      bench_report_number (report, "floor_gnutls_us_per_packet", copy_us + gnutls_us);
      if (ipsec_mb_us > 0)
        {
          bench_report_number (report, "aead_ipsec_mb_us_per_packet", ipsec_mb_us);
          bench_report_number (report, "floor_ipsec_mb_us_per_packet", copy_us + ipsec_mb_us);
        }
    }
  bench_report_end (report, done, options.json);
  return done;
}
