/* fleet-bans.h: what is banned on which relays of a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-ask.h"

G_BEGIN_DECLS

/* Of one relay. */
typedef struct {
  const FleetRelay *relay;
  guint64 since_us, until_us; /* Unix time; until 0: it is lifted */
  guint64 refused;
  const char *reason; /* borrowed from the answers */
} FleetBanPart;

typedef struct {
  const char *target; /* key or network; borrowed from the answers */
  GArray *parts;      /* of FleetBanPart, in the order of the inventory */
} FleetBan;

/* For fleet_ask(): all rows of ListBans, GPtrArray of a{sv}. */
gpointer fleet_bans_ask (FleetLink *link, gpointer user, GError **error);
void fleet_bans_free (gpointer rows);

/* Array of FleetBan, in the order in which relays have them. Pure. @answers: of FleetAnswer with
 * such rows; they have to live as long */
GPtrArray *fleet_bans_join (const GPtrArray *answers);

/* Whether two relays have banned it in the same way, as one command does: the moments in which they
 * hear of it, and their clocks, differ a little. Pure. */
gboolean fleet_bans_is_same (const FleetBanPart *a, const FleetBanPart *b);

/* NULL: that relay does not have it. Pure. */
const FleetBanPart *fleet_bans_part (const FleetBan *ban, const FleetRelay *relay);

/* The one that lasts longest. Pure. */
const FleetBanPart *fleet_bans_longest (const FleetBan *ban);

G_END_DECLS
