/* acme-authorization.h: what a CA wants to be shown for one name, and how it went.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-names.h"

G_BEGIN_DECLS

#define ACME_TOKEN_MAX 256

typedef enum {
  ACME_AUTHORIZATION_PENDING,
  ACME_AUTHORIZATION_VALID,
  ACME_AUTHORIZATION_OVER, /* invalid, deactivated, expired, revoked */
} AcmeAuthorizationState;

typedef enum {
  ACME_CHALLENGE_PENDING,
  ACME_CHALLENGE_PROCESSING, /* it was answered, the CA is looking */
  ACME_CHALLENGE_OVER,
} AcmeChallengeState;

typedef struct {
  const char *type; /* one of ours, static */
  char *url;
  char *token;
  AcmeChallengeState state;
} AcmeChallenge;

typedef struct {
  AcmeAuthorizationState state;
  char *status;
  const AcmeName *name;  /* of the names that were asked for */
  char *identifier;      /* as the CA has it, without "*." */
  GPtrArray *challenges; /* of AcmeChallenge, those types that are known */
  char *offered;         /* all types, for a message */
  const char *failed;    /* type of the challenge that failed, or NULL */
  AcmeProblem problem;   /* why; zeroed when the CA did not say */
} AcmeAuthorization;

void acme_authorization_clear (AcmeAuthorization *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AcmeAuthorization, acme_authorization_clear)

/* @names: of AcmeName. FALSE: it is none of ours, or no authorisation, and @problem is set. */
gboolean acme_authorization_read (AcmeAuthorization *self, const char *body, gsize len,
                                  const GPtrArray *names, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

/* The first of @wanted that the CA offers, behind the type @after (NULL: from the start). One that
 * was answered already comes before all others. NULL: there is none. */
const AcmeChallenge *acme_authorization_choose (const AcmeAuthorization *self,
                                                const char *const *wanted, const char *after);

G_END_DECLS
