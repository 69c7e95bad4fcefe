/* detour-verdict-cache.c: what one auth instance said lately: verdicts that still hold, and whom
 * it allowed before.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-cache.h"

typedef struct {
  DetourKey key; /* first: the table hashes it here */
  guint64 hash;
  gint64 at_us;
  gint64 until_us;
  guint64 generation; /* of the cache when it came */
  char *label;
  char *reason;
  GList link;
} Entry;

typedef struct {
  GHashTable *entries; /* Entry: itself */
  GQueue recent;       /* of Entry, the most recent one first */
  guint max;
} Half;

struct _DetourVerdictCache {
  Half allowed, denied;
  guint64 generation;
};

static gboolean
verdict_cache_keys_equal (gconstpointer a, gconstpointer b)
{
  return detour_key_equal (a, b);
}

static void
verdict_cache_entry_free (gpointer data)
{
  Entry *entry = data;

  g_free (entry->label);
  g_free (entry->reason);
  g_free (entry);
}

static void
verdict_cache_half_init (Half *half, guint max)
{
  half->entries = g_hash_table_new_full (detour_question_hash_key, verdict_cache_keys_equal,
                                         verdict_cache_entry_free, NULL);
  half->max = max;
  g_queue_init (&half->recent);
}

static void
verdict_cache_half_remove (Half *half, Entry *entry)
{
  g_queue_unlink (&half->recent, &entry->link);
  g_hash_table_remove (half->entries, entry);
}

static void
verdict_cache_half_remove_key (Half *half, const DetourKey *key)
{
  Entry *entry = g_hash_table_lookup (half->entries, key);

  if (entry != NULL)
    verdict_cache_half_remove (half, entry);
}

static void
verdict_cache_half_add (Half *half, Entry *entry)
{
  verdict_cache_half_remove_key (half, &entry->key);
  if (half->max == 0)
    {
      verdict_cache_entry_free (entry);
      return;
    }
  if (half->recent.length >= half->max)
    verdict_cache_half_remove (half, half->recent.tail->data);
  entry->link.data = entry;
  g_queue_push_head_link (&half->recent, &entry->link);
  g_hash_table_add (half->entries, entry);
}

/* Finds and makes it the most recent one. */
static Entry *
verdict_cache_half_find (Half *half, const DetourKey *key)
{
  Entry *entry = g_hash_table_lookup (half->entries, key);

  if (entry != NULL)
    {
      g_queue_unlink (&half->recent, &entry->link);
      g_queue_push_head_link (&half->recent, &entry->link);
    }
  return entry;
}

DetourVerdictCache *
detour_verdict_cache_new (guint allowed_max, guint denied_max)
{
  DetourVerdictCache *self = g_new0 (DetourVerdictCache, 1);

  verdict_cache_half_init (&self->allowed, allowed_max);
  verdict_cache_half_init (&self->denied, denied_max);
  return self;
}

void
detour_verdict_cache_free (DetourVerdictCache *self)
{
  g_hash_table_unref (self->allowed.entries);
  g_hash_table_unref (self->denied.entries);
  g_free (self);
}

void
detour_verdict_cache_put (DetourVerdictCache *self, const DetourKey *key, guint64 hash,
                          const DetourAuthVerdict *verdict, gint64 now_us, gint64 until_us)
{
  gboolean allows = verdict->result == DETOUR_AUTH_ALLOW;
  Entry *entry;

  g_assert (verdict->result != DETOUR_AUTH_UNAVAILABLE);
  verdict_cache_half_remove_key (allows ? &self->denied : &self->allowed, key);
  if (!allows && until_us <= now_us)
    {
      verdict_cache_half_remove_key (&self->denied, key);
      return;
    }
  entry = g_new0 (Entry, 1);
  entry->key = *key;
  entry->hash = hash;
  entry->at_us = now_us;
  entry->until_us = until_us;
  entry->generation = self->generation;
  entry->label = g_strdup (verdict->label);
  entry->reason = g_strdup (verdict->reason);
  verdict_cache_half_add (allows ? &self->allowed : &self->denied, entry);
}

static void
verdict_cache_fill (const Entry *entry, DetourAuthResult result, DetourRemembered *out)
{
  *out = (DetourRemembered) { result, entry->label, entry->reason };
}

gboolean
detour_verdict_cache_find (DetourVerdictCache *self, const DetourKey *key, guint64 hash,
                           gint64 now_us, DetourRemembered *out)
{
  DetourAuthResult result = DETOUR_AUTH_ALLOW;
  Entry *entry = verdict_cache_half_find (&self->allowed, key);

  if (entry == NULL)
    {
      entry = verdict_cache_half_find (&self->denied, key);
      result = DETOUR_AUTH_DENY;
    }
  if (entry == NULL || entry->hash != hash || entry->generation != self->generation
      || now_us >= entry->until_us)
    return FALSE;
  verdict_cache_fill (entry, result, out);
  return TRUE;
}

gboolean
detour_verdict_cache_find_allowed (DetourVerdictCache *self, const DetourKey *key, gint64 since_us,
                                   DetourRemembered *out)
{
  Entry *entry = verdict_cache_half_find (&self->allowed, key);

  if (entry == NULL || entry->at_us < since_us)
    return FALSE;
  verdict_cache_fill (entry, DETOUR_AUTH_ALLOW, out);
  return TRUE;
}

void
detour_verdict_cache_forget (DetourVerdictCache *self)
{
  self->generation++;
  g_queue_init (&self->denied.recent);
  g_hash_table_remove_all (self->denied.entries);
}

guint
detour_verdict_cache_size (const DetourVerdictCache *self)
{
  return self->allowed.recent.length + self->denied.recent.length;
}
