/* test-tls-speed.c: what both record layers take for a frame; measured with `-m perf`, else only
 * tried.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>
#include <time.h>

#include "test-tls-forge.h"
#include "test-tls-pair.h"

/* A packet of 1400 bytes in its DERP frame, and so many of them to a record as fit into what core
 * gives at once. */
#define FRAME   1437u
#define FRAMES  8u
#define RECORDS 40u
#define READ    65536u

static double
cpu_ns (void)
{
  struct timespec used;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &used);
  return (double) used.tv_sec * 1e9 + (double) used.tv_nsec;
}

typedef struct {
  const char *name;
  const char *priorities;
} Suite;

static const Suite suites[] = {
  { "AES-128-GCM", TEST_PEER_TLS13 ":-CIPHER-ALL:+AES-128-GCM" },
  { "AES-256-GCM", TEST_PEER_TLS13 ":-CIPHER-ALL:+AES-256-GCM" },
  { "CHACHA20-POLY1305", TEST_PEER_TLS13 ":-CIPHER-ALL:+CHACHA20-POLY1305" },
};

/* As core reads: full buffers, whatever they cut. The best of several runs, in ns for a frame. */
static double
measure_feed (const DetourChannelClass *cls, gpointer channel, TestForge *forge, guint rounds)
{
  DetourBuffer plain = { g_malloc (READ + DETOUR_CHANNEL_FEED_SLACK), 0,
                         READ + DETOUR_CHANNEL_FEED_SLACK };
  g_autofree guint8 *record = g_malloc0 (FRAMES * FRAME);
  double best = G_MAXDOUBLE;

  for (guint round = 0; round < rounds; round++)
    {
      double spent = 0;
      gsize opened = 0;

      for (guint i = 0; i < RECORDS; i++)
        test_forge_record (forge, TLS_TYPE_DATA, record, FRAMES * FRAME, 0);
      for (gsize at = 0; at < forge->sent->len; at += READ)
        {
          gboolean reply = FALSE;
          double start = cpu_ns ();

          plain.len = 0;
          g_assert_cmpint (cls->feed (channel, forge->sent->data + at,
                                      MIN (READ, forge->sent->len - at), &plain, &reply),
                           ==, DETOUR_CHANNEL_OK);
          spent += cpu_ns () - start;
          opened += plain.len;
        }
      g_assert_cmpuint (opened, ==, RECORDS * FRAMES * FRAME);
      g_byte_array_set_size (forge->sent, 0);
      best = MIN (best, spent / (RECORDS * FRAMES));
    }
  g_free (plain.data);
  return best;
}

static double
measure_seal (const DetourChannelClass *cls, gpointer channel, guint frames, guint rounds)
{
  g_autofree guint8 *arena = g_malloc0 (FRAMES * 1500);
  DetourBuffer out = { g_malloc (DETOUR_CHANNEL_SEAL_BOUND (FRAMES * FRAME)), 0,
                       DETOUR_CHANNEL_SEAL_BOUND (FRAMES * FRAME) };
  struct iovec spans[FRAMES];
  double best = G_MAXDOUBLE;

  for (guint i = 0; i < FRAMES; i++)
    spans[i] = (struct iovec) { arena + 1500 * i, FRAME };
  for (guint round = 0; round < rounds; round++)
    {
      double start = cpu_ns ();

      for (guint i = 0; i < RECORDS; i++)
        {
          out.len = 0;
          g_assert_true (cls->seal (channel, spans, frames, &out));
        }
      best = MIN (best, (cpu_ns () - start) / (RECORDS * frames));
    }
  g_free (out.data);
  return best;
}

static void
speed (gconstpointer data)
{
  const Suite *suite = data;
  guint rounds = g_test_perf () ? 200 : 1;

  for (guint i = 0; i < 2; i++)
    {
      const DetourChannelClass *cls = i == 0 ? &tls_channel_gnutls_class
                                             : &tls_channel_export_class;
      TestForge forge;
      TestPair pair;
      gpointer channel;
      double feed_ns, seal_ns, one_ns;

      test_pair_init (&pair, suite->priorities);
      channel = i == 0 ? pair.gnutls : pair.exported;
      test_forge_init (&forge, tls_channel_export_keys (pair.exported, TRUE),
                       tls_channel_export_keys (pair.exported, FALSE));
      feed_ns = measure_feed (cls, channel, &forge, rounds);
      seal_ns = measure_seal (cls, channel, FRAMES, rounds);
      one_ns = measure_seal (cls, channel, 1, rounds);
      if (g_test_perf ())
        {
          g_test_minimized_result (feed_ns, "%-17s %-6s feed, 8 frames a record  %7.1f ns a frame",
                                   suite->name, cls->name, feed_ns);
          g_test_minimized_result (seal_ns, "%-17s %-6s seal, 8 frames a record  %7.1f ns a frame",
                                   suite->name, cls->name, seal_ns);
          g_test_minimized_result (one_ns, "%-17s %-6s seal, 1 frame a record   %7.1f ns a frame",
                                   suite->name, cls->name, one_ns);
        }
      test_forge_clear (&forge);
      test_pair_clear (&pair);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (suites); i++)
    {
      g_autofree char *path = g_strdup_printf ("/tls-speed/%s", suites[i].name);

      g_test_add_data_func (path, &suites[i], speed);
    }
  return g_test_run ();
}
