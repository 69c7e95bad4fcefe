/* metrics-name.c: what a number is called for Prometheus.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "metrics-name.h"

#include <string.h>

MetricsUnit
metrics_name_unit (const DetourMetric *metric)
{
  if (g_strcmp0 (metric->unit, "bytes") == 0)
    return METRICS_UNIT_BYTES;
  if (g_strcmp0 (metric->unit, "microseconds") == 0)
    return METRICS_UNIT_SECONDS;
  return METRICS_UNIT_NONE;
}

const char *
metrics_name_unit_word (MetricsUnit unit)
{
  static const char *const words[] = {
    [METRICS_UNIT_NONE] = NULL,
    [METRICS_UNIT_BYTES] = "bytes",
    [METRICS_UNIT_SECONDS] = "seconds",
  };

  return words[unit];
}

/* Words are joined by `_`; one that is the unit of core is left out. */
static void
metrics_name_append_words (GString *out, const char *name, const char *without)
{
  while (*name != '\0')
    {
      gsize len = strcspn (name, "_");

      if (without == NULL || strlen (without) != len || strncmp (name, without, len) != 0)
        {
          g_string_append_c (out, '_');
          g_string_append_len (out, name, (gssize) len);
        }
      name += len;
      name += *name == '_' ? 1 : 0;
    }
}

void
metrics_name_append (GString *out, const DetourMetric *metric)
{
  MetricsUnit unit = metrics_name_unit (metric);

  if (metric->plugin != NULL && metric->plugin[0] == '\0')
    {
      g_string_append (out, metric->name);
      return;
    }
  g_string_append (out, "detour");
  if (metric->plugin != NULL)
    {
      g_string_append_c (out, '_');
      for (const char *p = metric->plugin; *p != '\0'; p++)
        g_string_append_c (out, *p == '-' ? '_' : *p);
    }
  metrics_name_append_words (out, metric->name, unit != METRICS_UNIT_NONE ? metric->unit : NULL);
  if (unit != METRICS_UNIT_NONE)
    {
      g_string_append_c (out, '_');
      g_string_append (out, metrics_name_unit_word (unit));
    }
}

void
metrics_name_append_value (GString *out, MetricsUnit unit, guint64 value)
{
  guint64 rest = value % G_USEC_PER_SEC;

  if (unit != METRICS_UNIT_SECONDS)
    {
      g_string_append_printf (out, "%" G_GUINT64_FORMAT, value);
      return;
    }
  g_string_append_printf (out, "%" G_GUINT64_FORMAT, value / G_USEC_PER_SEC);
  if (rest == 0)
    return;
  g_string_append_printf (out, ".%06" G_GUINT64_FORMAT, rest);
  while (out->str[out->len - 1] == '0')
    g_string_truncate (out, out->len - 1);
}
