/* metrics-name.h: what a number is called for Prometheus.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Base units, as Prometheus has them. */
typedef enum {
  METRICS_UNIT_NONE,
  METRICS_UNIT_BYTES,
  METRICS_UNIT_SECONDS, /* core counts them in microseconds */
} MetricsUnit;

MetricsUnit metrics_name_unit (const DetourMetric *metric);
/* "bytes"; NULL for none. */
const char *metrics_name_unit_word (MetricsUnit unit);

/* Appends the name without the ending `_total`: `detour_`, the plugin, the words of the name, and
 * the unit as the last word. Of the plugin "" the name is whole already. */
void metrics_name_append (GString *out, const DetourMetric *metric);

/* Appends a value in the base unit. */
void metrics_name_append_value (GString *out, MetricsUnit unit, guint64 value);

G_END_DECLS
