/* detour-server-presence.c: tells workers who comes and goes, and which keys are contested.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

#include "detour-address.h"
#include "detour-events.h"

/* Called with the registry's lock held, from any worker. */
static void
server_presence_on_joined (const DetourSpace *space, const DetourPeer *peer, DetourHandle handle,
                           const DetourPresence *presence, gpointer user)
{
  DetourServer *self = user;
  guint n = atomic_load_explicit (&peer->n_conns, memory_order_relaxed);
  char address[DETOUR_ADDRESS_TEXT_MAX];

  if (n > 1)
    detour_events_note (DETOUR_EVENT_DUPLICATE, &peer->key,
                        detour_address_format_bytes (presence->ip, presence->port, address), NULL,
                        "its key has %u connections now", n);
  /* Watchers are mesh connections, which are in the common space. */
  if (!detour_registry_is_common (space))
    return;
  for (guint i = 0; i < self->n_workers; i++)
    if (detour_worker_has_watchers (self->workers[i]))
      detour_worker_peer_present (self->workers[i], &peer->key, presence);
}

static void
server_presence_on_gone (const DetourSpace *space, const DetourGone *gone, guint n, guint from,
                         gpointer user)
{
  DetourServer *self = user;

  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_peers_gone (self->workers[i], space, gone, n, from);
}

static void
server_presence_on_contested (DetourHandle handle, bool is_contested, gpointer user)
{
  DetourServer *self = user;

  detour_worker_set_health (self->workers[DETOUR_HANDLE_WORKER (handle)], handle,
                            DETOUR_HEALTH_DUPLICATE, is_contested);
}

DetourRegistryObserver
detour_server_observe_registry (DetourServer *self)
{
  return (DetourRegistryObserver) { server_presence_on_joined, server_presence_on_gone,
                                    server_presence_on_contested, self };
}
