/* bench-load.h: one measured load, for commands that need one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-options.h"
#include "bench-report.h"

G_BEGIN_DECLS

/* Runs the load that @options describe and adds its numbers. @cpu_us: (out): of the server, for a
 * packet. */
gboolean bench_load_run (const BenchOptions *options, BenchTarget *target, BenchReport *report,
                         double *cpu_us, gboolean *wrong, GError **error);

/* Waits, or until the team has sent all that it was to send. */
void bench_load_wait (BenchTeam *team, double seconds);

G_END_DECLS
