/* detour-inner-peers.h: connections to the objects of the daemon from within it, for plugins that
 * show them.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * They go through the same stream, limits and turns as those of the control socket, so a plugin
 * that asks much delays nobody more than a peer of that socket could. They may read only. */
#pragma once

#include "detour-tree.h"

G_BEGIN_DECLS

/* Connections at a time. */
#define DETOUR_INNER_PEERS_MAX 8u

typedef struct _DetourInnerPeers DetourInnerPeers; /* main thread */

/* @tree: borrowed */
DetourInnerPeers *detour_inner_peers_new (DetourTree *tree);
/* Closes them. */
void detour_inner_peers_free (DetourInnerPeers *self);

/* A descriptor of the caller's, on which messages begin at once; -1 with @error set. */
int detour_inner_peers_open (DetourInnerPeers *self, GError **error);

G_END_DECLS
