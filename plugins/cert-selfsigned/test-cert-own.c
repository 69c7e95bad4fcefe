/* test-cert-own.c: what the certificate holds, and when it is used again.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/stat.h>

#include "cert-own.h"

#define DAY   86400
#define NOW_S G_GINT64_CONSTANT (1767225600) /* 2026-01-01 */

typedef struct {
  char *folder, *stem, *crt, *key;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  f->folder = g_dir_make_tmp ("detour-own-XXXXXX", NULL);
  f->stem = g_build_filename (f->folder, "selfsigned-x", NULL);
  f->crt = g_strconcat (f->stem, ".crt", NULL);
  f->key = g_strconcat (f->stem, ".key", NULL);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  g_remove (f->crt);
  g_remove (f->key);
  g_assert_cmpint (g_rmdir (f->folder), ==, 0); /* nothing else was left */
  g_free (f->folder);
  g_free (f->stem);
  g_free (f->crt);
  g_free (f->key);
}

static const char *const names[] = { "relay.example", "*.relay.example", "192.0.2.7", "2001:db8::7",
                                     NULL };

static DetourCert *
obtain (Fixture *f, const char *const *for_names, gint64 now_s, CertOwnWhy expected)
{
  g_autoptr (GError) error = NULL;
  CertOwnWhy why;
  DetourCert *cert = cert_own_obtain (f->stem, for_names, 100, now_s, &why, &error);

  g_assert_no_error (error);
  g_assert_cmpint (why, ==, expected);
  return cert;
}

static gnutls_x509_crt_t
parse (const DetourCert *cert)
{
  GBytes *const *chain;
  gnutls_x509_crt_t crt;
  gsize len;
  gnutls_datum_t der;

  g_assert_cmpuint (detour_cert_chain (cert, &chain), ==, 1); /* a pin stands for one certificate */
  der.data = (unsigned char *) g_bytes_get_data (chain[0], &len);
  der.size = (unsigned) len;
  gnutls_x509_crt_init (&crt);
  g_assert_cmpint (gnutls_x509_crt_import (crt, &der, GNUTLS_X509_FMT_DER), ==, 0);
  return crt;
}

static char *
common_name (const DetourCert *cert)
{
  gnutls_x509_crt_t crt = parse (cert);
  char name[128];
  size_t len = sizeof name;

  g_assert_cmpint (
      gnutls_x509_crt_get_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len), ==, 0);
  gnutls_x509_crt_deinit (crt);
  return g_strdup (name);
}

static void
fields (Fixture *f, gconstpointer data)
{
  g_autoptr (DetourCert) cert = obtain (f, names, NOW_S, CERT_OWN_NONE);
  gnutls_x509_crt_t crt = parse (cert);
  g_autofree char *subject = common_name (cert);
  unsigned critical, ca = 1, usage = 0;
  guint8 serial[32];
  char purpose[64];
  size_t len = sizeof serial;

  g_assert_true (detour_cert_self_signed (cert));
  g_assert_cmpstr (subject, ==, "relay.example");
  for (guint i = 0; names[i] != NULL; i++)
    g_assert_true (
        gnutls_x509_crt_check_hostname (crt, names[i][0] == '*' ? "a.relay.example" : names[i]));
  g_assert_false (gnutls_x509_crt_check_hostname (crt, "192.0.2.8"));
  g_assert_cmpint (gnutls_x509_crt_get_pk_algorithm (crt, NULL), ==, GNUTLS_PK_ECDSA);
  g_assert_cmpint (gnutls_x509_crt_get_serial (crt, serial, &len), ==, 0);
  g_assert_cmpuint (len, ==, 16);
  g_assert_cmpuint (serial[0] & 0x80, ==, 0);
  g_assert_cmpint (gnutls_x509_crt_get_basic_constraints (crt, &critical, &ca, NULL), >=, 0);
  g_assert_cmpuint (ca, ==, 0);
  g_assert_cmpint (gnutls_x509_crt_get_key_usage (crt, &usage, &critical), ==, 0);
  g_assert_cmpuint (usage, ==, GNUTLS_KEY_DIGITAL_SIGNATURE);
  len = sizeof purpose;
  g_assert_cmpint (gnutls_x509_crt_get_key_purpose_oid (crt, 0, purpose, &len, &critical), ==, 0);
  g_assert_cmpstr (purpose, ==, GNUTLS_KP_TLS_WWW_SERVER);
  g_assert_cmpint (detour_cert_not_before (cert), <, NOW_S);
  g_assert_cmpint (detour_cert_not_after (cert), ==, NOW_S + 100 * DAY);
  gnutls_x509_crt_deinit (crt);
}

static void private(Fixture *f, gconstpointer data)
{
  g_autoptr (DetourCert) cert = obtain (f, names, NOW_S, CERT_OWN_NONE);
  struct stat st;

  g_assert_cmpint (stat (f->key, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  g_assert_cmpint (stat (f->crt, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
}

static void
stable_pin (Fixture *f, gconstpointer data)
{
  g_autoptr (DetourCert) first = obtain (f, names, NOW_S, CERT_OWN_NONE);
  g_autoptr (DetourCert) second = obtain (f, names, NOW_S + 80 * DAY, CERT_OWN_KEPT);
  g_autofree char *first_pin = cert_own_pin (first);
  g_autofree char *second_pin = cert_own_pin (second);

  g_assert_cmpstr (first_pin, ==, second_pin);
  g_assert_cmpuint (strlen (first_pin), ==, 64);
  for (guint i = 0; i < 64; i++)
    g_assert_true (g_ascii_isdigit (first_pin[i]) || (first_pin[i] >= 'a' && first_pin[i] <= 'f'));
  g_assert_true (g_bytes_equal (detour_cert_private_key (first), detour_cert_private_key (second)));
  g_assert_true (detour_cert_self_signed (second));
}

static void
made_anew (Fixture *f, gconstpointer data)
{
  static const char *const fewer[] = { "relay.example", NULL };
  static const char *const other_address[] = { "relay.example", "*.relay.example", "192.0.2.8",
                                               "2001:db8::7", NULL };
  static const char *const more[] = {
    "relay.example", "*.relay.example", "192.0.2.7", "2001:db8::7", "b", NULL
  };
  static const struct {
    const char *const *for_names;
    gint64 now_s;
    CertOwnWhy why;
  } cases[] = {
    { names, NOW_S + 95 * DAY, CERT_OWN_ENDING }, { names, NOW_S + 200 * DAY, CERT_OWN_ENDING },
    { names, NOW_S - 10 * DAY, CERT_OWN_ENDING }, { fewer, NOW_S, CERT_OWN_RENAMED },
    { other_address, NOW_S, CERT_OWN_RENAMED },   { more, NOW_S, CERT_OWN_RENAMED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (DetourCert) first = obtain (f, names, NOW_S, CERT_OWN_NONE);
      g_autoptr (DetourCert) second = obtain (f, cases[i].for_names, cases[i].now_s, cases[i].why);
      g_autoptr (DetourCert) third = obtain (f, cases[i].for_names, cases[i].now_s, CERT_OWN_KEPT);
      g_autofree char *first_pin = cert_own_pin (first);
      g_autofree char *second_pin = cert_own_pin (second);

      g_assert_cmpstr (first_pin, !=, second_pin);
      g_remove (f->crt);
      g_remove (f->key);
    }
}

static void
damaged (Fixture *f, gconstpointer data)
{
  g_autoptr (DetourCert) first = obtain (f, names, NOW_S, CERT_OWN_NONE);
  g_autofree char *key = NULL;

  g_assert_true (g_file_get_contents (f->key, &key, NULL, NULL));
  g_assert_true (g_file_set_contents (f->crt, "-----BEGIN", -1, NULL));
  detour_cert_unref (obtain (f, names, NOW_S, CERT_OWN_DAMAGED));
  g_assert_true (g_file_set_contents (f->key, key, -1, NULL)); /* a key of another certificate */
  detour_cert_unref (obtain (f, names, NOW_S, CERT_OWN_DAMAGED));
  detour_cert_unref (obtain (f, names, NOW_S, CERT_OWN_KEPT));
}

/* What cannot be read is not overwritten. */
static void
unreadable (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  CertOwnWhy why;

  g_assert_cmpint (g_mkdir (f->crt, 0700), ==, 0);
  g_assert_null (cert_own_obtain (f->stem, names, 100, NOW_S, &why, &error));
  g_assert_nonnull (strstr (error->message, "selfsigned-x.crt"));
}

static void
no_folder (Fixture *f, gconstpointer data)
{
  g_autofree char *stem = g_build_filename (f->folder, "none", "x", NULL);
  g_autoptr (GError) error = NULL;
  CertOwnWhy why;

  g_assert_null (cert_own_obtain (stem, names, 100, NOW_S, &why, &error));
  g_assert_nonnull (error);
}

/* Clients would take it for the meta certificate, or libraries refuse its length. */
static void
subject (Fixture *f, gconstpointer data)
{
  static const char *const cases[] = {
    "derpkey.example",
    "a123456789012345678901234567890.b123456789012345678901234567890.c",
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *const one[] = { cases[i], NULL };
      g_autoptr (DetourCert)
          cert = obtain (f, one, NOW_S, i == 0 ? CERT_OWN_NONE : CERT_OWN_RENAMED);
      g_autofree char *found = common_name (cert);

      g_assert_cmpstr (found, ==, "relay");
    }
}

static void
check_names (void)
{
  static const struct {
    const char *name;
    gboolean good;
  } cases[] = {
    { "relay.example", TRUE },
    { "localhost", TRUE },
    { "*.relay.example", TRUE },
    { "192.0.2.7", TRUE },
    { "2001:db8::7", TRUE },
    { "a-b_c.x1", TRUE },
    { "xn--bcher-kva.example", TRUE },
    { "", FALSE },
    { "[2001:db8::7]", FALSE },
    { "relay.example:443", FALSE },
    { "a b", FALSE },
    { ".example", FALSE },
    { "a..b", FALSE },
    { "a.", FALSE },
    { "-a.b", FALSE },
    { "*", FALSE },
    { "a.*.b", FALSE },
    { "\"", FALSE },
    { "b\xc3\xbc.x", FALSE },
    { "a234567890123456789012345678901234567890123456789012345678901234.b", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", cases[i].name);
      g_assert_cmpint (cert_own_check_name (cases[i].name, &error), ==, cases[i].good);
      g_assert_cmpint (error == NULL, ==, cases[i].good);
    }
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, setup, function, teardown)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/cert-own/fields", fields);
  ADD ("/cert-own/files-are-private", private);
  ADD ("/cert-own/pin-is-the-same-next-time", stable_pin);
  ADD ("/cert-own/made-anew-when-it-has-to-be", made_anew);
  ADD ("/cert-own/damaged-files", damaged);
  ADD ("/cert-own/unreadable-files-stay", unreadable);
  ADD ("/cert-own/no-folder-for-it", no_folder);
  ADD ("/cert-own/subject-is-not-taken-for-the-meta-certificate", subject);
  g_test_add_func ("/cert-own/names", check_names);
  return g_test_run ();
}
