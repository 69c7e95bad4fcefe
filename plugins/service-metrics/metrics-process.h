/* metrics-process.h: what the kernel knows of this process, under the names that every client
 * library of Prometheus uses.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Found once. */
typedef struct {
  gint64 start_us; /* Unix time; 0: unknown */
  gint64 boot_us;  /* of the host */
} MetricsProcess;

void metrics_process_init (MetricsProcess *self);

/* Calls @func for each number; their plugin is "", which means that the name is whole. Reads two
 * files of /proc and waits for nobody. */
void metrics_process_each (const MetricsProcess *self, DetourMetricFunc func, gpointer user);

/* Seconds since the process began. */
guint64 metrics_process_uptime_s (const MetricsProcess *self);

G_END_DECLS
