/* detour-verdict-cache.h: what one auth instance said lately: verdicts that still hold, and whom
 * it allowed before.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Allowed keys and denied ones are kept apart, each up to a limit, the least recent one goes
 * first: a flood of unknown keys displaces no key that was allowed. An allowed key stays after its
 * verdict has run out, for the grace period. */
#pragma once

#include <glib.h>

#include "detour-question.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourVerdictCache DetourVerdictCache;

/* Borrowed until the next call that is not a question. */
typedef struct {
  DetourAuthResult result; /* ALLOW or DENY */
  const char *label;       /* (nullable) */
  const char *reason;      /* (nullable) */
} DetourRemembered;

DetourVerdictCache *detour_verdict_cache_new (guint allowed_max, guint denied_max);
void detour_verdict_cache_free (DetourVerdictCache *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdictCache, detour_verdict_cache_free)

/**
 * detour_verdict_cache_put:
 * @hash: of the question, see detour_question_hash(): the verdict holds for the same question only
 * @verdict: ALLOW or DENY; copied. The last one on a key counts
 * @until_us: it holds until then; not later than @now_us: only whom it allowed is remembered
 */
void detour_verdict_cache_put (DetourVerdictCache *self, const DetourKey *key, guint64 hash,
                               const DetourAuthVerdict *verdict, gint64 now_us, gint64 until_us);

/* A verdict that holds. */
gboolean detour_verdict_cache_find (DetourVerdictCache *self, const DetourKey *key, guint64 hash,
                                    gint64 now_us, DetourRemembered *out);
/* The last verdict on the key was ALLOW, whatever the question, and it was given at @since_us or
 * later. */
gboolean detour_verdict_cache_find_allowed (DetourVerdictCache *self, const DetourKey *key,
                                            gint64 since_us, DetourRemembered *out);

/* No verdict holds any more; who was allowed stays known. */
void detour_verdict_cache_forget (DetourVerdictCache *self);

/* Keys it remembers, held or not. */
guint detour_verdict_cache_size (const DetourVerdictCache *self);

G_END_DECLS
