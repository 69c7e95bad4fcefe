/* test-tls-keys.c: keys from secrets, and one record, as in the traces of RFC 8448; and against
 * GnuTLS.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-keys.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <string.h>

#include "tls-record.h"
#include "tls-thread.h"

static GBytes *
from_hex (const char *hex)
{
  gsize len = strlen (hex) / 2;
  guint8 *bytes = g_malloc (len);

  g_assert_cmpint (sodium_hex2bin (bytes, len, hex, strlen (hex), NULL, NULL, NULL), ==, 0);
  return g_bytes_new_take (bytes, len);
}

static void
check_hex (const guint8 *data, gsize len, const char *expected)
{
  g_autofree char *hex = g_malloc (2 * len + 1);

  sodium_bin2hex (hex, 2 * len + 1, data, len);
  g_assert_cmpstr (hex, ==, expected);
}

/* Section 3, "Simple 1-RTT Handshake". */
static const struct {
  const char *secret;
  const char *key;
  const char *iv;
} rfc8448[] = {
  { "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
    "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9" }, /* client */
  { "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
    "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984" }, /* server */
};

static void
rfc8448_keys (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (rfc8448); i++)
    {
      g_autoptr (GBytes) secret = from_hex (rfc8448[i].secret);
      TlsKeys keys;

      g_assert_true (
          tls_keys_init (&keys, TLS_CIPHER_AES_128_GCM, g_bytes_get_data (secret, NULL), 0));
      check_hex (keys.key, 16, rfc8448[i].key);
      check_hex (keys.iv, 12, rfc8448[i].iv);
      tls_keys_wipe (&keys);
      for (gsize at = 0; at < tls_keys_size (TLS_CIPHER_AES_128_GCM); at++)
        g_assert_cmpuint (((guint8 *) &keys)[at], ==, 0);
    }
}

/* The client's 50 bytes of application data, the first record of its keys. */
static void
rfc8448_record (void)
{
  static const char expected[] = "1703030043"
                                 "a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b"
                                 "46b395bd54a9a20441e2b6297"
                                 "4e1f5a6292a2977014bd1e3deae63aeebb21694915e4";
  g_autoptr (GBytes) secret = from_hex (rfc8448[0].secret);
  guint8 data[50];
  guint8 record[TLS_RECORD_OVERHEAD + sizeof data];
  guint8 back[sizeof data + 1 + TLS_AEAD_TAG_SIZE];
  struct iovec sealed = { record + TLS_RECORD_HEAD_SIZE, sizeof data + 1 };
  struct iovec span = { data, sizeof data };
  TlsKeys keys;

  for (guint i = 0; i < sizeof data; i++)
    data[i] = (guint8) i;
  g_assert_true (tls_keys_init (&keys, TLS_CIPHER_AES_128_GCM, g_bytes_get_data (secret, NULL), 0));
  tls_record_head (record, sizeof data);
  g_assert_true (tls_thread_seal (tls_thread_get (), &keys, record,
                                  (TlsText) { &span, 0, sizeof data }, TLS_TYPE_DATA,
                                  record + TLS_RECORD_HEAD_SIZE));
  check_hex (record, sizeof record, expected);
  g_assert_cmpuint (keys.seq, ==, 1);

  keys.seq = 0;
  g_assert_true (tls_thread_open (tls_thread_get (), &keys, record,
                                  (TlsText) { &sealed, 0, sealed.iov_len },
                                  record + sizeof record - TLS_AEAD_TAG_SIZE, back));
  g_assert_cmpmem (back, sizeof data, data, sizeof data);
  g_assert_cmpuint (back[sizeof data], ==, TLS_TYPE_DATA);
}

/* HKDF-Expand-Label once more, put together another way. */
static void
label (gnutls_mac_algorithm_t hash, const guint8 *secret, gsize secret_len, const char *name,
       guint8 *out, gsize len)
{
  g_autofree char *full = g_strconcat ("tls13 ", name, NULL);
  g_autoptr (GByteArray) info = g_byte_array_new ();
  guint8 head[3] = { 0, (guint8) len, (guint8) strlen (full) };
  gnutls_datum_t key = { (unsigned char *) secret, (unsigned) secret_len };
  gnutls_datum_t datum;

  g_byte_array_append (info, head, sizeof head);
  g_byte_array_append (info, (const guint8 *) full,
                       (guint) strlen (full) + 1); /* the zero is the empty context */
  datum = (gnutls_datum_t) { info->data, info->len };
  g_assert_cmpint (gnutls_hkdf_expand (hash, &key, &datum, out, len), ==, 0);
}

static void
update (void)
{
  static const struct {
    TlsCipher cipher;
    gnutls_mac_algorithm_t hash;
    gsize secret_len;
    gsize key_len;
  } cases[] = {
    { TLS_CIPHER_AES_128_GCM, GNUTLS_MAC_SHA256, 32, 16 },
    { TLS_CIPHER_AES_256_GCM, GNUTLS_MAC_SHA384, 48, 32 },
    { TLS_CIPHER_CHACHA20_POLY1305, GNUTLS_MAC_SHA256, 32, 32 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint8 secret[TLS_SECRET_MAX];
      TlsKeys keys;

      memset (secret, 0x5a, sizeof secret);
      g_assert_cmpuint (tls_keys_secret_size (cases[i].cipher), ==, cases[i].secret_len);
      g_assert_cmpuint (tls_cipher_key_size (cases[i].cipher), ==, cases[i].key_len);
      g_assert_true (tls_keys_init (&keys, cases[i].cipher, secret, 77));
      for (guint generation = 0; generation < 3; generation++)
        {
          guint8 key[32] = { 0 };
          guint8 iv[12];
          guint8 next[TLS_SECRET_MAX];

          label (cases[i].hash, secret, cases[i].secret_len, "key", key, cases[i].key_len);
          label (cases[i].hash, secret, cases[i].secret_len, "iv", iv, sizeof iv);
          label (cases[i].hash, secret, cases[i].secret_len, "traffic upd", next,
                 cases[i].secret_len);
          memcpy (secret, next, sizeof secret);
          g_assert_cmpmem (keys.key, sizeof keys.key, key, sizeof key);
          g_assert_cmpmem (keys.iv, sizeof keys.iv, iv, sizeof iv);
          g_assert_cmpuint (keys.seq, ==, generation == 0 ? 77 : 0);
          g_assert_true (tls_keys_update (&keys));
        }
    }
}

static void
nonce (void)
{
  static const struct {
    guint64 seq;
    const char *nonce;
  } cases[] = {
    { 0, "000102030405060708090a0b" },
    { 1, "000102030405060708090a0a" },
    { 0x100, "000102030405060708090b0b" },
    { G_GUINT64_CONSTANT (0xffffffffffffffff), "00010203fbfaf9f8f7f6f5f4" },
  };
  TlsKeys keys = { 0 };

  for (guint i = 0; i < sizeof keys.iv; i++)
    keys.iv[i] = (guint8) i;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint8 bytes[TLS_AEAD_NONCE_SIZE];

      keys.seq = cases[i].seq;
      tls_keys_nonce (&keys, bytes);
      check_hex (bytes, sizeof bytes, cases[i].nonce);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tls-keys/those-of-rfc8448", rfc8448_keys);
  g_test_add_func ("/tls-keys/record-of-rfc8448", rfc8448_record);
  g_test_add_func ("/tls-keys/update-of-every-cipher", update);
  g_test_add_func ("/tls-keys/nonce", nonce);
  return g_test_run ();
}
