/* test-acme-jws.c: keys of accounts and signed messages, against vectors and other code.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-base64.h"
#include "acme-json.h"
#include "acme-jws.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <string.h>

/* RFC 7515, A.3, as PKCS #8. */
static const char rfc_key[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
                              "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
                              "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
                              "-----END PRIVATE KEY-----\n";
static const char rfc_jwk[] = "{\"crv\":\"P-256\",\"kty\":\"EC\","
                              "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                              "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";
static const char rfc_thumbprint[] = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U";

/* Its y begins with a zero. */
static const char short_key[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\n"
                                "AAAAAAAAAAAAAAAAAAAAAAAAACuhRANCAASYauJQbx/xBNBCMIYdj0tJj0vExtAJ\n"
                                "sw91RNwSm4LSjQA8zMCmRg4K4yik2X08e2HYb8YonBifJSURDEQbsH6X\n"
                                "-----END PRIVATE KEY-----\n";

static AcmeKey *
read_key (const char *pem)
{
  g_auto (AcmeProblem) problem = { 0 };
  AcmeKey *key = acme_key_new_from_pem (pem, &problem);

  g_assert_cmpstr (problem.detail, ==, NULL);
  g_assert_nonnull (key);
  return key;
}

static void
test_thumbprint (void)
{
  g_autoptr (AcmeKey) key = read_key (rfc_key);
  g_autoptr (AcmeKey) other = read_key (short_key);

  g_assert_cmpstr (acme_key_jwk (key), ==, rfc_jwk);
  g_assert_cmpstr (acme_key_thumbprint (key), ==, rfc_thumbprint);
  g_assert_nonnull (
      strstr (acme_key_jwk (other), "\"y\":\"ADzMwKZGDgrjKKTZfTx7YdhvxiicGJ8lJREMRBuwfpc\""));
}

static void
test_key_kept (void)
{
  g_auto (AcmeProblem) problem = { 0 };
  g_autoptr (AcmeKey) key = acme_key_new (&problem);
  g_autoptr (AcmeKey) again = NULL;
  char *pem;

  g_assert_nonnull (key);
  pem = acme_key_to_pem (key);
  again = read_key (pem);
  g_assert_cmpstr (acme_key_thumbprint (key), ==, acme_key_thumbprint (again));
  acme_key_free_pem (pem);
}

static void
test_key_refused (void)
{
  g_auto (AcmeProblem) problem = { 0 };

  g_assert_null (acme_key_new_from_pem ("", &problem));
  g_assert_cmpstr (problem.type, ==, "input");
  g_assert_null (acme_key_new_from_pem ("-----BEGIN PRIVATE KEY-----\nMIGH\n", &problem));
}

/* Whether r and s, as they stand in a message, are a signature of @text. */
static void
assert_signed (const char *pem, const char *text, const char *signature)
{
  gnutls_datum_t data = { (guint8 *) text, (unsigned) strlen (text) };
  gnutls_datum_t key_data = { (guint8 *) pem, (unsigned) strlen (pem) };
  gnutls_datum_t r, s, der;
  gnutls_privkey_t key;
  gnutls_pubkey_t public_key;
  gsize len;
  g_autofree guint8 *raw = acme_base64_decode (signature, &len);

  g_assert_cmpuint (len, ==, 64);
  r = (gnutls_datum_t) { raw, 32 };
  s = (gnutls_datum_t) { raw + 32, 32 };
  g_assert_cmpint (gnutls_encode_rs_value (&der, &r, &s), ==, 0);
  g_assert_cmpint (gnutls_privkey_init (&key), ==, 0);
  g_assert_cmpint (gnutls_privkey_import_x509_raw (key, &key_data, GNUTLS_X509_FMT_PEM, NULL, 0),
                   ==, 0);
  g_assert_cmpint (gnutls_pubkey_init (&public_key), ==, 0);
  g_assert_cmpint (gnutls_pubkey_import_privkey (public_key, key, 0, 0), ==, 0);
  g_assert_cmpint (
      gnutls_pubkey_verify_data2 (public_key, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &der), >=, 0);
  gnutls_free (der.data);
  gnutls_pubkey_deinit (public_key);
  gnutls_privkey_deinit (key);
}

static char *
decode_text (const char *text)
{
  gsize len;
  g_autofree guint8 *data = acme_base64_decode (text, &len);

  return data != NULL ? g_strndup ((const char *) data, len) : g_strdup ("");
}

static void
test_message (void)
{
  static const struct {
    const char *kid, *nonce, *payload, *head;
  } cases[] = {
    { "https://ca/1", "n-1", "{\"a\":1}",
      "{\"alg\":\"ES256\",\"kid\":\"https://ca/1\",\"nonce\":\"n-1\",\"url\":\"https://ca/x\"}" },
    { "https://ca/1", "n-1", NULL,
      "{\"alg\":\"ES256\",\"kid\":\"https://ca/1\",\"nonce\":\"n-1\",\"url\":\"https://ca/x\"}" },
    { NULL, NULL, "{}",
      "{\"alg\":\"ES256\",\"jwk\":{\"crv\":\"P-256\",\"kty\":\"EC\","
      "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
      "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},\"url\":\"https://ca/x\"}" },
  };
  g_autoptr (AcmeKey) key = read_key (rfc_key);

  /* Often, since every other signature has a number whose first bit is set, or is short. */
  for (guint i = 0; i < 60; i++)
    {
      guint n = i % G_N_ELEMENTS (cases);
      g_auto (AcmeProblem) problem = { 0 };
      g_autofree char *text = acme_jws_make (key, cases[n].kid, cases[n].nonce, "https://ca/x",
                                             cases[n].payload, &problem);
      g_autoptr (JsonObject) object = acme_json_parse (text, strlen (text), 10000, NULL);
      g_autofree char *head = NULL;
      g_autofree char *payload = NULL;
      g_autofree char *input = NULL;

      g_assert_cmpuint (json_object_get_size (object), ==, 3);
      head = decode_text (json_object_get_string_member (object, "protected"));
      payload = decode_text (json_object_get_string_member (object, "payload"));
      g_assert_cmpstr (head, ==, cases[n].head);
      g_assert_cmpstr (payload, ==, cases[n].payload != NULL ? cases[n].payload : "");
      input = g_strdup_printf ("%s.%s", json_object_get_string_member (object, "protected"),
                               json_object_get_string_member (object, "payload"));
      assert_signed (rfc_key, input, json_object_get_string_member (object, "signature"));
    }
}

static void
test_binding (void)
{
  /* The same bytes, as CAs and people write them. */
  static const char *const keys[] = {
    "--__AAEC-w", "++//AAEC+w==", "--__AAEC-w==", "++//AAEC+w", "  ++//AAEC+w==\n", "--__AAEC-w\n",
  };
  static const guint8 secret[] = { 0xfb, 0xef, 0xff, 0x00, 0x01, 0x02, 0xfb };
  static const struct {
    const char *algorithm;
    gnutls_mac_algorithm_t mac;
  } algorithms[] = { { NULL, GNUTLS_MAC_SHA256 },
                     { "HS256", GNUTLS_MAC_SHA256 },
                     { "HS384", GNUTLS_MAC_SHA384 },
                     { "HS512", GNUTLS_MAC_SHA512 } };
  g_autoptr (AcmeKey) key = read_key (rfc_key);

  for (guint i = 0; i < G_N_ELEMENTS (keys) * G_N_ELEMENTS (algorithms); i++)
    {
      guint n = i % G_N_ELEMENTS (algorithms);
      g_auto (AcmeProblem) problem = { 0 };
      g_autofree char *text = acme_jws_make_binding (
          key, "kid-1", keys[i / G_N_ELEMENTS (algorithms)], algorithms[n].algorithm,
          "https://ca/new", &problem);
      g_autoptr (JsonObject) object = NULL;
      g_autofree char *input = NULL;
      g_autofree char *payload = NULL;
      g_autofree char *head = NULL;
      g_autofree char *wanted = NULL;
      guint8 mac[64];

      g_assert_cmpstr (problem.detail, ==, NULL);
      object = acme_json_parse (text, strlen (text), 10000, NULL);
      payload = decode_text (json_object_get_string_member (object, "payload"));
      g_assert_cmpstr (payload, ==, rfc_jwk);
      head = decode_text (json_object_get_string_member (object, "protected"));
      g_assert_null (strstr (head, "nonce"));
      g_assert_nonnull (strstr (head, n == 0 ? "HS256" : algorithms[n].algorithm));
      g_assert_nonnull (strstr (head, "\"url\":\"https://ca/new\""));
      input = g_strdup_printf ("%s.%s", json_object_get_string_member (object, "protected"),
                               json_object_get_string_member (object, "payload"));
      g_assert_cmpint (
          gnutls_hmac_fast (algorithms[n].mac, secret, sizeof secret, input, strlen (input), mac),
          ==, 0);
      wanted = acme_base64_encode (mac, gnutls_hmac_get_len (algorithms[n].mac));
      g_assert_cmpstr (json_object_get_string_member (object, "signature"), ==, wanted);
    }
}

static void
test_binding_refused (void)
{
  static const char *const keys[] = { "", "   ", "a", "ab=c", "ab===", "äöü", "abcde" };
  g_autoptr (AcmeKey) key = read_key (rfc_key);
  g_auto (AcmeProblem) problem = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_assert_null (acme_jws_make_binding (key, "kid", keys[i], NULL, "https://ca/new", &problem));
      g_assert_cmpstr (problem.type, ==, "input");
    }
  g_assert_null (acme_jws_make_binding (key, "kid", "AAAA", "HS1", "https://ca/new", &problem));
}

static void
test_tokens (void)
{
  g_assert_true (acme_base64_is_token ("aZ09-_", 6));
  g_assert_false (acme_base64_is_token ("aZ09-_", 5));
  g_assert_false (acme_base64_is_token ("", 5));
  g_assert_false (acme_base64_is_token ("..", 5));
  g_assert_false (acme_base64_is_token ("a/b", 5));
  g_assert_false (acme_base64_is_token ("ab=", 5));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/acme-jws/thumbprint", test_thumbprint);
  g_test_add_func ("/acme-jws/key-kept", test_key_kept);
  g_test_add_func ("/acme-jws/key-refused", test_key_refused);
  g_test_add_func ("/acme-jws/message", test_message);
  g_test_add_func ("/acme-jws/binding", test_binding);
  g_test_add_func ("/acme-jws/binding-refused", test_binding_refused);
  g_test_add_func ("/acme-jws/tokens", test_tokens);
  return g_test_run ();
}
