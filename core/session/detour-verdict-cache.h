/* detour-verdict-cache.h: verdicts of one auth instance that still hold, and the keys it allowed
 * before.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Allowed keys and denied ones have a budget each, so a flood of unknown keys displaces no key that
 * was allowed. An allowed key stays after its verdict has run out, for the grace period. */
#pragma once

#include <glib.h>

#include "detour-auth-request.h"
#include "detour-verdict.h"

G_BEGIN_DECLS

/* Main thread. Verdicts that it returns are borrowed until the next call. */
typedef struct _DetourVerdictCache DetourVerdictCache;

DetourVerdictCache *detour_verdict_cache_new (guint allowed_max, guint denied_max);
void detour_verdict_cache_free (DetourVerdictCache *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdictCache, detour_verdict_cache_free)

/* When a verdict came, and how long it holds. */
typedef struct {
  gint64 at_us;
  gint64 at_real_us; /* Unix time */
  gint64 until_us;   /* when that is not later than @at_us, the key is only remembered as allowed */
  /* Hash of the request that outlasts the process, when the verdict may do so, too; 0: it may not,
   * and only the key is remembered after a restart. */
  guint64 request;
} DetourVerdictTerms;

/* What became of the key by it. */
typedef enum {
  DETOUR_VERDICT_CACHE_DENIED, /* as it was, if it was known at all */
  DETOUR_VERDICT_CACHE_REVOKED,
  DETOUR_VERDICT_CACHE_ALLOWED,   /* anew, or with another label or class */
  DETOUR_VERDICT_CACHE_CONFIRMED, /* it was allowed in the same way */
} DetourVerdictCacheChange;

/**
 * detour_verdict_cache_put:
 * @request: the verdict holds for an equal request only
 * @verdict: ALLOW or DENY; referenced. The last one on a key counts
 */
DetourVerdictCacheChange detour_verdict_cache_put (DetourVerdictCache *self,
                                                   const DetourAuthRequest *request,
                                                   DetourVerdict *verdict,
                                                   const DetourVerdictTerms *terms);
/* Takes what was known before a restart. @request: (nullable): that it holds for */
void detour_verdict_cache_restore (DetourVerdictCache *self, const DetourKey *key,
                                   const DetourAuthRequest *request, DetourVerdict *verdict,
                                   const DetourVerdictTerms *terms);

/* (nullable): a verdict that holds. */
DetourVerdict *detour_verdict_cache_find (DetourVerdictCache *self,
                                          const DetourAuthRequest *request, gint64 now_us);
/* (nullable): the last verdict on the key, whatever the request, if it was ALLOW and was given at
 * @since_us or later. */
DetourVerdict *detour_verdict_cache_find_allowed (DetourVerdictCache *self, const DetourKey *key,
                                                  gint64 since_us);

gboolean detour_verdict_cache_has (const DetourVerdictCache *self, const DetourKey *key);
/* TRUE: the key was known as allowed, and is no more. */
gboolean detour_verdict_cache_drop (DetourVerdictCache *self, const DetourKey *key);
void detour_verdict_cache_drop_all (DetourVerdictCache *self);

/* Keys that are known as allowed, the one that was used last first. @holds: until then, for an
 * equal request */
typedef void (*DetourVerdictCacheFunc) (const DetourKey *key, DetourVerdict *verdict,
                                        const DetourVerdictTerms *terms, gboolean holds,
                                        gpointer data);
void detour_verdict_cache_each_allowed (const DetourVerdictCache *self, DetourVerdictCacheFunc func,
                                        gpointer data);

/* No verdict holds any more; keys that were allowed stay known. */
void detour_verdict_cache_forget (DetourVerdictCache *self);

/* Keys it remembers, whether their verdict holds or not. */
guint detour_verdict_cache_size (const DetourVerdictCache *self);

G_END_DECLS
