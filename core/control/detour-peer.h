/* detour-peer.h: one peer of the control socket, from the moment it was accepted to its end.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It authenticates within a limit, and GDBus hears of it only then. Main thread. */
#pragma once

#include "detour-peer-places.h"
#include "detour-peer-stream.h"
#include "detour-tree.h"

G_BEGIN_DECLS

/* From the accept to the end of the authentication. */
#define DETOUR_PEER_AUTH_US (5 * G_USEC_PER_SEC)
/* A peer that takes longer for a message that was sent to it is closed. */
#define DETOUR_PEER_TAKES_US (10 * G_USEC_PER_SEC)
/* So is one that calls nothing for so long and did not ask for signals with AddMatch. */
#define DETOUR_PEER_IDLE_US (10 * 60 * G_USEC_PER_SEC)
/* Messages that may wait for a peer: one answer, and signals. */
#define DETOUR_PEER_WAITING_MAX 256u

typedef struct _DetourPeer DetourPeer;

/* It is gone; the receiver frees it. @fault: what it did wrong; NULL: it left. */
typedef void (*DetourPeerGone) (DetourPeer *peer, const char *fault, gpointer user);

/**
 * detour_peer_new:
 * @fd: taken
 * @uid: of the peer, as the kernel says
 * @may_change: root, or the daemon's own user
 * @guid, @turns: of the socket; borrowed
 * @tree: served to it once it has authenticated
 */
DetourPeer *detour_peer_new (int fd, uid_t uid, gboolean may_change, const char *guid,
                             DetourPeerTurns *turns, DetourTree *tree, DetourPeerGone gone,
                             gpointer user);
/* One within this process, which has nothing to authenticate and may read only; NULL with @error
 * set, and then @fd is closed. */
DetourPeer *detour_peer_new_inside (int fd, DetourPeerTurns *turns, DetourTree *tree,
                                    DetourPeerGone gone, gpointer user, GError **error);
/* Closes it. */
void detour_peer_free (DetourPeer *self);

/* Its place, with the time of its last call. */
DetourPeerPlace detour_peer_place (DetourPeer *self, gint64 now_us);

/* Which limit it has passed; NULL: none. To be asked once a second. */
const char *detour_peer_check (DetourPeer *self, gint64 now_us);

G_END_DECLS
