/* detour-peer-places.h: who may be on the control socket at a time, and who gives way to whom.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure: the clock comes from outside. */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Connections in all; users without rights have these but for the ones that are kept for root and
 * the daemon's own user, and one such user has a share of them. */
#define DETOUR_PEERS_MAX          64u
#define DETOUR_PEERS_KEPT         16u
#define DETOUR_PEERS_MAX_FOR_USER 16u

/* A connection that has called nothing for so long gives way when somebody needs its place. */
#define DETOUR_PEER_GIVES_WAY_US (2 * G_USEC_PER_SEC)

/* One connection that there is. */
typedef struct {
  uid_t uid;
  gboolean may_change; /* root, or the daemon's own user */
  gint64 active_us;    /* when it came, or called last */
} DetourPeerPlace;

typedef enum {
  DETOUR_PLACE_FREE,
  DETOUR_PLACE_TAKE, /* once the one that gives way is closed */
  DETOUR_PLACE_NONE,
} DetourPlaceResult;

/**
 * detour_peer_places_find:
 * @places: (array length=n): all connections, those that have not authenticated yet included
 * @leaving: (out): with TAKE, the index of the one that gives way
 */
DetourPlaceResult detour_peer_places_find (const DetourPeerPlace *places, guint n, uid_t uid,
                                           gboolean may_change, gint64 now_us, guint *leaving);

G_END_DECLS
