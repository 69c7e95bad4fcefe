/* metrics-derper.h: the numbers under the names, and in the forms, of derper's /debug/vars and
 * /debug/varz, so that what was made for derper goes on.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What this relay does not measure is left out, instead of being said to be 0. */
#pragma once

#include "metrics-process.h"

G_BEGIN_DECLS

typedef struct _MetricsDerper MetricsDerper;

MetricsDerper *metrics_derper_new (void);
void metrics_derper_free (MetricsDerper *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MetricsDerper, metrics_derper_free)

/* @derper is a MetricsDerper, so that this can be a DetourMetricFunc. */
void metrics_derper_add (const DetourMetric *metric, gpointer derper);

/* (transfer full): one JSON object. */
GString *metrics_derper_vars (const MetricsDerper *self, const MetricsProcess *process);
/* (transfer full): Prometheus' text form. */
GString *metrics_derper_varz (const MetricsDerper *self, const MetricsProcess *process);

G_END_DECLS
