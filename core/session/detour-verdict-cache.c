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
  DetourVerdictTerms terms;
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

static void
verdict_cache_add (DetourVerdictCache *self, const DetourKey *key, guint64 hash,
                   DetourVerdict *verdict, const DetourVerdictTerms *terms)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->base.key = *key;
  entry->hash = hash;
  entry->terms = *terms;
  entry->generation = self->generation;
  entry->verdict = detour_verdict_ref (verdict);
  detour_key_lru_add (self->entries, entry,
                      verdict->result == DETOUR_AUTH_ALLOW ? GROUP_ALLOWED : GROUP_DENIED);
}

static DetourVerdictCacheChange
verdict_cache_judge (const Entry *before, const DetourVerdict *verdict)
{
  gboolean was_allowed = before != NULL && before->verdict->result == DETOUR_AUTH_ALLOW;

  if (verdict->result != DETOUR_AUTH_ALLOW)
    return was_allowed ? DETOUR_VERDICT_CACHE_REVOKED : DETOUR_VERDICT_CACHE_DENIED;
  return was_allowed && g_strcmp0 (before->verdict->label, verdict->label) == 0
              && g_strcmp0 (before->verdict->class_, verdict->class_) == 0
           ? DETOUR_VERDICT_CACHE_CONFIRMED
           : DETOUR_VERDICT_CACHE_ALLOWED;
}

DetourVerdictCacheChange
detour_verdict_cache_put (DetourVerdictCache *self, const DetourAuthRequest *request,
                          DetourVerdict *verdict, const DetourVerdictTerms *terms)
{
  const DetourKey *key = detour_auth_request_key (request);
  DetourVerdictCacheChange change = verdict_cache_judge (detour_key_lru_peek (self->entries, key),
                                                         verdict);

  g_assert (verdict->result != DETOUR_AUTH_UNAVAILABLE);
  if (verdict->result == DETOUR_AUTH_ALLOW || terms->until_us > terms->at_us)
    verdict_cache_add (self, key, detour_auth_request_hash (request), verdict, terms);
  else
    detour_key_lru_remove (self->entries, key);
  return change;
}

void
detour_verdict_cache_restore (DetourVerdictCache *self, const DetourKey *key,
                              const DetourAuthRequest *request, DetourVerdict *verdict,
                              const DetourVerdictTerms *terms)
{
  g_assert (request != NULL || terms->until_us <= terms->at_us);
  verdict_cache_add (self, key, request != NULL ? detour_auth_request_hash (request) : 0, verdict,
                     terms);
}

DetourVerdict *
detour_verdict_cache_find (DetourVerdictCache *self, const DetourAuthRequest *request,
                           gint64 now_us)
{
  const Entry *entry = detour_key_lru_use (self->entries, detour_auth_request_key (request));

  if (entry == NULL || entry->hash != detour_auth_request_hash (request)
      || entry->generation != self->generation || now_us >= entry->terms.until_us)
    return NULL;
  return entry->verdict;
}

DetourVerdict *
detour_verdict_cache_find_allowed (DetourVerdictCache *self, const DetourKey *key, gint64 since_us)
{
  const Entry *entry = detour_key_lru_use (self->entries, key);

  if (entry == NULL || entry->verdict->result != DETOUR_AUTH_ALLOW || entry->terms.at_us < since_us)
    return NULL;
  return entry->verdict;
}

gboolean
detour_verdict_cache_has (const DetourVerdictCache *self, const DetourKey *key)
{
  return detour_key_lru_peek (self->entries, key) != NULL;
}

gboolean
detour_verdict_cache_drop (DetourVerdictCache *self, const DetourKey *key)
{
  const Entry *entry = detour_key_lru_peek (self->entries, key);
  gboolean was_allowed = entry != NULL && entry->verdict->result == DETOUR_AUTH_ALLOW;

  detour_key_lru_remove (self->entries, key);
  return was_allowed;
}

void
detour_verdict_cache_drop_all (DetourVerdictCache *self)
{
  for (guint i = 0; i < N_GROUPS; i++)
    detour_key_lru_clear_group (self->entries, i);
}

typedef struct {
  const DetourVerdictCache *cache;
  DetourVerdictCacheFunc func;
  gpointer data;
} Each;

static void
verdict_cache_on_entry (gconstpointer data, gpointer user)
{
  const Entry *entry = data;
  const Each *each = user;

  each->func (&entry->base.key, entry->verdict, &entry->terms,
              entry->generation == each->cache->generation, each->data);
}

void
detour_verdict_cache_each_allowed (const DetourVerdictCache *self, DetourVerdictCacheFunc func,
                                   gpointer data)
{
  Each each = { self, func, data };

  detour_key_lru_each (self->entries, GROUP_ALLOWED, verdict_cache_on_entry, &each);
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
