/* acme-directory.h: what a CA offers, and where.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-problem.h"

G_BEGIN_DECLS

typedef struct {
  char *new_nonce, *new_account, *new_order;
  char *revoke_cert, *key_change, *renewal_info; /* each NULL when there is none */
  char *terms;                                   /* NULL: none */
  gboolean wants_external_account;
  GStrv profiles; /* never NULL */
} AcmeDirectory;

void acme_directory_clear (AcmeDirectory *self);
gboolean acme_directory_read (AcmeDirectory *self, const char *body, gsize len,
                              AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;
gboolean acme_directory_has_profile (const AcmeDirectory *self, const char *profile);

/* The profile to ask for: @wish is "auto" or a name. NULL in @out: the CA's own choice. FALSE: it
 * does not have that one, and @problem is set. */
gboolean acme_directory_choose_profile (const AcmeDirectory *self, const char *wish,
                                        gboolean has_address, const char **out,
                                        AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
