/* detour-mesh-received.h: what came over the connections that other servers of the mesh made here.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each connection counts for itself, as every client's does. They are added up when somebody asks;
 * what a connection had is kept when it ends, for the servers that are known as peers. */
#pragma once

#include "detour-relay.h"

G_BEGIN_DECLS

typedef struct _DetourMeshReceived DetourMeshReceived;

typedef struct {
  guint64 packets, bytes;
} DetourMeshTraffic;

/* @registry: outlives it */
DetourMeshReceived *detour_mesh_received_new (DetourRegistry *registry);
void detour_mesh_received_free (DetourMeshReceived *self);

/* This server is a peer: from now on what its connections had is kept when they end. Any thread. */
void detour_mesh_received_keep (DetourMeshReceived *self, const DetourKey *server);

/* @now: (out): of the connections that are here; @all: (out): of those that were, too. Any thread.
 */
void detour_mesh_received_read (DetourMeshReceived *self, const DetourKey *server,
                                DetourMeshTraffic *now, DetourMeshTraffic *all);

/* In place of detour_relay_leave(), for a client that is of the mesh. Its worker. */
void detour_mesh_received_leave (DetourMeshReceived *self, DetourRelay *relay,
                                 DetourClient *client);

G_END_DECLS
