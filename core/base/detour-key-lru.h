/* detour-key-lru.h: entries that are found by a key, in groups of bounded size.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each group has its own budget. When a group is full, its entry that was used least recently goes;
 * entries of other groups stay. A key has one entry, whatever its group. */
#pragma once

#include <glib.h>

#include "detour-key.h"

G_BEGIN_DECLS

/* One thread. */
typedef struct _DetourKeyLru DetourKeyLru;

/* The first member of an entry. The caller sets @key; the rest belongs to the table. */
typedef struct {
  DetourKey key;
  guint group;
  GList link;
} DetourKeyLruEntry;

/**
 * detour_key_lru_new:
 * @budgets: (array length=n_groups): entries that each group may hold; copied
 * @free_entry: frees an entry that goes
 */
DetourKeyLru *detour_key_lru_new (const guint *budgets, guint n_groups, GDestroyNotify free_entry);
void detour_key_lru_free (DetourKeyLru *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourKeyLru, detour_key_lru_free)

/* Takes @entry, which begins with a DetourKeyLruEntry, as the most recent one of @group. An older
 * entry with the same key is freed. */
void detour_key_lru_add (DetourKeyLru *self, gpointer entry, guint group);
void detour_key_lru_remove (DetourKeyLru *self, const DetourKey *key);
/* Removes all entries of @group. */
void detour_key_lru_clear_group (DetourKeyLru *self, guint group);

/* (nullable): the entry, which becomes the most recent one of its group. */
gpointer detour_key_lru_use (DetourKeyLru *self, const DetourKey *key);
/* (nullable): the entry, without a change in the order. */
gpointer detour_key_lru_peek (const DetourKeyLru *self, const DetourKey *key);

/* All entries of @group, the most recent one first; @func changes nothing. */
void detour_key_lru_each (const DetourKeyLru *self, guint group,
                          void (*func) (gconstpointer entry, gpointer data), gpointer data);

/* Entries in all groups. */
guint detour_key_lru_size (const DetourKeyLru *self);

G_END_DECLS
