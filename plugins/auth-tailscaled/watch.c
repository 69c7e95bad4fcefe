/* watch.c: what one tailscaled tells by itself of the nodes that it has vouched for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "watch.h"

#include <string.h>

#include "bus.h"
#include "node-store.h"

/* A node that was let in for the first time is on the disk after so long at most. */
#define KEEP_EVERY_US G_TIME_SPAN_MINUTE

struct _Watch {
  WatchFuncs funcs;
  gpointer user;
  guint number;
  Bus *bus;
  NodeTable *nodes;
  char *socket;
  char *path;
  gint64 keep_us; /* when they are to be written; 0: they are as they are on the disk */
};

static void
watch_note_change (Watch *self)
{
  if (self->keep_us == 0)
    self->keep_us = g_get_monotonic_time () + KEEP_EVERY_US;
}

/* A directory that is full is told by what matters more. */
static void
watch_keep (Watch *self)
{
  node_store_write (self->path, self->nodes, self->socket, NULL);
  self->keep_us = 0;
}

static void
watch_drop (Watch *self, gint64 id)
{
  gboolean is_known = node_table_remove (self->nodes, id);

  if (is_known)
    watch_note_change (self);
  self->funcs.changed (self->user, is_known);
}

static void
watch_on_node (gpointer user, const BusNode *node)
{
  Watch *self = user;
  guint8 before[DETOUR_KEY_SIZE];

  if (!node_table_has (self->nodes, node->id))
    {
      if (node->has_key && !node->is_expired)
        self->funcs.appeared (self->user, node->key);
    }
  else if (!node->has_key || node->is_expired)
    watch_drop (self, node->id);
  else if (node_table_put (self->nodes, node, before))
    {
      watch_note_change (self);
      self->funcs.rekeyed (self->user, before, node->key);
      self->funcs.appeared (self->user, node->key);
      self->funcs.changed (self->user, TRUE);
    }
}

static void
watch_on_removed (gpointer user, gint64 id)
{
  watch_drop (user, id);
}

static void
watch_on_map (gpointer user, gboolean begins)
{
  Watch *self = user;

  if (begins)
    node_table_mark (self->nodes);
  else if (node_table_sweep (self->nodes) > 0)
    {
      watch_note_change (self);
      self->funcs.changed (self->user, TRUE);
    }
}

static void
watch_on_state (gpointer user)
{
  Watch *self = user;

  self->funcs.look (self->user, self->number);
}

static void
watch_on_opened (gpointer user)
{
  Watch *self = user;

  self->funcs.watches (self->user, self->number, TRUE);
  /* Something may have happened to them while nobody told. */
  if (node_table_size (self->nodes) > 0)
    self->funcs.changed (self->user, TRUE);
}

static void
watch_on_ended (gpointer user)
{
  Watch *self = user;

  self->funcs.watches (self->user, self->number, FALSE);
  self->funcs.look (self->user, self->number);
}

static const BusFuncs bus_funcs = {
  { watch_on_node, watch_on_removed, watch_on_map, watch_on_state },
  watch_on_opened,
  watch_on_ended,
};

gboolean
watch_note (Watch *self, const guint8 *key, const WhoisAnswer *answer, guint8 *before)
{
  BusNode node = { .id = answer->node_id, .has_key = TRUE };
  gboolean is_other, is_new;

  if (answer->node_id == 0)
    return FALSE;
  is_new = !node_table_has (self->nodes, node.id);
  memcpy (node.key, key, sizeof node.key);
  g_strlcpy (node.stable, answer->stable_id, sizeof node.stable);
  is_other = node_table_put (self->nodes, &node, before);
  if (is_new || is_other)
    watch_note_change (self);
  return is_other;
}

gint64
watch_look_after (Watch *self, const char *socket, gint64 now_us)
{
  gint64 next_us;

  if (self->keep_us != 0 && now_us >= self->keep_us)
    watch_keep (self);
  next_us = bus_look_after (self->bus, socket, now_us);
  return self->keep_us != 0 ? MIN (next_us, self->keep_us) : next_us;
}

void
watch_hurry (Watch *self)
{
  bus_hurry (self->bus);
}

gboolean
watch_done (Watch *self, CURL *easy)
{
  return bus_done (self->bus, easy);
}

Watch *
watch_new (CURLM *multi, guint timeout_ms, const char *socket, const char *path,
           const WatchFuncs *funcs, gpointer user, guint number)
{
  Watch *self = g_new0 (Watch, 1);

  self->funcs = *funcs;
  self->user = user;
  self->number = number;
  self->nodes = node_table_new (NODE_TABLE_MAX);
  self->socket = g_strdup (socket);
  self->path = g_strdup (path);
  node_store_read (path, socket, self->nodes);
  self->bus = bus_new (multi, timeout_ms, &bus_funcs, self);
  return self;
}

void
watch_free (Watch *self)
{
  if (self->keep_us != 0)
    watch_keep (self);
  bus_free (self->bus);
  node_table_free (self->nodes);
  g_free (self->socket);
  g_free (self->path);
  g_free (self);
}
