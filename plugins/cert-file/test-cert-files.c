/* test-cert-files.c: certificates and keys as PEM files, in a folder that goes away.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-cert-files.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

static char *
text_of (gnutls_datum_t *datum)
{
  char *text = g_strndup ((const char *) datum->data, datum->size);

  gnutls_free (datum->data);
  return text;
}

static gnutls_x509_privkey_t
key_new (gnutls_pk_algorithm_t algorithm)
{
  gnutls_x509_privkey_t key;
  unsigned bits = algorithm == GNUTLS_PK_RSA ? 2048
                : algorithm == GNUTLS_PK_EDDSA_ED25519
                    ? GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_ED25519)
                    : GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1);

  gnutls_x509_privkey_init (&key);
  g_assert_cmpint (gnutls_x509_privkey_generate (key, algorithm, bits, 0), ==, 0);
  return key;
}

static void
set_names (gnutls_x509_crt_t crt, const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, ",", -1);

  for (guint i = 0; list[i] != NULL; i++)
    {
      guint8 bytes[16];
      guint len = inet_pton (AF_INET, list[i], bytes) == 1  ? 4
                : inet_pton (AF_INET6, list[i], bytes) == 1 ? 16
                                                            : 0;

      gnutls_x509_crt_set_subject_alt_name (
          crt, len > 0 ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME,
          len > 0 ? (const void *) bytes : list[i], len > 0 ? len : (guint) strlen (list[i]),
          GNUTLS_FSAN_APPEND);
    }
}

static char *
certificate_new (gnutls_x509_privkey_t key, gnutls_x509_privkey_t issuer_key,
                 const char *issuer_name, const char *common_name, const char *names, gint64 from_s,
                 gint64 to_s)
{
  gnutls_x509_crt_t crt, issuer;
  gnutls_datum_t pem;

  gnutls_x509_crt_init (&issuer);
  gnutls_x509_crt_set_key (issuer, issuer_key);
  gnutls_x509_crt_set_dn_by_oid (issuer, GNUTLS_OID_X520_COMMON_NAME, 0, issuer_name,
                                 (unsigned) strlen (issuer_name));
  gnutls_x509_crt_init (&crt);
  gnutls_x509_crt_set_version (crt, 3);
  gnutls_x509_crt_set_serial (crt, "\x11", 1);
  gnutls_x509_crt_set_key (crt, key);
  gnutls_x509_crt_set_activation_time (crt, time (NULL) + from_s);
  gnutls_x509_crt_set_expiration_time (crt, time (NULL) + to_s);
  gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
                                 (unsigned) strlen (common_name));
  if (names != NULL)
    set_names (crt, names);
  g_assert_cmpint (gnutls_x509_crt_sign2 (crt, issuer, issuer_key, GNUTLS_DIG_SHA256, 0), ==, 0);
  gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_PEM, &pem);
  gnutls_x509_crt_deinit (crt);
  gnutls_x509_crt_deinit (issuer);
  return text_of (&pem);
}

TestPem *
test_pem_new (gnutls_pk_algorithm_t algorithm, guint n_chain, const char *common_name,
              const char *names, gint64 from_s, gint64 to_s)
{
  static const char parameters
      [] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  TestPem *self = g_new0 (TestPem, 1);
  gnutls_x509_privkey_t key = key_new (algorithm);
  gnutls_x509_privkey_t issuer_key = key_new (GNUTLS_PK_ECDSA);
  g_autofree char *leaf = certificate_new (key, issuer_key, "issuer", common_name, names, from_s,
                                           to_s);
  GString *chain = g_string_new (leaf);
  gnutls_datum_t pem;

  for (guint i = 1; i < n_chain; i++)
    {
      g_autofree char *issuer = certificate_new (issuer_key, issuer_key, "issuer", "issuer", NULL,
                                                 from_s, to_s);

      g_string_append (chain, issuer);
    }
  self->chain = g_string_free (chain, FALSE);
  gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
  self->key = text_of (&pem);
  gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, "secret", GNUTLS_PKCS_PBES2_AES_256,
                                     &pem);
  self->locked_key = text_of (&pem);
  if (algorithm == GNUTLS_PK_ECDSA)
    {
      g_autofree char *old = NULL;

      gnutls_x509_privkey_export2 (key, GNUTLS_X509_FMT_PEM, &pem);
      old = text_of (&pem);
      self->ec_key = g_strconcat (parameters, old, NULL);
    }
  gnutls_x509_privkey_deinit (key);
  gnutls_x509_privkey_deinit (issuer_key);
  return self;
}

TestPem *
test_pem_new_self_signed (const char *name, gint64 from_s, gint64 to_s)
{
  TestPem *self = g_new0 (TestPem, 1);
  gnutls_x509_privkey_t key = key_new (GNUTLS_PK_ECDSA);
  gnutls_datum_t pem;

  self->chain = certificate_new (key, key, name, name, name, from_s, to_s);
  gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
  self->key = text_of (&pem);
  gnutls_x509_privkey_deinit (key);
  return self;
}

void
test_pem_free (TestPem *self)
{
  g_free (self->chain);
  g_free (self->key);
  g_free (self->ec_key);
  g_free (self->locked_key);
  g_free (self);
}

char *
test_pem_certificate (const char *chain, guint i)
{
  static const char end[] = "-----END CERTIFICATE-----\n";
  const char *to = strstr (chain, end) + strlen (end);

  for (; i > 0; i--)
    {
      chain = to;
      to = strstr (chain, end) + strlen (end);
    }
  return g_strndup (chain, (gsize) (to - chain));
}

char *
test_folder_new (void)
{
  char *folder = g_dir_make_tmp ("detour-cert-XXXXXX", NULL);

  g_assert_nonnull (folder);
  return folder;
}

void
test_folder_free (char *folder)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_remove (path);
    }
  g_dir_close (dir);
  g_rmdir (folder);
  g_free (folder);
}

char *
test_folder_write (const char *folder, const char *name, const char *text, int mode)
{
  char *path = g_build_filename (folder, name, NULL);
  g_autofree char *next = g_strconcat (path, ".next", NULL);

  g_assert_true (g_file_set_contents (next, text, -1, NULL));
  g_assert_cmpint (g_chmod (next, mode), ==, 0);
  g_assert_cmpint (g_rename (next, path), ==, 0);
  return path;
}
