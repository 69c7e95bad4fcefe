/* tls-keys.h: the traffic keys of one direction of a TLS 1.3 connection.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tls-aead.h"

G_BEGIN_DECLS

#define TLS_SECRET_MAX 48

/* Records that one key may seal or open before it is changed. RFC 8446 gives AES-GCM 2^24.5 full
 * records. */
#define TLS_KEYS_RECORDS_MAX (G_GUINT64_CONSTANT (1) << 23)

/* Who has many of them gives each tls_keys_size() bytes: the secret is last, and where it is short
 * the rest of it need not be there. So keys are not assigned as a whole. */
typedef struct {
  guint64 seq;                  /* number of the next record */
  guint8 key[TLS_AEAD_KEY_MAX]; /* zeros behind a short one */
  guint8 iv[TLS_AEAD_NONCE_SIZE];
  guint8 cipher; /* TlsCipher */
  guint8 secret[TLS_SECRET_MAX];
} TlsKeys;

/* A multiple of their alignment. */
gsize tls_keys_size (TlsCipher cipher);

/* Length of traffic secrets: that of the cipher suite's hash. */
gsize tls_keys_secret_size (TlsCipher cipher);

/* @self has tls_keys_size() bytes, @secret tls_keys_secret_size(). FALSE: the library has no such
 * hash. */
gboolean tls_keys_init (TlsKeys *self, TlsCipher cipher, const guint8 *secret, guint64 seq)
    G_GNUC_WARN_UNUSED_RESULT;
/* The next generation of a KeyUpdate; the old one is wiped. */
gboolean tls_keys_update (TlsKeys *self) G_GNUC_WARN_UNUSED_RESULT;
void tls_keys_wipe (TlsKeys *self);

/* Of the next record; has TLS_AEAD_NONCE_SIZE bytes. */
static inline void
tls_keys_nonce (const TlsKeys *self, guint8 *nonce)
{
  for (guint i = 0; i < TLS_AEAD_NONCE_SIZE - 8; i++)
    nonce[i] = self->iv[i];
  for (guint i = 0; i < 8; i++)
    nonce[TLS_AEAD_NONCE_SIZE - 8 + i] = self->iv[TLS_AEAD_NONCE_SIZE - 8 + i]
                                       ^ (guint8) (self->seq >> (56 - 8 * i));
}

G_END_DECLS
