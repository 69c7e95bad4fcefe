/* detour-metric.c: a struct of counters as a table: one row names a member, or an array of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-metric.h"

#include <string.h>

static guint64
metric_sum (gconstpointer const *structs, guint n, gsize offset)
{
  guint64 sum = 0;

  for (guint i = 0; i < n; i++)
    sum += __atomic_load_n (
        (const guint64 *) (gconstpointer) ((const guint8 *) structs[i] + offset), __ATOMIC_RELAXED);
  return sum;
}

static guint
metric_axis_length (const DetourMetricAxis *axis)
{
  return axis->label != NULL ? axis->n : 1;
}

static void
metric_add_label (DetourMetric *metric, const char *name, const char *value)
{
  g_assert (metric->n_labels < DETOUR_METRIC_LABELS_MAX);
  metric->labels[metric->n_labels++] = (DetourMetricLabel) { name, value };
}

static void
metric_tell_histogram (const DetourMetricRow *row, gconstpointer const *structs, guint n,
                       DetourMetricFunc func, gpointer user)
{
  guint64 counts[DETOUR_METRIC_BOUNDS_MAX + 1];
  DetourMetric metric = {
    .name = row->name,
    .unit = row->unit,
    .help = row->help,
    .type = DETOUR_METRIC_HISTOGRAM,
    .histogram = { row->bounds, counts, row->n_bounds, metric_sum (structs, n, row->sum) },
  };

  g_assert (row->n_bounds <= DETOUR_METRIC_BOUNDS_MAX);
  for (guint i = 0; i <= row->n_bounds; i++)
    {
      counts[i] = metric_sum (structs, n, row->offset + i * sizeof (guint64));
      metric.value += counts[i];
    }
  if (row->fixed.name != NULL)
    metric_add_label (&metric, row->fixed.name, row->fixed.value);
  func (&metric, user);
}

void
detour_metric_each (const DetourMetricRow *table, gconstpointer const *structs, guint n,
                    DetourMetricFunc func, gpointer user)
{
  for (const DetourMetricRow *row = table; row->name != NULL; row++)
    {
      guint n_inner = metric_axis_length (&row->axes[1]);
      guint n_all = metric_axis_length (&row->axes[0]) * n_inner;

      if (row->bounds != NULL)
        {
          metric_tell_histogram (row, structs, n, func, user);
          continue;
        }
      for (guint i = 0; i < n_all; i++)
        {
          DetourMetric metric = {
            .name = row->name,
            .unit = row->unit,
            .help = row->help,
            .type = row->type,
            .value = metric_sum (structs, n, row->offset + i * sizeof (guint64)),
          };

          if (row->fixed.name != NULL)
            metric_add_label (&metric, row->fixed.name, row->fixed.value);
          if (row->axes[0].label != NULL)
            metric_add_label (&metric, row->axes[0].label, row->axes[0].value (i / n_inner));
          if (row->axes[1].label != NULL)
            metric_add_label (&metric, row->axes[1].label, row->axes[1].value (i % n_inner));
          func (&metric, user);
        }
    }
}

guint
detour_metric_count (const DetourMetricRow *table)
{
  guint n = 0;

  for (const DetourMetricRow *row = table; row->name != NULL; row++)
    {
      n += metric_axis_length (&row->axes[0]) * metric_axis_length (&row->axes[1]);
      if (row->bounds != NULL)
        n += row->n_bounds
           + (row->sum == row->offset + (row->n_bounds + 1) * sizeof (guint64) ? 1 : 0);
    }
  return n;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Those of one plugin and name are a chain. */
typedef struct {
  DetourMetric metric;
  guint next; /* 0: it is the last one; nothing comes before the first */
  gboolean is_first;
} MetricEntry;

struct _DetourMetricList {
  GArray *entries;   /* of MetricEntry */
  GHashTable *lasts; /* DetourMetric, of which plugin and name count -> last of its chain */
  GPtrArray *counts; /* of histograms, copied */
};

static guint
metric_hash (gconstpointer key)
{
  const DetourMetric *metric = key;

  return g_str_hash (metric->name) ^ (metric->plugin != NULL ? g_str_hash (metric->plugin) : 0);
}

static gboolean
metric_is_same (gconstpointer a, gconstpointer b)
{
  const DetourMetric *left = a, *right = b;

  return strcmp (left->name, right->name) == 0 && g_strcmp0 (left->plugin, right->plugin) == 0;
}

DetourMetricList *
detour_metric_list_new (void)
{
  DetourMetricList *self = g_new0 (DetourMetricList, 1);

  self->entries = g_array_new (FALSE, FALSE, sizeof (MetricEntry));
  self->lasts = g_hash_table_new_full (metric_hash, metric_is_same, g_free, NULL);
  self->counts = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
detour_metric_list_free (DetourMetricList *self)
{
  g_hash_table_unref (self->lasts);
  g_ptr_array_unref (self->counts);
  g_array_unref (self->entries);
  g_free (self);
}

void
detour_metric_list_add (const DetourMetric *metric, gpointer list)
{
  DetourMetricList *self = list;
  gpointer last;
  MetricEntry entry = { .metric = *metric };
  guint i = self->entries->len;

  if (metric->type == DETOUR_METRIC_HISTOGRAM)
    {
      entry.metric.histogram.counts = g_memdup2 (metric->histogram.counts,
                                                 (metric->histogram.n_bounds + 1)
                                                     * sizeof metric->histogram.counts[0]);
      g_ptr_array_add (self->counts, (gpointer) entry.metric.histogram.counts);
    }
  entry.is_first = !g_hash_table_lookup_extended (self->lasts, metric, NULL, &last);
  if (!entry.is_first)
    g_array_index (self->entries, MetricEntry, GPOINTER_TO_UINT (last)).next = i;
  g_array_append_val (self->entries, entry);
  g_hash_table_insert (self->lasts, g_memdup2 (metric, sizeof *metric), GUINT_TO_POINTER (i));
}

void
detour_metric_list_each (const DetourMetricList *self, DetourMetricFunc func, gpointer user)
{
  for (guint i = 0; i < self->entries->len; i++)
    {
      const MetricEntry *entry = &g_array_index (self->entries, MetricEntry, i);

      if (!entry->is_first)
        continue;
      func (&entry->metric, user);
      while (entry->next != 0)
        {
          entry = &g_array_index (self->entries, MetricEntry, entry->next);
          func (&entry->metric, user);
        }
    }
}
