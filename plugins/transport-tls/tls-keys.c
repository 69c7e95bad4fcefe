/* tls-keys.c: the traffic keys of one direction of a TLS 1.3 connection (RFC 8446, sections 7.1 to
 * 7.3).
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-keys.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <string.h>

static const struct {
  gnutls_mac_algorithm_t hash;
  gsize size;
} hashes[TLS_N_CIPHERS] = {
  [TLS_CIPHER_AES_128_GCM] = { GNUTLS_MAC_SHA256, 32 },
  [TLS_CIPHER_AES_256_GCM] = { GNUTLS_MAC_SHA384, 48 },
  [TLS_CIPHER_CHACHA20_POLY1305] = { GNUTLS_MAC_SHA256, 32 },
};

gsize
tls_keys_secret_size (TlsCipher cipher)
{
  return hashes[cipher].size;
}

gsize
tls_keys_size (TlsCipher cipher)
{
  gsize align = G_ALIGNOF (TlsKeys);

  return (G_STRUCT_OFFSET (TlsKeys, secret) + hashes[cipher].size + align - 1) / align * align;
}

/* HKDF-Expand-Label with an empty context. */
static gboolean
tls_keys_expand_label (TlsCipher cipher, const guint8 *secret, const char *label, guint8 *out,
                       gsize len)
{
  gnutls_datum_t key = { (unsigned char *) secret, (unsigned) hashes[cipher].size };
  guint8 info[32];
  gsize label_len = strlen (label);
  gnutls_datum_t datum = { info, (unsigned) (label_len + 10) };

  g_assert (label_len + 10 <= sizeof info);
  info[0] = (guint8) (len >> 8);
  info[1] = (guint8) len;
  info[2] = (guint8) (label_len + 6);
  memcpy (info + 3, "tls13 ", 6);
  memcpy (info + 9, label, label_len);
  info[9 + label_len] = 0;
  return gnutls_hkdf_expand (hashes[cipher].hash, &key, &datum, out, len) == 0;
}

gboolean
tls_keys_init (TlsKeys *self, TlsCipher cipher, const guint8 *secret, guint64 seq)
{
  memset (self, 0, tls_keys_size (cipher));
  self->cipher = (guint8) cipher;
  self->seq = seq;
  memcpy (self->secret, secret, hashes[cipher].size);
  return tls_keys_expand_label (cipher, secret, "key", self->key, tls_cipher_key_size (cipher))
      && tls_keys_expand_label (cipher, secret, "iv", self->iv, sizeof self->iv);
}

gboolean
tls_keys_update (TlsKeys *self)
{
  guint8 next[TLS_SECRET_MAX];
  gboolean done = tls_keys_expand_label (self->cipher, self->secret, "traffic upd", next,
                                         hashes[self->cipher].size)
               && tls_keys_init (self, self->cipher, next, 0);

  sodium_memzero (next, sizeof next);
  return done;
}

void
tls_keys_wipe (TlsKeys *self)
{
  sodium_memzero (self, tls_keys_size (self->cipher));
}
