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

/* Tables end with { NULL }. */
typedef struct {
  const char *name; /* as DetourMetric */
  const char *unit;
  const char *help;
  gsize offset;            /* of the first guint64 or DetourCounter of the member */
  DetourMetricLabel fixed; /* of every element; no name: none */
  DetourMetricAxis axes[2];
} DetourMetricRow;

/* Rows for members that stand alone. */
#define DETOUR_METRIC_ROW(Struct, member, name, unit, help) \
  {                                                         \
    name, unit, help, G_STRUCT_OFFSET (Struct, member)      \
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

/* How many numbers the table names. */
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
