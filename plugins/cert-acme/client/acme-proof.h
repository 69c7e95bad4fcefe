/* acme-proof.h: shows a CA that the names of an order are ours.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-order.h"

G_BEGIN_DECLS

typedef struct {
  const char *const *challenges;  /* types that can work, the best first */
  const char *const *dns_servers; /* "IP:PORT", where records are looked for; empty: the zone's */
} AcmeProofWays;

/* Makes all authorisations of @order valid: answers are put into place by the caller of this
 * program, and removed again, whatever happens. */
gboolean acme_proof_give (const AcmeOrder *order, AcmeSession *session, const GPtrArray *names,
                          const AcmeProofWays *ways, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

/* What is put into a TXT record for a key authorisation. */
char *acme_proof_make_value (const char *key_authorization);

G_END_DECLS
