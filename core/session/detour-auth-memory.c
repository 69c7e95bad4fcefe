/* detour-auth-memory.c: what is known of the keys that one auth instance was asked about: its
 * cache, and behind that what outlasted a restart.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-memory.h"

struct _DetourAuthMemory {
  const char *instance;
  char *source; /* NULL: not said yet */
  DetourVerdictCache *cache;
  DetourVerdictStore *store; /* NULL: none */
  gboolean holds_any;        /* a verdict that may hold over a restart */
};

DetourAuthMemory *
detour_auth_memory_new (const char *instance, guint allowed_max, guint denied_max)
{
  DetourAuthMemory *self = g_new0 (DetourAuthMemory, 1);

  self->instance = instance;
  self->cache = detour_verdict_cache_new (allowed_max, denied_max);
  return self;
}

void
detour_auth_memory_free (DetourAuthMemory *self)
{
  detour_verdict_cache_free (self->cache);
  g_free (self->source);
  g_free (self);
}

static gboolean
auth_memory_is_kept (const DetourAuthMemory *self)
{
  return self->store != NULL && detour_verdict_store_is_on (self->store);
}

static void
auth_memory_note (DetourAuthMemory *self, DetourVerdictStoreNews news)
{
  if (self->store != NULL)
    detour_verdict_store_note (self->store, news);
}

void
detour_auth_memory_set_store (DetourAuthMemory *self, DetourVerdictStore *store)
{
  self->store = store;
  if (store == NULL)
    return;
  if (self->source != NULL)
    detour_verdict_store_claim (store, self->instance, self->source);
  if (detour_verdict_cache_size (self->cache) > 0)
    detour_verdict_store_note (store, DETOUR_VERDICT_STORE_ALLOWED);
}

void
detour_auth_memory_set_source (DetourAuthMemory *self, const char *source)
{
  gboolean is_other = self->source != NULL && g_strcmp0 (self->source, source) != 0;

  g_free (self->source);
  self->source = g_strdup (source);
  if (is_other)
    detour_auth_memory_drop_all (self);
}

/* Verdicts ------------------------------------------------------------------------------------- */

/* What is said now counts, and not what was said before the start. Returns: whether something was
 * known. */
static gboolean
auth_memory_supersede (DetourAuthMemory *self, const DetourKey *key)
{
  return self->store != NULL && detour_verdict_store_drop (self->store, self->instance, key);
}

void
detour_auth_memory_put (DetourAuthMemory *self, const DetourAuthRequest *request,
                        DetourVerdict *verdict, gint64 now_us, gint64 until_us)
{
  DetourVerdictTerms terms = { .at_us = now_us, .until_us = until_us };
  DetourVerdictCacheChange change;
  gboolean was_kept;

  if (auth_memory_is_kept (self))
    {
      terms.at_real_us = detour_verdict_store_real_us (self->store);
      /* The usual few seconds are over after a restart. */
      if (verdict->result == DETOUR_AUTH_ALLOW && verdict->until_us != 0)
        {
          terms.request = detour_verdict_seal_hash_request (detour_verdict_store_seal (self->store),
                                                            request);
          self->holds_any = TRUE;
        }
    }
  change = detour_verdict_cache_put (self->cache, request, verdict, &terms);
  was_kept = auth_memory_supersede (self, detour_auth_request_key (request));
  if (change == DETOUR_VERDICT_CACHE_REVOKED || (change == DETOUR_VERDICT_CACHE_DENIED && was_kept))
    auth_memory_note (self, DETOUR_VERDICT_STORE_REVOKED);
  else if (change == DETOUR_VERDICT_CACHE_CONFIRMED
           || (change == DETOUR_VERDICT_CACHE_ALLOWED && was_kept))
    auth_memory_note (self, DETOUR_VERDICT_STORE_CONFIRMED);
  else if (change == DETOUR_VERDICT_CACHE_ALLOWED)
    auth_memory_note (self, DETOUR_VERDICT_STORE_ALLOWED);
}

/* Takes what was known of the key before the start, if nothing is known since. */
static void
auth_memory_restore (DetourAuthMemory *self, const DetourKey *key, const DetourAuthRequest *request)
{
  DetourVerdictTerms terms;
  g_autoptr (DetourVerdict) verdict = NULL;

  if (self->store == NULL || detour_verdict_store_size (self->store, self->instance) == 0
      || detour_verdict_cache_has (self->cache, key))
    return;
  verdict = detour_verdict_store_take (self->store, self->instance, key, request, &terms);
  if (verdict != NULL)
    detour_verdict_cache_restore (self->cache, key, request, verdict, &terms);
}

DetourVerdict *
detour_auth_memory_find (DetourAuthMemory *self, const DetourAuthRequest *request, gint64 now_us)
{
  auth_memory_restore (self, detour_auth_request_key (request), request);
  return detour_verdict_cache_find (self->cache, request, now_us);
}

DetourVerdict *
detour_auth_memory_find_allowed (DetourAuthMemory *self, const DetourKey *key, gint64 since_us)
{
  auth_memory_restore (self, key, NULL);
  return detour_verdict_cache_find_allowed (self->cache, key, since_us);
}

/* Forgetting ----------------------------------------------------------------------------------- */

void
detour_auth_memory_forget (DetourAuthMemory *self)
{
  gboolean held_any = self->holds_any;

  self->holds_any = FALSE;
  detour_verdict_cache_forget (self->cache);
  if (self->store != NULL)
    held_any |= detour_verdict_store_forget (self->store, self->instance);
  if (held_any)
    auth_memory_note (self, DETOUR_VERDICT_STORE_REVOKED);
}

void
detour_auth_memory_drop (DetourAuthMemory *self, const DetourKey *key)
{
  gboolean was_allowed = detour_verdict_cache_drop (self->cache, key);

  was_allowed |= auth_memory_supersede (self, key);
  if (was_allowed)
    auth_memory_note (self, DETOUR_VERDICT_STORE_REVOKED);
}

void
detour_auth_memory_drop_all (DetourAuthMemory *self)
{
  gboolean had_any = detour_verdict_cache_size (self->cache) > 0;

  detour_verdict_cache_drop_all (self->cache);
  if (self->store != NULL)
    had_any |= detour_verdict_store_drop_all (self->store, self->instance);
  if (had_any)
    auth_memory_note (self, DETOUR_VERDICT_STORE_REVOKED);
}

/* ---------------------------------------------------------------------------------------------- */

void
detour_auth_memory_collect (const DetourAuthMemory *self, DetourVerdictDraft *draft)
{
  if (self->source == NULL)
    return;
  detour_verdict_store_begin (self->store, self->instance, self->source, draft);
  detour_verdict_cache_each_allowed (self->cache, detour_verdict_draft_add, draft);
}

guint
detour_auth_memory_size (const DetourAuthMemory *self)
{
  return detour_verdict_cache_size (self->cache)
       + (self->store != NULL ? detour_verdict_store_size (self->store, self->instance) : 0);
}
