/* device-table.c: the devices of a tailnet, found by their node keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "device-table.h"

#include <string.h>

#define CHUNK 16384u
/* Fewer that are gone are never doubtful. */
#define DOUBTFUL_MIN 3u

struct _DeviceTable {
  gatomicrefcount refs;
  GArray *devices;     /* of Device, sorted by key once sealed */
  GStringChunk *texts; /* equal owners and tags are kept once */
  gsize texts_size;
};

DeviceTable *
device_table_new (void)
{
  DeviceTable *self = g_new0 (DeviceTable, 1);

  g_atomic_ref_count_init (&self->refs);
  self->devices = g_array_new (FALSE, FALSE, sizeof (Device));
  self->texts = g_string_chunk_new (CHUNK);
  return self;
}

DeviceTable *
device_table_ref (DeviceTable *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
device_table_unref (DeviceTable *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_array_unref (self->devices);
  g_string_chunk_free (self->texts);
  g_free (self);
}

static const char *
device_table_keep (DeviceTable *self, const char *text)
{
  if (*text == '\0')
    return "";
  self->texts_size += strlen (text) + 1;
  return g_string_chunk_insert (self->texts, text);
}

gboolean
device_table_add (DeviceTable *self, const Device *device)
{
  Device copy = *device;

  if (self->devices->len >= DEVICE_TABLE_MAX)
    return FALSE;
  copy.id = device_table_keep (self, device->id);
  copy.name = device_table_keep (self, device->name);
  copy.owner = g_string_chunk_insert_const (self->texts, device->owner);
  copy.tags = g_string_chunk_insert_const (self->texts, device->tags);
  g_array_append_val (self->devices, copy);
  return TRUE;
}

static gint
device_table_order (gconstpointer a, gconstpointer b)
{
  const Device *one = a, *two = b;
  int order = memcmp (one->key, two->key, DETOUR_KEY_SIZE);

  return order != 0 ? order : (gint) two->authorized - (gint) one->authorized;
}

void
device_table_seal (DeviceTable *self)
{
  guint kept = 0;

  g_array_sort (self->devices, device_table_order);
  for (guint i = 0; i < self->devices->len; i++)
    {
      const Device *device = device_table_at (self, i);

      if (kept > 0
          && memcmp (device_table_at (self, kept - 1)->key, device->key, DETOUR_KEY_SIZE) == 0)
        continue;
      if (kept != i)
        g_array_index (self->devices, Device, kept) = *device;
      kept++;
    }
  g_array_set_size (self->devices, kept);
}

guint
device_table_size (const DeviceTable *self)
{
  return self->devices->len;
}

const Device *
device_table_at (const DeviceTable *self, guint index)
{
  return &g_array_index (self->devices, Device, index);
}

const Device *
device_table_find (const DeviceTable *self, const guint8 *key)
{
  guint first = 0, end = self->devices->len;

  while (first < end)
    {
      guint middle = first + (end - first) / 2;
      const Device *device = device_table_at (self, middle);
      int order = memcmp (key, device->key, DETOUR_KEY_SIZE);

      if (order == 0)
        return device;
      if (order < 0)
        end = middle;
      else
        first = middle + 1;
    }
  return NULL;
}

gint64
device_table_next_expiry (const DeviceTable *self, gint64 now)
{
  gint64 next = G_MAXINT64;

  for (guint i = 0; i < self->devices->len; i++)
    {
      gint64 expires = device_table_at (self, i)->expires;

      if (expires > now)
        next = MIN (next, expires);
    }
  return next;
}

gsize
device_table_memory (const DeviceTable *self)
{
  return sizeof *self + self->devices->len * sizeof (Device) + self->texts_size;
}

static gboolean
device_table_is_same (const Device *a, const Device *b)
{
  return a->expires == b->expires && a->authorized == b->authorized && strcmp (a->id, b->id) == 0
      && strcmp (a->name, b->name) == 0 && strcmp (a->owner, b->owner) == 0
      && strcmp (a->tags, b->tags) == 0;
}

/* Devices of @older whose keys are not in @newer, by their ids. Free with g_hash_table_unref(). */
static GHashTable *
device_table_find_removed (const DeviceTable *older, const DeviceTable *newer, DeviceChange *change)
{
  GHashTable *removed = g_hash_table_new (g_str_hash, g_str_equal);
  guint i = 0, j = 0;

  *change = (DeviceChange) { 0 };
  while (i < older->devices->len || j < newer->devices->len)
    {
      const Device *old = i < older->devices->len ? device_table_at (older, i) : NULL;
      const Device *new = j < newer->devices->len ? device_table_at (newer, j) : NULL;
      int order = old == NULL ? 1 : new == NULL ? -1 : memcmp (old->key, new->key, DETOUR_KEY_SIZE);

      if (order < 0)
        {
          change->removed++;
          if (*old->id != '\0')
            g_hash_table_insert (removed, (gpointer) old->id, (gpointer) old);
        }
      else if (order > 0)
        change->added++;
      else if (!device_table_is_same (old, new))
        change->altered++;
      i += order <= 0;
      j += order >= 0;
    }
  return removed;
}

/* Calls @func, if there is one, for each of @removed that is in @newer; gives how many these are.
 */
static guint
device_table_match_removed (const DeviceTable *newer, GHashTable *removed, DeviceRekeyed func,
                            gpointer user)
{
  guint n = 0;

  for (guint i = 0; i < newer->devices->len && g_hash_table_size (removed) > 0; i++)
    {
      const Device *new = device_table_at (newer, i);
      const Device *old = g_hash_table_lookup (removed, new->id);

      if (old == NULL)
        continue;
      if (func != NULL)
        func (old->key, new->key, user);
      g_hash_table_remove (removed, new->id);
      n++;
    }
  return n;
}

void
device_table_compare (const DeviceTable *older, const DeviceTable *newer, DeviceChange *change)
{
  g_autoptr (GHashTable) removed = device_table_find_removed (older, newer, change);

  change->rekeyed = device_table_match_removed (newer, removed, NULL, NULL);
}

void
device_table_each_rekeyed (const DeviceTable *older, const DeviceTable *newer, DeviceRekeyed func,
                           gpointer user)
{
  DeviceChange change;
  g_autoptr (GHashTable) removed = device_table_find_removed (older, newer, &change);

  device_table_match_removed (newer, removed, func, user);
}

gboolean
device_change_is_any (const DeviceChange *change)
{
  return change->added + change->removed + change->altered > 0;
}

gboolean
device_change_is_doubtful (const DeviceChange *change, guint n_older)
{
  guint gone = change->removed - change->rekeyed;

  return gone >= DOUBTFUL_MIN && gone > n_older / 2;
}

void
device_table_each_unwelcome (const DeviceTable *older, const DeviceTable *newer,
                             const char *const *tags, gint64 now,
                             void (*func) (gpointer user, const guint8 *key), gpointer user)
{
  for (guint i = 0; i < device_table_size (older); i++)
    {
      const guint8 *key = device_table_at (older, i)->key;
      const Device *device = device_table_find (newer, key);

      if (device == NULL || device_standing (device, tags, now) != DEVICE_WELCOME)
        func (user, key);
    }
}
