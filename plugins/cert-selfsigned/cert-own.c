/* cert-own.c: a certificate that signs itself, made here, written to two files and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It is pinned by its hash, so the certificate of the last run is kept for as long as it can be. */
#include "config.h"

#include "cert-own.h"

#include <arpa/inet.h>
#include <gio/gio.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#define DAY_S 86400
/* Clocks of clients may be slow. */
#define EARLY_S     DAY_S
#define SERIAL_SIZE 16
/* X.520 */
#define COMMON_NAME_MAX 64

G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_x509_privkey_t, gnutls_x509_privkey_deinit, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_x509_crt_t, gnutls_x509_crt_deinit, NULL)

/* Length of the address in @name, 4 or 16; 0: not an address. */
static gsize
cert_own_parse_address (const char *name, guint8 bytes[16])
{
  if (inet_pton (AF_INET, name, bytes) == 1)
    return 4;
  if (inet_pton (AF_INET6, name, bytes) == 1)
    return 16;
  return 0;
}

static gboolean
cert_own_is_label (const char *text, gsize len)
{
  if (len == 0 || len > 63 || text[0] == '-' || text[len - 1] == '-')
    return FALSE;
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '-' && text[i] != '_')
      return FALSE;
  return TRUE;
}

gboolean
cert_own_check_name (const char *name, GError **error)
{
  guint8 bytes[16];
  const char *label = g_str_has_prefix (name, "*.") ? name + 2 : name;
  gboolean good = strlen (name) <= 253;

  if (cert_own_parse_address (name, bytes) > 0)
    return TRUE;
  for (const char *end; good; label = end + 1)
    {
      end = strchrnul (label, '.');
      good = cert_own_is_label (label, (gsize) (end - label));
      if (*end == '\0')
        break;
    }
  if (!good)
    g_set_error (
        error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
        "\"%s\" is neither a host name nor an address; addresses stand without brackets and port",
        name);
  return good;
}

static DetourCert *
cert_own_to_cert (gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *const *names)
{
  gnutls_datum_t der = { NULL, 0 };
  g_autoptr (GBytes) chain = NULL;
  DetourCert *cert;

  if (gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_DER, &der) < 0)
    return NULL;
  chain = g_bytes_new_with_free_func (der.data, der.size, gnutls_free, der.data);
  if (gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &der)
      < 0)
    return NULL;
  cert = detour_cert_new (&chain, 1, der.data, der.size, names,
                          (gint64) gnutls_x509_crt_get_activation_time (crt),
                          (gint64) gnutls_x509_crt_get_expiration_time (crt));
  gnutls_memset (der.data, 0, der.size);
  gnutls_free (der.data);
  detour_cert_set_self_signed (cert);
  return cert;
}

/* Whether the certificate is for exactly @names. */
static gboolean
cert_own_has_names (gnutls_x509_crt_t crt, const char *const *names)
{
  guint8 found[256], bytes[16];
  guint i = 0;

  for (;; i++)
    {
      size_t len = sizeof found;
      int kind = gnutls_x509_crt_get_subject_alt_name (crt, i, found, &len, NULL);
      gsize address_len;

      if (names[i] == NULL || kind < 0)
        break;
      address_len = cert_own_parse_address (names[i], bytes);
      if (address_len > 0 ? kind != GNUTLS_SAN_IPADDRESS || len != address_len
                                || memcmp (found, bytes, len) != 0
                          : kind != GNUTLS_SAN_DNSNAME || len != strlen (names[i])
                                || memcmp (found, names[i], len) != 0)
        return FALSE;
    }
  {
    size_t len = sizeof found;

    return names[i] == NULL
        && gnutls_x509_crt_get_subject_alt_name (crt, i, found, &len, NULL)
               == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
  }
}

static gboolean
cert_own_belong_together (gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
  guint8 of_crt[32], of_key[32];
  size_t crt_len = sizeof of_crt, key_len = sizeof of_key;

  return gnutls_x509_crt_get_key_id (crt, GNUTLS_KEYID_USE_SHA256, of_crt, &crt_len) >= 0
      && gnutls_x509_privkey_get_key_id (key, GNUTLS_KEYID_USE_SHA256, of_key, &key_len) >= 0
      && memcmp (of_crt, of_key, sizeof of_crt) == 0;
}

static CertOwnWhy
cert_own_judge (gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *const *names,
                gint64 now_s)
{
  gint64 from_s = (gint64) gnutls_x509_crt_get_activation_time (crt);
  gint64 to_s = (gint64) gnutls_x509_crt_get_expiration_time (crt);

  if (!cert_own_belong_together (crt, key))
    return CERT_OWN_DAMAGED;
  if (!cert_own_has_names (crt, names))
    return CERT_OWN_RENAMED;
  if (now_s < from_s || to_s - now_s < (to_s - from_s) / 10)
    return CERT_OWN_ENDING;
  return CERT_OWN_KEPT;
}

/* NULL without an error: @why says why there is nothing to use. */
static DetourCert *
cert_own_read_back (const char *stem, const char *const *names, gint64 now_s, CertOwnWhy *why,
                    GError **error)
{
  g_autofree char *crt_path = g_strconcat (stem, ".crt", NULL);
  g_autofree char *key_path = g_strconcat (stem, ".key", NULL);
  g_autofree char *crt_pem = NULL;
  g_autofree char *key_pem = NULL;
  g_auto (gnutls_x509_crt_t) crt = NULL;
  g_auto (gnutls_x509_privkey_t) key = NULL;
  gsize crt_len, key_len;
  g_autoptr (GError) failed = NULL;
  gboolean parsed;

  *why = CERT_OWN_NONE;
  if (!g_file_get_contents (crt_path, &crt_pem, &crt_len, &failed)
      || !g_file_get_contents (key_path, &key_pem, &key_len, &failed))
    {
      /* Only what is not there may be written anew. */
      if (!g_error_matches (failed, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        g_propagate_error (error, g_steal_pointer (&failed));
      return NULL;
    }
  parsed = gnutls_x509_crt_init (&crt) >= 0 && gnutls_x509_privkey_init (&key) >= 0
        && gnutls_x509_crt_import (
               crt, &(gnutls_datum_t) { (unsigned char *) crt_pem, (unsigned) crt_len },
               GNUTLS_X509_FMT_PEM)
               >= 0
        && gnutls_x509_privkey_import (
               key, &(gnutls_datum_t) { (unsigned char *) key_pem, (unsigned) key_len },
               GNUTLS_X509_FMT_PEM)
               >= 0;
  gnutls_memset (key_pem, 0, key_len);
  *why = parsed ? cert_own_judge (crt, key, names, now_s) : CERT_OWN_DAMAGED;
  return *why == CERT_OWN_KEPT ? cert_own_to_cert (crt, key, names) : NULL;
}

static int
cert_own_set_names (gnutls_x509_crt_t crt, const char *const *names)
{
  int rc = 0;

  for (guint i = 0; names[i] != NULL && rc >= 0; i++)
    {
      guint8 bytes[16];
      gsize len = cert_own_parse_address (names[i], bytes);

      if (len > 0)
        rc = gnutls_x509_crt_set_subject_alt_name (crt, GNUTLS_SAN_IPADDRESS, bytes, (unsigned) len,
                                                   GNUTLS_FSAN_APPEND);
      else
        rc = gnutls_x509_crt_set_subject_alt_name (
            crt, GNUTLS_SAN_DNSNAME, names[i], (unsigned) strlen (names[i]), GNUTLS_FSAN_APPEND);
    }
  return rc;
}

static int
cert_own_set_serial (gnutls_x509_crt_t crt)
{
  guint8 serial[SERIAL_SIZE];
  int rc = gnutls_rnd (GNUTLS_RND_NONCE, serial, sizeof serial);

  serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and of this length */
  return rc < 0 ? rc : gnutls_x509_crt_set_serial (crt, serial, sizeof serial);
}

/* Clients take a certificate whose common name starts with "derpkey" for the meta certificate and
 * skip it. */
static const char *
cert_own_common_name (const char *name)
{
  return strlen (name) > COMMON_NAME_MAX || g_ascii_strncasecmp (name, "derpkey", 7) == 0 ? "relay"
                                                                                          : name;
}

static int
cert_own_fill (gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *const *names,
               guint days, gint64 now_s)
{
  const char *subject = cert_own_common_name (names[0]);
  int rc = gnutls_x509_crt_set_version (crt, 3);

  if (rc >= 0)
    rc = cert_own_set_serial (crt);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, subject,
                                        (unsigned) strlen (subject));
  if (rc >= 0)
    rc = gnutls_x509_crt_set_activation_time (crt, (time_t) (now_s - EARLY_S));
  if (rc >= 0)
    rc = gnutls_x509_crt_set_expiration_time (crt, (time_t) (now_s + (gint64) days * DAY_S));
  if (rc >= 0)
    rc = gnutls_x509_crt_set_key (crt, key);
  if (rc >= 0)
    rc = cert_own_set_names (crt, names);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_basic_constraints (crt, 0, -1);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_key_usage (crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_key_purpose_oid (crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
  if (rc >= 0)
    rc = gnutls_x509_crt_sign2 (crt, crt, key, GNUTLS_DIG_SHA256, 0);
  return rc;
}

static gboolean
cert_own_write_pem (const char *path, gnutls_datum_t *pem, GError **error)
{
  gboolean ok = g_file_set_contents_full (
      path, (const char *) pem->data, (gssize) pem->size,
      G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, error);

  gnutls_memset (pem->data, 0, pem->size);
  gnutls_free (pem->data);
  return ok;
}

static gboolean
cert_own_write_down (const char *stem, gnutls_x509_crt_t crt, gnutls_x509_privkey_t key,
                     GError **error)
{
  g_autofree char *crt_path = g_strconcat (stem, ".crt", NULL);
  g_autofree char *key_path = g_strconcat (stem, ".key", NULL);
  gnutls_datum_t pem = { NULL, 0 };

  if (gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem)
      < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                           "the key cannot be written as PEM");
      return FALSE;
    }
  if (!cert_own_write_pem (key_path, &pem, error))
    return FALSE;
  if (gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_PEM, &pem) < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                           "the certificate cannot be written as PEM");
      return FALSE;
    }
  return cert_own_write_pem (crt_path, &pem, error);
}

static DetourCert *
cert_own_make_new (const char *stem, const char *const *names, guint days, gint64 now_s,
                   GError **error)
{
  g_auto (gnutls_x509_crt_t) crt = NULL;
  g_auto (gnutls_x509_privkey_t) key = NULL;
  DetourCert *cert = NULL;
  int rc = gnutls_x509_privkey_init (&key);

  if (rc >= 0)
    rc = gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA,
                                       GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0);
  if (rc >= 0)
    rc = gnutls_x509_crt_init (&crt);
  if (rc >= 0)
    rc = cert_own_fill (crt, key, names, days, now_s);
  if (rc < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "no certificate could be made: %s",
                   gnutls_strerror (rc));
      return NULL;
    }
  if (!cert_own_write_down (stem, crt, key, error))
    return NULL;
  cert = cert_own_to_cert (crt, key, names);
  if (cert == NULL)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                         "the certificate cannot be written as DER");
  return cert;
}

DetourCert *
cert_own_obtain (const char *stem, const char *const *names, guint days, gint64 now_s,
                 CertOwnWhy *why, GError **error)
{
  GError *failed = NULL;
  DetourCert *cert = cert_own_read_back (stem, names, now_s, why, &failed);

  if (failed != NULL)
    {
      g_propagate_error (error, failed);
      return NULL;
    }
  return cert != NULL ? cert : cert_own_make_new (stem, names, days, now_s, error);
}

char *
cert_own_pin (const DetourCert *cert)
{
  GBytes *const *chain;

  detour_cert_chain (cert, &chain);
  return g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, chain[0]);
}
