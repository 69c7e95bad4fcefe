/* test-renewal-pair.c: what is taken for a pair, and what is refused before anybody is shown it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-pair.h"

#include <string.h>
#include <time.h>

#include "test-renewal-certs.h"

static RenewalPair *
read_pair (const char *key, const char *chain, GError **error)
{
  return renewal_pair_read (key, strlen (key), chain, strlen (chain), error);
}

static void
good (void)
{
  static const char *const names[] = { "relay.test", "192.0.2.1", NULL };
  g_auto (TestChain) chain = { NULL };
  g_autoptr (RenewalPair) pair = NULL;
  g_autoptr (RenewalPair) again = NULL;
  g_autoptr (DetourCert) cert = NULL;
  g_autoptr (GError) error = NULL;
  char *pem;

  test_chain_make (&chain, "relay.test 192.0.2.1 *.w.test", -1, 90);
  pair = read_pair (chain.key, chain.chain, &error);
  g_assert_no_error (error);
  g_assert_true (renewal_pair_try (pair, names, time (NULL), &error));
  g_assert_no_error (error);
  cert = renewal_pair_to_cert (pair);
  g_assert_cmpstr (detour_cert_names (cert)[0], ==, "relay.test");
  g_assert_cmpstr (detour_cert_names (cert)[1], ==, "192.0.2.1");

  pem = renewal_pair_to_pem (pair);
  again = read_pair (pem, pem, &error);
  g_assert_no_error (error);
  g_assert_cmpint (again->not_after, ==, pair->not_after);
  g_assert_cmpuint (again->n_chain, ==, 2);
  renewal_pair_wipe (pem);
}

static void
wildcard (void)
{
  static const char *const names[] = { "*.w.test", NULL };
  g_auto (TestChain) chain = { NULL };
  g_autoptr (RenewalPair) pair = NULL;
  g_autoptr (GError) error = NULL;

  test_chain_make (&chain, "*.w.test", -1, 90);
  pair = read_pair (chain.key, chain.chain, &error);
  g_assert_true (renewal_pair_try (pair, names, time (NULL), &error));
  g_assert_no_error (error);
}

static void
refused (void)
{
  static const struct {
    const char *names;
    int from, to;
    const char *wanted;
    int code;
  } cases[] = {
    { "relay.test", -1, 90, "other.test", RENEWAL_PAIR_ERROR_NAMES },
    { "*.relay.test", -1, 90, "a.relay.test", RENEWAL_PAIR_ERROR_NAMES },
    { "relay.test", -90, -1, "relay.test", RENEWAL_PAIR_ERROR_DATES },
    { "relay.test", 2, 90, "relay.test", RENEWAL_PAIR_ERROR_DATES },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *const wanted[] = { cases[i].wanted, NULL };
      g_auto (TestChain) chain = { NULL };
      g_autoptr (RenewalPair) pair = NULL;
      g_autoptr (GError) error = NULL;

      test_chain_make (&chain, cases[i].names, cases[i].from, cases[i].to);
      pair = read_pair (chain.key, chain.chain, &error);
      g_assert_no_error (error);
      g_assert_false (renewal_pair_try (pair, wanted, time (NULL), &error));
      g_assert_error (error, RENEWAL_PAIR_ERROR, cases[i].code);
    }
}

/* Leaf of one chain, issuer of another; the key of another; halves and rubbish. */
static void
mixed_up (void)
{
  static const char *const names[] = { "relay.test", NULL };
  g_auto (TestChain) one = { NULL };
  g_auto (TestChain) two = { NULL };
  g_autofree char *leaf = NULL;
  g_autofree char *mixed = NULL;
  g_autofree char *half = NULL;
  g_autoptr (RenewalPair) pair = NULL;
  g_autoptr (GError) error = NULL;
  static const char end[] = "-----END CERTIFICATE-----\n";
  const char *issuer;

  test_chain_make (&one, "relay.test", -1, 90);
  test_chain_make (&two, "relay.test", -1, 90);
  leaf = g_strndup (one.chain, (gsize) (strstr (one.chain, end) - one.chain) + strlen (end));
  issuer = strstr (two.chain, end) + strlen (end);
  mixed = g_strconcat (leaf, issuer, NULL);
  pair = read_pair (one.key, mixed, &error);
  g_assert_no_error (error);
  g_assert_false (renewal_pair_try (pair, names, time (NULL), &error));
  g_assert_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_CHAIN);
  g_clear_error (&error);

  g_assert_null (read_pair (two.key, one.chain, &error));
  g_assert_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_KEY);
  g_clear_error (&error);
  half = g_strndup (leaf, strlen (leaf) / 2);
  g_assert_null (read_pair (one.key, half, &error));
  g_assert_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_FORM);
  g_clear_error (&error);
  g_assert_null (read_pair ("", one.chain, &error));
  g_assert_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_FORM);
  g_clear_error (&error);
  g_assert_null (read_pair ("", "", &error));
  g_assert_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_FORM);
}

/* A certificate with the identifiers of the example of RFC 9773, section 4.1. */
static void
renewal_id (void)
{
  static const guint8 authority[] = { 0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3,
                                      0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c, 0xde, 0x01, 0xc8, 0xd4 };
  static const guint8 serial[] = { 0x00, 0x87, 0x65, 0x43, 0x21 };
  g_auto (TestChain) chain = { NULL };
  g_autoptr (RenewalPair) pair = NULL;
  g_autofree char *id = NULL;
  gnutls_x509_crt_t crt;
  gnutls_datum_t pem;
  g_autofree char *text = NULL;

  test_chain_make (&chain, "relay.test", -1, 90);
  pair = read_pair (chain.key, chain.chain, NULL);
  gnutls_x509_crt_init (&crt);
  gnutls_x509_crt_set_version (crt, 3);
  gnutls_x509_crt_set_serial (crt, serial, sizeof serial);
  gnutls_x509_crt_set_activation_time (crt, time (NULL));
  gnutls_x509_crt_set_expiration_time (crt, time (NULL) + 1000);
  gnutls_x509_crt_set_key (crt, pair->key);
  gnutls_x509_crt_set_authority_key_id (crt, authority, sizeof authority);
  g_assert_cmpint (gnutls_x509_crt_sign2 (crt, crt, pair->key, GNUTLS_DIG_SHA256, 0), ==, 0);
  gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_PEM, &pem);
  text = g_strndup ((const char *) pem.data, pem.size);
  gnutls_free (pem.data);
  gnutls_x509_crt_deinit (crt);
  g_clear_pointer (&pair, renewal_pair_free);
  pair = read_pair (chain.key, text, NULL);
  g_assert_nonnull (pair);
  id = renewal_pair_renewal_id (pair);
  g_assert_cmpstr (id, ==, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/renewal-pair/good", good);
  g_test_add_func ("/renewal-pair/wildcard", wildcard);
  g_test_add_func ("/renewal-pair/refused", refused);
  g_test_add_func ("/renewal-pair/mixed-up", mixed_up);
  g_test_add_func ("/renewal-pair/renewal-id", renewal_id);
  return g_test_run ();
}
