/* test-tls-metacert.c: the meta certificate is what official clients look for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gnutls/x509.h>
#include <string.h>

#include "tls-metacert.h"

#define NOW_S G_GINT64_CONSTANT (1767225600) /* 2026-01-01 00:00:00 UTC */

static const char hex[] = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";

static GBytes *
metacert_at (gint64 now_s)
{
  guint8 key[DETOUR_KEY_SIZE];
  g_autoptr (GError) error = NULL;
  GBytes *der;

  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    key[i] = (guint8) (g_ascii_xdigit_value (hex[2 * i]) << 4
                       | g_ascii_xdigit_value (hex[2 * i + 1]));
  der = tls_metacert_new (key, now_s, &error);
  g_assert_no_error (error);
  return der;
}

static gnutls_x509_crt_t
parse (GBytes *der)
{
  gsize len;
  gconstpointer data = g_bytes_get_data (der, &len);
  gnutls_datum_t datum = { (unsigned char *) data, (unsigned) len };
  gnutls_x509_crt_t crt;

  gnutls_x509_crt_init (&crt);
  g_assert_cmpint (gnutls_x509_crt_import (crt, &datum, GNUTLS_X509_FMT_DER), ==, 0);
  return crt;
}

static void
fields (void)
{
  g_autoptr (GBytes) der = metacert_at (NOW_S);
  gnutls_x509_crt_t crt = parse (der);
  g_autofree char *expected = g_strconcat ("CN=derpkey", hex, NULL);
  char name[128];
  guint8 serial[20];
  size_t len = sizeof name;
  unsigned critical = 0, ca = 1;
  int path = 0;

  g_assert_cmpuint (g_bytes_get_size (der), ==, 359); /* as long as the reference's */
  g_assert_cmpint (gnutls_x509_crt_get_version (crt), ==, 3);
  g_assert_cmpint (gnutls_x509_crt_get_dn (crt, name, &len), ==, 0);
  g_assert_cmpstr (name, ==, expected);
  len = sizeof name;
  g_assert_cmpint (gnutls_x509_crt_get_issuer_dn (crt, name, &len), ==, 0);
  g_assert_cmpstr (name, ==, expected);
  len = sizeof serial;
  g_assert_cmpint (gnutls_x509_crt_get_serial (crt, serial, &len), ==, 0);
  g_assert_cmpuint (len, ==, 1);
  g_assert_cmpuint (serial[0], ==, 2);
  g_assert_cmpint (gnutls_x509_crt_get_activation_time (crt), ==, NOW_S - 30 * 86400);
  g_assert_cmpint (gnutls_x509_crt_get_expiration_time (crt), ==, NOW_S + 30 * 86400);
  g_assert_cmpint (gnutls_x509_crt_get_basic_constraints (crt, &critical, &ca, &path), >=, 0);
  g_assert_cmpuint (critical, ==, 1);
  g_assert_cmpuint (ca, ==, 0);
  gnutls_x509_crt_deinit (crt);
}

/* derpprobe looks at the dates of certificates that have key identifiers. */
static void
one_extension (void)
{
  g_autoptr (GBytes) der = metacert_at (NOW_S);
  gnutls_x509_crt_t crt = parse (der);
  char oid[64];
  size_t len = sizeof oid;

  g_assert_cmpint (gnutls_x509_crt_get_extension_oid (crt, 0, oid, &len), ==, 0);
  g_assert_cmpstr (oid, ==, "2.5.29.19");
  len = sizeof oid;
  g_assert_cmpint (gnutls_x509_crt_get_extension_oid (crt, 1, oid, &len), ==,
                   GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
  gnutls_x509_crt_deinit (crt);
}

static void
self_signed (void)
{
  g_autoptr (GBytes) der = metacert_at (NOW_S);
  gnutls_x509_crt_t crt = parse (der);
  unsigned verdict = 0;
  unsigned bits;

  g_assert_cmpint (gnutls_x509_crt_get_pk_algorithm (crt, &bits), ==, GNUTLS_PK_EDDSA_ED25519);
  g_assert_cmpint (gnutls_x509_crt_get_signature_algorithm (crt), ==, GNUTLS_SIGN_EDDSA_ED25519);
  g_assert_cmpint (gnutls_x509_crt_verify (crt, &crt, 1,
                                           GNUTLS_VERIFY_ALLOW_ANY_X509_V1_CA_CRT
                                               | GNUTLS_VERIFY_DISABLE_CA_SIGN
                                               | GNUTLS_VERIFY_DISABLE_TIME_CHECKS,
                                           &verdict),
                   ==, 0);
  g_assert_cmpuint (verdict & GNUTLS_CERT_SIGNATURE_FAILURE, ==, 0);
  gnutls_x509_crt_deinit (crt);
}

/* Strict DER: what GnuTLS writes from what it read are the same bytes. */
static void
canonical (void)
{
  g_autoptr (GBytes) der = metacert_at (NOW_S);
  gnutls_x509_crt_t crt = parse (der);
  gnutls_datum_t again;

  g_assert_cmpint (gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_DER, &again), ==, 0);
  g_assert_cmpmem (again.data, again.size, g_bytes_get_data (der, NULL), g_bytes_get_size (der));
  gnutls_free (again.data);
  gnutls_x509_crt_deinit (crt);
}

static void
key_of_its_own (void)
{
  g_autoptr (GBytes) one = metacert_at (NOW_S);
  g_autoptr (GBytes) two = metacert_at (NOW_S);

  g_assert_false (g_bytes_equal (one, two));
}

/* X.509 writes years from 2050 with four digits. */
static void
after_2050 (void)
{
  const gint64 late_s = G_GINT64_CONSTANT (2524521600); /* 2049-12-31 00:00:00 UTC */
  g_autoptr (GBytes) der = metacert_at (late_s);
  gnutls_x509_crt_t crt = parse (der);

  g_assert_cmpint (gnutls_x509_crt_get_activation_time (crt), ==, late_s - 30 * 86400);
  g_assert_cmpint (gnutls_x509_crt_get_expiration_time (crt), ==, late_s + 30 * 86400);
  gnutls_x509_crt_deinit (crt);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/metacert/fields-are-those-clients-look-for", fields);
  g_test_add_func ("/metacert/no-key-identifiers", one_extension);
  g_test_add_func ("/metacert/signed-by-itself", self_signed);
  g_test_add_func ("/metacert/canonical-der", canonical);
  g_test_add_func ("/metacert/every-one-has-a-key-of-its-own", key_of_its_own);
  g_test_add_func ("/metacert/years-from-2050", after_2050);
  return g_test_run ();
}
