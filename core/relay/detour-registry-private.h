/* detour-registry-private.h: the inside of the registry, for its two halves, local and remote keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Free of GLib functions, as the registry is. */
#pragma once

#include "detour-peer-table.h"
#include "detour-registry.h"
#include "detour-slab.h"

#include <pthread.h>
#include <stdlib.h>

struct _DetourSpace {
  DetourPeerTable table;
  DetourRegistry *registry;
  gsize n_conns;
  bool is_closed;
  DetourSpace *next;
};

struct _DetourRegistry {
  DetourQsbr *qsbr;
  DetourSpace *common;
  DetourPeerTable remotes; /* keys that are known behind links, read by workers */
  _Atomic guint64 n_remotes;

  _Alignas(64) pthread_mutex_t mutex; /* for all below, and every change of a space */
  DetourSpace *spaces;                /* the common one is the last */
  DetourRegistryObserver observer;
  DetourSlab *peers;
  guint64 next_id;
  DetourRegistryStats stats;
};

/* What must never be wrong stays checked in every build, GLib or not. */
static inline void
detour_registry_insist (int holds)
{
  if (__builtin_expect (!holds, 0))
    abort ();
}

/* Fields of a peer, for those who have the mutex; nobody else changes them. Of a remote key,
 * connections are links. */
static inline guint32
detour_registry_peer_n_conns (const DetourPeer *peer)
{
  return atomic_load_explicit (&peer->n_conns, memory_order_relaxed);
}

static inline void
detour_registry_peer_set_n_conns (DetourPeer *peer, guint32 n_conns)
{
  atomic_store_explicit (&peer->n_conns, n_conns, memory_order_relaxed);
}

static inline DetourHandle
detour_registry_peer_active (const DetourPeer *peer)
{
  return atomic_load_explicit (&peer->active, memory_order_relaxed);
}

/* Under the mutex: the peer cannot be looked up any more, and is freed when nobody holds it. */
void detour_registry_retire (DetourRegistry *self, DetourPeer *peer);

/* In detour-registry-remote.c, under the mutex. NULL: the key is known behind no link. */
DetourPeer *detour_registry_remote_of (DetourRegistry *self, const DetourKey *key);
/* All that is left, without a word to anybody. */
void detour_registry_clear_remotes (DetourRegistry *self);
