/* detour-terms.h: the terms on which a client uses the relay: what its class and its tenant set.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Made by a table of terms (detour-terms-table.h) from the configuration and from what was used of
 * quotas. A connection has those of its class and tenant; a change of any of these gives it others.
 * It counts in their accounts for as long as it has them. */
#pragma once

#include <glib.h>

#include "detour-account.h"

G_BEGIN_DECLS

/* Where a connection counts. */
typedef enum {
  DETOUR_TERMS_CLASS,
  DETOUR_TERMS_TENANT,
  DETOUR_TERMS_N_SHARES,
} DetourTermsShareKind;

typedef struct {
  DetourAccount *account; /* NULL: there is no class, or no tenant */
  guint connections;      /* at a time; 0: no limit */
} DetourTermsShare;

/* Immutable, reference-counted, any thread. */
typedef struct {
  gatomicrefcount refs;
  const char *class_;   /* (nullable): name of the [class NAME] */
  const char *tenant;   /* (nullable) */
  gboolean has_rate;    /* FALSE: those of [limits] count */
  guint64 receive_rate; /* 0: none */
  guint64 receive_burst;
  guint64 slow_rate;  /* a quota is used up: no faster than that; 0: not so */
  const char *over;   /* (nullable): whose quota is used up: "class/friends", "relay" */
  const char *denial; /* (nullable): nobody new is let in, and why */
  gboolean closes;    /* and those that are there are closed */
  DetourTermsShare shares[DETOUR_TERMS_N_SHARES];
} DetourTerms;

/* @fields: copied */
DetourTerms *detour_terms_new (const DetourTerms *fields);
DetourTerms *detour_terms_ref (DetourTerms *self);
void detour_terms_unref (DetourTerms *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourTerms, detour_terms_unref)

/* Why nobody new is let in. */
typedef struct {
  const char *by; /* as the instance of a verdict: "class/friends"; interned */
  char *reason;
} DetourTermsRefusal;

void detour_terms_refusal_clear (DetourTermsRefusal *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourTermsRefusal, detour_terms_refusal_clear)

/* A new connection; it counts from now on until detour_terms_leave(). FALSE: it is refused, does
 * not count, and @refusal says why. */
gboolean detour_terms_enter (DetourTerms *self, DetourTermsRefusal *refusal)
    G_GNUC_WARN_UNUSED_RESULT;
/* A connection that is there already gets these terms, whatever the limits. */
void detour_terms_move_in (DetourTerms *self);
void detour_terms_leave (DetourTerms *self);
/* Its client has sent so much more. */
void detour_terms_charge (DetourTerms *self, guint64 bytes);

G_END_DECLS
