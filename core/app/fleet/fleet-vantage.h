/* fleet-vantage.h: what `detourctl probe` sees of a fleet's map from one place: from here, or from
 * the host of a relay.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-document.h"
#include "detourctl-map.h"
#include "fleet-inventory.h"

G_BEGIN_DECLS

typedef struct {
  const FleetRelay *relay; /* NULL: from here */
  DetourctlDocument
      *document; /* of `detourctl probe --json`; NULL: there is none, for the reason in
                    @problem */
  char *problem; /* translated, where it is ours */
} FleetVantage;

/* What is given to `detourctl probe`, beside the map. */
typedef struct {
  char **options; /* from everywhere, NULL-terminated: words without a meaning for any shell */
  char **local_options; /* from here alone, too */
  gint64 limit_ms;      /* for each place; 0: none */
} FleetVantageSetup;

/**
 * fleet_vantage_look:
 * @relays: of FleetRelay, from whose hosts is looked, too
 *
 * From here at all of @map; from the host of a relay at all nodes but its own, whose public address
 * a host often cannot reach. Several places at once; waits for all.
 *
 * Returns: array of FleetVantage; the first is from here
 */
GPtrArray *fleet_vantage_look (const Fleet *fleet, const GPtrArray *relays, const DetourctlMap *map,
                               const FleetVantageSetup *setup);

/* Checks of a vantage; NULL: it has none. */
const DetourctlValue *fleet_vantage_checks (const FleetVantage *self);
/* Text of a member of a check; "" when there is none. */
const char *fleet_vantage_text (const DetourctlValue *check, const char *name);

G_END_DECLS
