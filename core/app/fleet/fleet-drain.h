/* fleet-drain.h: drains a relay of a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-link.h"

G_BEGIN_DECLS

/* DrainProgress, a{sv}, which is empty when it does not drain; NULL with @error, which names the
 * relay. */
GVariant *fleet_drain_progress (const FleetRelay *relay, gint64 limit_ms, GError **error);

/* Within its own drain-time. FALSE with @error, which names the relay. */
gboolean fleet_drain_begin (const FleetRelay *relay, gint64 limit_ms, GError **error);
/* It serves clients again. */
gboolean fleet_drain_cancel (const FleetRelay *relay, gint64 limit_ms, GError **error);

G_END_DECLS
