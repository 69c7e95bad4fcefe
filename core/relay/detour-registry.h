/* detour-registry.h: the table of connected peers that all workers share.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looking up a key takes no lock and no memory. Changes happen under one mutex, which is never
 * held while waiting for anything. What a reader may still look at is freed when every worker has
 * passed a quiescent state since: a moment when it holds no peer that it only looked up. A worker
 * says so once a round, and says that it is away while it sleeps.
 *
 * Free of GLib functions, so that ThreadSanitizer sees all of it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "detour-frame.h"

G_BEGIN_DECLS

/* A connection: worker (8 bits), slot (24 bits), generation (32 bits). 0 is none, so generations
 * begin at 1. */
typedef guint64 DetourHandle;

#define DETOUR_HANDLE_NONE 0u
#define DETOUR_HANDLE_MAKE(worker, slot, generation) \
  ((guint64) (guint8) (worker) << 56 | (guint64) ((slot) &0xffffffu) << 32 | (guint32) (generation))
#define DETOUR_HANDLE_WORKER(handle)     ((guint8) ((handle) >> 56))
#define DETOUR_HANDLE_SLOT(handle)       ((guint32) ((handle) >> 32) & 0xffffffu)
#define DETOUR_HANDLE_GENERATION(handle) ((guint32) (handle))

#define DETOUR_REGISTRY_WORKERS_MAX 256

/* A key with one connection or more. One cache line; what lies in it is read for every packet and
 * written when a connection comes, goes or takes over from a duplicate. */
typedef struct {
  DetourKey key;
  guint64 id;             /* below 2^40; never given to another peer */
  _Atomic guint64 active; /* handle of the connection that gets the packets */
  _Atomic guint32 n_conns;
  _Atomic guint32 n_history;        /* connections in the history of `dup` */
  union {                           /* under the mutex */
    const DetourPresence *presence; /* n_conns is 1 */
    struct _DetourRegistryDup *dup; /* n_conns is 2 or more */
  };
} DetourPeer;

typedef struct _DetourRegistry DetourRegistry;

/* Called with the mutex held: be quick, call nothing of the registry, keep nothing of the
 * arguments. */
typedef struct {
  /* A connection logged in, the first of its key or another one. */
  void (*joined) (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
                  gpointer user);
  /* The last connection of a key left: the key is not in the region any more. It cannot be looked
   * up already. */
  void (*gone) (const DetourPeer *peer, gpointer user);
  gpointer user;
} DetourRegistryObserver;

/* Called with the mutex held, as above. */
typedef void (*DetourRegistryFunc) (const DetourPeer *peer, DetourHandle handle,
                                    const DetourPresence *presence, gpointer user);

typedef struct {
  guint64 n_keys;
  guint64 n_conns;
  guint64 n_dup_keys;  /* with two connections or more */
  guint64 n_dup_conns; /* their connections */
  guint64 total_dups;  /* connections that found their key in use; only grows */
  guint64 n_retired;   /* pieces of memory that wait for a quiescent state */
} DetourRegistryStats;

/**
 * detour_registry_new:
 * @n_workers: 1 to DETOUR_REGISTRY_WORKERS_MAX; all are away at first
 * @observer: (nullable): copied
 */
DetourRegistry *detour_registry_new (guint n_workers, const DetourRegistryObserver *observer);

/* No thread uses it, no worker is online, every connection has left. */
void detour_registry_free (DetourRegistry *self);

/**
 * detour_registry_find:
 *
 * Thread: a worker that is online.
 * Returns: (transfer none) (nullable): the peer, good until this worker's next quiescent state; or
 * longer, for as long as a connection of the caller is joined to it.
 */
DetourPeer *detour_registry_find (DetourRegistry *self, const DetourKey *key);

/* The worker holds no peer that it looked up. Nearly free when nothing was removed since the last
 * call. */
void detour_registry_quiescent (DetourRegistry *self, guint worker);
/* The same, and it will look up nothing before detour_registry_online(): call around sleeping. */
void detour_registry_offline (DetourRegistry *self, guint worker);
void detour_registry_online (DetourRegistry *self, guint worker);

/**
 * detour_registry_join:
 * @handle: the connection, not DETOUR_HANDLE_NONE
 * @presence: for mesh peers; borrowed until the connection leaves, and not changed until then
 *
 * The connection becomes the active one of its key.
 *
 * Thread: any.
 * Returns: (transfer none): the peer, good until this connection leaves.
 */
DetourPeer *detour_registry_join (DetourRegistry *self, const DetourKey *key, DetourHandle handle,
                                  const DetourPresence *presence);

/* @handle is joined to @peer and leaves. @peer may be freed: do not touch it. Any thread. */
void detour_registry_leave (DetourRegistry *self, DetourPeer *peer, DetourHandle handle);

/* @handle sent a frame: among duplicates, that makes it the active one. Any thread; see
 * detour_registry_note_speech(). */
void detour_registry_speak (DetourRegistry *self, DetourPeer *peer, DetourHandle handle);

/* For every frame of every connection, right after its header: takes the lock only among
 * duplicates, when another one takes over or when one of them has not spoken yet. */
static inline void
detour_registry_note_speech (DetourRegistry *self, DetourPeer *peer, DetourHandle handle)
{
  guint32 n_conns = atomic_load_explicit (&peer->n_conns, memory_order_relaxed);

  if (G_LIKELY (n_conns == 1))
    return;
  if (atomic_load_explicit (&peer->active, memory_order_relaxed) != handle
      || atomic_load_explicit (&peer->n_history, memory_order_relaxed) < n_conns)
    detour_registry_speak (self, peer, handle);
}

/* The connection that gets the packets of @peer; NONE when it just left. */
static inline DetourHandle
detour_peer_active (DetourPeer *peer)
{
  return atomic_load_explicit (&peer->active, memory_order_acquire);
}

/* Calls @func for the active connection of every key. Any thread. */
void detour_registry_each_key (DetourRegistry *self, DetourRegistryFunc func, gpointer user);

/* Calls @func for every connection of @key. Any thread. Returns: how many there were. */
guint detour_registry_each_conn (DetourRegistry *self, const DetourKey *key,
                                 DetourRegistryFunc func, gpointer user);

/* Any thread. */
void detour_registry_stats (DetourRegistry *self, DetourRegistryStats *stats);

G_END_DECLS
