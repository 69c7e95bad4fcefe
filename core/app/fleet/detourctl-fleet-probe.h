/* detourctl-fleet-probe.h: whether one relay serves clients, for the commands that change it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-fleet-map.h"

G_BEGIN_DECLS

/* Options of `detourctl probe` that these commands have, too. */
extern char *detourctl_fleet_ca;
extern gboolean detourctl_fleet_closed;
#define DETOURCTL_FLEET_PROBE_OPTIONS                                                           \
  { "ca",                                                                                       \
    0,                                                                                          \
    0,                                                                                          \
    G_OPTION_ARG_FILENAME,                                                                      \
    &detourctl_fleet_ca,                                                                        \
    N_ ("Trust the authorities in FILE, and not the system's"),                                 \
    N_ ("FILE") },                                                                              \
  {                                                                                             \
    "closed", 0, 0, G_OPTION_ARG_NONE, &detourctl_fleet_closed,                                 \
        N_ ("The relays admit known keys alone: that ours is refused is as it should be"), NULL \
  }

/* Looks at the node of @relay from here. NULL: all is well; else the first thing that is not. */
char *detourctl_fleet_probe_one (const Detourctl *self, const Fleet *fleet,
                                 const FleetRelay *relay);

G_END_DECLS
