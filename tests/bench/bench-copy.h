/* bench-copy.h: a relay that only copies bytes between pairs of connections: the least that any
 * relay costs.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * bench_copy_start:
 * @port: (out): where it listens, on 127.0.0.1
 * @cpu: the processor that it runs on; -1: those that we may run on
 *
 * Starts it as a process of its own, so that its time can be told from ours. A connection sends its
 * number in four bytes, then what it wants; that goes to the one whose number differs in the lowest
 * bit.
 *
 * Returns: its process, or -1 with errno. It ends with bench_copy_stop(), or with us.
 */
pid_t bench_copy_start (guint16 *port, int cpu);
void bench_copy_stop (pid_t pid);

G_END_DECLS
