/* tls-aead.c: the ciphers that seal records here, and the choice of a library for each.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-aead.h"

#include <string.h>

const TlsAead *const tls_aeads[] = {
#ifdef HAVE_IPSEC_MB
  &tls_aead_ipsec,
#endif
  &tls_aead_sodium,
  &tls_aead_gnutls,
  NULL,
};

static const struct {
  const char *name;
  gsize key_size;
} ciphers[TLS_N_CIPHERS] = {
  [TLS_CIPHER_AES_128_GCM] = { "AES-128-GCM", 16 },
  [TLS_CIPHER_AES_256_GCM] = { "AES-256-GCM", 32 },
  [TLS_CIPHER_CHACHA20_POLY1305] = { "CHACHA20-POLY1305", 32 },
};

const char *
tls_cipher_name (TlsCipher cipher)
{
  return ciphers[cipher].name;
}

gsize
tls_cipher_key_size (TlsCipher cipher)
{
  return ciphers[cipher].key_size;
}

void
tls_text_copy (TlsText text, guint8 *out)
{
  const guint8 *piece;
  gsize n;

  while ((piece = tls_text_next (&text, &n)) != NULL)
    {
      memcpy (out, piece, n);
      out += n;
    }
}

const guint8 *
tls_text_gather (TlsText text, guint8 *out, gsize *len)
{
  TlsText rest = text;
  gsize n = 0;
  const guint8 *first = tls_text_next (&rest, &n);

  *len = text.len;
  if (first != NULL && rest.len == 0)
    return first;
  tls_text_copy (text, out);
  return out;
}

void
tls_aead_set_init (TlsAeadSet *self)
{
  *self = (TlsAeadSet){ { NULL } };
  for (guint i = 0; tls_aeads[i] != NULL; i++)
    {
      const TlsAead *aead = tls_aeads[i];
      gpointer engine = aead->engine_new != NULL ? aead->engine_new () : NULL;

      if (aead->engine_new != NULL && engine == NULL)
        continue;
      for (guint cipher = 0; cipher < TLS_N_CIPHERS; cipher++)
        if (self->aead[cipher] == NULL && aead->ciphers & 1u << cipher)
          {
            self->aead[cipher] = aead;
            self->engine[cipher] = engine;
          }
    }
  for (guint cipher = 0; cipher < TLS_N_CIPHERS; cipher++)
    g_assert (self->aead[cipher] != NULL); /* the last one knows all */
}

void
tls_aead_set_clear (TlsAeadSet *self)
{
  for (guint cipher = 0; cipher < TLS_N_CIPHERS; cipher++)
    {
      gpointer engine = self->engine[cipher];

      if (engine == NULL)
        continue;
      self->aead[cipher]->engine_free (engine);
      for (guint other = cipher; other < TLS_N_CIPHERS; other++)
        if (self->engine[other] == engine)
          self->engine[other] = NULL;
    }
}

char *
tls_aead_describe (void)
{
  TlsAeadSet set;
  char *text;

  tls_aead_set_init (&set);
  text = g_strdup_printf ("AES-GCM by %s, ChaCha20-Poly1305 by %s", set.aead[TLS_CIPHER_AES_128_GCM]->name,
                          set.aead[TLS_CIPHER_CHACHA20_POLY1305]->name);
  tls_aead_set_clear (&set);
  return text;
}
