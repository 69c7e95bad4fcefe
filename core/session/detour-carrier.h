/* detour-carrier.h: one worker and the registered connections that it carries.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Joins the network and the protocol: bytes are read, opened and given to the relay; what the relay hands out is sealed
 * and sent, one send for each destination and round. Packets for a client of another carrier go through a ring that
 * the two share.
 */
#pragma once

#include <glib.h>

#include "detour-crossing.h"
#include "detour-relay.h"
#include "detour-session.h"
#include "detour-worker.h"

G_BEGIN_DECLS

typedef struct _DetourCarrier DetourCarrier;

/* Of all carriers; a copy is kept by each. */
typedef struct {
  DetourRelayLimits relay;
  gint64 write_timeout_us; /* 0: none; a mesh connection has 30 s */
  gint64 keep_alive_us;    /* between two keep-alives, without their jitter */
} DetourCarrierLimits;

/* Read by anyone. */
typedef struct {
  DetourCounter joined;
  DetourCounter closed[DETOUR_N_CLOSES];
  DetourCounter rounds, reads, sends;
} DetourCarrierCounters;

/* Main thread. This is number @index of those that share @crossing and @registry; connections that end leave @sources. */
DetourCarrier *detour_carrier_new (guint index, DetourCrossing *crossing, DetourRegistry *registry, DetourSources *sources,
                                   const DetourKey *server_key, const DetourCarrierLimits *limits, GError **error);
/* Closes every connection and takes no more. Main thread. */
void detour_carrier_stop (DetourCarrier *self);
/* Ends the thread. Carriers read each other's rings, so all are joined before the first is freed. Main thread. */
void detour_carrier_join (DetourCarrier *self);
/* Main thread. */
void detour_carrier_free (DetourCarrier *self);

/* The functions below may be called from any thread. */

/* Takes over @session; it is reachable under its key soon after. */
void detour_carrier_adopt (DetourCarrier *self, DetourSession *session);
void detour_carrier_set_limits (DetourCarrier *self, const DetourCarrierLimits *limits);
/* Nothing happens when the connection is gone already. */
void detour_carrier_close (DetourCarrier *self, DetourHandle handle, DetourClose reason);
/* Tells who received from the key that it has left the region, and every mesh watcher. */
void detour_carrier_peer_gone (DetourCarrier *self, const DetourPeer *peer);
/* Tells every mesh watcher of a connection. */
void detour_carrier_peer_present (DetourCarrier *self, const DetourKey *key, const DetourPresence *presence);
/* Whether a mesh watcher is among its clients. */
gboolean detour_carrier_has_watchers (const DetourCarrier *self);

guint detour_carrier_n_conns (const DetourCarrier *self);
const DetourRelayCounters *detour_carrier_relay_counters (const DetourCarrier *self);
const DetourCarrierCounters *detour_carrier_counters (const DetourCarrier *self);
DetourWorker *detour_carrier_worker (const DetourCarrier *self);

G_END_DECLS
