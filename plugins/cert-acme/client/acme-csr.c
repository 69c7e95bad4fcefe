/* acme-csr.c: the key of a certificate and the request for it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-csr.h"

#include "acme-key.h"
#include "acme-names.h"

#include <string.h>

static const struct {
  const char *name;
  gnutls_pk_algorithm_t algorithm;
  unsigned bits;
  gnutls_digest_algorithm_t hash;
} kinds[] = {
  { "p256", GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), GNUTLS_DIG_SHA256 },
  { "p384", GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP384R1), GNUTLS_DIG_SHA384 },
  { "rsa2048", GNUTLS_PK_RSA, 2048, GNUTLS_DIG_SHA256 },
};

void
acme_csr_clear (AcmeCsr *self)
{
  if (self->key != NULL)
    gnutls_x509_privkey_deinit (self->key);
  g_free (self->der);
  *self = (AcmeCsr) { 0 };
}

static int
acme_csr_add_names (gnutls_x509_crq_t crq, const GPtrArray *names)
{
  int rc = 0;

  for (guint i = 0; i < names->len && rc >= 0; i++)
    {
      const AcmeName *name = names->pdata[i];

      rc = name->bytes_len > 0
             ? gnutls_x509_crq_set_subject_alt_name (crq, GNUTLS_SAN_IPADDRESS, name->bytes,
                                                     name->bytes_len, GNUTLS_FSAN_APPEND)
             : gnutls_x509_crq_set_subject_alt_name (crq, GNUTLS_SAN_DNSNAME, name->value,
                                                     (unsigned) strlen (name->value),
                                                     GNUTLS_FSAN_APPEND);
    }
  return rc;
}

static int
acme_csr_sign (AcmeCsr *self, const GPtrArray *names, gnutls_digest_algorithm_t hash)
{
  gnutls_x509_crq_t crq;
  gnutls_datum_t der;
  int rc = gnutls_x509_crq_init (&crq);

  if (rc < 0)
    return rc;
  if ((rc = gnutls_x509_crq_set_version (crq, 1)) >= 0
      && (rc = gnutls_x509_crq_set_key (crq, self->key)) >= 0
      && (rc = acme_csr_add_names (crq, names)) >= 0
      && (rc = gnutls_x509_crq_sign2 (crq, self->key, hash, 0)) >= 0
      && (rc = gnutls_x509_crq_export2 (crq, GNUTLS_X509_FMT_DER, &der)) >= 0)
    {
      self->der = g_memdup2 (der.data, der.size);
      self->der_len = der.size;
      gnutls_free (der.data);
    }
  gnutls_x509_crq_deinit (crq);
  return rc;
}

gboolean
acme_csr_make (AcmeCsr *self, const GPtrArray *names, const char *key_type, AcmeProblem *problem)
{
  guint i = 0;
  int rc;

  *self = (AcmeCsr) { 0 };
  while (i < G_N_ELEMENTS (kinds) && strcmp (kinds[i].name, key_type) != 0)
    i++;
  if (i == G_N_ELEMENTS (kinds))
    return acme_problem_set (problem, "input", "key_type is p256, p384 or rsa2048, not %s",
                             key_type);
  rc = gnutls_x509_privkey_init (&self->key);
  if (rc >= 0)
    rc = gnutls_x509_privkey_generate (self->key, kinds[i].algorithm, kinds[i].bits, 0);
  if (rc >= 0)
    rc = acme_csr_sign (self, names, kinds[i].hash);
  if (rc >= 0)
    return TRUE;
  acme_csr_clear (self);
  return acme_problem_set (problem, "input", "cannot make a key and a request: %s",
                           gnutls_strerror (rc));
}

char *
acme_csr_key_to_pem (const AcmeCsr *self)
{
  return acme_key_export_pem (self->key);
}
