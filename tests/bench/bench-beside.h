/* bench-beside.h: clients that only wait, beside others that are measured.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-crowd.h"

G_BEGIN_DECLS

typedef struct _BenchBeside BenchBeside;

/* @first: number of the first client. Returns when all are logged in; they have a thread of their
 * own. */
BenchBeside *bench_beside_start (BenchTarget *target, guint first, guint n, guint at_once,
                                 GError **error);
/* Those that the server has closed. At any time. */
guint bench_beside_n_closed (BenchBeside *self);
void bench_beside_free (BenchBeside *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchBeside, bench_beside_free)

G_END_DECLS
