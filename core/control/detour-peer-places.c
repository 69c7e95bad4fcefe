/* detour-peer-places.c: who may be on the control socket at a time, and who gives way to whom.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-peer-places.h"

typedef enum {
  AMONG_ALL,
  AMONG_OTHERS, /* without rights */
  AMONG_USER,
} Among;

static gboolean
peer_places_is_among (const DetourPeerPlace *place, Among among, uid_t uid)
{
  switch (among)
    {
    case AMONG_OTHERS:
      return !place->may_change;
    case AMONG_USER:
      return !place->may_change && place->uid == uid;
    case AMONG_ALL:
    default:
      return TRUE;
    }
}

static guint
peer_places_count (const DetourPeerPlace *places, guint n, Among among, uid_t uid)
{
  guint count = 0;

  for (guint i = 0; i < n; i++)
    if (peer_places_is_among (&places[i], among, uid))
      count++;
  return count;
}

/* Index of the one that has been quiet longest; @n when nobody was for long enough. */
static guint
peer_places_find_quietest (const DetourPeerPlace *places, guint n, Among among, uid_t uid,
                           gint64 now_us)
{
  guint found = n;

  for (guint i = 0; i < n; i++)
    if (peer_places_is_among (&places[i], among, uid)
        && now_us - places[i].active_us >= DETOUR_PEER_GIVES_WAY_US
        && (found == n || places[i].active_us < places[found].active_us))
      found = i;
  return found;
}

DetourPlaceResult
detour_peer_places_find (const DetourPeerPlace *places, guint n, uid_t uid, gboolean may_change,
                         gint64 now_us, guint *leaving)
{
  Among among = may_change ? AMONG_ALL : AMONG_OTHERS;

  if (!may_change && peer_places_count (places, n, AMONG_USER, uid) >= DETOUR_PEERS_MAX_FOR_USER)
    among = AMONG_USER;
  else if (n < DETOUR_PEERS_MAX
           && (may_change
               || peer_places_count (places, n, AMONG_OTHERS, uid)
                      < DETOUR_PEERS_MAX - DETOUR_PEERS_KEPT))
    return DETOUR_PLACE_FREE;
  *leaving = peer_places_find_quietest (places, n, among, uid, now_us);
  return *leaving < n ? DETOUR_PLACE_TAKE : DETOUR_PLACE_NONE;
}
