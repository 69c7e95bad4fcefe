/* detour-metric.h: a struct of counters as a table: one row names a member, or an array of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table stands beside its struct and is all that is known of it: whoever shows numbers goes
 * through it and has no list of its own. A member that no row names fails a test. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* One dimension of a member that is an array: which label tells its elements apart. */
typedef struct {
  const char *label;                  /* "reason"; NULL: there is no such dimension */
  guint n;                            /* elements */
  const char *(*value) (guint index); /* static word of an element */
} DetourMetricAxis;

/* Most bounds of a histogram. */
#define DETOUR_METRIC_BOUNDS_MAX 24

/* Tables end with { NULL }. */
typedef struct {
  const char *name; /* as DetourMetric */
  const char *unit;
  const char *help;
  gsize offset;            /* of the first guint64 or DetourCounter of the member */
  DetourMetricLabel fixed; /* of every element; no name: none */
  DetourMetricAxis axes[2];
  /* Of a histogram, which has no axes: its member is an array of @n_bounds + 1 counts. */
  const guint64 *bounds;
  guint n_bounds;
  gsize sum; /* offset of the sum of all values, which may have a row of its own */
  DetourMetricType
      type; /* without bounds: a counter, or a gauge that is the sum over all structs */
} DetourMetricRow;

/* Rows for members that stand alone. */
#define DETOUR_METRIC_ROW(Struct, member, name, unit, help) \
  {                                                         \
    name, unit, help, G_STRUCT_OFFSET (Struct, member)      \
  }

/* A histogram of the member @counts, whose sum is the member @sum_member. */
#define DETOUR_METRIC_HISTOGRAM_ROW(Struct, counts, sum_member, name, unit, help, limits) \
  {                                                                                       \
    name, unit, help, G_STRUCT_OFFSET (Struct, counts),                                   \
        .bounds = limits, .n_bounds = G_N_ELEMENTS (limits),                              \
        .sum = G_STRUCT_OFFSET (Struct, sum_member)                                       \
  }

/**
 * detour_metric_each:
 * @table: of the struct
 * @structs: (array length=n): all of the same struct, one of each thread
 *
 * Calls @func for every number of the table, each being the sum over @structs. Reads relaxed and
 * waits for nobody. Any thread.
 */
void detour_metric_each (const DetourMetricRow *table, gconstpointer const *structs, guint n,
                         DetourMetricFunc func, gpointer user);

/* Counts @value in a histogram, and adds it to @sum: @counts has one more than @bounds. */
static inline void
detour_metric_observe (DetourCounter *counts, DetourCounter *sum, const guint64 *bounds,
                       guint n_bounds, guint64 value)
{
  guint i = 0;

  while (i < n_bounds && value > bounds[i])
    i++;
  detour_counter_add (&counts[i], 1);
  detour_counter_add (sum, value);
}

/* How many numbers of the struct the table names; the sum of a histogram counts where it follows
 * the histogram's counts. */
guint detour_metric_count (const DetourMetricRow *table);

/* Holds copies, so that numbers from several places can be put in order. */
typedef struct _DetourMetricList DetourMetricList;

DetourMetricList *detour_metric_list_new (void);
void detour_metric_list_free (DetourMetricList *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourMetricList, detour_metric_list_free)
/* Adds one; @list is a DetourMetricList, so that this can be a DetourMetricFunc. */
void detour_metric_list_add (const DetourMetric *metric, gpointer list);
/* In the order of coming, except that those of one plugin and name are all behind the first. */
void detour_metric_list_each (const DetourMetricList *self, DetourMetricFunc func, gpointer user);

G_END_DECLS
