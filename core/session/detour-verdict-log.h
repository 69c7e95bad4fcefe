/* detour-verdict-log.h: the last verdicts on each key, for `detourctl why`.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bounded: a number of keys, those with the latest verdicts, and a few verdicts of each. A verdict
 * that only repeats the one before it is counted there. */
#pragma once

#include <glib.h>

#include "detour-auth-request.h"
#include "detour-verdict.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourVerdictLog DetourVerdictLog;

/* Lent for the call. */
typedef struct {
  DetourVerdict *verdict;   /* of the chain, as it would be without dry-run */
  char *address;            /* of the client; "" when unknown */
  gint64 first_us, last_us; /* Unix time in microseconds: given so the first time, and the last */
  guint64 count;
} DetourVerdictRecord;

typedef void (*DetourVerdictRecordFunc) (const DetourVerdictRecord *record, gpointer data);

/* @keys_max: 1 or more */
DetourVerdictLog *detour_verdict_log_new (guint keys_max);
void detour_verdict_log_free (DetourVerdictLog *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdictLog, detour_verdict_log_free)

/* @verdict: referenced. @now_us: Unix time */
void detour_verdict_log_add (DetourVerdictLog *self, const DetourAuthRequest *request,
                             DetourVerdict *verdict, gint64 now_us);

/* Calls @func for each verdict on @key, the latest first; returns how many there were. */
guint detour_verdict_log_each (const DetourVerdictLog *self, const DetourKey *key,
                               DetourVerdictRecordFunc func, gpointer data);

G_END_DECLS
