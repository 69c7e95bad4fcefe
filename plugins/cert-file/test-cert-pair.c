/* test-cert-pair.c: tests of which files are accepted as a pair, and of the errors for others.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cert-pair.h"
#include "cert-place.h"
#include "test-cert-files.h"

#define DAY 86400

static DetourCert *
load (const char *folder, const char *chain, const char *key, int key_mode, const char *name,
      GError **error)
{
  g_autofree char *chain_path = test_folder_write (folder, "relay.crt", chain, 0644);
  g_autofree char *key_path = test_folder_write (folder, "relay.key", key, key_mode);
  g_auto (CertPairNotes) notes = { 0 };
  DetourCert *cert = cert_pair_load (chain_path, key_path, name, &notes, error);

  if (cert != NULL)
    g_assert_cmpint (notes.exposed, ==, (key_mode & 4) != 0);
  return cert;
}

static void
good (void)
{
  static const struct {
    gnutls_pk_algorithm_t algorithm;
    guint n_chain;
    const char *common_name, *names, *found, *name;
  } cases[] = {
    { GNUTLS_PK_ECDSA, 1, "cn.example", "relay.example,*.relay.example",
      "relay.example *.relay.example", "a.relay.example" },
    { GNUTLS_PK_RSA, 3, "cn.example", "relay.example,192.0.2.7,2001:db8::7",
      "relay.example 192.0.2.7 2001:db8::7", "192.0.2.7" },
    { GNUTLS_PK_EDDSA_ED25519, 2, "cn.example", NULL, "cn.example", NULL },
    { GNUTLS_PK_ECDSA, 2, "cn.example", "2001:db8::7", "2001:db8::7", "2001:db8::7" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      char *folder = test_folder_new ();
      /* Making a key of RSA takes a slow machine minutes. */
      gint64 before_s = time (NULL);
      g_autoptr (TestPem) pem = test_pem_new (cases[i].algorithm, cases[i].n_chain,
                                              cases[i].common_name, cases[i].names, -DAY, DAY);
      gint64 after_s = time (NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (DetourCert)
          cert = load (folder, pem->chain, pem->key, 0600, cases[i].name, &error);
      g_autofree char *found = NULL;
      GBytes *const *chain;

      g_assert_no_error (error);
      found = g_strjoinv (" ", (char **) detour_cert_names (cert));
      g_assert_cmpstr (found, ==, cases[i].found);
      g_assert_cmpuint (detour_cert_chain (cert, &chain), ==, cases[i].n_chain);
      g_assert_cmpint (detour_cert_not_after (cert), >=, before_s + DAY);
      g_assert_cmpint (detour_cert_not_after (cert), <=, after_s + DAY);
      g_assert_cmpint (detour_cert_not_before (cert), >=, before_s - DAY);
      g_assert_cmpint (detour_cert_not_before (cert), <=, after_s - DAY);
      test_folder_free (folder);
    }
}

/* Forms that renewal tools write: older key formats, both parts in one file, files that everyone
 * may read. */
static void
other_forms (void)
{
  char *folder = test_folder_new ();
  g_autoptr (TestPem)
      pem = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", "relay.example", -DAY, DAY);
  g_autofree char *both = g_strconcat ("Some words before.\n", pem->key, pem->chain, NULL);
  g_autofree char *other_way = g_strconcat (pem->chain, pem->key, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourCert) plain = load (folder, pem->chain, pem->key, 0644, NULL, &error);
  g_autoptr (DetourCert) old = load (folder, pem->chain, pem->ec_key, 0640, NULL, &error);
  g_autoptr (DetourCert) one = load (folder, both, both, 0600, NULL, &error);
  g_autoptr (DetourCert) two = load (folder, other_way, other_way, 0400, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (cert_pair_equal (plain, old));
  g_assert_true (cert_pair_equal (plain, one));
  g_assert_true (cert_pair_equal (plain, two));
  test_folder_free (folder);
}

static void
bad (void)
{
  char *folder = test_folder_new ();
  g_autoptr (TestPem)
      pem = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", "relay.example", -DAY, DAY);
  g_autoptr (TestPem)
      other = test_pem_new (GNUTLS_PK_ECDSA, 1, "cn.example", "relay.example", -DAY, DAY);
  g_autofree char *leaf = test_pem_certificate (pem->chain, 0);
  g_autofree char *issuer = test_pem_certificate (pem->chain, 1);
  g_autofree char *reversed = g_strconcat (issuer, leaf, NULL);
  g_autofree char *cut = g_strndup (pem->chain, strlen (leaf) / 2);
  g_autofree char *large = g_strnfill (1024 * 1024 + 1, 'x');
  const struct {
    const char *chain, *key;
    int key_mode;
    const char *name, *text;
    CertPairError code;
  } cases[] = {
    { "", pem->key, 0600, NULL, "relay.crt: no certificates that can be read",
      CERT_PAIR_ERROR_CHAIN },
    { "garbage\n", pem->key, 0600, NULL, "relay.crt: no certificates that can be read",
      CERT_PAIR_ERROR_CHAIN },
    { cut, pem->key, 0600, NULL, "relay.crt: no certificates that can be read",
      CERT_PAIR_ERROR_CHAIN },
    { large, pem->key, 0600, NULL, "relay.crt: 1048577 bytes", CERT_PAIR_ERROR_CHAIN },
    { pem->key, pem->chain, 0600, NULL, "relay.crt: no certificates that can be read",
      CERT_PAIR_ERROR_CHAIN },
    { pem->chain, "", 0600, NULL, "relay.key: no private key that can be read",
      CERT_PAIR_ERROR_KEY },
    { pem->chain, pem->chain, 0600, NULL, "relay.key: no private key that can be read",
      CERT_PAIR_ERROR_KEY },
    { pem->chain, pem->locked_key, 0600, NULL, "relay.key: the key is encrypted",
      CERT_PAIR_ERROR_KEY },
    { pem->chain, pem->key, 0660, NULL, "relay.key: mode 0660 lets others write it",
      CERT_PAIR_ERROR_KEY },
    { pem->chain, pem->key, 0602, NULL, "relay.key: mode 0602 lets others write it",
      CERT_PAIR_ERROR_KEY },
    { pem->chain, other->key, 0600, NULL, "the key does not belong to the certificate in",
      CERT_PAIR_ERROR_KEY },
    { reversed, pem->key, 0600, NULL, "is number 2; expected the first", CERT_PAIR_ERROR_CHAIN },
    { pem->chain, pem->key, 0600, "other.example",
      "valid for relay.example; expected other.example", CERT_PAIR_ERROR_CHAIN },
    { pem->chain, pem->key, 0600, "192.0.2.7", "valid for relay.example; expected 192.0.2.7",
      CERT_PAIR_ERROR_CHAIN },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (
          load (folder, cases[i].chain, cases[i].key, cases[i].key_mode, cases[i].name, &error));
      g_assert_error (error, CERT_PAIR_ERROR, (int) cases[i].code);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, cases[i].text));
      g_assert_nonnull (strstr (error->message, folder));
    }
  test_folder_free (folder);
}

static void
not_files (void)
{
  char *folder = test_folder_new ();
  g_autoptr (TestPem) pem = test_pem_new (GNUTLS_PK_ECDSA, 1, "cn.example", NULL, -DAY, DAY);
  g_autofree char *chain = test_folder_write (folder, "relay.crt", pem->chain, 0644);
  g_autofree char *missing = g_build_filename (folder, "missing", NULL);
  g_autofree char *pipe = g_build_filename (folder, "pipe", NULL);
  const struct {
    const char *chain, *key, *text;
  } cases[] = {
    { missing, chain, "missing: cannot be read: No such file or directory" },
    { chain, missing, "missing: cannot be read: No such file or directory" },
    { folder, chain, ": cannot be read: it is a directory; expected a regular file" },
    /* And nobody waits for a writer. */
    { pipe, chain, "pipe: cannot be read: it is a named pipe; expected a regular file" },
  };

  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (CertPairNotes) notes = { 0 };

      g_assert_null (cert_pair_load (cases[i].chain, cases[i].key, NULL, &notes, &error));
      g_assert_nonnull (strstr (error->message, cases[i].text));
    }
  test_folder_free (folder);
}

/* That takes all authorities of the host, which are not read again at each reload. */
static void
issuer_is_looked_up_once (void)
{
  char *folder = test_folder_new ();
  g_autoptr (TestPem)
      pem = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", "relay.example", -DAY, DAY);
  g_autoptr (TestPem)
      other = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", "relay.example", -DAY, DAY);
  g_autofree char *alone = test_pem_certificate (pem->chain, 0);
  g_autofree char *other_alone = test_pem_certificate (other->chain, 0);
  g_autofree char *chain = test_folder_write (folder, "relay.crt", alone, 0644);
  g_autofree char *key = test_folder_write (folder, "relay.key", pem->key, 0600);
  CertPlace *place = cert_place_new (chain, key, NULL);
  const char *found;

  g_assert_cmpint (cert_place_look (place, TRUE, NULL), ==, CERT_PLACE_NEW);
  found = cert_place_notes (place)->missing_issuer;
  g_assert_cmpstr (found, ==, "CN=issuer");
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (cert_place_look (place, TRUE, NULL), ==, CERT_PLACE_SAME);
      g_assert_true (cert_place_notes (place)->missing_issuer == found);
    }
  /* Of another certificate that is anew to be seen, and of one with its issuer nothing is missing.
   */
  g_free (test_folder_write (folder, "relay.crt", other_alone, 0644));
  g_free (test_folder_write (folder, "relay.key", other->key, 0600));
  g_assert_cmpint (cert_place_look (place, TRUE, NULL), ==, CERT_PLACE_NEW);
  g_assert_cmpstr (cert_place_notes (place)->missing_issuer, ==, "CN=issuer");
  g_free (test_folder_write (folder, "relay.crt", other->chain, 0644));
  g_assert_cmpint (cert_place_look (place, TRUE, NULL), ==, CERT_PLACE_NEW);
  g_assert_null (cert_place_notes (place)->missing_issuer);
  cert_place_free (place);
  test_folder_free (folder);
}

int
main (int argc, char **argv)
{
  g_setenv ("LC_ALL", "C", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cert-pair/kinds-of-keys-and-names", good);
  g_test_add_func ("/cert-pair/forms-of-files", other_forms);
  g_test_add_func ("/cert-pair/what-is-wrong-is-said", bad);
  g_test_add_func ("/cert-pair/no-regular-file", not_files);
  g_test_add_func ("/cert-pair/issuer-is-looked-up-once", issuer_is_looked_up_once);
  return g_test_run ();
}
