/* node-table.c: the nodes that one tailscaled has vouched for, and the key of each.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "node-table.h"

#include <string.h>

typedef struct {
  gint64 id;
  guint mark;
  guint8 key[DETOUR_KEY_SIZE];
  GList link;    /* among all, the one put longest ago first */
  char stable[]; /* "": not said */
} Entry;

struct _NodeTable {
  guint max;
  guint mark;
  GHashTable *entries; /* of Entry, by its id */
  GQueue order;
};

static void
node_table_drop (NodeTable *self, Entry *entry)
{
  g_queue_unlink (&self->order, &entry->link);
  g_hash_table_remove (self->entries, &entry->id);
}

guint
node_table_size (const NodeTable *self)
{
  return g_hash_table_size (self->entries);
}

gboolean
node_table_has (const NodeTable *self, gint64 id)
{
  return g_hash_table_contains (self->entries, &id);
}

static void
node_table_add (NodeTable *self, const BusNode *node)
{
  gsize len = strlen (node->stable) + 1;
  Entry *entry;

  if (node_table_size (self) >= self->max)
    node_table_drop (self, self->order.head->data);
  entry = g_malloc0 (sizeof *entry + len);
  entry->id = node->id;
  entry->mark = self->mark;
  entry->link.data = entry;
  memcpy (entry->key, node->key, sizeof entry->key);
  memcpy (entry->stable, node->stable, len);
  g_hash_table_insert (self->entries, &entry->id, entry);
  g_queue_push_tail_link (&self->order, &entry->link);
}

gboolean
node_table_put (NodeTable *self, const BusNode *node, guint8 *before)
{
  Entry *entry = g_hash_table_lookup (self->entries, &node->id);
  gboolean has_changed;

  /* Another network may have the same number for another node. */
  if (entry != NULL && strcmp (entry->stable, node->stable) != 0)
    {
      node_table_drop (self, entry);
      entry = NULL;
    }
  if (entry == NULL)
    {
      node_table_add (self, node);
      return FALSE;
    }
  has_changed = memcmp (entry->key, node->key, sizeof entry->key) != 0;
  memcpy (before, entry->key, sizeof entry->key);
  memcpy (entry->key, node->key, sizeof entry->key);
  entry->mark = self->mark;
  g_queue_unlink (&self->order, &entry->link);
  g_queue_push_tail_link (&self->order, &entry->link);
  return has_changed;
}

gboolean
node_table_remove (NodeTable *self, gint64 id)
{
  Entry *entry = g_hash_table_lookup (self->entries, &id);

  if (entry == NULL)
    return FALSE;
  node_table_drop (self, entry);
  return TRUE;
}

void
node_table_foreach (const NodeTable *self, void (*func) (const BusNode *node, gpointer data),
                    gpointer data)
{
  for (const GList *link = self->order.head; link != NULL; link = link->next)
    {
      const Entry *entry = link->data;
      BusNode node = { .id = entry->id, .has_key = TRUE };

      memcpy (node.key, entry->key, sizeof node.key);
      g_strlcpy (node.stable, entry->stable, sizeof node.stable);
      func (&node, data);
    }
}

void
node_table_mark (NodeTable *self)
{
  self->mark++;
}

guint
node_table_sweep (NodeTable *self)
{
  GList *link = self->order.head;
  guint n = 0;

  while (link != NULL)
    {
      Entry *entry = link->data;

      link = link->next;
      if (entry->mark == self->mark)
        continue;
      node_table_drop (self, entry);
      n++;
    }
  return n;
}

NodeTable *
node_table_new (guint max)
{
  NodeTable *self = g_new0 (NodeTable, 1);

  self->max = max;
  self->entries = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  g_queue_init (&self->order);
  return self;
}

void
node_table_free (NodeTable *self)
{
  g_hash_table_unref (self->entries);
  g_free (self);
}
