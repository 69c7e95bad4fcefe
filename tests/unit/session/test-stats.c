/* test-stats.c: the tables of core name every number that is counted, once.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-stats.h"
#include "test-program.h"

static const struct {
  const char *name;
  const DetourMetricRow *table;
  gsize size; /* of the struct */
} tables[] = {
  { "relay", detour_relay_metrics, sizeof (DetourRelayCounters) },
  { "worker", detour_worker_metrics, sizeof (DetourWorkerCounters) },
  { "handshake", detour_handshake_metrics, sizeof (DetourHandshakePoolCounters) },
  { "forwarder", detour_forwarder_metrics, sizeof (DetourForwarderCounters) },
  { "tunnels", detour_forwarder_tunnel_metrics, sizeof (DetourForwarderCounters) },
  { "admission", detour_admission_metrics, sizeof (DetourAdmissionStats) },
};

typedef struct {
  GHashTable *ids;    /* names with labels */
  GHashTable *values; /* gint64; the struct counts up from 1, so they are members */
} Seen;

static void
note_value (Seen *self, guint64 value, gboolean may_be_shared)
{
  gint64 key = (gint64) value;

  g_assert_cmpuint (value, >, 0);
  g_assert_true (g_hash_table_add (self->values, g_memdup2 (&key, sizeof key)) || may_be_shared);
}

static void
note (const DetourMetric *metric, gpointer user)
{
  Seen *self = user;
  GString *id = g_string_new (metric->name);

  g_assert_cmpstr (metric->name, !=, "");
  g_assert_cmpstr (metric->help, !=, "");
  for (guint i = 0; i < metric->n_labels; i++)
    {
      g_assert_nonnull (metric->labels[i].value);
      g_string_append_printf (id, " %s=%s", metric->labels[i].name, metric->labels[i].value);
    }
  g_assert_true (g_hash_table_add (self->ids, g_string_free (id, FALSE)));
  if (metric->type != DETOUR_METRIC_HISTOGRAM)
    {
      note_value (self, metric->value, FALSE);
      return;
    }
  for (guint i = 0; i <= metric->histogram.n_bounds; i++)
    {
      note_value (self, metric->histogram.counts[i], FALSE);
      if (i > 0 && i < metric->histogram.n_bounds)
        g_assert_cmpuint (metric->histogram.bounds[i], >, metric->histogram.bounds[i - 1]);
    }
  note_value (self, metric->histogram.sum, TRUE);
}

static void
every_member (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  gsize n = tables[i].size / sizeof (guint64);
  g_autoptr (GHashTable) ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  Seen seen = { ids, values };
  g_autofree guint64 *numbers = g_new (guint64, n);
  gconstpointer structs[] = { numbers };

  for (gsize k = 0; k < n; k++)
    numbers[k] = k + 1;
  detour_metric_each (tables[i].table, structs, 1, note, &seen);
  g_assert_cmpuint (g_hash_table_size (values), ==, n);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/stats/every-member-of-", tables, every_member);
  return g_test_run ();
}
