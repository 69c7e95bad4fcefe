/* detour-metric-record.c: counters of a table written down for another program, which counts on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-metric-record.h"

enum {
  TAG_COUNTER = 1,
  /* Inside of one. */
  TAG_NAME = 1,
  TAG_VALUE = 2,
};

#define NAME_MAX_LEN 256u

typedef void (*CounterFunc) (const char *name, gsize offset, gpointer user);

static guint
metric_record_length (const DetourMetricAxis *axis)
{
  return axis->label != NULL ? axis->n : 1;
}

/* The sum of a histogram may have a row of its own, and counts once. */
static gboolean
metric_record_has_row (const DetourMetricRow *table, gsize offset)
{
  for (const DetourMetricRow *row = table; row->name != NULL; row++)
    if (row->bounds == NULL && row->offset == offset)
      return TRUE;
  return FALSE;
}

static void
metric_record_each_of_histogram (const DetourMetricRow *table, const DetourMetricRow *row,
                                 CounterFunc func, gpointer user)
{
  g_autofree char *sum = g_strdup_printf ("%s sum", row->name);

  for (guint i = 0; i <= row->n_bounds; i++)
    {
      g_autofree char *name = i < row->n_bounds ? g_strdup_printf ("%s %" G_GUINT64_FORMAT,
                                                                   row->name, row->bounds[i])
                                                : g_strdup_printf ("%s more", row->name);

      func (name, row->offset + i * sizeof (guint64), user);
    }
  if (!metric_record_has_row (table, row->sum))
    func (sum, row->sum, user);
}

static void
metric_record_each_of_row (const DetourMetricRow *row, CounterFunc func, gpointer user)
{
  guint n_inner = metric_record_length (&row->axes[1]);
  guint n_all = metric_record_length (&row->axes[0]) * n_inner;

  for (guint i = 0; i < n_all; i++)
    {
      g_autofree char *name = g_strdup_printf (
          "%s %s %s %s", row->name, row->fixed.name != NULL ? row->fixed.value : "",
          row->axes[0].label != NULL ? row->axes[0].value (i / n_inner) : "",
          row->axes[1].label != NULL ? row->axes[1].value (i % n_inner) : "");

      func (name, row->offset + i * sizeof (guint64), user);
    }
}

static void
metric_record_each (const DetourMetricRow *table, CounterFunc func, gpointer user)
{
  for (const DetourMetricRow *row = table; row->name != NULL; row++)
    if (row->bounds != NULL)
      metric_record_each_of_histogram (table, row, func, user);
    else if (row->type != DETOUR_METRIC_GAUGE)
      metric_record_each_of_row (row, func, user);
}

typedef struct {
  DetourRecord *out;
  gconstpointer const *structs;
  guint n;
} WriteContext;

static void
metric_record_write_one (const char *name, gsize offset, gpointer user)
{
  const WriteContext *context = user;
  guint64 sum = 0;
  gsize mark;

  for (guint i = 0; i < context->n; i++)
    sum += detour_counter_get (G_STRUCT_MEMBER_P (context->structs[i], offset));
  if (sum == 0)
    return;
  mark = detour_record_begin (context->out, TAG_COUNTER);
  detour_record_put_text (context->out, TAG_NAME, name);
  detour_record_put_number (context->out, TAG_VALUE, sum);
  detour_record_end (context->out, mark);
}

void
detour_metric_record_write (DetourRecord *out, guint16 tag, const DetourMetricRow *table,
                            gconstpointer const *structs, guint n)
{
  WriteContext context = { out, structs, n };
  gsize mark = detour_record_begin (out, tag);

  metric_record_each (table, metric_record_write_one, &context);
  detour_record_end (out, mark);
}

typedef struct {
  GHashTable *values; /* name -> guint64 */
  gpointer counters;
} ReadContext;

static void
metric_record_read_one (const char *name, gsize offset, gpointer user)
{
  const ReadContext *context = user;
  const guint64 *value = g_hash_table_lookup (context->values, name);

  if (value != NULL)
    detour_counter_add (G_STRUCT_MEMBER_P (context->counters, offset), *value);
}

static void
metric_record_take (const DetourRecordItem *item, GHashTable *values)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordItem inner;
  g_autofree char *name = NULL;
  guint64 value = 0;

  while (detour_record_next (&reader, &inner) == DETOUR_RECORD_ITEM)
    if (inner.tag == TAG_NAME && name == NULL)
      name = detour_record_dup_text (&inner, NAME_MAX_LEN);
    else if (inner.tag == TAG_VALUE && !detour_record_number (&inner, G_MAXUINT64, &value))
      return;
  if (name != NULL)
    g_hash_table_insert (values, g_steal_pointer (&name), g_memdup2 (&value, sizeof value));
}

void
detour_metric_record_read (const DetourRecordItem *item, const DetourMetricRow *table,
                           gpointer counters)
{
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  DetourRecordReader reader = detour_record_inside (item);
  ReadContext context = { values, counters };
  DetourRecordItem inner;

  while (detour_record_next (&reader, &inner) == DETOUR_RECORD_ITEM)
    if (inner.tag == TAG_COUNTER)
      metric_record_take (&inner, values);
  metric_record_each (table, metric_record_read_one, &context);
}
