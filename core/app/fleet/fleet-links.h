/* fleet-links.h: whether a relay of a fleet is linked with those that serve its region.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-state.h"
#include "fleet-status.h"

G_BEGIN_DECLS

/* What is missing, and what helps, free with g_free(); NULL: nothing. */
char *fleet_links_look (const Fleet *fleet, const FleetRelay *relay, const FleetState *state,
                        gint64 limit_ms);

G_END_DECLS
