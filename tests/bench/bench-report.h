/* bench-report.h: the numbers of a run, as lines or as one JSON object.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "bench-team.h"

G_BEGIN_DECLS

/* Names end with their unit; order is that of adding. */
typedef JsonObject BenchReport;

BenchReport *bench_report_new (const char *command, const char *url);
void bench_report_text (BenchReport *self, const char *name, const char *value);
void bench_report_count (BenchReport *self, const char *name, guint64 value);
/* Kept to four digits behind the point. */
void bench_report_number (BenchReport *self, const char *name, double value);

/* Offered, delivered, loss and what went wrong. */
void bench_report_counts (BenchReport *self, const char *prefix, const BenchTeamCounts *counts);
/* p50, p99, p99.9 and the longest, in µs. */
void bench_report_latency (BenchReport *self, const char *prefix, const BenchHistogram *latency);
/* What the server spent between two samples. @n: (what @each counts) or 0. */
void bench_report_server (BenchReport *self, const BenchServer *before, const BenchServer *after,
                          guint64 n, const char *each);

/* Prints it if there is something to tell, and frees it. */
void bench_report_end (BenchReport *self, gboolean done, gboolean json);

G_END_DECLS
