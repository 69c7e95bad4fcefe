/* detour-auth-memory.h: what is known of the keys that one auth instance was asked about: its
 * cache, and behind that what outlasted a restart.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-verdict-cache.h"
#include "detour-verdict-store.h"

G_BEGIN_DECLS

/* Main thread. Verdicts that it returns are borrowed until the next call. */
typedef struct _DetourAuthMemory DetourAuthMemory;

/* @instance: its id; outlives the memory */
DetourAuthMemory *detour_auth_memory_new (const char *instance, guint allowed_max,
                                          guint denied_max);
void detour_auth_memory_free (DetourAuthMemory *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourAuthMemory, detour_auth_memory_free)

/* NULL: nothing outlasts a restart. */
void detour_auth_memory_set_store (DetourAuthMemory *self, DetourVerdictStore *store);
/* Whom the instance asks. Keys that another source allowed count for nothing any more. */
void detour_auth_memory_set_source (DetourAuthMemory *self, const char *source);

/* @until_us: as of DetourVerdictTerms */
void detour_auth_memory_put (DetourAuthMemory *self, const DetourAuthRequest *request,
                             DetourVerdict *verdict, gint64 now_us, gint64 until_us);
/* As detour_verdict_cache_find() and detour_verdict_cache_find_allowed(). */
DetourVerdict *detour_auth_memory_find (DetourAuthMemory *self, const DetourAuthRequest *request,
                                        gint64 now_us);
DetourVerdict *detour_auth_memory_find_allowed (DetourAuthMemory *self, const DetourKey *key,
                                                gint64 since_us);

/* No verdict holds any more; keys that were allowed stay known. */
void detour_auth_memory_forget (DetourAuthMemory *self);
/* Nothing is known of the key. */
void detour_auth_memory_drop (DetourAuthMemory *self, const DetourKey *key);
/* Nothing is known, on disk neither. */
void detour_auth_memory_drop_all (DetourAuthMemory *self);

/* Puts what is to outlast a restart into @draft. */
void detour_auth_memory_collect (const DetourAuthMemory *self, DetourVerdictDraft *draft);
/* Keys. */
guint detour_auth_memory_size (const DetourAuthMemory *self);

G_END_DECLS
