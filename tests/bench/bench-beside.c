/* bench-beside.c: clients that only wait, beside others that are measured.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-beside.h"

#define BENCH_BESIDE_TURN_NS (100 * G_GINT64_CONSTANT (1000000))

struct _BenchBeside {
  BenchCrowd crowd;
  GThread *thread;
  gboolean is_over; /* atomic */
};

static gpointer
bench_beside_run (gpointer data)
{
  BenchBeside *self = data;

  while (!__atomic_load_n (&self->is_over, __ATOMIC_ACQUIRE))
    bench_crowd_turn (&self->crowd, BENCH_BESIDE_TURN_NS);
  bench_crowd_close (&self->crowd, FALSE);
  return NULL;
}

BenchBeside *
bench_beside_start (BenchTarget *target, guint first, guint n, guint at_once, GError **error)
{
  BenchBeside *self = g_new0 (BenchBeside, 1);

  if (!bench_crowd_init (&self->crowd, target, first, n, at_once, error))
    {
      g_free (self);
      return NULL;
    }
  if (!bench_crowd_open (&self->crowd, 300 * G_USEC_PER_SEC, error))
    {
      bench_crowd_clear (&self->crowd);
      g_free (self);
      return NULL;
    }
  self->thread = g_thread_new ("beside", bench_beside_run, self);
  return self;
}

guint
bench_beside_n_closed (BenchBeside *self)
{
  return __atomic_load_n (&self->crowd.n_closed, __ATOMIC_RELAXED);
}

void
bench_beside_free (BenchBeside *self)
{
  __atomic_store_n (&self->is_over, TRUE, __ATOMIC_RELEASE);
  g_thread_join (self->thread);
  bench_crowd_clear (&self->crowd);
  g_free (self);
}
