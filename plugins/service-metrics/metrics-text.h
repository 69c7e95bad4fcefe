/* metrics-text.h: numbers in the text forms that Prometheus reads.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef enum {
  METRICS_FORMAT_TEXT, /* version 0.0.4 */
  METRICS_FORMAT_OPEN, /* OpenMetrics 1.0.0 */
  METRICS_N_FORMATS,
} MetricsFormat;

/* @accept: (nullable): the header of a request; whatever it says, one of the two is the answer */
MetricsFormat metrics_text_choose (const char *accept);
const char *metrics_text_content_type (MetricsFormat format);

typedef struct _MetricsText MetricsText;

MetricsText *metrics_text_new (MetricsFormat format);
/* One number more; those of one plugin and name one behind the other. @text is a MetricsText, so
 * that this can be a DetourMetricFunc. */
void metrics_text_add (const DetourMetric *metric, gpointer text);
/* Frees @self; (transfer full): the whole text. */
GString *metrics_text_end (MetricsText *self);

/* Appends @value as the value of a label, without the quotes around it. */
void metrics_text_append_escaped (GString *out, const char *value);

G_END_DECLS
