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

void
detour_metric_each (const DetourMetricRow *table, gconstpointer const *structs, guint n,
                    DetourMetricFunc func, gpointer user)
{
  for (const DetourMetricRow *row = table; row->name != NULL; row++)
    {
      guint n_inner = metric_axis_length (&row->axes[1]);
      guint n_all = metric_axis_length (&row->axes[0]) * n_inner;

      for (guint i = 0; i < n_all; i++)
        {
          DetourMetric metric = {
            .name = row->name,
            .unit = row->unit,
            .help = row->help,
            .type = DETOUR_METRIC_COUNTER,
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
    n += metric_axis_length (&row->axes[0]) * metric_axis_length (&row->axes[1]);
  return n;
}

/* ---- lists ----------------------------------------------------------------------------------- */

struct _DetourMetricList {
  GArray *metrics; /* of DetourMetric */
};

DetourMetricList *
detour_metric_list_new (void)
{
  DetourMetricList *self = g_new0 (DetourMetricList, 1);

  self->metrics = g_array_new (FALSE, FALSE, sizeof (DetourMetric));
  return self;
}

void
detour_metric_list_free (DetourMetricList *self)
{
  g_array_unref (self->metrics);
  g_free (self);
}

void
detour_metric_list_add (const DetourMetric *metric, gpointer list)
{
  g_array_append_val (((DetourMetricList *) list)->metrics, *metric);
}

static gboolean
metric_is_same (const DetourMetric *a, const DetourMetric *b)
{
  return g_strcmp0 (a->plugin, b->plugin) == 0 && strcmp (a->name, b->name) == 0;
}

void
detour_metric_list_each (const DetourMetricList *self, DetourMetricFunc func, gpointer user)
{
  guint n = self->metrics->len;
  g_autofree gboolean *is_done = g_new0 (gboolean, n + 1);

  for (guint i = 0; i < n; i++)
    for (guint k = i; !is_done[i] && k < n; k++)
      {
        const DetourMetric *metric = &g_array_index (self->metrics, DetourMetric, k);

        if (!metric_is_same (metric, &g_array_index (self->metrics, DetourMetric, i)))
          continue;
        func (metric, user);
        is_done[k] = k != i;
      }
}
