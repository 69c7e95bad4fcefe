/* acme-chain.c: certificates that a CA made, with what is checked before they are used.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-chain.h"

#include "acme-base64.h"
#include "acme-names.h"

#include <string.h>

/* A clock that is behind by less is not held against a new certificate: most CAs begin an hour
 * early, and what is too early here is right where the clock is. */
#define EARLY_MAX_S 3600
#define NAME_SIZE   256

void
acme_chain_clear (AcmeChain *self)
{
  for (guint i = 0; i < self->n_crts; i++)
    gnutls_x509_crt_deinit (self->crts[i]);
  gnutls_free (self->crts);
  *self = (AcmeChain) { 0 };
}

gboolean
acme_chain_read (AcmeChain *self, const char *pem, gsize len, AcmeProblem *problem)
{
  gnutls_datum_t data = { (guint8 *) pem, (unsigned) len };
  int rc;

  *self = (AcmeChain) { 0 };
  if (len == 0)
    return acme_problem_set (problem, "protocol", "the certificate is empty");
  rc = gnutls_x509_crt_list_import2 (&self->crts, &self->n_crts, &data, GNUTLS_X509_FMT_PEM, 0);
  if (rc < 0)
    {
      *self = (AcmeChain) { 0 };
      return acme_problem_set (problem, "protocol", "the certificate cannot be read: %s",
                               gnutls_strerror (rc));
    }
  if (self->n_crts >= 1 && self->n_crts <= ACME_CHAIN_MAX)
    return TRUE;
  acme_problem_set (problem, "protocol", "the certificate comes with %u others, more than %d",
                    self->n_crts, ACME_CHAIN_MAX);
  acme_chain_clear (self);
  return FALSE;
}

/* Checks -------------------------------------------------------------------------------------- */

static gboolean
acme_chain_has_key (gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
  guint8 ours[32], theirs[32];
  gsize ours_len = sizeof ours, theirs_len = sizeof theirs;

  return gnutls_x509_privkey_get_key_id (key, GNUTLS_KEYID_USE_SHA256, ours, &ours_len) >= 0
      && gnutls_x509_crt_get_key_id (crt, GNUTLS_KEYID_USE_SHA256, theirs, &theirs_len) >= 0
      && ours_len == theirs_len && memcmp (ours, theirs, ours_len) == 0;
}

/* Compared as they stand: a wildcard must be there itself, and not only be matched by one. */
static gboolean
acme_chain_has_name (gnutls_x509_crt_t crt, const AcmeName *name)
{
  for (unsigned i = 0; i < 10 * ACME_NAMES_MAX; i++)
    {
      char value[NAME_SIZE];
      gsize len = sizeof value;
      int type = gnutls_x509_crt_get_subject_alt_name (crt, i, value, &len, NULL);

      if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return FALSE;
      if (type == GNUTLS_SAN_IPADDRESS && len == name->bytes_len && name->bytes_len > 0
          && memcmp (value, name->bytes, len) == 0)
        return TRUE;
      if (type == GNUTLS_SAN_DNSNAME && name->bytes_len == 0 && len == strlen (name->value)
          && g_ascii_strncasecmp (value, name->value, len) == 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
acme_chain_check_dates (gnutls_x509_crt_t crt, gint64 now_s, AcmeProblem *problem)
{
  gint64 from_s = gnutls_x509_crt_get_activation_time (crt);
  gint64 to_s = gnutls_x509_crt_get_expiration_time (crt);
  g_autoptr (GDateTime) time = NULL;
  g_autofree char *text = NULL;

  if (from_s != -1 && from_s <= now_s + EARLY_MAX_S && to_s > now_s)
    return TRUE;
  time = g_date_time_new_from_unix_utc (to_s > now_s ? from_s : to_s);
  text = time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S UTC") : NULL;
  acme_problem_set (problem, "protocol", "the certificate is not valid %s %s",
                    to_s > now_s ? "before" : "after", text != NULL ? text : "a time");
  problem->remedy = g_strdup ("Compare the clock of this host with the real time; if it is right, "
                              "the CA's is not.");
  return FALSE;
}

static gboolean
acme_chain_check_links (const AcmeChain *self, AcmeProblem *problem)
{
  unsigned status = 0;
  int rc;

  if (self->n_crts == 1)
    return TRUE;
  for (guint i = 0; i + 1 < self->n_crts; i++)
    if (!gnutls_x509_crt_check_issuer (self->crts[i], self->crts[i + 1]))
      return acme_problem_set (problem, "protocol",
                               "certificate %u of the chain was not issued by the one behind it",
                               i + 1);
  rc = gnutls_x509_crt_list_verify (self->crts, (int) self->n_crts, &self->crts[self->n_crts - 1],
                                    1, NULL, 0, GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status);
  if (rc >= 0 && status == 0)
    return TRUE;
  return acme_problem_set (problem, "protocol", "a signature in the chain is not right");
}

gboolean
acme_chain_check (const AcmeChain *self, gnutls_x509_privkey_t key, const GPtrArray *names,
                  gint64 now_s, AcmeProblem *problem)
{
  gnutls_x509_crt_t crt = self->crts[0];

  if (key != NULL && !acme_chain_has_key (crt, key))
    return acme_problem_set (problem, "protocol", "the certificate is for another key");
  for (guint i = 0; i < names->len; i++)
    {
      const AcmeName *name = names->pdata[i];

      if (!acme_chain_has_name (crt, name))
        return acme_problem_set (problem, "protocol", "the certificate is not for %s", name->value);
    }
  return acme_chain_check_dates (crt, now_s, problem) && acme_chain_check_links (self, problem);
}

/* What it says -------------------------------------------------------------------------------- */

gboolean
acme_chain_leads_to (const AcmeChain *self, const char *issuer)
{
  gnutls_x509_crt_t top = self->crts[self->n_crts - 1];
  char name[NAME_SIZE];
  gsize len = sizeof name;

  return gnutls_x509_crt_get_issuer_dn_by_oid (top, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len)
          >= 0
      && g_ascii_strcasecmp (name, issuer) == 0;
}

char *
acme_chain_to_pem (const AcmeChain *self)
{
  GString *pem = g_string_new (NULL);

  for (guint i = 0; i < self->n_crts; i++)
    {
      gnutls_datum_t data;

      if (gnutls_x509_crt_export2 (self->crts[i], GNUTLS_X509_FMT_PEM, &data) < 0)
        continue;
      g_string_append_len (pem, (const char *) data.data, data.size);
      gnutls_free (data.data);
    }
  return g_string_free (pem, FALSE);
}

char *
acme_chain_to_base64 (const AcmeChain *self)
{
  gnutls_datum_t der;
  char *text;

  if (gnutls_x509_crt_export2 (self->crts[0], GNUTLS_X509_FMT_DER, &der) < 0)
    return NULL;
  text = acme_base64_encode (der.data, der.size);
  gnutls_free (der.data);
  return text;
}
