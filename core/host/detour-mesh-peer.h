/* detour-mesh-peer.h: the [peer NAME] groups of a configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is done with them is the business of the plugin whose descriptor has peers(). */
#pragma once

#include "detour-key.h"
#include "detour-schema.h"
#include "detour-settings.h"

G_BEGIN_DECLS

/* A host and a port as they are written together. */
typedef struct {
  char *host; /* without brackets; NULL: the text is neither a name nor an address */
  guint port; /* 0: none stands there */
} DetourMeshTarget;

/* One group. */
typedef struct {
  DetourMeshPeer peer;      /* its texts belong to the group */
  DetourSettings *settings; /* of detour_schema_peer */
  DetourMeshPeerOptions options;
  DetourMeshTarget host;
  DetourMeshTarget address;
  DetourKey server_key;
} DetourMeshPeerGroup;

#define DETOUR_MESH_PORT 443u

/* @settings: handed over. Takes whatever there is; detour_config_check_peers() judges it. */
DetourMeshPeerGroup *detour_mesh_peer_group_new (const char *name, DetourSettings *settings);
void detour_mesh_peer_group_free (gpointer self);

/* What a pin begins with. */
#define DETOUR_MESH_PIN_CERT "sha256-raw:"
#define DETOUR_MESH_PIN_KEY  "nodekey:"

/* Whether @pin is of one of these kinds, with 64 hex digits. Pure. */
gboolean detour_mesh_peer_pin_is_valid (const char *pin);

/* The peers of the groups for DetourPlugin.peers: DetourMeshPeer, borrowed from @groups, which are
 * DetourMeshPeerGroup. Free with g_ptr_array_unref(). */
GPtrArray *detour_mesh_peers (const GPtrArray *groups);

G_END_DECLS
