/* detour-totals.h: sums of what the threads of the relay count each for itself.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-server.h"

G_BEGIN_DECLS

/* Since the start of the daemon; packets of clients, without what the protocol adds. */
typedef struct {
  guint64 joined, left; /* connections */
  guint64 refused;
  guint64 packets_received, bytes_received;
  guint64 packets_sent, bytes_sent;
  guint64 packets_dropped;
  guint64 packets_dropped_slow; /* because their receiver did not read */
} DetourTotals;

/* Reads counters; waits for nobody. */
void detour_totals_read (DetourTotals *self, const DetourServer *server);

/* @label_name and @label are NULL for a number that stands alone; @label2_name and @label2
 * likewise. */
typedef void (*DetourTotalsFunc) (const char *name, const char *label_name, const char *label,
                                  const char *label2_name, const char *label2, guint64 value,
                                  const char *help, gpointer user);
/* Every number that core counts. Main thread. */
void detour_totals_each (const DetourServer *server, DetourTotalsFunc func, gpointer user);

G_END_DECLS
