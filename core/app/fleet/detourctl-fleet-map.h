/* detourctl-fleet-map.h: the DERP map of a fleet, for the commands that need it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-fleet.h"
#include "fleet-map.h"

G_BEGIN_DECLS

/* Asks all relays; without errors, but perhaps without those that are silent. NULL after a message,
 * with @exit. */
DetourctlMap *detourctl_fleet_map (const Detourctl *self, const Fleet *fleet, gboolean partial,
                                   DetourctlExit *exit);

G_END_DECLS
