/* metrics-text.c: numbers in the text forms that Prometheus reads.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "metrics-text.h"

#include <string.h>

#include "metrics-name.h"

/* Room for some hundred series, so that the text seldom moves. */
#define TEXT_SIZE 65536

struct _MetricsText {
  MetricsFormat format;
  GString *out;
  GString *family; /* name of the series that are written, without an ending; "" at first */
  GString *name;   /* of the metric at hand */
};

/* ---- which form ------------------------------------------------------------------------------ */

/* The weight of one entry of Accept, in thousandths. */
static guint
metrics_text_weight (char **parameters)
{
  for (guint i = 1; parameters[i] != NULL; i++)
    {
      const char *parameter = g_strstrip (parameters[i]);

      if (g_ascii_strncasecmp (parameter, "q=", 2) == 0)
        {
          double q = g_ascii_strtod (parameter + 2, NULL);

          return q > 0 && q <= 1 ? (guint) (q * 1000 + 0.5) : 0;
        }
    }
  return 1000;
}

MetricsFormat
metrics_text_choose (const char *accept)
{
  g_auto (GStrv) entries = g_strsplit (accept != NULL ? accept : "", ",", 32);
  guint open = 0, text = 0;

  for (guint i = 0; entries[i] != NULL; i++)
    {
      g_auto (GStrv) parameters = g_strsplit (entries[i], ";", 16);
      const char *type;
      guint weight;

      if (parameters[0] == NULL)
        continue;
      type = g_strstrip (parameters[0]);
      weight = metrics_text_weight (parameters);
      if (g_ascii_strcasecmp (type, "application/openmetrics-text") == 0)
        open = MAX (open, weight);
      else if (g_ascii_strcasecmp (type, "text/plain") == 0)
        text = MAX (text, weight);
    }
  return open > 0 && open >= text ? METRICS_FORMAT_OPEN : METRICS_FORMAT_TEXT;
}

const char *
metrics_text_content_type (MetricsFormat format)
{
  return format == METRICS_FORMAT_OPEN
           ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
           : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- the text -------------------------------------------------------------------------------- */

MetricsText *
metrics_text_new (MetricsFormat format)
{
  MetricsText *self = g_new0 (MetricsText, 1);

  self->format = format;
  self->out = g_string_sized_new (TEXT_SIZE);
  self->family = g_string_new (NULL);
  self->name = g_string_new (NULL);
  return self;
}

GString *
metrics_text_end (MetricsText *self)
{
  GString *out = self->out;

  if (self->format == METRICS_FORMAT_OPEN)
    g_string_append (out, "# EOF\n");
  g_string_free (self->family, TRUE);
  g_string_free (self->name, TRUE);
  g_free (self);
  return out;
}

void
metrics_text_append_escaped (GString *out, const char *value)
{
  for (const char *p = value; *p != '\0'; p++)
    {
      if (*p == '\\' || *p == '"')
        g_string_append_c (out, '\\');
      if (*p == '\n')
        g_string_append (out, "\\n");
      else
        g_string_append_c (out, *p);
    }
}

/* A scraper gives every series a label `instance` of its own. */
static const char *
metrics_text_label_name (const char *name)
{
  return strcmp (name, "instance") == 0 ? "plugin_instance" : name;
}

/* Name, ending and labels; @le: (nullable): one label more. */
static void
metrics_text_begin_line (MetricsText *self, const DetourMetric *metric, const char *ending,
                         const char *le)
{
  g_string_append_len (self->out, self->name->str, (gssize) self->name->len);
  g_string_append (self->out, ending);
  for (guint i = 0; i < metric->n_labels; i++)
    {
      g_string_append_c (self->out, i == 0 ? '{' : ',');
      g_string_append (self->out, metrics_text_label_name (metric->labels[i].name));
      g_string_append (self->out, "=\"");
      metrics_text_append_escaped (self->out, metric->labels[i].value);
      g_string_append_c (self->out, '"');
    }
  if (le != NULL)
    g_string_append_printf (self->out, "%cle=\"%s\"", metric->n_labels == 0 ? '{' : ',', le);
  if (le != NULL || metric->n_labels > 0)
    g_string_append_c (self->out, '}');
  g_string_append_c (self->out, ' ');
}

static const char *
metrics_text_type (const DetourMetric *metric)
{
  static const char *const words[] = {
    [DETOUR_METRIC_COUNTER] = "counter",
    [DETOUR_METRIC_GAUGE] = "gauge",
    [DETOUR_METRIC_HISTOGRAM] = "histogram",
  };

  return words[metric->type];
}

/* OpenMetrics names a counter without `_total` wherever it is not a sample. */
static void
metrics_text_begin_family (MetricsText *self, const DetourMetric *metric)
{
  gboolean open = self->format == METRICS_FORMAT_OPEN;
  const char *ending = metric->type == DETOUR_METRIC_COUNTER && !open ? "_total" : "";
  const char *unit = metrics_name_unit_word (metrics_name_unit (metric));

  g_string_assign (self->family, self->name->str);
  g_string_append_printf (self->out, "# HELP %s%s ", self->name->str, ending);
  metrics_text_append_escaped (self->out, metric->help);
  g_string_append_printf (self->out, "\n# TYPE %s%s %s\n", self->name->str, ending,
                          metrics_text_type (metric));
  if (open && unit != NULL)
    g_string_append_printf (self->out, "# UNIT %s %s\n", self->name->str, unit);
}

static void
metrics_text_add_histogram (MetricsText *self, const DetourMetric *metric)
{
  const DetourMetricHistogram *histogram = &metric->histogram;
  MetricsUnit unit = metrics_name_unit (metric);
  g_autoptr (GString) bound = g_string_new (NULL);
  guint64 sum = 0;

  for (guint i = 0; i < histogram->n_bounds; i++)
    {
      sum += histogram->counts[i];
      g_string_truncate (bound, 0);
      metrics_name_append_value (bound, unit, histogram->bounds[i]);
      /* In OpenMetrics a bound is always written as a fraction. */
      if (self->format == METRICS_FORMAT_OPEN && strchr (bound->str, '.') == NULL)
        g_string_append (bound, ".0");
      metrics_text_begin_line (self, metric, "_bucket", bound->str);
      g_string_append_printf (self->out, "%" G_GUINT64_FORMAT "\n", sum);
    }
  metrics_text_begin_line (self, metric, "_bucket", "+Inf");
  g_string_append_printf (self->out, "%" G_GUINT64_FORMAT "\n",
                          sum + histogram->counts[histogram->n_bounds]);
  metrics_text_begin_line (self, metric, "_sum", NULL);
  metrics_name_append_value (self->out, unit, histogram->sum);
  g_string_append_c (self->out, '\n');
  metrics_text_begin_line (self, metric, "_count", NULL);
  g_string_append_printf (self->out, "%" G_GUINT64_FORMAT "\n",
                          sum + histogram->counts[histogram->n_bounds]);
}

void
metrics_text_add (const DetourMetric *metric, gpointer text)
{
  MetricsText *self = text;

  g_string_truncate (self->name, 0);
  metrics_name_append (self->name, metric);
  if (!g_string_equal (self->name, self->family))
    metrics_text_begin_family (self, metric);
  if (metric->type == DETOUR_METRIC_HISTOGRAM)
    {
      metrics_text_add_histogram (self, metric);
      return;
    }
  metrics_text_begin_line (self, metric, metric->type == DETOUR_METRIC_COUNTER ? "_total" : "",
                           NULL);
  metrics_name_append_value (self->out, metrics_name_unit (metric), metric->value);
  g_string_append_c (self->out, '\n');
}
