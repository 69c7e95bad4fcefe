/* detour-peer-table.h: a hash table of peers, which workers read while one thread changes it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An array of entries, probed one after the other. An entry is the address of a peer, whose low
 * bits, zero by alignment, hold six bits of the hash, so that most other peers met on the way are
 * passed without a look at their cache line. An entry that was removed stays as a grave, which
 * readers pass and writers use again; what is full of graves or too small is replaced as a whole.
 *
 * Entries and the pointer to the array are sequentially consistent, as detour-qsbr.h demands. Free
 * of GLib functions, as the registry is. */
#pragma once

#include <stdint.h>

#include "detour-qsbr.h"
#include "detour-registry.h"

#define DETOUR_PEER_TABLE_TAG_MASK ((uintptr_t) 63)

typedef struct {
  gsize mask;
  _Atomic uintptr_t entries[];
} DetourPeerArray;

typedef struct {
  _Atomic (DetourPeerArray *) array;
  guint64 seed[4];
  /* For the thread that changes it. */
  gsize n_filled; /* entries that are not empty, graves included */
  gsize n_keys;
  guint64 n_arrays; /* so far: with another array, peers are at other places */
} DetourPeerTable;

void detour_peer_table_init (DetourPeerTable *self);
/* Nobody reads it any more. */
void detour_peer_table_clear (DetourPeerTable *self);

/* Its key is not in the table. What is replaced is retired to @qsbr. */
void detour_peer_table_insert (DetourPeerTable *self, DetourPeer *peer, DetourQsbr *qsbr);
/* The peer itself may still be looked at by readers: the caller retires it. */
void detour_peer_table_remove (DetourPeerTable *self, DetourPeer *peer, DetourQsbr *qsbr);

/* For the thread that changes it, at @i, 0 to detour_peer_table_last(). NULL: none is there. */
DetourPeer *detour_peer_table_at (const DetourPeerTable *self, gsize i);
gsize detour_peer_table_last (const DetourPeerTable *self);

/* Keys are chosen by strangers, so the hash has a secret. */
static inline guint64
detour_peer_table_mix (guint64 a, guint64 b)
{
  unsigned __int128 product = (unsigned __int128) a * b;

  return (guint64) product ^ (guint64) (product >> 64);
}

static inline guint64
detour_peer_table_hash (const DetourPeerTable *self, const DetourKey *key)
{
  guint64 w[4];

  memcpy (w, key->bytes, sizeof w);
  return detour_peer_table_mix (
      detour_peer_table_mix (w[0] ^ self->seed[0], w[1] ^ self->seed[1]) ^ self->seed[1],
      detour_peer_table_mix (w[2] ^ self->seed[2], w[3] ^ self->seed[3]) ^ self->seed[2]);
}

/* The tag is taken from bits that do not choose the place. */
static inline uintptr_t
detour_peer_table_tag (guint64 hash)
{
  return (uintptr_t) (hash >> 58);
}

static inline DetourPeer *
detour_peer_table_entry_peer (uintptr_t entry)
{
  return (DetourPeer *) (entry & ~DETOUR_PEER_TABLE_TAG_MASK);
}

/* The peer of @key; NULL when it is not there. Any thread. @place: (out): in the array */
static inline DetourPeer *
detour_peer_table_find (DetourPeerTable *self, const DetourKey *key, gsize *place)
{
  guint64 hash = detour_peer_table_hash (self, key);
  DetourPeerArray *array = atomic_load (&self->array);

  for (gsize i = hash & array->mask;; i = (i + 1) & array->mask)
    {
      uintptr_t entry = atomic_load (&array->entries[i]);
      DetourPeer *peer = detour_peer_table_entry_peer (entry);

      if (entry == 0)
        return NULL;
      if ((entry & DETOUR_PEER_TABLE_TAG_MASK) == detour_peer_table_tag (hash) && peer != NULL
          && detour_key_equal (&peer->key, key))
        {
          *place = i;
          return peer;
        }
    }
}
