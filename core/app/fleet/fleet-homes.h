/* fleet-homes.h: how many clients have a relay of a fleet as their home.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-link.h"

G_BEGIN_DECLS

/* @limit_ms: of all questions together. FALSE with @error. */
gboolean fleet_homes_count (const FleetRelay *relay, gint64 limit_ms, guint *n_homes,
                            GError **error);

G_END_DECLS
