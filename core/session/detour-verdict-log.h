/* detour-verdict-log.h: the last verdicts on each key, for who asks why.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bounded: of so many keys, the ones heard of last, a few verdicts each. A verdict that only
 * repeats the one before it is counted there. */
#pragma once

#include <glib.h>

#include "detour-question.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourVerdictLog DetourVerdictLog;

typedef enum {
  DETOUR_VERDICT_CACHED = 1 << 0,  /* remembered, nobody was asked */
  DETOUR_VERDICT_GRACE = 1 << 1,   /* nobody could say; allowed because it was allowed lately */
  DETOUR_VERDICT_RECHECK = 1 << 2, /* on a client that was connected already */
  DETOUR_VERDICT_DRY_RUN = 1 << 3, /* a refusal that was not carried out */
} DetourVerdictFlags;

/* Borrowed for the call. */
typedef struct {
  DetourAuthResult result; /* of the chain, as it would be without dry-run */
  DetourVerdictFlags flags;
  const char *source;       /* instance that decided, "open", or "admission" */
  const char *label;        /* (nullable) */
  const char *reason;       /* (nullable) */
  const char *address;      /* of the client; "" when unknown */
  gint64 first_us, last_us; /* Unix time in microseconds: given so the first time, and the last */
  guint64 count;
} DetourVerdictNote;

typedef void (*DetourVerdictNoteFunc) (const DetourVerdictNote *note, gpointer data);

/* @keys_max: 1 or more */
DetourVerdictLog *detour_verdict_log_new (guint keys_max);
void detour_verdict_log_free (DetourVerdictLog *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdictLog, detour_verdict_log_free)

/* @note: copied; its times and count are not looked at. @now_us: Unix time */
void detour_verdict_log_add (DetourVerdictLog *self, const DetourKey *key,
                             const DetourVerdictNote *note, gint64 now_us);

/* Calls @func for each verdict on @key, the latest first; returns how many there were. */
guint detour_verdict_log_each (const DetourVerdictLog *self, const DetourKey *key,
                               DetourVerdictNoteFunc func, gpointer data);

G_END_DECLS
