/* acme-jws.h: signed messages (RFC 7515) in the one form that ACME uses.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-key.h"

G_BEGIN_DECLS

/**
 * acme_jws_make:
 * @kid: (nullable): address of the account; NULL puts the public key in its place
 * @nonce: (nullable): NULL only for a message inside of another
 * @url: the very address it is sent to
 * @payload: (nullable): JSON; NULL for a POST that only fetches
 *
 * Returns: JSON; NULL when @problem is set.
 */
char *acme_jws_make (const AcmeKey *key, const char *kid, const char *nonce, const char *url,
                     const char *payload, AcmeProblem *problem);

/**
 * acme_jws_make_binding:
 * @key: the account's
 * @kid, @mac_key: what the CA gave to the operator; the key in base64url or base64
 * @algorithm: (nullable): HS256, HS384 or HS512; NULL is HS256
 * @url: address for new accounts
 *
 * The external account binding of RFC 8555, section 7.3.4.
 */
char *acme_jws_make_binding (const AcmeKey *key, const char *kid, const char *mac_key,
                             const char *algorithm, const char *url, AcmeProblem *problem);

G_END_DECLS
