/* simulate-random.h: numbers that are the same for the same seed on every machine.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <math.h>

G_BEGIN_DECLS

typedef struct {
  guint64 state;
} SimulateRandom;

/* A step of SplitMix64 (Steele, Lea and Flood, 2014). */
static inline guint64
simulate_random_next (SimulateRandom *self)
{
  guint64 z = (self->state += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15));

  z = (z ^ z >> 30) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* 0 to below @n. */
static inline guint
simulate_random_below (SimulateRandom *self, guint n)
{
  return (guint) ((simulate_random_next (self) >> 32) * n >> 32);
}

/* 0 to below 1. */
static inline double
simulate_random_unit (SimulateRandom *self)
{
  return (double) (simulate_random_next (self) >> 11) * 0x1p-53;
}

/* How many of many independent things happened, when @mean are expected. */
static inline guint
simulate_random_count (SimulateRandom *self, double mean)
{
  guint n = 0;

  /* In pieces, since exp() of the whole may be too small for a number. */
  for (double left = mean; left > 0; left -= 16)
    {
      double limit = exp (-MIN (left, 16));

      for (double product = simulate_random_unit (self); product > limit;
           product *= simulate_random_unit (self))
        n++;
    }
  return n;
}

G_END_DECLS
