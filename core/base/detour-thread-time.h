/* detour-thread-time.h: how long this thread ran, and how long it could have run and did not.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Microseconds since the thread began. */
typedef struct {
  guint64 cpu_us;  /* on a processor */
  guint64 wait_us; /* ready to run while something else had the processor; 0 where the kernel does
                      not say */
} DetourThreadTime;

/* Of the calling thread. Reads a file of /proc: not for a hot path. */
void detour_thread_time_read (DetourThreadTime *out);

G_END_DECLS
