/* mesh.h: what all links of one instance share.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread, all of it. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct {
  DetourHost *host;
  guint8 key[DETOUR_KEY_SIZE]; /* secret */
  GPtrArray *peers;            /* MeshPeer, in the order of the files */
  guint64 last_serial;         /* of a peer */
  GStrv frozen;                /* lines of mesh_peer_freeze() of the program before; NULL: none */
  /* Something that is reported is different now. */
  void (*changed) (gpointer owner);
  gpointer owner;
} Mesh;

G_END_DECLS
