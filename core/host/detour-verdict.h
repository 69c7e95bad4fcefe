/* detour-verdict.h: what was decided about a client, by whom and why.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A verdict is made where a plugin answers, and passed on by reference from there: through cache
 * and chain, to the front, and with the session to its worker. A stage that changes one field makes
 * another verdict of it. */
#pragma once

#include <glib.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef enum {
  DETOUR_VERDICT_CACHED = 1 << 0,  /* remembered: the instance was not asked */
  DETOUR_VERDICT_GRACE = 1 << 1,   /* the instance could not say; it allowed the key lately */
  DETOUR_VERDICT_RECHECK = 1 << 2, /* about a client that was connected already */
  DETOUR_VERDICT_DRY_RUN = 1 << 3, /* a refusal that is not carried out */
} DetourVerdictFlags;

/* Immutable, reference-counted, any thread. */
typedef struct {
  DetourAuthResult result;
  DetourVerdictFlags flags;
  const char *instance; /* that decided: "auth/friends"; "open"; "admission" */
  const char *label;    /* (nullable) */
  const char *class_;   /* (nullable) */
  const char *reason;   /* (nullable) */
  gint64 until_us;      /* the instance vouches for it until then, monotonic; 0: it does not say */
} DetourVerdict;

/* Main thread. @verdict is lent for the call; take a reference to keep it. */
typedef void (*DetourVerdictFunc) (DetourVerdict *verdict, gpointer data);

/* @fields: copied */
DetourVerdict *detour_verdict_new (const DetourVerdict *fields);
DetourVerdict *detour_verdict_ref (DetourVerdict *self);
void detour_verdict_unref (DetourVerdict *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdict, detour_verdict_unref)

/* Returns: (transfer full): @self with @flags added; @self itself if it has them. */
DetourVerdict *detour_verdict_add_flags (DetourVerdict *self, DetourVerdictFlags flags);

/* Everything but the time is the same. */
gboolean detour_verdict_equal (const DetourVerdict *a, const DetourVerdict *b);

/* "no reason given" where there is none. */
const char *detour_verdict_reason (const DetourVerdict *self);

G_END_DECLS
