/* acme-chain.h: certificates that a CA made, with what is checked before they are used.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-problem.h"

#include <gnutls/x509.h>

G_BEGIN_DECLS

#define ACME_CHAIN_MAX 10

typedef struct {
  gnutls_x509_crt_t *crts; /* the certificate first, as they were sent */
  guint n_crts;
} AcmeChain;

gboolean acme_chain_read (AcmeChain *self, const char *pem, gsize len, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;
void acme_chain_clear (AcmeChain *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AcmeChain, acme_chain_clear)

/**
 * acme_chain_check:
 * @key: (nullable): that it must belong to
 * @names: of AcmeName; it must be valid for each
 * @now_s: Unix
 *
 * Whether a server can use it: key, names, dates, and that each certificate signed the one before.
 */
gboolean acme_chain_check (const AcmeChain *self, gnutls_x509_privkey_t key, const GPtrArray *names,
                           gint64 now_s, AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;

/* Whether it leads to a root of that name: the common name of the topmost issuer. */
gboolean acme_chain_leads_to (const AcmeChain *self, const char *issuer);

char *acme_chain_to_pem (const AcmeChain *self);

/* DER of the first, base64url. */
char *acme_chain_to_base64 (const AcmeChain *self);

G_END_DECLS
