/* detour-control-socket.h: the Unix socket on which detourctl finds the daemon, peer to peer, with
 * no bus between.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It accepts connections itself, because GDBusServer takes as many as come and gives each a thread
 * until it has authenticated. Who may have how many is in detour-peer-places.h, what one may hold
 * is in detour-peer.h and detour-peer-stream.h. */
#pragma once

#include "detour-descriptors.h"
#include "detour-tree.h"

G_BEGIN_DECLS

#define DETOUR_NO_GROUP ((gid_t) -1)

typedef struct _DetourControlSocket DetourControlSocket;

/**
 * detour_control_socket_new:
 * @path: of the socket; its directory is made when missing, and a socket that nobody answers on is
 * replaced
 * @gid: group whose members may connect, to read; DETOUR_NO_GROUP: only root and the daemon's own
 * user may connect
 * @tree: served to every peer
 * @descriptors: lends one when there is none left for a new connection; borrowed
 */
DetourControlSocket *detour_control_socket_new (const char *path, gid_t gid, DetourTree *tree,
                                                DetourDescriptors *descriptors, GError **error);
/* Closes all connections and removes the socket. */
void detour_control_socket_free (DetourControlSocket *self);

const char *detour_control_socket_path (const DetourControlSocket *self);
/* Connections, those that have not authenticated yet included. */
guint detour_control_socket_n_peers (const DetourControlSocket *self);

G_END_DECLS
