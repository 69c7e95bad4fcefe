/* detour-admission.h: who may use the relay: the chain of auth instances and what core adds to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Requests come from the threads of the handshake pool and from the recheck of connected clients.
 * The chain (detour-auth-chain.h) finds the verdict; here are the settings, what needs no instance,
 * dry runs and numbers. */
#pragma once

#include <glib.h>

#include "detour-auth-instance.h"
#include "detour-bans.h"
#include "detour-tenants.h"
#include "detour-verdict-stats.h"

G_BEGIN_DECLS

typedef struct _DetourAdmission DetourAdmission;

/* Main thread, like all that is not marked otherwise. @port outlives the admission. */
DetourAdmission *detour_admission_new (const DetourAuthPort *port, gpointer user);
/* Clients that still wait are told UNAVAILABLE. Answers of instances may come later. */
void detour_admission_free (DetourAdmission *self);

/* New settings of [admission]. @tenants: (nullable): of DetourTenantGroup, looked at during the
 * call only: those that set `chain` or `match` have a chain of their own, the others that of
 * [admission]. Requests on their way begin anew. */
void detour_admission_apply (DetourAdmission *self, DetourSettings *settings,
                             const GPtrArray *tenants);

/**
 * detour_admission_open_store:
 * @path: where it is kept which keys were allowed
 * @private_key: (array fixed-size=32): of the relay; hides them there; outlives the store
 *
 * Goes on with what was known before the start. When there are settings and auth instances run.
 */
void detour_admission_open_store (DetourAdmission *self, const char *path,
                                  const guint8 *private_key);
/* Writes what is not written. Before auth instances stop. */
void detour_admission_close_store (DetourAdmission *self);

/* Whom the operator keeps out, asked before everything else; @bans outlives the admission. */
void detour_admission_set_bans (DetourAdmission *self, DetourBans *bans);
/* They are others. Requests on their way begin anew. */
void detour_admission_bans_changed (DetourAdmission *self);

/* Every client of every tenant is let in: there is no need to ask. Any thread. */
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

/* Nothing is known of @key any more, for grace either, before an instance says something of it.
 * @instance: (nullable): for which one; NULL: for all */
void detour_admission_revoke (DetourAdmission *self, const char *instance, const DetourKey *key);

/* Ends what has taken too long. Runs by itself while a client waits; tests with a clock of their
 * own call it. */
void detour_admission_tick (DetourAdmission *self);

/* For status ----------------------------------------------------------------------------------- */

const DetourAdmissionStats *detour_admission_stats (const DetourAdmission *self);

/* In the order of the chain, then those that only tenants ask; none when it is open for all. */
void detour_admission_foreach_instance (DetourAdmission *self, DetourAuthInstanceFunc func,
                                        gpointer data);

G_END_DECLS
