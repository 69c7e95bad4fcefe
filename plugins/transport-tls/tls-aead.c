/* tls-aead.c: the ciphers that seal records here, and the choice of a library for each.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-aead.h"

#include <stdatomic.h>
#include <string.h>

/* Bits by index of tls_aeads: its engine could not be made. Of the process, as the processor is. */
static atomic_uint tls_aead_failed;

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

static gboolean
tls_aead_is_usable (guint i)
{
  return (atomic_load (&tls_aead_failed) & 1u << i) == 0
      && (tls_aeads[i]->fits == NULL || tls_aeads[i]->fits ());
}

/* Once for each library. */
static void
tls_aead_say_failed (guint i)
{
  if ((atomic_fetch_or (&tls_aead_failed, 1u << i) & 1u << i) == 0)
    g_warning ("%s does not pass its own test on this processor and is not used",
               tls_aeads[i]->name);
}

void
tls_aead_set_init (TlsAeadSet *self)
{
  *self = (TlsAeadSet) { { NULL } };
  for (guint i = 0; tls_aeads[i] != NULL; i++)
    {
      const TlsAead *aead = tls_aeads[i];
      gpointer engine = NULL;

      if (!tls_aead_is_usable (i))
        continue;
      if (aead->engine_new != NULL && (engine = aead->engine_new ()) == NULL)
        {
          tls_aead_say_failed (i);
          continue;
        }
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

static const char *
tls_aead_who_seals (TlsCipher cipher)
{
  for (guint i = 0; tls_aeads[i] != NULL; i++)
    if (tls_aeads[i]->ciphers & 1u << cipher && tls_aead_is_usable (i))
      return tls_aeads[i]->name;
  g_assert_not_reached (); /* the last one knows all, and has no engine that could fail */
}

char *
tls_aead_describe (void)
{
  const char *gcm = tls_aead_who_seals (TLS_CIPHER_AES_128_GCM);
  const char *chacha = tls_aead_who_seals (TLS_CIPHER_CHACHA20_POLY1305);

  if (strcmp (gcm, chacha) == 0)
    return g_strdup_printf ("records by %s", gcm);
  return g_strdup_printf ("AES-GCM by %s, ChaCha20-Poly1305 by %s", gcm, chacha);
}
