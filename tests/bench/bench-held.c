/* bench-held.c: clients that the server refuses and holds: their login gets no answer, and their
 * connection stays.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-held.h"

#define BENCH_HELD_TURN_NS  G_GINT64_CONSTANT (10000000)
#define BENCH_HELD_LEAST_US (60 * G_USEC_PER_SEC)

gboolean
bench_held_init (BenchHeld *self, BenchTarget *target, guint first, guint n, GError **error)
{
  *self = (BenchHeld) { .since_us = 0 };
  if (n == 0 || bench_crowd_init (&self->crowd, target, first, n, n, error))
    return TRUE;
  self->crowd.n = 0; /* nothing to clear */
  return FALSE;
}

static gboolean
bench_held_all_wait (const BenchHeld *self)
{
  for (guint i = 0; i < self->crowd.n; i++)
    if (self->crowd.clients[i].state != BENCH_CLIENT_LOGIN)
      return FALSE;
  return TRUE;
}

gboolean
bench_held_open (BenchHeld *self, gint64 timeout_us, GError **error)
{
  BenchCrowd *crowd = &self->crowd;
  gint64 limit_us = g_get_monotonic_time () + timeout_us;

  for (guint i = 0; i < crowd->n; i++)
    bench_crowd_want (crowd, i);
  while (!bench_held_all_wait (self) && crowd->n_open == 0 && crowd->n_retries == 0
         && g_get_monotonic_time () < limit_us)
    bench_crowd_turn (crowd, BENCH_HELD_TURN_NS);
  self->since_us = g_get_monotonic_time ();
  if (bench_held_all_wait (self))
    return TRUE;
  g_set_error (error, BENCH_ERROR, BENCH_ERROR_SERVER,
               "the server does not hold %u clients more: %u were let in, %u closed; see "
               "[class NAME] connections",
               crowd->n, crowd->n_open, crowd->n_retries);
  return FALSE;
}

/* Not bench_crowd_turn(), which has no patience with a login that takes long. */
void
bench_held_turn (BenchHeld *self)
{
  if (self->crowd.n > 0)
    bench_loop_turn (&self->crowd.loop, 0);
  if (self->crowd.n_retries > 0 && self->first_closed_us == 0)
    self->first_closed_us = g_get_monotonic_time ();
}

gboolean
bench_held_report (const BenchHeld *self, BenchReport *report)
{
  const BenchCrowd *crowd = &self->crowd;
  gint64 least_us = self->first_closed_us - self->since_us;
  gboolean is_closed = self->first_closed_us != 0;

  if (crowd->n == 0)
    return TRUE;
  bench_report_count (report, "held", crowd->n);
  bench_report_count (report, "held_let_in", crowd->n_logins);
  bench_report_count (report, "held_closed_by_server", crowd->n_retries + crowd->n_closed);
  if (is_closed)
    bench_report_number (report, "held_least_s", (double) least_us / G_USEC_PER_SEC);
  return crowd->n_logins == 0 && (!is_closed || least_us >= BENCH_HELD_LEAST_US);
}

void
bench_held_clear (BenchHeld *self)
{
  if (self->crowd.n > 0)
    bench_crowd_clear (&self->crowd);
}
