/* detour-registry.c: the table of connected peers that all workers share.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table is an array of entries, probed one after the other. An entry is the address of a peer,
 * whose low bits, zero by alignment, hold six bits of the hash, so that most other peers met on
 * the way are passed without a look at their cache line. An entry that was removed stays as a
 * grave, which readers pass and writers use again; what is full of graves or too small is replaced
 * as a whole.
 *
 * Entries and the pointer to the array are sequentially consistent, as detour-qsbr.h demands. */
#include "config.h"

#include "detour-registry.h"

#include "detour-qsbr.h"
#include "detour-slab.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#define TAG_MASK     ((uintptr_t) 63)
#define GRAVE        ((uintptr_t) 1) /* a tag without a peer */
#define CAPACITY_MIN 64u

_Static_assert(sizeof (DetourPeer) == 64,
               "a peer is one cache line, and its address has room for the tag");

typedef struct {
  gsize mask;
  _Atomic uintptr_t entries[];
} Table;

typedef struct {
  DetourHandle handle;
  const DetourPresence *presence;
} DupConn;

/* All connections of a key that has several: first those in the history, least recent speaker
 * first, then the others. The one that logged in second is among the others until it first speaks.
 */
typedef struct _DetourRegistryDup {
  guint32 cap;
  DupConn conns[];
} Dup;

struct _DetourRegistry {
  _Atomic (Table *) table;
  guint64 seed[4];
  DetourQsbr *qsbr;

  _Alignas(64) pthread_mutex_t mutex; /* for all below, and every change of what is above */
  DetourRegistryObserver observer;
  DetourSlab *peers;
  gsize n_filled; /* entries that are not empty, graves included */
  guint64 next_id;
  DetourRegistryStats stats;
};

/* What must never be wrong stays checked in every build, GLib or not. */
static inline void
registry_insist (int holds)
{
  if (__builtin_expect (!holds, 0))
    abort ();
}

static Table *
registry_table_new (gsize capacity)
{
  Table *table = calloc (1, sizeof *table + capacity * sizeof table->entries[0]);

  registry_insist (table != NULL);
  table->mask = capacity - 1;
  return table;
}

/* Keys are chosen by strangers, so the hash has a secret. */
static inline guint64
registry_hash_mix (guint64 a, guint64 b)
{
  unsigned __int128 product = (unsigned __int128) a * b;

  return (guint64) product ^ (guint64) (product >> 64);
}

static inline guint64
registry_hash (const DetourRegistry *self, const DetourKey *key)
{
  guint64 w[4];

  memcpy (w, key->bytes, sizeof w);
  return registry_hash_mix (
      registry_hash_mix (w[0] ^ self->seed[0], w[1] ^ self->seed[1]) ^ self->seed[1],
      registry_hash_mix (w[2] ^ self->seed[2], w[3] ^ self->seed[3]) ^ self->seed[2]);
}

/* The tag is taken from bits that do not choose the place. */
static inline uintptr_t
registry_hash_tag (guint64 hash)
{
  return (uintptr_t) (hash >> 58);
}

static inline DetourPeer *
registry_entry_peer (uintptr_t entry)
{
  return (DetourPeer *) (entry & ~TAG_MASK);
}

/* The peer of @key and its place in @table; NULL when it is not there. */
static inline DetourPeer *
registry_table_find (Table *table, guint64 hash, const DetourKey *key, gsize *place)
{
  for (gsize i = hash & table->mask;; i = (i + 1) & table->mask)
    {
      uintptr_t entry = atomic_load (&table->entries[i]);
      DetourPeer *peer = registry_entry_peer (entry);

      if (entry == 0)
        return NULL;
      if ((entry & TAG_MASK) == registry_hash_tag (hash) && peer != NULL
          && detour_key_equal (&peer->key, key))
        {
          *place = i;
          return peer;
        }
    }
}

DetourPeer *
detour_registry_find (DetourRegistry *self, const DetourKey *key)
{
  gsize place;

  return registry_table_find (atomic_load (&self->table), registry_hash (self, key), key, &place);
}

/* ---- quiescent states
 * ---------------------------------------------------------------------------- */

static void
registry_try_reclaim (DetourRegistry *self)
{
  /* The thread that holds the mutex does it itself; the rest waits for the next chance. */
  if (pthread_mutex_trylock (&self->mutex) == 0)
    {
      detour_qsbr_reclaim (self->qsbr);
      pthread_mutex_unlock (&self->mutex);
    }
}

void
detour_registry_quiescent (DetourRegistry *self, guint worker)
{
  if (detour_qsbr_point (self->qsbr, worker))
    registry_try_reclaim (self);
}

void
detour_registry_offline (DetourRegistry *self, guint worker)
{
  if (detour_qsbr_offline (self->qsbr, worker))
    registry_try_reclaim (self);
}

void
detour_registry_online (DetourRegistry *self, guint worker)
{
  detour_qsbr_online (self->qsbr, worker);
}

static void
registry_free_table (void *owner, void *table)
{
  free (table);
}

static void
registry_free_peer (void *owner, void *peer)
{
  detour_slab_release (owner, peer);
}

/* ---- changes of the table, under the mutex --------------------------------------------------- */

static inline Table *
registry_table (DetourRegistry *self)
{
  return atomic_load_explicit (&self->table, memory_order_relaxed);
}

static inline uintptr_t
registry_table_entry (Table *table, gsize i)
{
  return atomic_load_explicit (&table->entries[i], memory_order_relaxed);
}

static void
registry_table_put (Table *table, guint64 hash, DetourPeer *peer)
{
  gsize i = hash & table->mask;

  while (registry_table_entry (table, i) != 0)
    i = (i + 1) & table->mask;
  atomic_store_explicit (&table->entries[i], (uintptr_t) peer | registry_hash_tag (hash),
                         memory_order_relaxed);
}

/* Moves all peers to an array with room for twice as many; at most three quarters of one are ever
 * filled. */
static void
registry_rebuild (DetourRegistry *self)
{
  Table *old = registry_table (self);
  gsize capacity = CAPACITY_MIN;
  Table *table;

  while (capacity * 3 / 8 < self->stats.n_keys + 1)
    capacity *= 2;
  table = registry_table_new (capacity);
  for (gsize i = 0; i <= old->mask; i++)
    {
      DetourPeer *peer = registry_entry_peer (registry_table_entry (old, i));

      if (peer != NULL)
        registry_table_put (table, registry_hash (self, &peer->key), peer);
    }
  self->n_filled = self->stats.n_keys;
  atomic_store (&self->table, table);
  detour_qsbr_retire (self->qsbr, registry_free_table, NULL, old);
}

static void
registry_insert (DetourRegistry *self, DetourPeer *peer)
{
  Table *table = registry_table (self);
  guint64 hash = registry_hash (self, &peer->key);
  gsize i;

  if (self->n_filled + 1 > (table->mask + 1) / 4 * 3)
    {
      registry_rebuild (self);
      table = registry_table (self);
    }
  for (i = hash & table->mask;; i = (i + 1) & table->mask)
    {
      uintptr_t entry = registry_table_entry (table, i);

      if (entry == 0)
        self->n_filled++;
      if (registry_entry_peer (entry) == NULL)
        break;
    }
  atomic_store (&table->entries[i], (uintptr_t) peer | registry_hash_tag (hash));
  self->stats.n_keys++;
}

static void
registry_remove (DetourRegistry *self, DetourPeer *peer)
{
  Table *table = registry_table (self);
  gsize i = 0;

  registry_insist (registry_table_find (table, registry_hash (self, &peer->key), &peer->key, &i)
                   == peer);
  atomic_store (&table->entries[i], GRAVE);
  /* Graves in front of an empty entry lead nowhere. */
  if (registry_table_entry (table, (i + 1) & table->mask) == 0)
    for (; registry_table_entry (table, i) == GRAVE; i = (i - 1) & table->mask)
      {
        atomic_store (&table->entries[i], 0);
        self->n_filled--;
      }
  self->stats.n_keys--;
  detour_qsbr_retire (self->qsbr, registry_free_peer, self->peers, peer);
  if (table->mask + 1 > CAPACITY_MIN && self->stats.n_keys < (table->mask + 1) / 8)
    registry_rebuild (self);
}

/* ---- peers and their connections, under the mutex -------------------------------------------- */

/* The one place that decides that a key has left the region. */
static void
registry_peer_left (DetourRegistry *self, DetourPeer *peer)
{
  atomic_store (&peer->active, DETOUR_HANDLE_NONE);
  registry_remove (self, peer);
  if (self->observer.gone != NULL)
    self->observer.gone (peer, self->observer.user);
}

static guint32
registry_peer_n_conns (const DetourPeer *peer)
{
  return atomic_load_explicit (&peer->n_conns, memory_order_relaxed);
}

static void
registry_peer_set_n_conns (DetourPeer *peer, guint32 n_conns)
{
  atomic_store_explicit (&peer->n_conns, n_conns, memory_order_relaxed);
}

static DetourHandle
registry_peer_active (const DetourPeer *peer)
{
  return atomic_load_explicit (&peer->active, memory_order_relaxed);
}

static guint32
registry_peer_n_history (const DetourPeer *peer)
{
  return atomic_load_explicit (&peer->n_history, memory_order_relaxed);
}

static void
registry_peer_set_n_history (DetourPeer *peer, guint32 n_history)
{
  atomic_store_explicit (&peer->n_history, n_history, memory_order_relaxed);
}

static guint32
registry_dup_index (const Dup *dup, guint32 n_conns, DetourHandle handle)
{
  for (guint32 i = 0; i < n_conns; i++)
    if (dup->conns[i].handle == handle)
      return i;
  abort (); /* not joined, or left already */
}

static Dup *
registry_dup_resize (Dup *dup, guint32 cap)
{
  dup = realloc (dup, sizeof *dup + cap * sizeof dup->conns[0]);
  registry_insist (dup != NULL);
  dup->cap = cap;
  return dup;
}

/* Puts @conn at the end of the history. It is not in the record, which has @n_conns. */
static void
registry_dup_append_history (DetourPeer *peer, guint32 n_conns, DupConn conn)
{
  DupConn *end = &peer->dup->conns[registry_peer_n_history (peer)];

  memmove (end + 1, end, (n_conns - registry_peer_n_history (peer)) * sizeof conn);
  *end = conn;
  registry_peer_set_n_history (peer, registry_peer_n_history (peer) + 1);
}

/* Takes the connection at @i out of the record, which has @n_conns. */
static DupConn
registry_dup_take (DetourPeer *peer, guint32 n_conns, guint32 i)
{
  DupConn conn = peer->dup->conns[i];

  memmove (&peer->dup->conns[i], &peer->dup->conns[i + 1], (n_conns - i - 1) * sizeof conn);
  if (i < registry_peer_n_history (peer))
    registry_peer_set_n_history (peer, registry_peer_n_history (peer) - 1);
  return conn;
}

static void
registry_peer_add_dup (DetourRegistry *self, DetourPeer *peer, DupConn conn)
{
  guint32 n_conns = registry_peer_n_conns (peer);

  if (n_conns == 1)
    {
      DupConn first = { registry_peer_active (peer), peer->presence };

      /* The second one is not in the history: only those that logged in later, or spoke, are. */
      peer->dup = registry_dup_resize (NULL, 4);
      peer->dup->conns[0] = first;
      peer->dup->conns[1] = conn;
      registry_peer_set_n_history (peer, 1);
      self->stats.n_dup_keys++;
      self->stats.n_dup_conns++;
    }
  else
    {
      if (n_conns == peer->dup->cap)
        peer->dup = registry_dup_resize (peer->dup, 2 * n_conns);
      registry_dup_append_history (peer, n_conns, conn);
    }
  self->stats.n_dup_conns++;
  self->stats.total_dups++;
  registry_peer_set_n_conns (peer, n_conns + 1);
}

/* The active connection is also the last one that logged in or spoke, so that one is not kept
 * apart. */
static void
registry_peer_remove_dup (DetourRegistry *self, DetourPeer *peer, DetourHandle handle)
{
  guint32 n_conns = registry_peer_n_conns (peer);

  registry_dup_take (peer, n_conns, registry_dup_index (peer->dup, n_conns, handle));
  n_conns--;
  self->stats.n_dup_conns--;
  if (n_conns == 1)
    {
      Dup *dup = peer->dup;

      peer->presence = dup->conns[0].presence;
      atomic_store (&peer->active, dup->conns[0].handle);
      free (dup);
      self->stats.n_dup_conns--;
      self->stats.n_dup_keys--;
    }
  else if (registry_peer_active (peer) == handle)
    {
      /* All but one of two or more are in the history. */
      registry_insist (registry_peer_n_history (peer) > 0);
      atomic_store (&peer->active, peer->dup->conns[registry_peer_n_history (peer) - 1].handle);
    }
  registry_peer_set_n_conns (peer, n_conns);
}

static void
registry_peer_each_conn (const DetourPeer *peer, DetourRegistryFunc func, gpointer user)
{
  guint32 n_conns = registry_peer_n_conns (peer);

  if (n_conns == 1)
    func (peer, registry_peer_active (peer), peer->presence, user);
  else
    for (guint32 i = 0; i < n_conns; i++)
      func (peer, peer->dup->conns[i].handle, peer->dup->conns[i].presence, user);
}

/* ---- calls ----------------------------------------------------------------------------------- */

DetourRegistry *
detour_registry_new (guint n_workers, const DetourRegistryObserver *observer)
{
  DetourRegistry *self = aligned_alloc (64, (sizeof *self + 63) / 64 * 64);

  registry_insist (self != NULL && n_workers >= 1 && n_workers <= DETOUR_REGISTRY_WORKERS_MAX);
  memset (self, 0, sizeof *self);
  registry_insist (getrandom (self->seed, sizeof self->seed, 0) == sizeof self->seed);
  self->qsbr = detour_qsbr_new (n_workers);
  atomic_init (&self->table, registry_table_new (CAPACITY_MIN));
  registry_insist (pthread_mutex_init (&self->mutex, NULL) == 0);
  if (observer != NULL)
    self->observer = *observer;
  self->peers = detour_slab_new (sizeof (DetourPeer));
  self->next_id = 1;
  return self;
}

void
detour_registry_free (DetourRegistry *self)
{
  registry_insist (self->stats.n_conns == 0);
  detour_qsbr_free (self->qsbr);
  detour_slab_free (self->peers);
  pthread_mutex_destroy (&self->mutex);
  free (atomic_load (&self->table));
  free (self);
}

DetourPeer *
detour_registry_join (DetourRegistry *self, const DetourKey *key, DetourHandle handle,
                      const DetourPresence *presence)
{
  DetourPeer *peer;
  gsize place;

  registry_insist (handle != DETOUR_HANDLE_NONE);
  pthread_mutex_lock (&self->mutex);
  detour_qsbr_reclaim (self->qsbr);
  peer = registry_table_find (registry_table (self), registry_hash (self, key), key, &place);
  if (peer != NULL)
    {
      registry_peer_add_dup (self, peer, (DupConn) { handle, presence });
      atomic_store (&peer->active, handle);
    }
  else
    {
      peer = detour_slab_alloc (self->peers);
      registry_insist (peer != NULL);
      peer->key = *key;
      peer->id = self->next_id++;
      peer->presence = presence;
      registry_peer_set_n_conns (peer, 1);
      atomic_store (&peer->active, handle);
      registry_insert (self, peer);
    }
  self->stats.n_conns++;
  if (self->observer.joined != NULL)
    self->observer.joined (peer, handle, presence, self->observer.user);
  pthread_mutex_unlock (&self->mutex);
  return peer;
}

void
detour_registry_leave (DetourRegistry *self, DetourPeer *peer, DetourHandle handle)
{
  pthread_mutex_lock (&self->mutex);
  detour_qsbr_reclaim (self->qsbr);
  self->stats.n_conns--;
  if (registry_peer_n_conns (peer) > 1)
    {
      registry_peer_remove_dup (self, peer, handle);
    }
  else
    {
      registry_insist (registry_peer_active (peer) == handle);
      registry_peer_left (self, peer);
    }
  pthread_mutex_unlock (&self->mutex);
}

void
detour_registry_speak (DetourRegistry *self, DetourPeer *peer, DetourHandle handle)
{
  guint32 n_conns;

  pthread_mutex_lock (&self->mutex);
  n_conns = registry_peer_n_conns (peer);
  if (n_conns > 1)
    {
      DupConn conn = registry_dup_take (peer, n_conns,
                                        registry_dup_index (peer->dup, n_conns, handle));

      registry_dup_append_history (peer, n_conns - 1, conn);
      atomic_store (&peer->active, handle);
    }
  pthread_mutex_unlock (&self->mutex);
}

void
detour_registry_each_key (DetourRegistry *self, DetourRegistryFunc func, gpointer user)
{
  Table *table;

  pthread_mutex_lock (&self->mutex);
  table = registry_table (self);
  for (gsize i = 0; i <= table->mask; i++)
    {
      DetourPeer *peer = registry_entry_peer (registry_table_entry (table, i));
      DetourHandle active;
      const DetourPresence *presence;

      if (peer == NULL)
        continue;
      active = registry_peer_active (peer);
      if (registry_peer_n_conns (peer) == 1)
        presence = peer->presence;
      else
        presence = peer->dup
                       ->conns[registry_dup_index (peer->dup, registry_peer_n_conns (peer), active)]
                       .presence;
      func (peer, active, presence, user);
    }
  pthread_mutex_unlock (&self->mutex);
}

guint
detour_registry_each_conn (DetourRegistry *self, const DetourKey *key, DetourRegistryFunc func,
                           gpointer user)
{
  DetourPeer *peer;
  gsize place;
  guint n = 0;

  pthread_mutex_lock (&self->mutex);
  peer = registry_table_find (registry_table (self), registry_hash (self, key), key, &place);
  if (peer != NULL)
    {
      n = registry_peer_n_conns (peer);
      registry_peer_each_conn (peer, func, user);
    }
  pthread_mutex_unlock (&self->mutex);
  return n;
}

void
detour_registry_stats (DetourRegistry *self, DetourRegistryStats *stats)
{
  pthread_mutex_lock (&self->mutex);
  *stats = self->stats;
  stats->n_retired = detour_qsbr_n_retired (self->qsbr);
  pthread_mutex_unlock (&self->mutex);
}
