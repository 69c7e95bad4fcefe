/* renewal-account.h: the account at an authority, which all instances that ask it have in common.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "renewal-options.h"

G_BEGIN_DECLS

typedef struct {
  char *key; /* PEM; NULL: there is no account yet */
  char *url; /* NULL: the authority has to be asked */
  /* PEM that the account may have instead: it was offered to the authority, and nobody knows what
   * became of it. NULL: there is none */
  char *next_key;
} RenewalAccount;

void renewal_account_clear (RenewalAccount *self);

/**
 * renewal_account_load:
 *
 * Reads the account of the authority, or else derper's where one is to be imported. FALSE with
 * @error set: there is one that cannot be used; then nothing may be ordered, since that would make
 * another.
 */
gboolean renewal_account_load (RenewalAccount *self, DetourHost *host,
                               const RenewalOptions *options, GError **error);

/* Takes over and keeps; there is no next key any more. FALSE: it could not be written and is known
 * to this run only. */
gboolean renewal_account_set (RenewalAccount *self, DetourHost *host, const RenewalOptions *options,
                              const char *key, const char *url, GError **error);
/* @next_key: (nullable): taken over and kept beside the account's. FALSE: it could not be written,
 * and nothing has changed. */
gboolean renewal_account_set_next (RenewalAccount *self, DetourHost *host,
                                   const RenewalOptions *options, const char *next_key,
                                   GError **error);

G_END_DECLS
