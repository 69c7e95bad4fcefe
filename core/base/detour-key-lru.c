/* detour-key-lru.c: entries that are found by a key, in groups of bounded size.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-key-lru.h"

#include "detour-secret-hash.h"

typedef struct {
  GQueue recent; /* of DetourKeyLruEntry, the most recent one first */
  guint budget;
} Group;

struct _DetourKeyLru {
  GHashTable *entries; /* DetourKeyLruEntry: itself */
  guint n_groups;
  Group groups[];
};

DetourKeyLru *
detour_key_lru_new (const guint *budgets, guint n_groups, GDestroyNotify free_entry)
{
  DetourKeyLru *self = g_malloc0 (sizeof *self + n_groups * sizeof self->groups[0]);

  self->entries = g_hash_table_new_full (detour_secret_hash_key, detour_secret_hash_key_equal,
                                         free_entry, NULL);
  self->n_groups = n_groups;
  for (guint i = 0; i < n_groups; i++)
    {
      self->groups[i].budget = budgets[i];
      g_queue_init (&self->groups[i].recent);
    }
  return self;
}

void
detour_key_lru_free (DetourKeyLru *self)
{
  g_hash_table_unref (self->entries);
  g_free (self);
}

static void
key_lru_drop (DetourKeyLru *self, DetourKeyLruEntry *entry)
{
  g_queue_unlink (&self->groups[entry->group].recent, &entry->link);
  g_hash_table_remove (self->entries, entry);
}

void
detour_key_lru_add (DetourKeyLru *self, gpointer data, guint group)
{
  DetourKeyLruEntry *entry = data;
  GQueue *recent = &self->groups[group].recent;

  g_assert (group < self->n_groups);
  detour_key_lru_remove (self, &entry->key);
  entry->group = group;
  entry->link = (GList) { .data = entry };
  g_queue_push_head_link (recent, &entry->link);
  g_hash_table_add (self->entries, entry);
  if (recent->length > self->groups[group].budget)
    key_lru_drop (self, recent->tail->data);
}

void
detour_key_lru_remove (DetourKeyLru *self, const DetourKey *key)
{
  DetourKeyLruEntry *entry = g_hash_table_lookup (self->entries, key);

  if (entry != NULL)
    key_lru_drop (self, entry);
}

void
detour_key_lru_clear_group (DetourKeyLru *self, guint group)
{
  GQueue *recent = &self->groups[group].recent;

  while (recent->length > 0)
    key_lru_drop (self, recent->tail->data);
}

gpointer
detour_key_lru_use (DetourKeyLru *self, const DetourKey *key)
{
  DetourKeyLruEntry *entry = g_hash_table_lookup (self->entries, key);

  if (entry != NULL)
    {
      GQueue *recent = &self->groups[entry->group].recent;

      g_queue_unlink (recent, &entry->link);
      g_queue_push_head_link (recent, &entry->link);
    }
  return entry;
}

gpointer
detour_key_lru_peek (const DetourKeyLru *self, const DetourKey *key)
{
  return g_hash_table_lookup (self->entries, key);
}

void
detour_key_lru_each (const DetourKeyLru *self, guint group,
                     void (*func) (gconstpointer entry, gpointer data), gpointer data)
{
  for (const GList *link = self->groups[group].recent.head; link != NULL; link = link->next)
    func (link->data, data);
}

guint
detour_key_lru_size (const DetourKeyLru *self)
{
  return g_hash_table_size (self->entries);
}
