/* test-metric.c: tables of counters name every number, with its labels.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-metric.h"

typedef struct {
  DetourCounter plain;
  DetourCounter both[2][3];
  guint64 one[3];
  DetourCounter left, right;
} Numbers;

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
}

static void
every_number (void)
{
  Numbers a = {
    { 1 }, { { { 2 }, { 3 }, { 4 } }, { { 5 }, { 6 }, { 7 } } }, { 8, 9, 10 }, { 11 }, { 12 }
  };
  Numbers b = { .plain = { 100 } };
  gconstpointer structs[] = { &a, &b };
  g_autoptr (GString) text = g_string_new (NULL);

  detour_metric_each (rows, structs, 2, note, text);
  g_assert_cmpstr (text->str, ==,
                   "plain:101 both,colour=red,size=small:2 both,colour=red,size=middle:3 "
                   "both,colour=red,size=large:4 both,colour=blue,size=small:5 "
                   "both,colour=blue,size=middle:6 both,colour=blue,size=large:7 "
                   "one,fixed=yes,size=small:8 one,fixed=yes,size=middle:9 "
                   "one,fixed=yes,size=large:10 side,side=left:11 side,side=right:12");
  g_assert_cmpuint (detour_metric_count (rows) * sizeof (guint64), ==, sizeof (Numbers));
}

static void
in_order (void)
{
  const DetourMetric metrics[] = {
    { .name = "a" },
    { .name = "b", .plugin = "x" },
    { .name = "a", .plugin = "x" },
    { .name = "a", .value = 1 },
    { .name = "b", .plugin = "x", .value = 1 },
  };
  g_autoptr (DetourMetricList) list = detour_metric_list_new ();
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (metrics); i++)
    detour_metric_list_add (&metrics[i], list);
  detour_metric_list_each (list, note, text);
  g_assert_cmpstr (text->str, ==, "a:0 a:1 b:0 b:1 a:0");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/metric/every-number", every_number);
  g_test_add_func ("/metric/in-order", in_order);
  return g_test_run ();
}
