/* detour-peer-table.c: a hash table of peers, which workers read while one thread changes it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-peer-table.h"

#include <stdlib.h>
#include <sys/random.h>

#define GRAVE        ((uintptr_t) 1) /* a tag without a peer */
#define CAPACITY_MIN 64u

_Static_assert(sizeof (DetourPeer) == 64,
               "a peer is one cache line, and its address has room for the tag");

/* What must never be wrong stays checked in every build, GLib or not. */
static inline void
peer_table_insist (int holds)
{
  if (__builtin_expect (!holds, 0))
    abort ();
}

static DetourPeerArray *
peer_table_array_new (gsize capacity)
{
  DetourPeerArray *array = calloc (1, sizeof *array + capacity * sizeof array->entries[0]);

  peer_table_insist (array != NULL);
  array->mask = capacity - 1;
  return array;
}

static void
peer_table_free_array (void *owner, void *array)
{
  free (array);
}

void
detour_peer_table_init (DetourPeerTable *self)
{
  peer_table_insist (getrandom (self->seed, sizeof self->seed, 0) == sizeof self->seed);
  atomic_init (&self->array, peer_table_array_new (CAPACITY_MIN));
  self->n_filled = 0;
  self->n_keys = 0;
  self->n_arrays = 1;
}

void
detour_peer_table_clear (DetourPeerTable *self)
{
  free (atomic_load (&self->array));
}

static inline DetourPeerArray *
peer_table_array (const DetourPeerTable *self)
{
  return atomic_load_explicit (&self->array, memory_order_relaxed);
}

static inline uintptr_t
peer_table_entry (const DetourPeerArray *array, gsize i)
{
  return atomic_load_explicit (&array->entries[i], memory_order_relaxed);
}

DetourPeer *
detour_peer_table_at (const DetourPeerTable *self, gsize i)
{
  return detour_peer_table_entry_peer (peer_table_entry (peer_table_array (self), i));
}

gsize
detour_peer_table_last (const DetourPeerTable *self)
{
  return peer_table_array (self)->mask;
}

static void
peer_table_put (DetourPeerArray *array, guint64 hash, DetourPeer *peer)
{
  gsize i = hash & array->mask;

  while (peer_table_entry (array, i) != 0)
    i = (i + 1) & array->mask;
  atomic_store_explicit (&array->entries[i], (uintptr_t) peer | detour_peer_table_tag (hash),
                         memory_order_relaxed);
}

/* Moves all peers to an array with room for twice as many; at most three quarters of one are ever
 * filled. */
static void
peer_table_rebuild (DetourPeerTable *self, DetourQsbr *qsbr)
{
  DetourPeerArray *old = peer_table_array (self);
  gsize capacity = CAPACITY_MIN;
  DetourPeerArray *array;

  while (capacity * 3 / 8 < self->n_keys + 1)
    capacity *= 2;
  array = peer_table_array_new (capacity);
  for (gsize i = 0; i <= old->mask; i++)
    {
      DetourPeer *peer = detour_peer_table_entry_peer (peer_table_entry (old, i));

      if (peer != NULL)
        peer_table_put (array, detour_peer_table_hash (self, &peer->key), peer);
    }
  self->n_filled = self->n_keys;
  self->n_arrays++;
  atomic_store (&self->array, array);
  detour_qsbr_retire (qsbr, peer_table_free_array, NULL, old);
}

void
detour_peer_table_insert (DetourPeerTable *self, DetourPeer *peer, DetourQsbr *qsbr)
{
  DetourPeerArray *array = peer_table_array (self);
  guint64 hash = detour_peer_table_hash (self, &peer->key);
  gsize i;

  if (self->n_filled + 1 > (array->mask + 1) / 4 * 3)
    {
      peer_table_rebuild (self, qsbr);
      array = peer_table_array (self);
    }
  for (i = hash & array->mask;; i = (i + 1) & array->mask)
    {
      uintptr_t entry = peer_table_entry (array, i);

      if (entry == 0)
        self->n_filled++;
      if (detour_peer_table_entry_peer (entry) == NULL)
        break;
    }
  atomic_store (&array->entries[i], (uintptr_t) peer | detour_peer_table_tag (hash));
  self->n_keys++;
}

void
detour_peer_table_remove (DetourPeerTable *self, DetourPeer *peer, DetourQsbr *qsbr)
{
  DetourPeerArray *array = peer_table_array (self);
  gsize i = 0;

  peer_table_insist (detour_peer_table_find (self, &peer->key, &i) == peer);
  atomic_store (&array->entries[i], GRAVE);
  /* Graves in front of an empty entry lead nowhere. */
  if (peer_table_entry (array, (i + 1) & array->mask) == 0)
    for (; peer_table_entry (array, i) == GRAVE; i = (i - 1) & array->mask)
      {
        atomic_store (&array->entries[i], 0);
        self->n_filled--;
      }
  self->n_keys--;
  if (array->mask + 1 > CAPACITY_MIN && self->n_keys < (array->mask + 1) / 8)
    peer_table_rebuild (self, qsbr);
}
