/* fleet-ask.h: asks relays of a fleet the same, several at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-link.h"

G_BEGIN_DECLS

typedef struct {
  const FleetRelay *relay;
  gpointer result; /* NULL: it has none, for the reason in @problem */
  char *problem;   /* translated, where it is ours */
} FleetAnswer;

/* On a thread of its own. Returns: NULL with @error set. */
typedef gpointer (*FleetAskFunc) (FleetLink *link, gpointer user, GError **error);

/**
 * fleet_ask:
 * @names: (nullable): of relays; NULL or empty: all of them. All have to be there.
 * @limit_ms: for each relay
 * @user: read by all threads at once
 *
 * Waits for all. Returns: array of FleetAnswer, in the order of the inventory
 */
GPtrArray *fleet_ask (const Fleet *fleet, char **names, gint64 limit_ms, FleetAskFunc ask,
                      gpointer user, GDestroyNotify free_result);

/* How many have no result. */
guint fleet_ask_count_silent (const GPtrArray *answers);

G_END_DECLS
