/* detour-registry.h: the tables of connected peers that all workers share.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * There is one table for each space. A connection is joined to one space and its packets are looked
 * up there and nowhere else, so that peers of other spaces are as absent, and the same key may be
 * in several. One space is always there, the common one; in a relay without isolated tenants it is
 * the only one. All share the lock, the quiescent states and the ids of peers.
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
    DetourHandle *forwarders;       /* of a remote key with several */
  };
} DetourPeer;

/* A key that is known behind links to other relays of the mesh has a peer of its own in a table of
 * its own: its `n_conns` counts links, and the active one is that to which packets go. The key may
 * be here as well; both peers have one id then. */

typedef struct _DetourRegistry DetourRegistry;
typedef struct _DetourSpace DetourSpace;

/* Whence a key is gone; of DetourRegistryObserver. */
typedef enum {
  DETOUR_GONE_FROM_HERE = 1 << 0,   /* its last connection to this relay left */
  DETOUR_GONE_FROM_REGION = 1 << 1, /* and it is not behind a link either */
} DetourGoneFrom;

/* One that is gone. */
typedef struct {
  guint64 id; /* that its peer had */
  DetourKey key;
} DetourGone;

/* The most that the observer hears of at once. */
#define DETOUR_REGISTRY_GONE_MAX 512

/* Called with the mutex held: be quick, call nothing of the registry, keep nothing of the
 * arguments. */
typedef struct {
  /* A connection logged in, the first of its key or another one. */
  void (*joined) (const DetourSpace *space, const DetourPeer *peer, DetourHandle handle,
                  const DetourPresence *presence, gpointer user);
  /* The last connections of keys in this space left, or the last link behind which they were known;
   * they cannot be looked up there already. @n: 1 to DETOUR_REGISTRY_GONE_MAX; @from: of
   * DetourGoneFrom, not 0 */
  void (*gone) (const DetourSpace *space, const DetourGone *gone, guint n, guint from,
                gpointer user);
  /* Connections of one key send in turns, so that two machines have it: called for each of them.
   * FALSE: only this one is left. */
  void (*contested) (DetourHandle handle, bool is_contested, gpointer user);
  gpointer user;
} DetourRegistryObserver;

/* Called with the mutex held, as above. */
typedef void (*DetourRegistryFunc) (const DetourPeer *peer, DetourHandle handle,
                                    const DetourPresence *presence, gpointer user);

typedef struct {
  guint64 n_keys;
  guint64 n_conns;
  guint64 n_dup_keys;    /* with two connections or more */
  guint64 n_dup_conns;   /* their connections */
  guint64 total_dups;    /* connections that found their key in use; only grows */
  guint64 n_retired;     /* pieces of memory that wait for a quiescent state */
  guint64 n_spaces;      /* the common one is among them */
  guint64 n_remote_keys; /* that are known behind links */
  guint64 n_remote_only; /* of them those that are not here */
  /* Only grow. Keys that were known behind several links; that were so no more; and a link that
   * said that a key had left, which was known behind another one, or was here. */
  guint64 total_multi_created, total_multi_deleted, total_other_deleted;
} DetourRegistryStats;

/**
 * detour_registry_new:
 * @n_workers: 1 to DETOUR_REGISTRY_WORKERS_MAX; all are away at first
 * @observer: (nullable): copied
 */
DetourRegistry *detour_registry_new (guint n_workers, const DetourRegistryObserver *observer);

/* No thread uses it, no worker is online, every connection has left. */
void detour_registry_free (DetourRegistry *self);

/* (transfer none): for everyone who is not set apart. Any thread. */
DetourSpace *detour_registry_common (DetourRegistry *self);
/* Another one, until detour_registry_close_space(). Any thread. */
DetourSpace *detour_registry_open_space (DetourRegistry *self);
/* Nothing joins it any more; it is freed when its last connection has left. Not the common one. Any
 * thread. */
void detour_registry_close_space (DetourSpace *space);
/* Any thread. */
bool detour_registry_is_common (const DetourSpace *space);

/**
 * detour_registry_find:
 * @space: that a connection of the caller is joined to, or the common one
 *
 * Thread: a worker that is online.
 * Returns: (transfer none) (nullable): the peer, good until this worker's next quiescent state; or
 * longer, for as long as a connection of the caller is joined to it.
 */
DetourPeer *detour_registry_find (DetourSpace *space, const DetourKey *key);

/* Of a key that is not here: behind links. As detour_registry_find(). */
DetourPeer *detour_registry_find_remote (DetourRegistry *self, const DetourKey *key);

/* The peer of a key that is here or, in the common space, behind a link. As detour_registry_find().
 */
DetourPeer *detour_registry_find_anywhere (DetourSpace *space, const DetourKey *key);

/* The worker holds no peer that it looked up. Nearly free when nothing was removed since the last
 * call. */
void detour_registry_quiescent (DetourRegistry *self, guint worker);
/* The same, and it will look up nothing before detour_registry_online(): call around sleeping. */
void detour_registry_offline (DetourRegistry *self, guint worker);
void detour_registry_online (DetourRegistry *self, guint worker);

/**
 * detour_registry_join:
 * @space: stays at least until the connection leaves
 * @handle: the connection, not DETOUR_HANDLE_NONE
 * @presence: for mesh peers; borrowed until the connection leaves, and not changed until then
 *
 * The connection becomes the active one of its key.
 *
 * Thread: any.
 * Returns: (transfer none): the peer, good until this connection leaves.
 */
DetourPeer *detour_registry_join (DetourSpace *space, const DetourKey *key, DetourHandle handle,
                                  const DetourPresence *presence);

/* @handle is joined to @peer in @space and leaves. Both may be freed: do not touch them. Any
 * thread. */
void detour_registry_leave (DetourSpace *space, DetourPeer *peer, DetourHandle handle);

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

/* Links. Any thread. ---------------------------------------------------------------------------
 *
 * @link is the handle of one. For clients of isolated spaces there are no remote keys. */

/* The key is behind @link as well; the first link that it was known behind gets its packets.
 * Returns: FALSE when that was known. */
bool detour_registry_add_forwarder (DetourRegistry *self, const DetourKey *key, DetourHandle link);
/* It is not, or not any more. FALSE: that was known. */
bool detour_registry_remove_forwarder (DetourRegistry *self, const DetourKey *key,
                                       DetourHandle link);

/* @link, behind which the key is, gets its packets from now on. */
void detour_registry_prefer_forwarder (DetourRegistry *self, const DetourKey *key,
                                       DetourHandle link);

typedef void (*DetourRegistryKeyFunc) (const DetourKey *key, gpointer user);

/**
 * detour_registry_drop_forwarder:
 * @tells: whether keys that are gone are reported to the observer
 * @func: (nullable): called for each key that was behind it, with the mutex held
 *
 * Nothing is behind @link any more. Looks through all remote keys, some at a time, so that nobody
 * waits long for the mutex. Meanwhile nobody says that a key is behind @link.
 *
 * Returns: how many it were.
 */
gsize detour_registry_drop_forwarder (DetourRegistry *self, DetourHandle link, bool tells,
                                      DetourRegistryKeyFunc func, gpointer user);

/* Calls @func, with the mutex held, for every key behind links. */
typedef void (*DetourRegistryRemoteFunc) (const DetourPeer *peer, gpointer user);
void detour_registry_each_remote (DetourRegistry *self, DetourRegistryRemoteFunc func,
                                  gpointer user);

/* Calls @func for the active connection of every key of @space, or of all spaces. Any thread. */
void detour_registry_each_key (DetourSpace *space, DetourRegistryFunc func, gpointer user);
void detour_registry_each_key_of_all (DetourRegistry *self, DetourRegistryFunc func, gpointer user);

/* Calls @func for every connection of @key in @space, or in all spaces. Any thread. Returns: how
 * many there were. */
guint detour_registry_each_conn (DetourSpace *space, const DetourKey *key, DetourRegistryFunc func,
                                 gpointer user);
guint detour_registry_each_conn_of_all (DetourRegistry *self, const DetourKey *key,
                                        DetourRegistryFunc func, gpointer user);

/* Any thread. */
void detour_registry_stats (DetourRegistry *self, DetourRegistryStats *stats);
/* Totals go on from those in @stats: what was taken apart and put together again counts once. Any
 * thread. */
void detour_registry_set_totals (DetourRegistry *self, const DetourRegistryStats *stats);

G_END_DECLS
