/* detourctl-peer.h: what a daemon says of another server of the region, for people.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @peer: properties of the interface Peer. "up", "waiting" and their like; static. */
const char *detourctl_peer_state (GVariant *peer);

/* Packets that were not passed on over the link. */
guint64 detourctl_peer_dropped (GVariant *peer);

/* Why there is no link, and when it is tried again; free with g_free(). NULL: there is one, or
 * nothing is known yet. */
char *detourctl_peer_describe_fault (GVariant *peer, gint64 now_us);

G_END_DECLS
