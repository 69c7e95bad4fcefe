/* detour-admission.h: who may use the relay: the chain of auth instances and what core adds to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All who ask the same about the same key share one inquiry (detour-inquiry.h), which walks the
 * chain; each instance of the chain is a source (detour-auth-source.h) with its limit, its cache
 * and its numbers. */
#pragma once

#include <glib.h>

#include "detour-auth-source.h"
#include "detour-question.h"
#include "detour-tally.h"

G_BEGIN_DECLS

typedef struct _DetourAdmission DetourAdmission;

/* Main thread. @verdict is lent for the call. */
typedef void (*DetourAdmissionDone) (const DetourAdmissionVerdict *verdict, gpointer data);

/* Main thread, like all that is not marked otherwise. @port outlives the admission. */
DetourAdmission *detour_admission_new (const DetourAuthPort *port, gpointer user);
/* Whoever still waits is told UNAVAILABLE. Answers of instances may come later. */
void detour_admission_free (DetourAdmission *self);

/* New settings of [admission]. Inquiries on their way begin anew. */
void detour_admission_apply (DetourAdmission *self, DetourSettings *settings);

/* Everyone is let in: there is no need to ask. Any thread. */
gboolean detour_admission_is_open (const DetourAdmission *self);

/* Any thread; @question is copied. Answers exactly once, on the main thread, in no more than the
 * configured time. */
void detour_admission_ask (DetourAdmission *self, const DetourQuestion *question,
                           DetourAdmissionDone done, gpointer data);

/* About a client that is connected: no verdict is taken from memory, and only the last word counts,
 * so that a client is not told by grace of what will be known in a moment. */
void detour_admission_recheck (DetourAdmission *self, const DetourQuestion *question,
                               DetourAdmissionDone done, gpointer data);
/* Of [admission] recheck: how often that should be; 0: never. */
gint64 detour_admission_recheck_us (const DetourAdmission *self);

/* Verdicts of an instance ("auth/friends") may be different now, or it takes part now, or not any
 * more. */
void detour_admission_forget (DetourAdmission *self, const char *instance);

/* Ends what has taken too long. Runs by itself while somebody waits; tests with a clock of their
 * own call it. */
void detour_admission_tick (DetourAdmission *self);

/* For status ----------------------------------------------------------------------------------- */

const DetourAdmissionStats *detour_admission_stats (const DetourAdmission *self);

/* In the order of the chain; none when it is open. */
void detour_admission_foreach_source (DetourAdmission *self, DetourAuthSourceFunc func,
                                      gpointer data);

/* The last verdicts on @key, the latest first; returns how many there were. */
guint detour_admission_why (DetourAdmission *self, const DetourKey *key, DetourVerdictNoteFunc func,
                            gpointer data);

G_END_DECLS
