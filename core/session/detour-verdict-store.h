/* detour-verdict-store.h: keeps on disk which keys auth instances allowed, so that grace outlasts a
 * restart.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What was read at the start waits here until somebody asks for a key, or the instance says
 * something about it. From then on it is the affair of that instance's memory, which is asked for
 * what it has when the file is written.
 *
 * Time goes by the wall clock over a restart. A clock that is behind the time at which the file was
 * written is wrong: nothing of before counts until it is right, and if it is not within minutes,
 * what was known before is given up. So no setting of the clock makes a verdict live longer. */
#pragma once

#include <glib.h>

#include "detour-verdict-cache.h"
#include "detour-verdict-seal.h"

G_BEGIN_DECLS

/* How long what was noted with each urgency may wait for the disk. */
#define DETOUR_VERDICT_STORE_SOON_US  (1 * G_TIME_SPAN_SECOND)
#define DETOUR_VERDICT_STORE_LATER_US (1 * G_TIME_SPAN_MINUTE)
#define DETOUR_VERDICT_STORE_SOME_US  (10 * G_TIME_SPAN_MINUTE)

/* Main thread. */
typedef struct _DetourVerdictStore DetourVerdictStore;
/* What is to be written. */
typedef struct _DetourVerdictDraft DetourVerdictDraft;

typedef enum {
  DETOUR_VERDICT_STORE_REVOKED,   /* a key is not allowed any more */
  DETOUR_VERDICT_STORE_ALLOWED,   /* a key is, that was not */
  DETOUR_VERDICT_STORE_CONFIRMED, /* a key still is */
} DetourVerdictStoreNews;

/* All that is not the store's own. */
typedef struct {
  /* Puts all that is to be kept into @draft. */
  void (*collect) (gpointer user, DetourVerdictDraft *draft);
  gint64 (*now_us) (gpointer user);  /* monotonic clock */
  gint64 (*real_us) (gpointer user); /* wall clock */
} DetourVerdictStorePort;

/**
 * detour_verdict_store_new:
 * @path: of the file; read at once if @grace_us is more than 0, and removed otherwise
 * @private_key: (array fixed-size=32): of the relay; outlives the store
 * @port: outlives the store
 */
DetourVerdictStore *detour_verdict_store_new (const char *path, const guint8 *private_key,
                                              gint64 grace_us, const DetourVerdictStorePort *port,
                                              gpointer user);
/* Writes what is not written, and waits for that. */
void detour_verdict_store_free (DetourVerdictStore *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdictStore, detour_verdict_store_free)

/* @grace_us: 0: nothing is kept, and the file is emptied */
void detour_verdict_store_set_grace (DetourVerdictStore *self, gint64 grace_us);
/* Whether it keeps anything. */
gboolean detour_verdict_store_is_on (const DetourVerdictStore *self);
/* Of one that keeps something. */
const DetourVerdictSeal *detour_verdict_store_seal (const DetourVerdictStore *self);
gint64 detour_verdict_store_real_us (const DetourVerdictStore *self);

void detour_verdict_store_note (DetourVerdictStore *self, DetourVerdictStoreNews news);

/* What was known before the start -------------------------------------------------------------- */

/* @source: whom the instance asks; what was written of another one is forgotten */
void detour_verdict_store_claim (DetourVerdictStore *self, const char *instance,
                                 const char *source);
/* Forgets what nobody has claimed. */
void detour_verdict_store_settle (DetourVerdictStore *self);

/**
 * detour_verdict_store_take:
 * @request: (nullable): the verdict may hold for it
 * @terms: (out): in the time of the process
 *
 * Returns: (transfer full) (nullable): by which @key was allowed before the start, if that is not
 *   longer ago than grace. The store has it no more.
 */
DetourVerdict *detour_verdict_store_take (DetourVerdictStore *self, const char *instance,
                                          const DetourKey *key, const DetourAuthRequest *request,
                                          DetourVerdictTerms *terms);
/* TRUE: it had it. */
gboolean detour_verdict_store_drop (DetourVerdictStore *self, const char *instance,
                                    const DetourKey *key);
gboolean detour_verdict_store_drop_all (DetourVerdictStore *self, const char *instance);
/* No verdict of @instance holds; its keys stay. TRUE: one did. */
gboolean detour_verdict_store_forget (DetourVerdictStore *self, const char *instance);
guint detour_verdict_store_size (const DetourVerdictStore *self, const char *instance);

/* Writing -------------------------------------------------------------------------------------- */

/* The following entries are of @instance; those that nobody took are there already. */
void detour_verdict_store_begin (DetourVerdictStore *self, const char *instance, const char *source,
                                 DetourVerdictDraft *draft);
/* As DetourVerdictCacheFunc. */
void detour_verdict_draft_add (const DetourKey *key, DetourVerdict *verdict,
                               const DetourVerdictTerms *terms, gboolean holds, gpointer draft);

G_END_DECLS
