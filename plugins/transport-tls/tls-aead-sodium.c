/* tls-aead-sodium.c: ChaCha20-Poly1305 computed by libsodium.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-aead.h"

#include <sodium.h>
#include <string.h>

static gboolean
tls_aead_sodium_expand (gpointer engine, TlsCipher cipher, const guint8 *key, gpointer expanded)
{
  memcpy (expanded, key, crypto_aead_chacha20poly1305_ietf_KEYBYTES);
  return TRUE;
}

static gboolean
tls_aead_sodium_seal (gpointer engine, TlsCipher cipher, gconstpointer expanded,
                      const guint8 *nonce, const guint8 *head, TlsText text, guint8 type,
                      guint8 *out)
{
  gsize len = text.len;

  tls_text_copy (text, out);
  out[len++] = type;
  return crypto_aead_chacha20poly1305_ietf_encrypt_detached (
             out, out + len, NULL, out, len, head, TLS_AEAD_HEAD_SIZE, NULL, nonce, expanded)
      == 0;
}

static gboolean
tls_aead_sodium_open (gpointer engine, TlsCipher cipher, gconstpointer expanded,
                      const guint8 *nonce, const guint8 *head, TlsText sealed, const guint8 *tag,
                      guint8 *out)
{
  gsize len;
  const guint8 *in = tls_text_gather (sealed, out, &len);

  return crypto_aead_chacha20poly1305_ietf_decrypt_detached (out, NULL, in, len, tag, head,
                                                             TLS_AEAD_HEAD_SIZE, nonce, expanded)
      == 0;
}

const TlsAead tls_aead_sodium = {
  .name = "libsodium",
  .ciphers = 1u << TLS_CIPHER_CHACHA20_POLY1305,
  .key_size = crypto_aead_chacha20poly1305_ietf_KEYBYTES,
  .expand = tls_aead_sodium_expand,
  .seal = tls_aead_sodium_seal,
  .open = tls_aead_sodium_open,
};
