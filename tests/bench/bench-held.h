/* bench-held.h: clients that the server refuses and holds: their login gets no answer, and their
 * connection stays.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-crowd.h"
#include "bench-report.h"

G_BEGIN_DECLS

typedef struct {
  BenchCrowd crowd;
  gint64 since_us;        /* all wait for an answer */
  gint64 first_closed_us; /* 0: none was closed */
} BenchHeld;

/* @n: 0: none, and the rest does nothing */
gboolean bench_held_init (BenchHeld *self, BenchTarget *target, guint first, guint n,
                          GError **error);
/* Connects all of them; FALSE when not all wait for an answer in time. */
gboolean bench_held_open (BenchHeld *self, gint64 timeout_us, GError **error);
/* Takes what comes for them. */
void bench_held_turn (BenchHeld *self);
/* FALSE: one was let in, or closed within a minute: a server may hold them no longer. */
gboolean bench_held_report (const BenchHeld *self, BenchReport *report);
void bench_held_clear (BenchHeld *self);

G_END_DECLS
