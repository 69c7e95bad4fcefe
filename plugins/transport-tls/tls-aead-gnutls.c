/* tls-aead-gnutls.c: ciphers computed by GnuTLS.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Its calls for scattered text (v2) cost more than to gather: they allocate and compute block by
 * block. */
#include "config.h"

#include "tls-aead.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

typedef struct {
  gnutls_aead_cipher_hd_t handle;
} GnutlsKey;

static gboolean
tls_aead_gnutls_expand (gpointer engine, TlsCipher cipher, const guint8 *key, gpointer expanded)
{
  static const gnutls_cipher_algorithm_t algorithms[TLS_N_CIPHERS] = {
    [TLS_CIPHER_AES_128_GCM] = GNUTLS_CIPHER_AES_128_GCM,
    [TLS_CIPHER_AES_256_GCM] = GNUTLS_CIPHER_AES_256_GCM,
    [TLS_CIPHER_CHACHA20_POLY1305] = GNUTLS_CIPHER_CHACHA20_POLY1305,
  };
  GnutlsKey *self = expanded;
  gnutls_datum_t datum = { (unsigned char *) key, (unsigned) tls_cipher_key_size (cipher) };

  return gnutls_aead_cipher_init (&self->handle, algorithms[cipher], &datum) == 0;
}

static void
tls_aead_gnutls_release (gpointer expanded)
{
  GnutlsKey *self = expanded;

  gnutls_aead_cipher_deinit (self->handle); /* wipes what it holds */
}

static gboolean
tls_aead_gnutls_seal (gpointer engine, TlsCipher cipher, gconstpointer expanded,
                      const guint8 *nonce, const guint8 *head, TlsText text, guint8 type,
                      guint8 *out)
{
  const GnutlsKey *key = expanded;
  gsize len = text.len;
  size_t out_len;

  tls_text_copy (text, out);
  out[len++] = type;
  out_len = len + TLS_AEAD_TAG_SIZE;
  return gnutls_aead_cipher_encrypt (key->handle, nonce, TLS_AEAD_NONCE_SIZE, head,
                                     TLS_AEAD_HEAD_SIZE, TLS_AEAD_TAG_SIZE, out, len, out, &out_len)
          == 0
      && out_len == len + TLS_AEAD_TAG_SIZE;
}

static gboolean
tls_aead_gnutls_open (gpointer engine, TlsCipher cipher, gconstpointer expanded,
                      const guint8 *nonce, const guint8 *head, TlsText sealed, const guint8 *tag,
                      guint8 *out)
{
  const GnutlsKey *key = expanded;
  size_t out_len = sealed.len;
  gsize len;
  const guint8 *in = tls_text_gather (sealed, out, &len);

  if (tag != in + len)
    {
      /* It wants the tag behind the text. */
      if (in != out)
        memmove (out, in, len);
      memcpy (out + len, tag, TLS_AEAD_TAG_SIZE);
      in = out;
    }

  return gnutls_aead_cipher_decrypt (key->handle, nonce, TLS_AEAD_NONCE_SIZE, head,
                                     TLS_AEAD_HEAD_SIZE, TLS_AEAD_TAG_SIZE, in,
                                     len + TLS_AEAD_TAG_SIZE, out, &out_len)
          == 0
      && out_len == len;
}

const TlsAead tls_aead_gnutls = {
  .name = "gnutls",
  .ciphers = 1u << TLS_CIPHER_AES_128_GCM | 1u << TLS_CIPHER_AES_256_GCM
           | 1u << TLS_CIPHER_CHACHA20_POLY1305,
  .key_size = sizeof (GnutlsKey),
  .keep = TRUE,
  .expand = tls_aead_gnutls_expand,
  .release = tls_aead_gnutls_release,
  .seal = tls_aead_gnutls_seal,
  .open = tls_aead_gnutls_open,
};
