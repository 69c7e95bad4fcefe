/* mesh-peer.h: one other server of the region, and the link to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread, all of it. */
#pragma once

#include "mesh.h"

G_BEGIN_DECLS

typedef struct _MeshPeer MeshPeer;

/* @configured: copied. It is dialled from the loop. */
MeshPeer *mesh_peer_new (Mesh *mesh, const DetourMeshPeer *configured);
/* Ends its link. */
void mesh_peer_free (gpointer self);

/* Whether it is what @configured says, to the last value. */
gboolean mesh_peer_is (const MeshPeer *self, const DetourMeshPeer *configured);
/* Something is different, so what could not be done may be possible now: tries at once, unless it
 * is up. */
void mesh_peer_try_now (MeshPeer *self);

/* One line about a link that is up, for the program that takes it over; free with g_free(). NULL:
 * there is none. */
char *mesh_peer_freeze (const MeshPeer *self);

/* All borrowed from @self. */
DetourMeshReport mesh_peer_report (const MeshPeer *self);

G_END_DECLS
