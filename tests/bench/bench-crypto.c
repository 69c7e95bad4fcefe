/* bench-crypto.c: what the arithmetic alone costs on this machine: sealing, opening, signing,
 * agreeing on keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-crypto.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <sodium.h>
#include <time.h>

#ifdef BENCH_HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif
#ifdef BENCH_HAVE_NETTLE
#include <nettle/curve25519.h>
#endif

#define BENCH_CRYPTO_KEY_SIZE   16u
#define BENCH_CRYPTO_NONCE_SIZE 12u
#define BENCH_CRYPTO_HEAD_SIZE  5u
#define BENCH_CRYPTO_TAG_SIZE   16u
#define BENCH_CRYPTO_RUN_US     200000.0

/* Of this thread, so that others on the machine do not matter. */
static double
bench_crypto_cpu_us (void)
{
  struct timespec used;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &used);
  return (double) used.tv_sec * 1e6 + (double) used.tv_nsec / 1e3;
}

/* Repeats @once for a while; gives µs of processor time for one. */
static double
bench_crypto_time (void (*once) (gpointer data), gpointer data)
{
  double began_us, now_us;
  guint64 n = 0;

  once (data);
  began_us = bench_crypto_cpu_us ();
  do
    {
      for (guint i = 0; i < 16; i++)
        once (data);
      n += 16;
      now_us = bench_crypto_cpu_us ();
    }
  while (now_us - began_us < BENCH_CRYPTO_RUN_US);
  return (now_us - began_us) / (double) n;
}

typedef struct {
  gsize len;
  guint8 head[BENCH_CRYPTO_HEAD_SIZE];
  guint8 nonce[BENCH_CRYPTO_NONCE_SIZE];
  guint8 *plain;
  guint8 *sealed;
  gnutls_aead_cipher_hd_t cipher;
#ifdef BENCH_HAVE_IPSEC_MB
  IMB_MGR *manager;
  struct gcm_key_data expanded
      __attribute__ ((aligned (64))); /* the library writes it with aligned stores */
#endif
} BenchRecord;

static void
bench_record_gnutls (gpointer data)
{
  BenchRecord *self = data;
  size_t plain_len = self->len;
  size_t sealed_len = self->len + BENCH_CRYPTO_TAG_SIZE;

  self->nonce[0]++;
  if (gnutls_aead_cipher_encrypt (self->cipher, self->nonce, sizeof self->nonce, self->head,
                                  sizeof self->head, BENCH_CRYPTO_TAG_SIZE, self->plain, self->len,
                                  self->sealed, &sealed_len)
          < 0
      || gnutls_aead_cipher_decrypt (self->cipher, self->nonce, sizeof self->nonce, self->head,
                                     sizeof self->head, BENCH_CRYPTO_TAG_SIZE, self->sealed,
                                     sealed_len, self->plain, &plain_len)
             < 0)
    g_error ("GnuTLS does not open what it sealed");
}

double
bench_crypto_aead_gnutls (gsize len)
{
  guint8 key[BENCH_CRYPTO_KEY_SIZE] = { 1 };
  const gnutls_datum_t datum = { key, sizeof key };
  g_autofree guint8 *plain = g_malloc0 (len + BENCH_CRYPTO_TAG_SIZE);
  g_autofree guint8 *sealed = g_malloc0 (len + BENCH_CRYPTO_TAG_SIZE);
  BenchRecord record = { .len = len, .plain = plain, .sealed = sealed };
  double us;

  if (gnutls_aead_cipher_init (&record.cipher, GNUTLS_CIPHER_AES_128_GCM, &datum) < 0)
    return 0;
  us = bench_crypto_time (bench_record_gnutls, &record);
  gnutls_aead_cipher_deinit (record.cipher);
  return us;
}

#ifdef BENCH_HAVE_IPSEC_MB
static void
bench_record_ipsec_mb (gpointer data)
{
  BenchRecord *self = data;
  struct gcm_context_data context;
  guint8 tag[BENCH_CRYPTO_TAG_SIZE];

  self->nonce[0]++;
  IMB_AES128_GCM_ENC (self->manager, &self->expanded, &context, self->sealed, self->plain,
                      self->len, self->nonce, self->head, sizeof self->head,
                      self->sealed + self->len, BENCH_CRYPTO_TAG_SIZE);
  IMB_AES128_GCM_DEC (self->manager, &self->expanded, &context, self->plain, self->sealed,
                      self->len, self->nonce, self->head, sizeof self->head, tag,
                      BENCH_CRYPTO_TAG_SIZE);
  if (sodium_memcmp (tag, self->sealed + self->len, sizeof tag) != 0)
    g_error ("the multi-buffer library does not open what it sealed");
}

double
bench_crypto_aead_ipsec_mb (gsize len)
{
  guint8 key[BENCH_CRYPTO_KEY_SIZE] = { 1 };
  g_autofree guint8 *plain = g_malloc0 (len + BENCH_CRYPTO_TAG_SIZE);
  g_autofree guint8 *sealed = g_malloc0 (len + BENCH_CRYPTO_TAG_SIZE);
  BenchRecord record = { .len = len, .plain = plain, .sealed = sealed };
  IMB_ARCH arch;
  double us;

  record.manager = alloc_mb_mgr (0);
  if (record.manager == NULL)
    return 0;
  init_mb_mgr_auto (record.manager, &arch);
  IMB_AES128_GCM_PRE (record.manager, key, &record.expanded);
  us = bench_crypto_time (bench_record_ipsec_mb, &record);
  free_mb_mgr (record.manager);
  return us;
}
#else
double
bench_crypto_aead_ipsec_mb (gsize len)
{
  return 0;
}
#endif

static void
bench_crypto_sign_once (gpointer data)
{
  static const guint8 digest[32] = { 1 };
  const gnutls_datum_t hash = { (guint8 *) digest, sizeof digest };
  gnutls_datum_t signature = { 0 };

  if (gnutls_privkey_sign_hash2 (data, GNUTLS_SIGN_ECDSA_SHA256, 0, &hash, &signature) < 0)
    g_error ("GnuTLS does not sign");
  gnutls_free (signature.data);
}

double
bench_crypto_ecdsa_sign (void)
{
  gnutls_privkey_t key;
  double us;

  if (gnutls_privkey_init (&key) < 0
      || gnutls_privkey_generate (key, GNUTLS_PK_ECDSA,
                                  GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0)
             < 0)
    g_error ("GnuTLS makes no key");
  us = bench_crypto_time (bench_crypto_sign_once, key);
  gnutls_privkey_deinit (key);
  return us;
}

static void
bench_crypto_sodium_once (gpointer data)
{
  guint8 *keys = data; /* secret, public, shared */

  if (crypto_scalarmult (keys + 64, keys, keys + 32) != 0)
    g_error ("libsodium does not multiply");
  keys[0] ^= keys[64];
}

double
bench_crypto_x25519_sodium (void)
{
  guint8 keys[96] = { 1 };

  keys[32] = 9;
  return bench_crypto_time (bench_crypto_sodium_once, keys);
}

#ifdef BENCH_HAVE_NETTLE
static void
bench_crypto_nettle_once (gpointer data)
{
  guint8 *keys = data;

  nettle_curve25519_mul (keys + 64, keys, keys + 32);
  keys[0] ^= keys[64];
}

double
bench_crypto_x25519_nettle (void)
{
  guint8 keys[96] = { 1 };

  keys[32] = 9;
  return bench_crypto_time (bench_crypto_nettle_once, keys);
}
#else
double
bench_crypto_x25519_nettle (void)
{
  return 0;
}
#endif
