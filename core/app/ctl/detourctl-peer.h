/* detourctl-peer.h: what a daemon says of another server of the region, for people.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-json.h"

G_BEGIN_DECLS

/* @peer: properties of the interface Peer. "up", "waiting" and their like; static. */
const char *detourctl_peer_state (GVariant *peer);

/* Packets that were not passed on over the link. */
guint64 detourctl_peer_dropped (GVariant *peer);

/* Why there is no link, and when it is tried again; free with g_free(). NULL: there is one, or
 * nothing is known yet. */
char *detourctl_peer_describe_fault (GVariant *peer, gint64 now_us);

/* Whether it takes packets from here, and has had no link back for a while: a minute after the one
 * from here was made. */
gboolean detourctl_peer_lacks_way_back (GVariant *peer, gint64 now_us);

/* All links of the relay. */
typedef struct {
  gboolean is_running; /* service-mesh */
  guint n_peers;       /* that are configured, without the relay itself */
  guint n_up;          /* of them with a link */
  guint64 n_keys;      /* behind these links */
} DetourctlPeers;

/* @objects: a{oa{sa{sv}}} */
DetourctlPeers detourctl_peers_count (GVariant *objects);
/* "1 of 2 peers linked, 12 keys behind the links"; free with g_free(). */
char *detourctl_peers_describe (const DetourctlPeers *peers);
/* As a member "mesh"; null while service-mesh does not run. */
void detourctl_peers_write (DetourctlJson *json, const DetourctlPeers *peers);

G_END_DECLS
