/* renewal-pair.c: a certificate chain with its key, read from PEM.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-pair.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <string.h>

#include "client/acme-ari.h"

#define CHAIN_MAX   16u
#define KEY_ID_SIZE 32
#define SAN_MAX     200u

G_DEFINE_QUARK (renewal - pair - error, renewal_pair_error)

void
renewal_pair_free (RenewalPair *self)
{
  for (guint i = 0; i < self->n_chain; i++)
    gnutls_x509_crt_deinit (self->chain[i]);
  gnutls_free (self->chain);
  if (self->key != NULL)
    gnutls_x509_privkey_deinit (self->key);
  g_strfreev (self->names);
  g_free (self);
}

static gboolean
renewal_pair_refuse (GError **error, RenewalPairError code, const char *what, int rc)
{
  g_set_error (error, RENEWAL_PAIR_ERROR, (int) code, "%s: %s", what, gnutls_strerror (rc));
  return FALSE;
}

static gboolean
renewal_pair_read_chain (RenewalPair *self, const char *pem, gsize len, GError **error)
{
  gnutls_datum_t data = { (guint8 *) pem, (unsigned) len };
  int rc = gnutls_x509_crt_list_import2 (&self->chain, &self->n_chain, &data, GNUTLS_X509_FMT_PEM,
                                         0);

  if (rc >= 0 && self->n_chain <= CHAIN_MAX)
    return TRUE;
  if (rc < 0)
    {
      self->n_chain = 0;
      return renewal_pair_refuse (error, RENEWAL_PAIR_ERROR_FORM,
                                  "no certificates that can be read", rc);
    }
  g_set_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_FORM,
               "a chain of %u certificates; at most %u are taken", self->n_chain, CHAIN_MAX);
  return FALSE;
}

static gboolean
renewal_pair_read_key (RenewalPair *self, const char *pem, gsize len, GError **error)
{
  gnutls_datum_t data = { (guint8 *) pem, (unsigned) len };
  guint8 own[KEY_ID_SIZE], leaf[KEY_ID_SIZE];
  size_t own_len = sizeof own, leaf_len = sizeof leaf;
  int rc = gnutls_x509_privkey_init (&self->key);

  if (rc >= 0)
    rc = gnutls_x509_privkey_import2 (self->key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
  if (rc >= 0)
    rc = gnutls_x509_privkey_get_key_id (self->key, GNUTLS_KEYID_USE_SHA256, own, &own_len);
  if (rc < 0)
    return renewal_pair_refuse (error, RENEWAL_PAIR_ERROR_FORM, "no private key that can be read",
                                rc);
  rc = gnutls_x509_crt_get_key_id (self->chain[0], GNUTLS_KEYID_USE_SHA256, leaf, &leaf_len);
  if (rc >= 0 && own_len == leaf_len && memcmp (own, leaf, own_len) == 0)
    return TRUE;
  g_set_error_literal (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_KEY,
                       "the key does not belong to the first certificate");
  return FALSE;
}

static char *
renewal_pair_name_of (int kind, const guint8 *bytes, gsize len)
{
  char text[INET6_ADDRSTRLEN];

  if (kind == GNUTLS_SAN_DNSNAME && memchr (bytes, 0, len) == NULL)
    return g_strndup ((const char *) bytes, len);
  if (kind == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16))
    return g_strdup (inet_ntop (len == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text));
  return NULL;
}

static GStrv
renewal_pair_read_names (gnutls_x509_crt_t leaf)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  guint8 buffer[512];
  int kind = 0;

  for (unsigned i = 0; kind != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE && i < SAN_MAX; i++)
    {
      size_t len = sizeof buffer;
      g_autofree char *name = NULL;

      kind = gnutls_x509_crt_get_subject_alt_name (leaf, i, buffer, &len, NULL);
      name = kind >= 0 ? renewal_pair_name_of (kind, buffer, len) : NULL;
      if (name != NULL)
        g_strv_builder_add (names, name);
    }
  return g_strv_builder_end (names);
}

RenewalPair *
renewal_pair_read (const char *key_pem, gsize key_len, const char *chain_pem, gsize chain_len,
                   GError **error)
{
  g_autoptr (RenewalPair) self = g_new0 (RenewalPair, 1);

  if (!renewal_pair_read_chain (self, chain_pem, chain_len, error)
      || !renewal_pair_read_key (self, key_pem, key_len, error))
    return NULL;
  self->names = renewal_pair_read_names (self->chain[0]);
  self->not_before = (gint64) gnutls_x509_crt_get_activation_time (self->chain[0]);
  self->not_after = (gint64) gnutls_x509_crt_get_expiration_time (self->chain[0]);
  return g_steal_pointer (&self);
}

gboolean
renewal_pair_has_names (const RenewalPair *self, const char *const *names)
{
  for (guint i = 0; names[i] != NULL; i++)
    {
      gboolean found = FALSE;

      for (guint j = 0; !found && self->names[j] != NULL; j++)
        found = g_ascii_strcasecmp (self->names[j], names[i]) == 0;
      if (!found)
        return FALSE;
    }
  return TRUE;
}

/* (transfer full) (nullable) */
static GBytes *
renewal_pair_der (gnutls_x509_crt_t crt)
{
  gnutls_datum_t der = { NULL, 0 };

  if (gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_DER, &der) < 0)
    return NULL;
  return g_bytes_new_with_free_func (der.data, der.size, gnutls_free, der.data);
}

DetourCert *
renewal_pair_to_cert (const RenewalPair *self)
{
  g_autoptr (GPtrArray) chain = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  gnutls_datum_t key = { NULL, 0 };
  DetourCert *cert = NULL;

  for (guint i = 0; i < self->n_chain; i++)
    {
      GBytes *der = renewal_pair_der (self->chain[i]);

      if (der == NULL)
        return NULL;
      g_ptr_array_add (chain, der);
    }
  if (gnutls_x509_privkey_export2_pkcs8 (self->key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN,
                                         &key)
      >= 0)
    {
      cert = detour_cert_new ((GBytes *const *) chain->pdata, chain->len, key.data, key.size,
                              (const char *const *) self->names, self->not_before, self->not_after);
      gnutls_memset (key.data, 0, key.size);
      gnutls_free (key.data);
    }
  return cert;
}

char *
renewal_pair_chain_pem (const RenewalPair *self)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < self->n_chain; i++)
    {
      gnutls_datum_t pem = { NULL, 0 };

      if (gnutls_x509_crt_export2 (self->chain[i], GNUTLS_X509_FMT_PEM, &pem) < 0)
        return NULL;
      g_string_append_len (text, (const char *) pem.data, pem.size);
      gnutls_free (pem.data);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
renewal_pair_to_pem (const RenewalPair *self)
{
  g_autofree char *chain = renewal_pair_chain_pem (self);
  gnutls_datum_t key = { NULL, 0 };
  char *text;

  if (chain == NULL
      || gnutls_x509_privkey_export2_pkcs8 (self->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                            &key)
             < 0)
    return NULL;
  text = g_strdup_printf ("%.*s%s", (int) key.size, (const char *) key.data, chain);
  gnutls_memset (key.data, 0, key.size);
  gnutls_free (key.data);
  return text;
}

void
renewal_pair_wipe (char *pem)
{
  if (pem != NULL)
    gnutls_memset (pem, 0, strlen (pem));
  g_free (pem);
}

char *
renewal_pair_renewal_id (const RenewalPair *self)
{
  return acme_ari_id (self->chain[0]);
}
