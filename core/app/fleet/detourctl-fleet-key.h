/* detourctl-fleet-key.h: a key of which the first digits are known, on all relays of a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-fleet.h"

G_BEGIN_DECLS

/* The whole key that some relay knows by its first digits: of a client, or @of_bans of a ban, too.
 * NULL after a message, with @exit. */
char *detourctl_fleet_find_key (const Detourctl *ctl, const Fleet *fleet, const FleetState *state,
                                const char *text, gboolean of_bans, DetourctlExit *exit);

G_END_DECLS
