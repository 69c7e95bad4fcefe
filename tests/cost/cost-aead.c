/* cost-aead.c: a cipher that only copies, so that what is counted is the same on every processor.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It stands where the libraries stand. The tag is the nonce, so that a record out of its turn is
 * still found. */
#include "config.h"

#include <string.h>

#include "tls-aead.h"

/* As large as the expanded keys of a real library. */
typedef struct {
  guint8 bytes[512];
} CostKey;

static gboolean
cost_aead_expand (gpointer engine, TlsCipher cipher, const guint8 *key, gpointer expanded)
{
  memcpy (((CostKey *) expanded)->bytes, key, tls_cipher_key_size (cipher));
  return TRUE;
}

static gboolean
cost_aead_seal (gpointer engine, TlsCipher cipher, gconstpointer expanded, const guint8 *nonce,
                const guint8 *head, TlsText text, guint8 type, guint8 *out)
{
  tls_text_copy (text, out);
  out[text.len] = type;
  memset (out + text.len + 1, 0, TLS_AEAD_TAG_SIZE);
  memcpy (out + text.len + 1, nonce, TLS_AEAD_NONCE_SIZE);
  return TRUE;
}

static gboolean
cost_aead_open (gpointer engine, TlsCipher cipher, gconstpointer expanded, const guint8 *nonce,
                const guint8 *head, TlsText sealed, const guint8 *tag, guint8 *out)
{
  tls_text_copy (sealed, out);
  return memcmp (tag, nonce, TLS_AEAD_NONCE_SIZE) == 0;
}

#define COST_AEAD(name_)                                                                     \
  {                                                                                          \
    .name = name_, .ciphers = (1u << TLS_N_CIPHERS) - 1, .key_size = sizeof (CostKey),       \
    .keep = TRUE, .expand = cost_aead_expand, .seal = cost_aead_seal, .open = cost_aead_open \
  }

const TlsAead tls_aead_sodium = COST_AEAD ("copy");
const TlsAead tls_aead_gnutls = COST_AEAD ("copy");
