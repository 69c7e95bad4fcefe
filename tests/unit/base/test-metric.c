/* test-metric.c: tables of counters name every number, with its labels.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-metric.h"
#include "detour-metric-record.h"

#include <string.h>

typedef struct {
  DetourCounter plain;
  DetourCounter both[2][3];
  guint64 one[3];
  DetourCounter left, right;
  DetourCounter sizes[3];
  DetourCounter sizes_sum;
} Numbers;

static const guint64 bounds[] = { 10, 20 };

static const char *
colour (guint index)
{
  static const char *const words[] = { "red", "blue" };

  return words[index];
}

static const char *
size (guint index)
{
  static const char *const words[] = { "small", "middle", "large" };

  return words[index];
}

static const DetourMetricRow rows[] = {
  DETOUR_METRIC_ROW (Numbers, plain, "plain", "bytes", "alone"),
  { "both",
    NULL,
    "two",
    G_STRUCT_OFFSET (Numbers, both),
    { NULL },
    { { "colour", 2, colour }, { "size", 3, size } } },
  { "one",
    NULL,
    "one",
    G_STRUCT_OFFSET (Numbers, one),
    { "fixed", "yes" },
    { { "size", 3, size } } },
  { "side", NULL, "sides", G_STRUCT_OFFSET (Numbers, left), { "side", "left" } },
  { "side", NULL, "sides", G_STRUCT_OFFSET (Numbers, right), { "side", "right" } },
  { "sizes", "bytes", "sizes", G_STRUCT_OFFSET (Numbers, sizes), .bounds = bounds,
    .n_bounds = G_N_ELEMENTS (bounds), .sum = G_STRUCT_OFFSET (Numbers, sizes_sum) },
  { NULL },
};

static void
note (const DetourMetric *metric, gpointer user)
{
  GString *text = user;

  g_string_append_printf (text, "%s%s", text->len > 0 ? " " : "", metric->name);
  for (guint i = 0; i < metric->n_labels; i++)
    g_string_append_printf (text, ",%s=%s", metric->labels[i].name, metric->labels[i].value);
  g_string_append_printf (text, ":%" G_GUINT64_FORMAT, metric->value);
  if (metric->type != DETOUR_METRIC_HISTOGRAM)
    return;
  for (guint i = 0; i < metric->histogram.n_bounds; i++)
    g_string_append_printf (text, "/%" G_GUINT64_FORMAT "=%" G_GUINT64_FORMAT,
                            metric->histogram.bounds[i], metric->histogram.counts[i]);
  g_string_append_printf (text, "/rest=%" G_GUINT64_FORMAT "/sum=%" G_GUINT64_FORMAT,
                          metric->histogram.counts[metric->histogram.n_bounds],
                          metric->histogram.sum);
}

static void
every_number (void)
{
  Numbers a = { { 1 },        { { { 2 }, { 3 }, { 4 } }, { { 5 }, { 6 }, { 7 } } },
                { 8, 9, 10 }, { 11 },
                { 12 },       { { 1 }, { 0 }, { 2 } },
                { 95 } };
  Numbers b = { .plain = { 100 }, .sizes = { { 0 }, { 1 }, { 0 } }, .sizes_sum = { 15 } };
  gconstpointer structs[] = { &a, &b };
  g_autoptr (GString) text = g_string_new (NULL);

  detour_metric_each (rows, structs, 2, note, text);
  g_assert_cmpstr (text->str, ==,
                   "plain:101 both,colour=red,size=small:2 both,colour=red,size=middle:3 "
                   "both,colour=red,size=large:4 both,colour=blue,size=small:5 "
                   "both,colour=blue,size=middle:6 both,colour=blue,size=large:7 "
                   "one,fixed=yes,size=small:8 one,fixed=yes,size=middle:9 "
                   "one,fixed=yes,size=large:10 side,side=left:11 side,side=right:12 "
                   "sizes:4/10=1/20=1/rest=2/sum=110");
  g_assert_cmpuint (detour_metric_count (rows) * sizeof (guint64), ==, sizeof (Numbers));
}

static void
in_order (void)
{
  guint64 counts[] = { 1, 2, 3 };
  const DetourMetric metrics[] = {
    { .name = "a" },
    { .name = "b", .plugin = "x" },
    { .name = "a", .plugin = "x" },
    { .name = "a", .value = 1 },
    { .name = "b", .plugin = "x", .value = 1 },
    { .name = "a", .value = 2 },
    { .name = "h", .type = DETOUR_METRIC_HISTOGRAM, .histogram = { bounds, counts, 2, 9 } },
  };
  g_autoptr (DetourMetricList) list = detour_metric_list_new ();
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (metrics); i++)
    detour_metric_list_add (&metrics[i], list);
  memset (counts, 0, sizeof counts); /* they were copied */
  detour_metric_list_each (list, note, text);
  g_assert_cmpstr (text->str, ==, "a:0 a:1 a:2 b:0 b:1 a:0 h:0/10=1/20=2/rest=3/sum=9");
}

/* What was counted before is counted on, each number once, by programs with fewer numbers, too. */
static void
test_record (void)
{
  Numbers numbers[2] = { { { 0 } } }, again = { { 0 } };
  gconstpointer structs[] = { &numbers[0], &numbers[1] };
  g_auto (DetourRecord) record = { NULL };
  DetourRecordReader reader;
  DetourRecordItem item;

  for (guint i = 0; i < sizeof numbers[0] / sizeof (guint64); i++)
    {
      ((guint64 *) (gpointer) &numbers[0])[i] = i % 3 == 0 ? 0 : 1000 + i;
      ((guint64 *) (gpointer) &numbers[1])[i] = 7;
      ((guint64 *) (gpointer) &again)[i] = 5;
    }
  detour_metric_record_write (&record, 1, rows, structs, 2);
  reader = (DetourRecordReader) { record.data, record.len };
  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
  detour_metric_record_read (&item, rows, &again);
  for (guint i = 0; i < sizeof again / sizeof (guint64); i++)
    g_assert_cmpuint (((guint64 *) (gpointer) &again)[i], ==, (i % 3 == 0 ? 12 : 1012 + i));

  memset (&again, 0, sizeof again);
  detour_metric_record_read (&item, rows + 2, &again);
  g_assert_cmpuint (again.plain.value, ==, 0);
  g_assert_cmpuint (again.right.value, ==, numbers[0].right.value + 7);

  /* Damaged, it says nothing, and does no harm. */
  memset (&again, 0, sizeof again);
  for (gsize len = 0; len < item.len; len++)
    {
      g_autofree guint8 *copy = g_memdup2 (item.data, MAX (len, 1));

      detour_metric_record_read (&(DetourRecordItem) { 1, copy, len }, rows, &again);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/metric/every-number", every_number);
  g_test_add_func ("/metric/in-order", in_order);
  g_test_add_func ("/metric/record", test_record);
  return g_test_run ();
}
