/* detour-auth-walk.h: one auth request on its way along the chain, to the verdict.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The instances are asked one after the other. The next one is also asked when the one before is
 * late, so that a silent instance costs its patience and not all of the time there is. The verdict
 * of the chain:
 *
 *   any   the first ALLOW; without one UNAVAILABLE if some instance could not say, else DENY
 *   all   the first DENY; without one UNAVAILABLE if some instance could not say, else ALLOW
 *
 * An instance that cannot say counts as ALLOW for a key that it allowed within the grace period.
 * While it is only late, that makes a provisional verdict: it lets the client in, and the walk goes
 * on to the final one. */
#pragma once

#include <glib.h>

#include "detour-auth-instance.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourAuthWalk DetourAuthWalk;

typedef struct {
  gboolean match_all;
  gboolean asks_anew;  /* takes nothing from the cache, except for grace */
  gboolean is_stopped; /* none of the instances takes part, so none can say */
  gint64 grace_us;
  /* An instance without an answer is late after so long; one that is down is late at once. */
  gint64 patience_us;
  gint64 deadline_us;
} DetourAuthWalkTerms;

/* @verdict: lent for the call. @is_final: the walk is over; @func may free it, and nothing else
 * happens to it. A verdict that is not final is always ALLOW. */
typedef void (*DetourAuthWalkFunc) (DetourVerdict *verdict, gboolean is_final, gpointer user);

/**
 * detour_auth_walk_new:
 * @instances: (array length=n): referenced; one or more
 * @terms: copied
 */
DetourAuthWalk *detour_auth_walk_new (DetourAuthRequest *request,
                                      DetourAuthInstance *const *instances, guint n,
                                      const DetourAuthWalkTerms *terms, DetourAuthWalkFunc func,
                                      gpointer user);
/* Withdraws what it asked. */
void detour_auth_walk_free (DetourAuthWalk *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourAuthWalk, detour_auth_walk_free)
/* May give its verdicts at once. */
void detour_auth_walk_start (DetourAuthWalk *self, gint64 now_us);
/* To be called now and then, once it was started. */
void detour_auth_walk_tick (DetourAuthWalk *self, gint64 now_us);

G_END_DECLS
