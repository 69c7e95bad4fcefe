/* fleet-status.h: how a relay of a fleet is now.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-ask.h"
#include "fleet-state.h"

G_BEGIN_DECLS

typedef struct {
  GVariant *manager, *objects;  /* a{sv}, a{oa{sa{sv}}} */
  gint64 asked_us, answered_us; /* Unix time here, around the answer with its clock */
} FleetStatus;

/* For fleet_ask(). */
gpointer fleet_status_ask (FleetLink *link, gpointer user, GError **error);
void fleet_status_free (gpointer status);

/* What fleet_check() finds between those that answered. @answers: of FleetAnswer with FleetStatus
 */
GPtrArray *fleet_status_check (const Fleet *fleet, const GPtrArray *answers,
                               const FleetState *state);

G_END_DECLS
