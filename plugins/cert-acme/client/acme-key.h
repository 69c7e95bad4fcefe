/* acme-key.h: the key of an account, P-256, and what is signed with it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-problem.h"

#include <gnutls/x509.h>

G_BEGIN_DECLS

#define ACME_KEY_COORDINATE_SIZE 32
#define ACME_KEY_SIGNATURE_SIZE  (2 * ACME_KEY_COORDINATE_SIZE)

typedef struct _AcmeKey AcmeKey;

/* NULL, and @problem is set. */
AcmeKey *acme_key_new (AcmeProblem *problem);
AcmeKey *acme_key_new_from_pem (const char *pem, AcmeProblem *problem);
void acme_key_free (AcmeKey *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AcmeKey, acme_key_free)

/* PKCS #8, as it is stored. Free with acme_key_free_pem(). */
char *acme_key_to_pem (const AcmeKey *self);
/* The same of any key. */
char *acme_key_export_pem (gnutls_x509_privkey_t key);
void acme_key_free_pem (char *pem);

/* The public key as a JWK: the very text whose SHA-256 is the thumbprint (RFC 7638). Borrowed. */
const char *acme_key_jwk (const AcmeKey *self);
/* base64url. Borrowed. */
const char *acme_key_thumbprint (const AcmeKey *self);

/* ECDSA with SHA-256: r and s behind one another, each padded to its full size. */
gboolean acme_key_sign (const AcmeKey *self, const char *text,
                        guint8 signature[ACME_KEY_SIGNATURE_SIZE], AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
