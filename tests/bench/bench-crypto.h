/* bench-crypto.h: what the arithmetic alone costs on this machine: sealing, opening, signing,
 * agreeing on keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* µs to open and to seal again one record of AES-128-GCM with @len bytes of plain text; 0: not
 * built in. */
double bench_crypto_aead_gnutls (gsize len);
double bench_crypto_aead_ipsec_mb (gsize len);

/* µs of one operation. */
double bench_crypto_ecdsa_sign (void); /* P-256, GnuTLS */
double bench_crypto_x25519_sodium (void);
double bench_crypto_x25519_nettle (void); /* 0: not built in */

G_END_DECLS
