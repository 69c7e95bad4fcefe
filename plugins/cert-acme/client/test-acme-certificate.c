/* test-acme-certificate.c: names, requests for certificates, and what is checked of those that
 * come.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-ari.h"
#include "acme-chain.h"
#include "acme-csr.h"
#include "acme-names.h"

#include <string.h>

/* Valid from 2026-11-01 to 2126-11-01; for w.test, *.w.test, 127.0.0.1 and 2001:db8::5, with an
 * empty subject. Key id and serial number are those of the example in RFC 9773. */
static const char leaf_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBdjCCARugAwIBAgIFAIdlQyEwCgYIKoZIzj0EAwIwFzEVMBMGA1UEAwwMSW50\n"
                               "ZXJtZWRpYXRlMCAXDTI2MTEwMTAwMDAwMFoYDzIxMjYxMTAxMDAwMDAwWjAAMFkw\n"
                               "EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBJS+pgDQ9kzyY1pJus2/eIFy2OtyCHgk\n"
                               "8I6FTXOOXLnIPN4pgUWFUVd4Od/Yki2O7Z7RTJT/aI6peQu75eckU6NpMGcwDAYD\n"
                               "VR0TAQH/BAIwADA2BgNVHREBAf8ELDAqggZ3LnRlc3SCCCoudy50ZXN0hwR/AAAB\n"
                               "hxAgAQ24AAAAAAAAAAAAAAAFMB8GA1UdIwQYMBaAFGmIW2uHRkBB4bN7hHugrize\n"
                               "AcjUMAoGCCqGSM49BAMCA0kAMEYCIQCtRQqs2jiuKHf+IiKe5KkLOa6WZ6bUJT6g\n"
                               "ZbXyN0XsTwIhAIckEsW8yKBkHBqa4wkjCgP4th3AB89pFZCxR32hjbb+\n"
                               "-----END CERTIFICATE-----\n";
static const char
    intermediate_pem[] = "-----BEGIN CERTIFICATE-----\n"
                         "MIIBKTCB0KADAgECAgEFMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBFJvb3QwIBcN\n"
                         "MjYxMTAxMDAwMDAwWhgPMjEyNjExMDEwMDAwMDBaMBcxFTATBgNVBAMMDEludGVy\n"
                         "bWVkaWF0ZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPcoxX5HEV8uIMwNy/lo\n"
                         "ChqawpMJ/CiSivfqAc02tLe5FON4SMOmrrqQheMUJiBnHamiRuQb9u89pqTGEub0\n"
                         "nCmjEzARMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAKgpnx1n\n"
                         "zVXxjL5LvPeN6Lo1u1DvMfOuXn/xcAGfRia9AiAXb4V/OeUY4GySG/Rlt1cfB4fu\n"
                         "j8E6qZgAXjXgBql55A==\n"
                         "-----END CERTIFICATE-----\n";
static const char
    forged_pem[] = "-----BEGIN CERTIFICATE-----\n"
                   "MIIBUDCB9qADAgECAgEFMAoGCCqGSM49BAMCMBcxFTATBgNVBAMMDEludGVybWVk\n"
                   "aWF0ZTAgFw0yNjExMDEwMDAwMDBaGA8yMTI2MTEwMTAwMDAwMFowADBZMBMGByqG\n"
                   "SM49AgEGCCqGSM49AwEHA0IABASUvqYA0PZM8mNaSbrNv3iBctjrcgh4JPCOhU1z\n"
                   "jly5yDzeKYFFhVFXeDnf2JItju2e0UyU/2iOqXkLu+XnJFOjSDBGMAwGA1UdEwEB\n"
                   "/wQCMAAwNgYDVR0RAQH/BCwwKoIGdy50ZXN0gggqLncudGVzdIcEfwAAAYcQIAEN\n"
                   "uAAAAAAAAAAAAAAABTAKBggqhkjOPQQDAgNJADBGAiEAvn/vJh/jpbNg43tNTxFF\n"
                   "z7MI1scIaT9xlDSQlJCbkekCIQD5gqCPMV45sfsngwIcIKLSTfb+fpBseKb4bY9C\n"
                   "MjqYPg==\n"
                   "-----END CERTIFICATE-----\n";
static const char leaf_key[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\n"
                               "AAAAAAAAAAAAAAAAAAAAAAAAA+uhRANCAAQElL6mAND2TPJjWkm6zb94gXLY63II\n"
                               "eCTwjoVNc45cucg83imBRYVRV3g539iSLY7tntFMlP9ojql5C7vl5yRT\n"
                               "-----END PRIVATE KEY-----\n";
static const char other_key[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\n"
                                "AAAAAAAAAAAAAAAAAAAAAAAAA+yhRANCAATXL4oW2/b8MwLeaa1cqoYvzYBa8vik\n"
                                "QT7BfU66SuSkCa6yWS7HmbbuUgvZMy77eTnUoVfsgJH0X8M5obl64UXS\n"
                                "-----END PRIVATE KEY-----\n";

#define IN_TIME_S 1795906571
#define BEFORE_S  1793491200 /* 2026-11-01 */
#define AFTER_S   4949164800 /* 2126-11-01 */

/* Names --------------------------------------------------------------------------------------- */

static void
test_names (void)
{
  static const struct {
    const char *given, *value; /* NULL: refused */
    guint bytes_len;
  } cases[] = {
    { "Relay.Example.COM", "relay.example.com", 0 },
    { "relay.example.com.", "relay.example.com", 0 },
    { "*.Example.com", "*.example.com", 0 },
    { "bücher.example", "xn--bcher-kva.example", 0 },
    { "BÜCHER.example", "xn--bcher-kva.example", 0 },
    { "*.bücher.example", "*.xn--bcher-kva.example", 0 },
    { "203.0.113.5", "203.0.113.5", 4 },
    { "2001:DB8:0:0:0:0:0:5", "2001:db8::5", 16 },
    { "[2001:db8::5]", "2001:db8::5", 16 },
    { "2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1", 16 },
    { "::1", "::1", 16 },
    { "localhost", "localhost", 0 },
    { "", NULL, 0 },
    { ".", NULL, 0 },
    { "*", NULL, 0 },
    { "*.", NULL, 0 },
    { "a..b", NULL, 0 },
    { "-a.example", NULL, 0 },
    { "a-.example", NULL, 0 },
    { "a b.example", NULL, 0 },
    { "a_b.example", NULL, 0 },
    { "a.*.example", NULL, 0 },
    { "*.*.example", NULL, 0 },
    { "*.203.0.113.5", NULL, 0 },
    { "203.0.113", NULL, 0 },
    { "203.0.113.256", NULL, 0 },
    { "2001:db8::5/64", NULL, 0 },
    { "relay.example.com:443", NULL, 0 },
    { "https://relay.example.com/", NULL, 0 },
    { "[", NULL, 0 },
    { "[]", NULL, 0 },
    { "]", NULL, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeProblem) problem = { 0 };
      AcmeName name;
      gboolean good = acme_names_parse (cases[i].given, &name, &problem);

      g_test_message ("%s", cases[i].given);
      g_assert_cmpint (good, ==, cases[i].value != NULL);
      g_assert_cmpstr (name.value, ==, cases[i].value);
      g_assert_cmpuint (name.bytes_len, ==, cases[i].bytes_len);
      g_assert_cmpstr (problem.type, ==, good ? NULL : "input");
      acme_name_clear (&name);
    }
}

static GPtrArray *
make_names (const char *const *given)
{
  g_auto (AcmeProblem) problem = { 0 };
  GPtrArray *names = acme_names_new (given, &problem);

  g_assert_cmpstr (problem.detail, ==, NULL);
  return names;
}

static void
test_names_once (void)
{
  static const char *const given[] = { "w.test", "W.test.", "127.0.0.1", "*.w.test", NULL };
  g_autoptr (GPtrArray) names = make_names (given);

  g_assert_cmpuint (names->len, ==, 3);
  g_assert_true (acme_names_have_address (names));
}

static void
test_names_count (void)
{
  static const char *const none[] = { NULL };
  g_autoptr (GPtrArray) many = g_ptr_array_new_with_free_func (g_free);
  g_auto (AcmeProblem) problem = { 0 };

  for (guint i = 0; i < ACME_NAMES_MAX + 1; i++)
    g_ptr_array_add (many, g_strdup_printf ("w%u.test", i));
  g_ptr_array_add (many, NULL);
  g_assert_null (acme_names_new (none, &problem));
  g_assert_null (acme_names_new ((const char *const *) many->pdata, &problem));
  g_assert_cmpstr (problem.type, ==, "input");
}

/* Requests ------------------------------------------------------------------------------------ */

static void
assert_alt_name (gnutls_x509_crq_t crq, unsigned i, unsigned type, gconstpointer data, gsize len)
{
  char value[256];
  gsize value_len = sizeof value;
  unsigned found, critical;

  g_assert_cmpint (
      gnutls_x509_crq_get_subject_alt_name (crq, i, value, &value_len, &found, &critical), >=, 0);
  g_assert_cmpuint (found, ==, type);
  g_assert_cmpmem (value, value_len, data, len);
}

static void
test_csr (void)
{
  static const struct {
    const char *key_type;
    gnutls_pk_algorithm_t algorithm;
    unsigned bits;
  } cases[] = { { "p256", GNUTLS_PK_ECDSA, 256 },
                { "p384", GNUTLS_PK_ECDSA, 384 },
                { "rsa2048", GNUTLS_PK_RSA, 2048 } };
  static const char *const given[] = { "w.test", "2001:db8::5", "*.w.test", "127.0.0.1", NULL };
  static const guint8 v4[] = { 127, 0, 0, 1 };
  static const guint8 v6[] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 5 };
  g_autoptr (GPtrArray) names = make_names (given);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeProblem) problem = { 0 };
      g_auto (AcmeCsr) csr = { 0 };
      gnutls_datum_t der;
      gnutls_x509_crq_t crq;
      unsigned bits;
      char subject[64];
      gsize subject_len = sizeof subject;
      gsize rest_len = 0;

      g_assert_true (acme_csr_make (&csr, names, cases[i].key_type, &problem));
      der = (gnutls_datum_t) { csr.der, (unsigned) csr.der_len };
      g_assert_cmpint (gnutls_x509_crq_init (&crq), ==, 0);
      g_assert_cmpint (gnutls_x509_crq_import (crq, &der, GNUTLS_X509_FMT_DER), ==, 0);
      g_assert_cmpint (gnutls_x509_crq_verify (crq, 0), ==, 0);
      g_assert_cmpint (gnutls_x509_crq_get_pk_algorithm (crq, &bits), ==, (int) cases[i].algorithm);
      g_assert_cmpuint (bits, ==, cases[i].bits);
      g_assert_true (gnutls_x509_crq_get_dn (crq, subject, &subject_len) < 0 || subject_len == 0);
      assert_alt_name (crq, 0, GNUTLS_SAN_DNSNAME, "w.test", 6);
      assert_alt_name (crq, 1, GNUTLS_SAN_IPADDRESS, v6, 16);
      assert_alt_name (crq, 2, GNUTLS_SAN_DNSNAME, "*.w.test", 8);
      assert_alt_name (crq, 3, GNUTLS_SAN_IPADDRESS, v4, 4);
      g_assert_cmpint (gnutls_x509_crq_get_subject_alt_name (crq, 4, NULL, &rest_len, NULL, NULL),
                       ==, GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
      gnutls_x509_crq_deinit (crq);
    }
}

static void
test_csr_key_is_new (void)
{
  static const char *const given[] = { "w.test", NULL };
  g_autoptr (GPtrArray) names = make_names (given);
  g_auto (AcmeProblem) problem = { 0 };
  g_auto (AcmeCsr) one = { 0 };
  g_auto (AcmeCsr) two = { 0 };
  g_autofree char *one_pem = NULL;
  g_autofree char *two_pem = NULL;

  g_assert_true (acme_csr_make (&one, names, "p256", &problem));
  g_assert_true (acme_csr_make (&two, names, "p256", &problem));
  one_pem = acme_csr_key_to_pem (&one);
  two_pem = acme_csr_key_to_pem (&two);
  g_assert_cmpstr (one_pem, !=, two_pem);
  acme_csr_clear (&two);
  g_assert_false (acme_csr_make (&two, names, "dsa", &problem));
  g_assert_cmpstr (problem.type, ==, "input");
}

/* Certificates --------------------------------------------------------------------------------- */

static void
read_chain (AcmeChain *chain, const char *first, const char *second)
{
  g_auto (AcmeProblem) problem = { 0 };
  g_autofree char *text = g_strconcat (first, second, NULL);
  gsize len = strlen (text);
  /* The end of the text is the end of the block. */
  g_autofree char *exact = g_memdup2 (text, len);
  gboolean good = acme_chain_read (chain, exact, len, &problem);

  g_assert_cmpstr (problem.detail, ==, NULL);
  g_assert_true (good);
}

static gnutls_x509_privkey_t
read_key (const char *pem)
{
  gnutls_datum_t data = { (guint8 *) pem, (unsigned) strlen (pem) };
  gnutls_x509_privkey_t key;

  g_assert_cmpint (gnutls_x509_privkey_init (&key), ==, 0);
  g_assert_cmpint (gnutls_x509_privkey_import (key, &data, GNUTLS_X509_FMT_PEM), ==, 0);
  return key;
}

static void
test_ari_id (void)
{
  g_auto (AcmeChain) chain = { 0 };
  g_auto (AcmeChain) without = { 0 };
  g_autofree char *id = NULL;

  read_chain (&chain, leaf_pem, NULL);
  id = acme_ari_id (chain.crts[0]);
  g_assert_cmpstr (id, ==, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
  read_chain (&without, intermediate_pem, NULL);
  g_assert_null (acme_ari_id (without.crts[0]));
}

static void
test_chain (void)
{
  static const char *const all[] = { "W.test", "*.w.test", "127.0.0.1", "2001:db8:0::5", NULL };
  static const char *const covered[] = { "w.test", "x.w.test", NULL };
  static const char *const foreign[] = { "w.test", "127.0.0.2", NULL };
  static const struct {
    const char *first, *second, *key;
    const char *const *names;
    gint64 now_s;
    const char *words; /* NULL: it is right */
  } cases[] = {
    { leaf_pem, intermediate_pem, leaf_key, all, IN_TIME_S, NULL },
    { leaf_pem, NULL, leaf_key, all, IN_TIME_S, NULL },
    { leaf_pem, intermediate_pem, leaf_key, all, BEFORE_S, NULL },
    { leaf_pem, intermediate_pem, leaf_key, all, BEFORE_S - 3600, NULL },
    { leaf_pem, intermediate_pem, leaf_key, all, BEFORE_S - 3601, "not valid before 2026-11-01" },
    { leaf_pem, intermediate_pem, leaf_key, all, AFTER_S - 1, NULL },
    { leaf_pem, intermediate_pem, leaf_key, all, AFTER_S, "not valid after 2126-11-01" },
    { leaf_pem, intermediate_pem, other_key, all, IN_TIME_S, "another key" },
    { leaf_pem, intermediate_pem, leaf_key, covered, IN_TIME_S, "not for x.w.test" },
    { leaf_pem, intermediate_pem, leaf_key, foreign, IN_TIME_S, "not for 127.0.0.2" },
    { leaf_pem, leaf_pem, leaf_key, all, IN_TIME_S, "was not issued by" },
    { forged_pem, intermediate_pem, leaf_key, all, IN_TIME_S, "signature" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeChain) chain = { 0 };
      g_auto (AcmeProblem) problem = { 0 };
      g_autoptr (GPtrArray) names = make_names (cases[i].names);
      gnutls_x509_privkey_t key = read_key (cases[i].key);
      gboolean good;

      read_chain (&chain, cases[i].first, cases[i].second);
      good = acme_chain_check (&chain, key, names, cases[i].now_s, &problem);
      g_test_message ("%u: %s", i, good ? "right" : problem.detail);
      g_assert_cmpint (good, ==, cases[i].words == NULL);
      if (!good)
        g_assert_nonnull (strstr (problem.detail, cases[i].words));
      gnutls_x509_privkey_deinit (key);
    }
}

static void
test_chain_text (void)
{
  g_auto (AcmeChain) chain = { 0 };
  g_autofree char *pem = NULL;
  g_autofree char *wanted = g_strconcat (leaf_pem, intermediate_pem, NULL);

  read_chain (&chain, leaf_pem, intermediate_pem);
  pem = acme_chain_to_pem (&chain);
  g_assert_cmpstr (pem, ==, wanted);
  g_assert_true (acme_chain_leads_to (&chain, "root"));
  g_assert_false (acme_chain_leads_to (&chain, "Intermediate"));
}

static void
test_chain_refused (void)
{
  static const char *const cases[] = {
    "", "-----BEGIN CERTIFICATE-----\n", "<html>",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
  };
  g_autoptr (GString) many = g_string_new (NULL);
  g_auto (AcmeProblem) problem = { 0 };
  AcmeChain chain;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_assert_false (acme_chain_read (&chain, cases[i], strlen (cases[i]), &problem));
      g_assert_cmpstr (problem.type, ==, "protocol");
    }
  for (guint i = 0; i < ACME_CHAIN_MAX + 1; i++)
    g_string_append (many, intermediate_pem);
  g_assert_false (acme_chain_read (&chain, many->str, many->len, &problem));
  g_assert_cmpuint (chain.n_crts, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/acme-certificate/names", test_names);
  g_test_add_func ("/acme-certificate/names-once", test_names_once);
  g_test_add_func ("/acme-certificate/names-count", test_names_count);
  g_test_add_func ("/acme-certificate/csr", test_csr);
  g_test_add_func ("/acme-certificate/csr-key-is-new", test_csr_key_is_new);
  g_test_add_func ("/acme-certificate/ari-id", test_ari_id);
  g_test_add_func ("/acme-certificate/chain", test_chain);
  g_test_add_func ("/acme-certificate/chain-text", test_chain_text);
  g_test_add_func ("/acme-certificate/chain-refused", test_chain_refused);
  return g_test_run ();
}
