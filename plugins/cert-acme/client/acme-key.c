/* acme-key.c: the key of an account, P-256, and what is signed with it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-key.h"

#include "acme-base64.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <string.h>

struct _AcmeKey {
  gnutls_x509_privkey_t x509;
  gnutls_privkey_t key;
  char *jwk;
  char *thumbprint;
};

void
acme_key_free (AcmeKey *self)
{
  if (self->key != NULL)
    gnutls_privkey_deinit (self->key);
  if (self->x509 != NULL)
    gnutls_x509_privkey_deinit (self->x509);
  g_free (self->jwk);
  g_free (self->thumbprint);
  g_free (self);
}

/* A big-endian number, with or without leading zeros, at its full size. FALSE: it is longer. */
static gboolean
acme_key_pad (const gnutls_datum_t *number, guint8 out[ACME_KEY_COORDINATE_SIZE])
{
  const guint8 *data = number->data;
  gsize len = number->size;

  while (len > 0 && *data == 0)
    {
      data++;
      len--;
    }
  if (len > ACME_KEY_COORDINATE_SIZE)
    return FALSE;
  memset (out, 0, ACME_KEY_COORDINATE_SIZE - len);
  if (len > 0)
    memcpy (out + ACME_KEY_COORDINATE_SIZE - len, data, len);
  return TRUE;
}

static gboolean
acme_key_describe (AcmeKey *self)
{
  g_autofree char *x_text = NULL;
  g_autofree char *y_text = NULL;
  guint8 x_bytes[ACME_KEY_COORDINATE_SIZE], y_bytes[ACME_KEY_COORDINATE_SIZE];
  guint8 hash[32];
  gnutls_datum_t x, y;
  gnutls_ecc_curve_t curve;
  gboolean good;

  if (gnutls_privkey_export_ecc_raw (self->key, &curve, &x, &y, NULL) < 0)
    return FALSE;
  good = curve == GNUTLS_ECC_CURVE_SECP256R1 && acme_key_pad (&x, x_bytes)
      && acme_key_pad (&y, y_bytes);
  gnutls_free (x.data);
  gnutls_free (y.data);
  if (!good)
    return FALSE;
  x_text = acme_base64_encode (x_bytes, sizeof x_bytes);
  y_text = acme_base64_encode (y_bytes, sizeof y_bytes);
  self->jwk = g_strdup_printf ("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                               x_text, y_text);
  if (gnutls_hash_fast (GNUTLS_DIG_SHA256, self->jwk, strlen (self->jwk), hash) < 0)
    return FALSE;
  self->thumbprint = acme_base64_encode (hash, sizeof hash);
  return TRUE;
}

/* Takes @x509. */
static AcmeKey *
acme_key_take (gnutls_x509_privkey_t x509, AcmeProblem *problem)
{
  g_autoptr (AcmeKey) self = g_new0 (AcmeKey, 1);

  self->x509 = x509;
  if (gnutls_privkey_init (&self->key) < 0
      || gnutls_privkey_import_x509 (self->key, x509, GNUTLS_PRIVKEY_IMPORT_COPY) < 0
      || gnutls_privkey_get_pk_algorithm (self->key, NULL) != GNUTLS_PK_ECDSA
      || !acme_key_describe (self))
    {
      acme_problem_set (problem, "input", "the account key is not an EC key on P-256");
      return NULL;
    }
  return g_steal_pointer (&self);
}

AcmeKey *
acme_key_new (AcmeProblem *problem)
{
  gnutls_x509_privkey_t x509;
  int rc = gnutls_x509_privkey_init (&x509);

  if (rc >= 0)
    {
      rc = gnutls_x509_privkey_generate (x509, GNUTLS_PK_ECDSA,
                                         GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0);
      if (rc >= 0)
        return acme_key_take (x509, problem);
      gnutls_x509_privkey_deinit (x509);
    }
  acme_problem_set (problem, "input", "cannot make an account key: %s", gnutls_strerror (rc));
  return NULL;
}

AcmeKey *
acme_key_new_from_pem (const char *pem, AcmeProblem *problem)
{
  gnutls_datum_t data = { (guint8 *) pem, (unsigned) strlen (pem) };
  gnutls_x509_privkey_t x509;
  int rc = gnutls_x509_privkey_init (&x509);

  if (rc >= 0)
    {
      rc = gnutls_x509_privkey_import (x509, &data, GNUTLS_X509_FMT_PEM);
      if (rc >= 0)
        return acme_key_take (x509, problem);
      gnutls_x509_privkey_deinit (x509);
    }
  acme_problem_set (problem, "input", "cannot read the account key: %s", gnutls_strerror (rc));
  return NULL;
}

char *
acme_key_export_pem (gnutls_x509_privkey_t key)
{
  gnutls_datum_t data;
  char *pem;

  if (gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &data)
      < 0)
    return NULL;
  pem = g_strndup ((const char *) data.data, data.size);
  gnutls_memset (data.data, 0, data.size);
  gnutls_free (data.data);
  return pem;
}

char *
acme_key_to_pem (const AcmeKey *self)
{
  return acme_key_export_pem (self->x509);
}

void
acme_key_free_pem (char *pem)
{
  if (pem != NULL)
    gnutls_memset (pem, 0, strlen (pem));
  g_free (pem);
}

const char *
acme_key_jwk (const AcmeKey *self)
{
  return self->jwk;
}

const char *
acme_key_thumbprint (const AcmeKey *self)
{
  return self->thumbprint;
}

gboolean
acme_key_sign (const AcmeKey *self, const char *text, guint8 signature[ACME_KEY_SIGNATURE_SIZE],
               AcmeProblem *problem)
{
  gnutls_datum_t data = { (guint8 *) text, (unsigned) strlen (text) };
  gnutls_datum_t der, r, s;
  gboolean good;
  int rc = gnutls_privkey_sign_data (self->key, GNUTLS_DIG_SHA256, 0, &data, &der);

  if (rc < 0)
    return acme_problem_set (problem, "input", "cannot sign with the account key: %s",
                             gnutls_strerror (rc));
  rc = gnutls_decode_rs_value (&der, &r, &s);
  gnutls_free (der.data);
  if (rc < 0)
    return acme_problem_set (problem, "input", "cannot sign with the account key: %s",
                             gnutls_strerror (rc));
  good = acme_key_pad (&r, signature) && acme_key_pad (&s, signature + ACME_KEY_COORDINATE_SIZE);
  gnutls_free (r.data);
  gnutls_free (s.data);
  return good || acme_problem_set (problem, "input", "the account key is not on P-256");
}
