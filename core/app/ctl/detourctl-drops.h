/* detourctl-drops.h: why packets were not relayed, out of the daemon's counters.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *reason; /* "unknown_dest" */
  guint64 n_packets;
} DetourctlDrop;

/* Pure. @counters: a(sa{ss}ts), as GetCounters() gives them. Of DetourctlDrop, the most frequent
 * first, without those that are zero. */
GPtrArray *detourctl_drops (GVariant *counters);

/* "1,204 to slow readers, 2 to clients that left"; translated. */
char *detourctl_drops_describe (const GPtrArray *drops);

G_END_DECLS
