/* fleet-map.h: one DERP map out of what all relays of a fleet say of themselves.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-map.h"
#include "fleet-facts.h"
#include "fleet-state.h"

G_BEGIN_DECLS

/**
 * fleet_map_build:
 * @answers: of FleetAnswer with FleetFacts; those without a result are left out
 * @state: (nullable): NULL: all relays serve, or are to be looked at as if they did
 *
 * A region whose relays all enter or leave is NoMeasureNoHome; of others only those that serve are
 * in the map. Relays that contradict the inventory or each other become findings, which name both;
 * so does what detourctl_map_check() finds in the map. Pure.
 */
DetourctlMap *fleet_map_build (const Fleet *fleet, const GPtrArray *answers,
                               const FleetState *state);

/* Name of a relay's node in the map; free with g_free(). It does not depend on which relays answer.
 * Pure. */
char *fleet_map_node_name (const Fleet *fleet, const FleetRelay *relay);

G_END_DECLS
