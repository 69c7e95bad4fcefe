/* fleet-link.h: the control connection to one relay of a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One thread at a time. A program carries it, `detourctl bridge` at the other end. */
#pragma once

#include "detourctl.h"
#include "fleet-inventory.h"

G_BEGIN_DECLS

typedef struct _FleetLink FleetLink;

/**
 * fleet_link_open:
 * @limit_ms: how long all calls together may take from now on; 0: for ever
 *
 * Starts the program. Whether a daemon answers is seen by the first call.
 */
FleetLink *fleet_link_open (const FleetRelay *relay, gint64 limit_ms, GError **error);
void fleet_link_close (FleetLink *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FleetLink, fleet_link_close)

const FleetRelay *fleet_link_relay (const FleetLink *self);

/* As detourctl_call(), but nothing is said: @error has what the daemon or the program says. */
GVariant *fleet_link_call (FleetLink *self, const char *path, const char *interface,
                           const char *method, GVariant *arguments, const char *reply,
                           GError **error);
/* Name of the daemon's error that the last call had; NULL: it had none. */
const char *fleet_link_fault (const FleetLink *self);
/* All properties of the Manager, a{sv}; all objects, a{oa{sa{sv}}}. */
GVariant *fleet_link_manager (FleetLink *self, GError **error);
GVariant *fleet_link_objects (FleetLink *self, GError **error);

G_END_DECLS
