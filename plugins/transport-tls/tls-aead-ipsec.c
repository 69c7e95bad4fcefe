/* tls-aead-ipsec.c: ciphers computed by Intel's multi-buffer library, through its calls for one
 * text at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-aead.h"

#include <intel-ipsec-mb.h>
#include <sodium.h>
#include <string.h>

/* Without these the library would compute in tables, slowly and with timing that depends on the
 * key. */
#define FEATURES_NEEDED (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SSE4_2)

typedef union {
  struct gcm_key_data gcm;
  guint8 raw[TLS_AEAD_KEY_MAX]; /* ChaCha20 has no expanded key */
} IpsecKey;

static gboolean
tls_aead_ipsec_fits (void)
{
  return (imb_get_feature_flags () & FEATURES_NEEDED) == FEATURES_NEEDED;
}

static gpointer
tls_aead_ipsec_engine_new (void)
{
  IMB_MGR *manager = alloc_mb_mgr (0);

  if (manager == NULL)
    return NULL;
  init_mb_mgr_auto (manager, NULL);
  if (imb_get_errno (manager) != 0 || (manager->features & FEATURES_NEEDED) != FEATURES_NEEDED
#ifdef IMB_FEATURE_SELF_TEST
      || (manager->features & IMB_FEATURE_SELF_TEST
          && !(manager->features & IMB_FEATURE_SELF_TEST_PASS))
#endif
  )
    {
      free_mb_mgr (manager);
      return NULL;
    }
  return manager;
}

static void
tls_aead_ipsec_engine_free (gpointer engine)
{
  free_mb_mgr (engine);
}

static gboolean
tls_aead_ipsec_expand (gpointer engine, TlsCipher cipher, const guint8 *key, gpointer expanded)
{
  IMB_MGR *manager = engine;
  IpsecKey *self = expanded;

  if (cipher == TLS_CIPHER_AES_128_GCM)
    IMB_AES128_GCM_PRE (manager, key, &self->gcm);
  else if (cipher == TLS_CIPHER_AES_256_GCM)
    IMB_AES256_GCM_PRE (manager, key, &self->gcm);
  else
    memcpy (self->raw, key, tls_cipher_key_size (cipher));
  return TRUE;
}

/* All the calls are macros that differ by name only; the cipher is asked for once, not for each
 * piece. */
#define CRYPT(context_type, init, update, last, finalize) \
  {                                                       \
    context_type context;                                 \
                                                          \
    init;                                                 \
    while ((piece = tls_text_next (&text, &n)) != NULL)   \
      {                                                   \
        update (piece, n);                                \
        out += n;                                         \
      }                                                   \
    last;                                                 \
    finalize;                                             \
  }
#define CRYPT_GCM(bits, way, last, tag)                                                         \
  CRYPT (                                                                                       \
      struct gcm_context_data,                                                                  \
      IMB_AES##bits##_GCM_INIT (manager, &key->gcm, &context, nonce, head, TLS_AEAD_HEAD_SIZE), \
      UPDATE_##bits##_##way, last,                                                              \
      IMB_AES##bits##_GCM_##way##_FINALIZE (manager, &key->gcm, &context, tag, TLS_AEAD_TAG_SIZE))
#define CRYPT_CHACHA(way, last, tag)                                                             \
  CRYPT (                                                                                        \
      struct chacha20_poly1305_context_data,                                                     \
      IMB_CHACHA20_POLY1305_INIT (manager, key->raw, &context, nonce, head, TLS_AEAD_HEAD_SIZE), \
      UPDATE_CHACHA_##way, last,                                                                 \
      IMB_CHACHA20_POLY1305_##way##_FINALIZE (manager, &context, tag, TLS_AEAD_TAG_SIZE))
#define UPDATE_128_ENC(data, size) \
  IMB_AES128_GCM_ENC_UPDATE (manager, &key->gcm, &context, out, data, size)
#define UPDATE_128_DEC(data, size) \
  IMB_AES128_GCM_DEC_UPDATE (manager, &key->gcm, &context, out, data, size)
#define UPDATE_256_ENC(data, size) \
  IMB_AES256_GCM_ENC_UPDATE (manager, &key->gcm, &context, out, data, size)
#define UPDATE_256_DEC(data, size) \
  IMB_AES256_GCM_DEC_UPDATE (manager, &key->gcm, &context, out, data, size)
#define UPDATE_CHACHA_ENC(data, size) \
  IMB_CHACHA20_POLY1305_ENC_UPDATE (manager, key->raw, &context, out, data, size)
#define UPDATE_CHACHA_DEC(data, size) \
  IMB_CHACHA20_POLY1305_DEC_UPDATE (manager, key->raw, &context, out, data, size)

static gboolean
tls_aead_ipsec_seal (gpointer engine, TlsCipher cipher, gconstpointer expanded, const guint8 *nonce,
                     const guint8 *head, TlsText text, guint8 type, guint8 *out)
{
  IMB_MGR *manager = engine;
  const IpsecKey *key = expanded;
  const guint8 *piece;
  gsize n;

  if (cipher == TLS_CIPHER_AES_128_GCM)
    CRYPT_GCM (128, ENC, UPDATE_128_ENC (&type, 1), out + 1)
  else if (cipher == TLS_CIPHER_AES_256_GCM)
    CRYPT_GCM (256, ENC, UPDATE_256_ENC (&type, 1), out + 1)
  else
    CRYPT_CHACHA (ENC, UPDATE_CHACHA_ENC (&type, 1), out + 1)
  return TRUE;
}

static gboolean
tls_aead_ipsec_open (gpointer engine, TlsCipher cipher, gconstpointer expanded, const guint8 *nonce,
                     const guint8 *head, TlsText text, const guint8 *tag, guint8 *out)
{
  IMB_MGR *manager = engine;
  const IpsecKey *key = expanded;
  guint8 wanted[TLS_AEAD_TAG_SIZE];
  const guint8 *piece;
  gsize n;

  if (cipher == TLS_CIPHER_AES_128_GCM)
    CRYPT_GCM (128, DEC, , wanted)
  else if (cipher == TLS_CIPHER_AES_256_GCM)
    CRYPT_GCM (256, DEC, , wanted)
  else
    CRYPT_CHACHA (DEC, , wanted)
  return sodium_memcmp (wanted, tag, sizeof wanted) == 0;
}

const TlsAead tls_aead_ipsec = {
  .name = "ipsec-mb",
  .ciphers = 1u << TLS_CIPHER_AES_128_GCM | 1u << TLS_CIPHER_AES_256_GCM
           | 1u << TLS_CIPHER_CHACHA20_POLY1305,
  .key_size = sizeof (IpsecKey),
  .keep = TRUE,
  .fits = tls_aead_ipsec_fits,
  .engine_new = tls_aead_ipsec_engine_new,
  .engine_free = tls_aead_ipsec_engine_free,
  .expand = tls_aead_ipsec_expand,
  .seal = tls_aead_ipsec_seal,
  .open = tls_aead_ipsec_open,
};
