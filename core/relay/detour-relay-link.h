/* detour-relay-link.h: links to other relays of the mesh, as a worker's protocol engine sees them.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A link is a connection that this relay made: there it is the client. It has a slot and a handle
 * like a client, and packets for keys behind it wait in a queue like a client's; but it is in no
 * table of keys, its frames are those that servers send, and nobody is told of it. */
#pragma once

#include "detour-relay.h"

G_BEGIN_DECLS

/* Written by the worker, read by everyone. */
typedef struct {
  DetourCounter keys; /* that are behind it now */
  DetourCounter told; /* how often somebody was said to be there, this relay included */
  DetourCounter packets, bytes;
  DetourCounter packets_dropped[DETOUR_N_DROPS];
} DetourRelayLinkCounters;

/* Of its owner. All zero to begin with, with the key of the other relay in `peer`. */
typedef struct {
  DetourPeer peer; /* what the client of a link has as its peer; in no table */
  gint64 heard_us; /* when the other relay said something last */
  DetourRelayLinkCounters counters;
} DetourRelayLink;

static inline DetourRelayLink *
detour_relay_link_of (const DetourClient *client)
{
  return (DetourRelayLink *) (gpointer) client->peer;
}

/* In place of detour_relay_join(). */
void detour_relay_join_link (DetourRelay *self, DetourClient *client, DetourRelayLink *link,
                             DetourHandle handle);
/* As if the other relay had said that these are there, and @preferred before others; both
 * (nullable) of DetourKey. */
void detour_relay_restore_link (DetourRelay *self, DetourClient *client, const GArray *keys,
                                const GArray *preferred);
/* It has none any more, and nobody is told. Returns: (transfer full): of DetourKey. */
GArray *detour_relay_detach_link (DetourRelay *self, DetourClient *client);

/* Of detour_relay_leave() and detour_relay_input(). */
void detour_relay_leave_link (DetourRelay *self, DetourClient *client);
DetourInput detour_relay_link_input (DetourRelay *self, DetourClient *client, guint8 *data,
                                     gsize len, gsize *used, DetourClose *why)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
