/* bench-histogram.h: how long packets took, to about two per cent.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Values below 64 exactly, above in 32 steps for each power of two. */
#define BENCH_HISTOGRAM_STEPS 32u
#define BENCH_HISTOGRAM_SIZE  (64u + 58u * BENCH_HISTOGRAM_STEPS)

typedef struct {
  guint64 total;
  guint64 max;
  guint64 counts[BENCH_HISTOGRAM_SIZE];
} BenchHistogram;

void bench_histogram_add (BenchHistogram *self, guint64 value);
void bench_histogram_merge (BenchHistogram *self, const BenchHistogram *other);
/* The value that @share (0 to 1) of all do not exceed; 0 when there are none. */
guint64 bench_histogram_at (const BenchHistogram *self, double share);

G_END_DECLS
