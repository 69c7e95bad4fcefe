/* acme-jws.c: signed messages (RFC 7515) in the one form that ACME uses.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-jws.h"

#include "acme-base64.h"
#include "acme-json.h"

#include <gnutls/crypto.h>
#include <string.h>

#define HMAC_MAX 64

static char *
acme_jws_finish (const char *head, const char *payload, gconstpointer signature, gsize len)
{
  g_autofree char *text = acme_base64_encode (signature, len);

  return g_strdup_printf ("{\"protected\":\"%s\",\"payload\":\"%s\",\"signature\":\"%s\"}", head,
                          payload, text);
}

static char *
acme_jws_encode (const char *text)
{
  return acme_base64_encode (text, strlen (text));
}

char *
acme_jws_make (const AcmeKey *key, const char *kid, const char *nonce, const char *url,
               const char *payload, AcmeProblem *problem)
{
  JsonBuilder *builder = acme_json_begin ();
  g_autofree char *head = NULL;
  g_autofree char *head_text = NULL;
  g_autofree char *payload_text = acme_jws_encode (payload != NULL ? payload : "");
  g_autofree char *input = NULL;
  guint8 signature[ACME_KEY_SIGNATURE_SIZE];

  acme_json_add (builder, "alg", "ES256");
  if (kid == NULL)
    {
      json_builder_set_member_name (builder, "jwk");
      json_builder_add_value (builder, json_from_string (acme_key_jwk (key), NULL));
    }
  acme_json_add (builder, "kid", kid);
  acme_json_add (builder, "nonce", nonce);
  acme_json_add (builder, "url", url);
  head = acme_json_end (builder);
  head_text = acme_jws_encode (head);
  input = g_strdup_printf ("%s.%s", head_text, payload_text);
  if (!acme_key_sign (key, input, signature, problem))
    return NULL;
  return acme_jws_finish (head_text, payload_text, signature, sizeof signature);
}

char *
acme_jws_make_binding (const AcmeKey *key, const char *kid, const char *mac_key,
                       const char *algorithm, const char *url, AcmeProblem *problem)
{
  static const struct {
    const char *name;
    gnutls_mac_algorithm_t mac;
  } algorithms[] = { { "HS256", GNUTLS_MAC_SHA256 },
                     { "HS384", GNUTLS_MAC_SHA384 },
                     { "HS512", GNUTLS_MAC_SHA512 } };
  JsonBuilder *builder;
  g_autofree char *head = NULL;
  g_autofree char *head_text = NULL;
  g_autofree char *payload_text = acme_jws_encode (acme_key_jwk (key));
  g_autofree char *input = NULL;
  guint8 signature[HMAC_MAX];
  guint8 *secret;
  gsize secret_len;
  guint i = 0;
  int rc;

  while (algorithm != NULL && i < G_N_ELEMENTS (algorithms)
         && strcmp (algorithms[i].name, algorithm) != 0)
    i++;
  if (i == G_N_ELEMENTS (algorithms))
    {
      acme_problem_set (problem, "input", "eab: alg is HS256, HS384 or HS512, not %s", algorithm);
      return NULL;
    }
  secret = acme_base64_decode (mac_key, &secret_len);
  if (secret == NULL)
    {
      acme_problem_set (problem, "input", "the key for the external account is not base64");
      problem->remedy = g_strdup ("Put the HMAC key into eab-key-file exactly as the CA shows it, "
                                  "in one line.");
      return NULL;
    }
  builder = acme_json_begin ();
  acme_json_add (builder, "alg", algorithms[i].name);
  acme_json_add (builder, "kid", kid);
  acme_json_add (builder, "url", url);
  head = acme_json_end (builder);
  head_text = acme_jws_encode (head);
  input = g_strdup_printf ("%s.%s", head_text, payload_text);
  rc = gnutls_hmac_fast (algorithms[i].mac, secret, secret_len, input, strlen (input), signature);
  gnutls_memset (secret, 0, secret_len);
  g_free (secret);
  if (rc < 0)
    {
      acme_problem_set (problem, "input", "cannot sign for the external account: %s",
                        gnutls_strerror (rc));
      return NULL;
    }
  return acme_jws_finish (head_text, payload_text, signature,
                          gnutls_hmac_get_len (algorithms[i].mac));
}
