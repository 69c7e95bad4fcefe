/* cert-pair.c: a certificate and its key, read from two files.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cert-pair.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX    (1024 * 1024)
#define KEY_ID_SIZE 32

G_DEFINE_QUARK (cert_pair_error_quark, cert_pair_error)

typedef struct {
  gnutls_x509_crt_t *list;
  guint n;
} Chain;

static void
cert_pair_chain_clear (Chain *self)
{
  for (guint i = 0; i < self->n; i++)
    gnutls_x509_crt_deinit (self->list[i]);
  gnutls_free (self->list);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Chain, cert_pair_chain_clear)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_x509_privkey_t, gnutls_x509_privkey_deinit, NULL)

static gboolean
cert_pair_file_read (const char *path, CertPairError blame, DetourFileFlags flags, DetourFile *file,
                     GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (detour_file_read (path, FILE_MAX, flags, file, &problem))
    return TRUE;
  g_set_error_literal (error, CERT_PAIR_ERROR, blame, problem->message);
  return FALSE;
}

static gboolean
cert_pair_chain_load (const char *path, Chain *chain, GError **error)
{
  g_auto (DetourFile) file = { 0 };
  gnutls_datum_t pem;
  int rc;

  if (!cert_pair_file_read (path, CERT_PAIR_ERROR_CHAIN, 0, &file, error))
    return FALSE;
  pem = (gnutls_datum_t) { (guint8 *) file.data, (unsigned) file.len };
  rc = gnutls_x509_crt_list_import2 (&chain->list, &chain->n, &pem, GNUTLS_X509_FMT_PEM, 0);
  if (rc < 0)
    {
      chain->n = 0;
      g_set_error (error, CERT_PAIR_ERROR, CERT_PAIR_ERROR_CHAIN,
                   "%s: no certificates that can be read (%s); expected PEM, \"-----BEGIN "
                   "CERTIFICATE-----\"",
                   path, gnutls_strerror (rc));
      return FALSE;
    }
  return TRUE;
}

static gboolean
cert_pair_key_load (const char *path, gnutls_x509_privkey_t *key, gboolean *exposed, GError **error)
{
  g_auto (DetourFile) file = { 0 };
  gnutls_datum_t pem;
  int rc;

  if (!cert_pair_file_read (path, CERT_PAIR_ERROR_KEY, DETOUR_FILE_PROTECTED, &file, error))
    return FALSE;
  *exposed = (file.mode & S_IROTH) != 0;
  pem = (gnutls_datum_t) { (guint8 *) file.data, (unsigned) file.len };
  rc = gnutls_x509_privkey_init (key);
  if (rc >= 0)
    rc = gnutls_x509_privkey_import2 (*key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
  if (rc == GNUTLS_E_DECRYPTION_FAILED)
    g_set_error (
        error, CERT_PAIR_ERROR, CERT_PAIR_ERROR_KEY,
        "%s: the key is encrypted; expected one in the clear, which only this daemon may read",
        path);
  else if (rc < 0)
    g_set_error (
        error, CERT_PAIR_ERROR, CERT_PAIR_ERROR_KEY,
        "%s: no private key that can be read (%s); expected PEM, \"-----BEGIN PRIVATE KEY-----\"",
        path, gnutls_strerror (rc));
  return rc >= 0;
}

void
cert_pair_notes_clear (CertPairNotes *self)
{
  g_clear_pointer (&self->missing_issuer, g_free);
}

/* The certificate names itself as its issuer, and its own key verifies it. */
static gboolean
cert_pair_signs_itself (gnutls_x509_crt_t leaf)
{
  unsigned status = 0;

  return gnutls_x509_crt_check_issuer (leaf, leaf) != 0
      && gnutls_x509_crt_verify (leaf, &leaf, 1,
                                 GNUTLS_VERIFY_DISABLE_CA_SIGN | GNUTLS_VERIFY_DISABLE_TIME_CHECKS
                                     | GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1,
                                 &status)
             >= 0
      && (status & GNUTLS_CERT_SIGNATURE_FAILURE) == 0;
}

/* @leaf was signed by an authority in this host's trust store, without an intermediate. */
static gboolean
cert_pair_issuer_is_known (gnutls_x509_crt_t leaf)
{
  gnutls_x509_trust_list_t trusted;
  unsigned status = GNUTLS_CERT_INVALID;

  if (gnutls_x509_trust_list_init (&trusted, 0) < 0)
    return FALSE;
  if (gnutls_x509_trust_list_add_system_trust (trusted, 0, 0) >= 0)
    gnutls_x509_trust_list_verify_crt (trusted, &leaf, 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS,
                                       &status, NULL);
  gnutls_x509_trust_list_deinit (trusted, 1);
  return status == 0;
}

static char *
cert_pair_issuer_name (gnutls_x509_crt_t leaf)
{
  gnutls_datum_t dn = { NULL, 0 };
  char *name;

  if (gnutls_x509_crt_get_issuer_dn3 (leaf, &dn, 0) < 0)
    return g_strdup ("unknown");
  name = g_utf8_make_valid ((const char *) dn.data, dn.size);
  gnutls_free (dn.data);
  return name;
}

static gboolean
cert_pair_has_alternative_name (gnutls_x509_crt_t leaf)
{
  guint8 buffer[512];

  for (unsigned i = 0; i < 1000; i++)
    {
      size_t len = sizeof buffer;
      int kind = gnutls_x509_crt_get_subject_alt_name (leaf, i, buffer, &len, NULL);

      if (kind == GNUTLS_SAN_DNSNAME || kind == GNUTLS_SAN_IPADDRESS)
        return TRUE;
      if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        break;
    }
  return FALSE;
}

static void
cert_pair_note_chain (const Chain *chain, CertPairNotes *notes)
{
  gboolean signs_itself = cert_pair_signs_itself (chain->list[0]);

  notes->name_in_subject = !cert_pair_has_alternative_name (chain->list[0]);
  notes->needless_issuers = signs_itself && chain->n > 1;
  notes->is_alone = !signs_itself && chain->n == 1;
}

/* Index in the chain of the certificate that belongs to @key; the length of the chain when there is
 * none. */
static guint
cert_pair_chain_find_key (const Chain *chain, gnutls_x509_privkey_t key)
{
  guint8 wanted[KEY_ID_SIZE], found[KEY_ID_SIZE];
  size_t len = sizeof wanted;
  guint i;

  if (gnutls_x509_privkey_get_key_id (key, GNUTLS_KEYID_USE_SHA256, wanted, &len) < 0)
    return chain->n;
  for (i = 0; i < chain->n; i++)
    {
      len = sizeof found;
      if (gnutls_x509_crt_get_key_id (chain->list[i], GNUTLS_KEYID_USE_SHA256, found, &len) >= 0
          && memcmp (wanted, found, sizeof wanted) == 0)
        break;
    }
  return i;
}

static gboolean
cert_pair_matches (const Chain *chain, gnutls_x509_privkey_t key, const char *chain_path,
                   const char *key_path, GError **error)
{
  guint place = cert_pair_chain_find_key (chain, key);

  if (place == 0)
    return TRUE;
  if (place < chain->n)
    g_set_error (
        error, CERT_PAIR_ERROR, CERT_PAIR_ERROR_CHAIN,
        "%s: the certificate of the key %s is number %u; expected the first, its issuers after it",
        chain_path, key_path, place + 1);
  else
    g_set_error (error, CERT_PAIR_ERROR, CERT_PAIR_ERROR_KEY,
                 "%s: the key does not belong to the certificate in %s", key_path, chain_path);
  return FALSE;
}

static char *
cert_pair_address_text (const guint8 *bytes, gsize len)
{
  char text[INET6_ADDRSTRLEN];

  if (len != 4 && len != 16)
    return NULL;
  return g_strdup (inet_ntop (len == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text));
}

/* DNS names and addresses of the certificate, or its common name when it has neither. */
static char **
cert_pair_leaf_names (gnutls_x509_crt_t leaf)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  guint8 buffer[512];
  size_t len;
  guint n = 0;
  int rc = 0;

  for (unsigned i = 0; rc != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE && i < 1000; i++)
    {
      g_autofree char *name = NULL;

      len = sizeof buffer - 1;
      rc = gnutls_x509_crt_get_subject_alt_name (leaf, i, buffer, &len, NULL);
      if (rc == GNUTLS_SAN_DNSNAME && memchr (buffer, 0, len) == NULL)
        name = g_strndup ((const char *) buffer, len);
      else if (rc == GNUTLS_SAN_IPADDRESS)
        name = cert_pair_address_text (buffer, len);
      if (name == NULL)
        continue;
      g_strv_builder_add (names, name);
      n++;
    }
  len = sizeof buffer - 1;
  if (n == 0
      && gnutls_x509_crt_get_dn_by_oid (leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, buffer, &len) >= 0)
    {
      g_autofree char *name = g_strndup ((const char *) buffer, len);

      g_strv_builder_add (names, name);
    }
  return g_strv_builder_end (names);
}

static DetourCert *
cert_pair_to_cert (const Chain *chain, gnutls_x509_privkey_t key, const char *const *names,
                   GError **error)
{
  g_autoptr (GPtrArray) ders = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  gnutls_datum_t der = { NULL, 0 };
  DetourCert *cert;
  int rc = 0;

  for (guint i = 0; i < chain->n && rc >= 0; i++)
    {
      rc = gnutls_x509_crt_export2 (chain->list[i], GNUTLS_X509_FMT_DER, &der);
      if (rc >= 0)
        g_ptr_array_add (ders,
                         g_bytes_new_with_free_func (der.data, der.size, gnutls_free, der.data));
    }
  if (rc >= 0)
    rc = gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN,
                                            &der);
  if (rc < 0)
    {
      g_set_error (error, CERT_PAIR_ERROR, CERT_PAIR_ERROR_KEY, "cannot be written as DER: %s",
                   gnutls_strerror (rc));
      return NULL;
    }
  cert = detour_cert_new ((GBytes *const *) ders->pdata, ders->len, der.data, der.size, names,
                          (gint64) gnutls_x509_crt_get_activation_time (chain->list[0]),
                          (gint64) gnutls_x509_crt_get_expiration_time (chain->list[0]));
  gnutls_memset (der.data, 0, der.size);
  gnutls_free (der.data);
  return cert;
}

/* Both are looked at, so that an operator hears of both at once. */
static gboolean
cert_pair_load_both (const char *chain_path, const char *key_path, Chain *chain,
                     gnutls_x509_privkey_t *key, gboolean *exposed, GError **error)
{
  g_autoptr (GError) of_chain = NULL;
  g_autoptr (GError) of_key = NULL;

  gboolean good = cert_pair_chain_load (chain_path, chain, &of_chain);

  good = cert_pair_key_load (key_path, key, exposed, &of_key) && good;
  if (of_chain != NULL && of_key != NULL)
    g_set_error (error, of_chain->domain, of_chain->code, "%s; and %s", of_chain->message,
                 of_key->message);
  else if (of_chain != NULL || of_key != NULL)
    g_propagate_error (error,
                       of_chain != NULL ? g_steal_pointer (&of_chain) : g_steal_pointer (&of_key));
  return good;
}

DetourCert *
cert_pair_load (const char *chain_path, const char *key_path, const char *name,
                CertPairNotes *notes, GError **error)
{
  g_auto (Chain) chain = { NULL };
  g_auto (gnutls_x509_privkey_t) key = NULL;
  g_auto (GStrv) names = NULL;

  *notes = (CertPairNotes) { 0 };
  if (!cert_pair_load_both (chain_path, key_path, &chain, &key, &notes->exposed, error)
      || !cert_pair_matches (&chain, key, chain_path, key_path, error))
    return NULL;
  names = cert_pair_leaf_names (chain.list[0]);
  if (name != NULL && gnutls_x509_crt_check_hostname (chain.list[0], name) == 0)
    {
      g_autofree char *found = g_strjoinv (", ", names);

      g_set_error (error, CERT_PAIR_ERROR, CERT_PAIR_ERROR_CHAIN, "%s: valid for %s; expected %s",
                   chain_path, found[0] != '\0' ? found : "no name at all", name);
      return NULL;
    }
  cert_pair_note_chain (&chain, notes);
  return cert_pair_to_cert (&chain, key, (const char *const *) names, error);
}

char *
cert_pair_missing_issuer (const DetourCert *cert)
{
  GBytes *const *chain;
  gnutls_x509_crt_t leaf;
  gnutls_datum_t der;
  gsize len;
  char *name = NULL;

  detour_cert_chain (cert, &chain);
  der.data = (guint8 *) g_bytes_get_data (chain[0], &len);
  der.size = (unsigned) len;
  if (gnutls_x509_crt_init (&leaf) < 0)
    return NULL;
  if (gnutls_x509_crt_import (leaf, &der, GNUTLS_X509_FMT_DER) >= 0
      && !cert_pair_issuer_is_known (leaf))
    name = cert_pair_issuer_name (leaf);
  gnutls_x509_crt_deinit (leaf);
  return name;
}

gboolean
cert_pair_equal (const DetourCert *a, const DetourCert *b)
{
  GBytes *const *chain_a;
  GBytes *const *chain_b;
  guint n = detour_cert_chain (a, &chain_a);

  if (detour_cert_chain (b, &chain_b) != n
      || !g_bytes_equal (detour_cert_private_key (a), detour_cert_private_key (b)))
    return FALSE;
  for (guint i = 0; i < n; i++)
    if (!g_bytes_equal (chain_a[i], chain_b[i]))
      return FALSE;
  return TRUE;
}
