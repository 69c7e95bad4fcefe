/* detour-handshake-yield.c: threads that shake hands leave the processor to workers that wait for
 * it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-pool-private.h"

#include <time.h>

/* So often workers are looked at. The kernel interrupts a nice thread at once for most wake-ups,
 * but not for one that comes within a moment of the last, and then not for 4 ms. A look costs one
 * system call for each worker that sleeps, hence fewer looks where there are many. */
#define LOOK_US          (G_USEC_PER_SEC / 20000)
#define WORKERS_A_PERIOD 4
#define NAP_NS           (50 * 1000)
#define OWED_MAX_US      (G_USEC_PER_SEC / 5000)

static gboolean
handshake_yield_worker_waits (const DetourHandshakePool *self)
{
  for (guint i = 0; i < self->parts.n_workers; i++)
    if (detour_loop_waits_to_run (detour_worker_loop (self->parts.workers[i])))
      return TRUE;
  return FALSE;
}

void
detour_handshake_pool_give_way (DetourHandshakeThread *self)
{
  gint64 now_us = g_get_monotonic_time ();

  /* The loop may run before detour_loop_new() has returned it. */
  if (__atomic_load_n (&self->loop, __ATOMIC_RELAXED) == NULL)
    return;
  if (now_us - self->gave_way_us < LOOK_US * (1 + self->pool->parts.n_workers / WORKERS_A_PERIOD))
    return;
  self->gave_way_us = now_us;
  if (!handshake_yield_worker_waits (self->pool))
    return;
  clock_nanosleep (CLOCK_MONOTONIC, 0, &(struct timespec) { .tv_nsec = NAP_NS }, NULL);
  /* Another thread may have kept the processor for longer than the nap. Handshakes then have it for
   * as long before they give way again, up to a limit. */
  self->gave_way_us = g_get_monotonic_time ();
  self->gave_way_us += MIN (self->gave_way_us - now_us, OWED_MAX_US);
}
