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

/**
 * detour_verdict_cache_put:
 * @request: the verdict holds for an equal request only
 * @verdict: ALLOW or DENY; referenced. The last one on a key counts
 * @until_us: it holds until then; when that is not later than @now_us, the key is only remembered
 *   as allowed
 */
void detour_verdict_cache_put (DetourVerdictCache *self, const DetourAuthRequest *request,
                               DetourVerdict *verdict, gint64 now_us, gint64 until_us);

/* (nullable): a verdict that holds. */
DetourVerdict *detour_verdict_cache_find (DetourVerdictCache *self,
                                          const DetourAuthRequest *request, gint64 now_us);
/* (nullable): the last verdict on the key, whatever the request, if it was ALLOW and was given at
 * @since_us or later. */
DetourVerdict *detour_verdict_cache_find_allowed (DetourVerdictCache *self, const DetourKey *key,
                                                  gint64 since_us);

/* No verdict holds any more; keys that were allowed stay known. */
void detour_verdict_cache_forget (DetourVerdictCache *self);

/* Keys it remembers, whether their verdict holds or not. */
guint detour_verdict_cache_size (const DetourVerdictCache *self);

G_END_DECLS
