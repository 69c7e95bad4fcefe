/* detour-verdict-cache.c: verdicts of one auth instance that still hold, and the keys it allowed
 * before.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-cache.h"

#include "detour-key-lru.h"

enum {
  GROUP_ALLOWED,
  GROUP_DENIED,
  N_GROUPS,
};

typedef struct {
  DetourKeyLruEntry base;
  guint64 hash; /* of the request */
  gint64 at_us;
  gint64 until_us;
  guint64 generation; /* of the cache when it came */
  DetourVerdict *verdict;
} Entry;

struct _DetourVerdictCache {
  DetourKeyLru *entries;
  guint64 generation;
};

static void
verdict_cache_entry_free (gpointer data)
{
  Entry *entry = data;

  detour_verdict_unref (entry->verdict);
  g_free (entry);
}

DetourVerdictCache *
detour_verdict_cache_new (guint allowed_max, guint denied_max)
{
  const guint budgets[N_GROUPS] = { allowed_max, denied_max };
  DetourVerdictCache *self = g_new0 (DetourVerdictCache, 1);

  self->entries = detour_key_lru_new (budgets, N_GROUPS, verdict_cache_entry_free);
  return self;
}

void
detour_verdict_cache_free (DetourVerdictCache *self)
{
  detour_key_lru_free (self->entries);
  g_free (self);
}

void
detour_verdict_cache_put (DetourVerdictCache *self, const DetourAuthRequest *request,
                          DetourVerdict *verdict, gint64 now_us, gint64 until_us)
{
  gboolean allows = verdict->result == DETOUR_AUTH_ALLOW;
  Entry *entry;

  g_assert (verdict->result != DETOUR_AUTH_UNAVAILABLE);
  if (!allows && until_us <= now_us)
    {
      detour_key_lru_remove (self->entries, detour_auth_request_key (request));
      return;
    }
  entry = g_new0 (Entry, 1);
  entry->base.key = *detour_auth_request_key (request);
  entry->hash = detour_auth_request_hash (request);
  entry->at_us = now_us;
  entry->until_us = until_us;
  entry->generation = self->generation;
  entry->verdict = detour_verdict_ref (verdict);
  detour_key_lru_add (self->entries, entry, allows ? GROUP_ALLOWED : GROUP_DENIED);
}

DetourVerdict *
detour_verdict_cache_find (DetourVerdictCache *self, const DetourAuthRequest *request,
                           gint64 now_us)
{
  const Entry *entry = detour_key_lru_use (self->entries, detour_auth_request_key (request));

  if (entry == NULL || entry->hash != detour_auth_request_hash (request)
      || entry->generation != self->generation || now_us >= entry->until_us)
    return NULL;
  return entry->verdict;
}

DetourVerdict *
detour_verdict_cache_find_allowed (DetourVerdictCache *self, const DetourKey *key, gint64 since_us)
{
  const Entry *entry = detour_key_lru_use (self->entries, key);

  if (entry == NULL || entry->verdict->result != DETOUR_AUTH_ALLOW || entry->at_us < since_us)
    return NULL;
  return entry->verdict;
}

void
detour_verdict_cache_forget (DetourVerdictCache *self)
{
  self->generation++;
  detour_key_lru_clear_group (self->entries, GROUP_DENIED);
}

guint
detour_verdict_cache_size (const DetourVerdictCache *self)
{
  return detour_key_lru_size (self->entries);
}
