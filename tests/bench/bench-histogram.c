/* bench-histogram.c: how long packets took, to about two per cent.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-histogram.h"

static guint
bench_histogram_slot (guint64 value)
{
  guint bits;

  if (value < 64)
    return (guint) value;
  bits = 63u - (guint) __builtin_clzll (value);
  return 64u + (bits - 6u) * BENCH_HISTOGRAM_STEPS + (guint) (value >> (bits - 5u))
       - BENCH_HISTOGRAM_STEPS;
}

/* The highest value of a slot. */
static guint64
bench_histogram_value (guint slot)
{
  guint bits, step;

  if (slot < 64)
    return slot;
  bits = (slot - 64u) / BENCH_HISTOGRAM_STEPS + 6u;
  step = (slot - 64u) % BENCH_HISTOGRAM_STEPS + BENCH_HISTOGRAM_STEPS;
  return ((guint64) (step + 1) << (bits - 5u)) - 1u;
}

void
bench_histogram_add (BenchHistogram *self, guint64 value)
{
  self->total++;
  self->max = MAX (self->max, value);
  self->counts[bench_histogram_slot (value)]++;
}

void
bench_histogram_merge (BenchHistogram *self, const BenchHistogram *other)
{
  self->total += other->total;
  self->max = MAX (self->max, other->max);
  for (guint i = 0; i < BENCH_HISTOGRAM_SIZE; i++)
    self->counts[i] += other->counts[i];
}

guint64
bench_histogram_at (const BenchHistogram *self, double share)
{
  guint64 rank = (guint64) (share * (double) self->total);
  guint64 seen = 0;

  for (guint i = 0; i < BENCH_HISTOGRAM_SIZE; i++)
    {
      seen += self->counts[i];
      if (seen > rank)
        return MIN (bench_histogram_value (i), self->max);
    }
  return self->max;
}
