/* acme-csr.h: the key of a certificate and the request for it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-problem.h"

#include <gnutls/x509.h>

G_BEGIN_DECLS

typedef struct {
  gnutls_x509_privkey_t key;
  guint8 *der; /* PKCS #10 */
  gsize der_len;
} AcmeCsr;

/* @names: of AcmeName; @key_type: p256, p384 or rsa2048. The subject is empty. */
gboolean acme_csr_make (AcmeCsr *self, const GPtrArray *names, const char *key_type,
                        AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;
void acme_csr_clear (AcmeCsr *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AcmeCsr, acme_csr_clear)

/* PKCS #8. Free with acme_key_free_pem(). */
char *acme_csr_key_to_pem (const AcmeCsr *self);

G_END_DECLS
