/* detour-control-socket.h: the Unix socket on which detourctl finds the daemon, peer to peer, with
 * no bus between.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-tree.h"

G_BEGIN_DECLS

typedef struct _DetourControlSocket DetourControlSocket;

/**
 * detour_control_socket_new:
 * @path: of the socket; its directory is made when missing, and a socket that nobody answers on is
 * replaced
 * @tree: served to every peer that the socket's mode lets in
 *
 * The socket has mode 0660.
 */
DetourControlSocket *detour_control_socket_new (const char *path, DetourTree *tree, GError **error);
/* Closes all connections and removes the socket. */
void detour_control_socket_free (DetourControlSocket *self);

const char *detour_control_socket_path (const DetourControlSocket *self);

G_END_DECLS
