/* detour-admission.h: who may use the relay: the chain of auth instances and what core adds to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Requests come from the threads of the handshake pool and from the recheck of connected clients.
 * The chain (detour-auth-chain.h) finds the verdict; here are the settings, what needs no instance,
 * dry runs, numbers, and the memory of why. */
#pragma once

#include <glib.h>

#include "detour-auth-instance.h"
#include "detour-verdict-stats.h"

G_BEGIN_DECLS

typedef struct _DetourAdmission DetourAdmission;

/* Main thread, like all that is not marked otherwise. @port outlives the admission. */
DetourAdmission *detour_admission_new (const DetourAuthPort *port, gpointer user);
/* Clients that still wait are told UNAVAILABLE. Answers of instances may come later. */
void detour_admission_free (DetourAdmission *self);

/* New settings of [admission]. Requests on their way begin anew. */
void detour_admission_apply (DetourAdmission *self, DetourSettings *settings);

/* Every client is let in: there is no need to ask. Any thread. */
gboolean detour_admission_is_open (const DetourAdmission *self);

/* Any thread; @request is referenced. @done is called exactly once, on the main thread, in no more
 * than the configured time. */
void detour_admission_ask (DetourAdmission *self, DetourAuthRequest *request,
                           DetourVerdictFunc done, gpointer data);

/* The same about a client that is connected: nothing is taken from the cache, and only the final
 * verdict counts. */
void detour_admission_recheck (DetourAdmission *self, DetourAuthRequest *request,
                               DetourVerdictFunc done, gpointer data);
/* Of [admission] recheck: how often that should be; 0: never. */
gint64 detour_admission_recheck_us (const DetourAdmission *self);

/* Verdicts of an instance ("auth/friends") may be different now, or it takes part now, or not any
 * more. */
void detour_admission_forget (DetourAdmission *self, const char *instance);

/* Ends what has taken too long. Runs by itself while a client waits; tests with a clock of their
 * own call it. */
void detour_admission_tick (DetourAdmission *self);

/* For status ----------------------------------------------------------------------------------- */

const DetourAdmissionStats *detour_admission_stats (const DetourAdmission *self);

/* In the order of the chain; none when it is open. */
void detour_admission_foreach_instance (DetourAdmission *self, DetourAuthInstanceFunc func,
                                        gpointer data);

/* The last verdicts on @key, the latest first; returns how many there were. */
guint detour_admission_why (DetourAdmission *self, const DetourKey *key,
                            DetourVerdictRecordFunc func, gpointer data);

G_END_DECLS
