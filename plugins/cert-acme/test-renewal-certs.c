/* test-renewal-certs.c: chains as an authority issues them, for tests.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-renewal-certs.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

#define DAY 86400

static gnutls_x509_privkey_t
new_key (void)
{
  gnutls_x509_privkey_t key;

  gnutls_x509_privkey_init (&key);
  g_assert_cmpint (gnutls_x509_privkey_generate (
                       key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0),
                   ==, 0);
  return key;
}

static gnutls_x509_crt_t
new_crt (gnutls_x509_privkey_t key, const char *name, int from_days, int to_days)
{
  static guint serial = 1;
  guint8 bytes[] = { 1, (guint8) serial++ };
  guint8 id[20];
  size_t len = sizeof id;
  gnutls_x509_crt_t crt;

  gnutls_x509_crt_init (&crt);
  gnutls_x509_crt_set_version (crt, 3);
  gnutls_x509_crt_set_serial (crt, bytes, sizeof bytes);
  gnutls_x509_crt_set_activation_time (crt, time (NULL) + (time_t) from_days * DAY);
  gnutls_x509_crt_set_expiration_time (crt, time (NULL) + (time_t) to_days * DAY);
  gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                 (unsigned) strlen (name));
  gnutls_x509_crt_set_key (crt, key);
  gnutls_x509_crt_get_key_id (crt, 0, id, &len);
  gnutls_x509_crt_set_subject_key_id (crt, id, len);
  return crt;
}

static void
add_names (gnutls_x509_crt_t crt, const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);

  for (guint i = 0; list[i] != NULL; i++)
    {
      guint8 bytes[16];

      if (inet_pton (AF_INET, list[i], bytes) == 1)
        gnutls_x509_crt_set_subject_alt_name (crt, GNUTLS_SAN_IPADDRESS, bytes, 4,
                                              GNUTLS_FSAN_APPEND);
      else
        gnutls_x509_crt_set_subject_alt_name (crt, GNUTLS_SAN_DNSNAME, list[i],
                                              (unsigned) strlen (list[i]), GNUTLS_FSAN_APPEND);
    }
}

static char *
pem_of (gnutls_x509_crt_t crt)
{
  gnutls_datum_t pem;
  char *text;

  g_assert_cmpint (gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_PEM, &pem), ==, 0);
  text = g_strndup ((const char *) pem.data, pem.size);
  gnutls_free (pem.data);
  return text;
}

void
test_chain_make (TestChain *self, const char *names, int from_days, int to_days)
{
  gnutls_x509_privkey_t ca_key = new_key (), key = new_key ();
  gnutls_x509_crt_t ca = new_crt (ca_key, "Test CA", -1000, 1000);
  gnutls_x509_crt_t leaf = new_crt (key, "leaf", from_days, to_days);
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  guint8 id[20];
  size_t len = sizeof id;
  gnutls_datum_t pem;

  gnutls_x509_crt_set_basic_constraints (ca, 1, -1);
  gnutls_x509_crt_set_key_usage (ca, GNUTLS_KEY_KEY_CERT_SIGN);
  g_assert_cmpint (gnutls_x509_crt_sign2 (ca, ca, ca_key, GNUTLS_DIG_SHA256, 0), ==, 0);
  add_names (leaf, names);
  gnutls_x509_crt_get_key_id (ca, 0, id, &len);
  gnutls_x509_crt_set_authority_key_id (leaf, id, len);
  g_assert_cmpint (gnutls_x509_crt_sign2 (leaf, ca, ca_key, GNUTLS_DIG_SHA256, 0), ==, 0);
  first = pem_of (leaf);
  second = pem_of (ca);
  self->chain = g_strconcat (first, second, NULL);
  g_assert_cmpint (
      gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem),
      ==, 0);
  self->key = g_strndup ((const char *) pem.data, pem.size);
  gnutls_free (pem.data);
  gnutls_x509_crt_deinit (ca);
  gnutls_x509_crt_deinit (leaf);
  gnutls_x509_privkey_deinit (ca_key);
  gnutls_x509_privkey_deinit (key);
}

void
test_chain_clear (TestChain *self)
{
  g_clear_pointer (&self->key, g_free);
  g_clear_pointer (&self->chain, g_free);
}
