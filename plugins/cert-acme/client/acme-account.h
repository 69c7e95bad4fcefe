/* acme-account.h: the account at a CA: found, made, given another key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-session.h"

G_BEGIN_DECLS

/* Everything is borrowed; all but @lines' owner may leave any of it NULL. */
typedef struct {
  const char *key; /* PEM; NULL: a new one is made */
  const char *url; /* NULL: the CA is asked */
  const char *contact;
  const char *eab_kid, *eab_key, *eab_algorithm;
} AcmeAccount;

/* Makes @session able to sign for the account. Sends `account` events: one with a new key before it
 * is used, and one with the account's address. */
gboolean acme_account_open (const AcmeAccount *self, AcmeSession *session, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

/* The account must be open. @next_key: (nullable): the key of a rollover that may have happened. */
gboolean acme_account_roll_over (AcmeSession *session, const char *next_key, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
