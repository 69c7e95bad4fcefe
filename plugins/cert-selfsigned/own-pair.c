/* own-pair.c: a certificate that signs itself, and its key, outside of any file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "own-pair.h"

#include <arpa/inet.h>
#include <gio/gio.h>
#include <gnutls/crypto.h>
#include <string.h>

#define DAY_S 86400
/* Ten years: a client whose clock is earlier than the beginning refuses the certificate, and a late
 * beginning has no benefit. */
#define EARLY_S     (G_GINT64_CONSTANT (3652) * DAY_S)
#define SERIAL_SIZE 16
/* X.520 */
#define COMMON_NAME_MAX 64
#define KEY_ID_SIZE     32

void
own_pair_free (OwnPair *self)
{
  if (self->crt != NULL)
    gnutls_x509_crt_deinit (self->crt);
  if (self->key != NULL)
    gnutls_x509_privkey_deinit (self->key);
  g_free (self);
}

gsize
own_pair_parse_address (const char *name, guint8 bytes[16])
{
  if (inet_pton (AF_INET, name, bytes) == 1)
    return 4;
  if (inet_pton (AF_INET6, name, bytes) == 1)
    return 16;
  return 0;
}

/* A new one ------------------------------------------------------------------------------------ */

static int
own_pair_set_names (gnutls_x509_crt_t crt, const char *const *names)
{
  int rc = 0;

  for (guint i = 0; names[i] != NULL && rc >= 0; i++)
    {
      guint8 bytes[16];
      gsize len = own_pair_parse_address (names[i], bytes);

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
own_pair_set_serial (gnutls_x509_crt_t crt)
{
  guint8 serial[SERIAL_SIZE];
  int rc = gnutls_rnd (GNUTLS_RND_NONCE, serial, sizeof serial);

  serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and of this length */
  return rc < 0 ? rc : gnutls_x509_crt_set_serial (crt, serial, sizeof serial);
}

/* Clients take a certificate whose common name starts with "derpkey" for the meta certificate and
 * skip it. */
static const char *
own_pair_common_name (const char *name)
{
  return strlen (name) > COMMON_NAME_MAX || g_ascii_strncasecmp (name, "derpkey", 7) == 0 ? "relay"
                                                                                          : name;
}

static int
own_pair_fill (OwnPair *self, const char *const *names, guint days, gint64 now_s)
{
  gnutls_x509_crt_t crt = self->crt;
  const char *subject = own_pair_common_name (names[0]);
  int rc = gnutls_x509_crt_set_version (crt, 3);

  if (rc >= 0)
    rc = own_pair_set_serial (crt);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, subject,
                                        (unsigned) strlen (subject));
  if (rc >= 0)
    rc = gnutls_x509_crt_set_activation_time (crt, (time_t) (now_s - EARLY_S));
  if (rc >= 0)
    rc = gnutls_x509_crt_set_expiration_time (crt, (time_t) (now_s + (gint64) days * DAY_S));
  if (rc >= 0)
    rc = gnutls_x509_crt_set_key (crt, self->key);
  if (rc >= 0)
    rc = own_pair_set_names (crt, names);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_basic_constraints (crt, 0, -1);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_key_usage (crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_key_purpose_oid (crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
  if (rc >= 0)
    rc = gnutls_x509_crt_sign2 (crt, crt, self->key, GNUTLS_DIG_SHA256, 0);
  return rc;
}

/* GnuTLS finds extensions only in a certificate that was parsed, not in one that was just made. */
static OwnPair *
own_pair_read_again (const OwnPair *self)
{
  g_autofree char *crt = own_pair_crt_pem (self);
  char *key = own_pair_key_pem (self);
  g_autoptr (OwnPair) pair = own_pair_parse (crt, crt != NULL ? strlen (crt) : 0, key,
                                             key != NULL ? strlen (key) : 0);

  own_pair_wipe (key);
  return own_pair_is_whole (pair) ? g_steal_pointer (&pair) : NULL;
}

OwnPair *
own_pair_new (const char *const *names, guint days, gint64 now_s, GError **error)
{
  g_autoptr (OwnPair) self = g_new0 (OwnPair, 1);
  OwnPair *pair = NULL;
  int rc = gnutls_x509_privkey_init (&self->key);

  if (rc >= 0)
    rc = gnutls_x509_privkey_generate (self->key, GNUTLS_PK_ECDSA,
                                       GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0);
  if (rc >= 0)
    rc = gnutls_x509_crt_init (&self->crt);
  if (rc >= 0)
    rc = own_pair_fill (self, names, days, now_s);
  if (rc >= 0)
    pair = own_pair_read_again (self);
  if (pair == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "no certificate could be made: %s",
                 rc < 0 ? gnutls_strerror (rc) : "it cannot be read back");
  return pair;
}

/* One that was read ---------------------------------------------------------------------------- */

static gnutls_x509_crt_t
own_pair_parse_crt (const gnutls_datum_t *pem)
{
  gnutls_x509_crt_t crt = NULL;

  if (gnutls_x509_crt_init (&crt) >= 0
      && gnutls_x509_crt_import (crt, pem, GNUTLS_X509_FMT_PEM) >= 0)
    return crt;
  g_clear_pointer (&crt, gnutls_x509_crt_deinit);
  return NULL;
}

static gnutls_x509_privkey_t
own_pair_parse_key (const gnutls_datum_t *pem)
{
  gnutls_x509_privkey_t key = NULL;

  if (gnutls_x509_privkey_init (&key) >= 0
      && gnutls_x509_privkey_import (key, pem, GNUTLS_X509_FMT_PEM) >= 0)
    return key;
  g_clear_pointer (&key, gnutls_x509_privkey_deinit);
  return NULL;
}

OwnPair *
own_pair_parse (const char *crt_pem, gsize crt_len, const char *key_pem, gsize key_len)
{
  OwnPair *self = g_new0 (OwnPair, 1);
  const gnutls_datum_t crt = { (unsigned char *) crt_pem, (unsigned) crt_len };
  const gnutls_datum_t key = { (unsigned char *) key_pem, (unsigned) key_len };

  if (crt_pem != NULL)
    self->crt = own_pair_parse_crt (&crt);
  if (key_pem != NULL)
    self->key = own_pair_parse_key (&key);
  return self;
}

static gboolean
own_pair_crt_id (const OwnPair *self, guint8 id[KEY_ID_SIZE])
{
  size_t len = KEY_ID_SIZE;

  return self->crt != NULL
      && gnutls_x509_crt_get_key_id (self->crt, GNUTLS_KEYID_USE_SHA256, id, &len) >= 0;
}

static gboolean
own_pair_key_id (const OwnPair *self, guint8 id[KEY_ID_SIZE])
{
  size_t len = KEY_ID_SIZE;

  return self->key != NULL
      && gnutls_x509_privkey_get_key_id (self->key, GNUTLS_KEYID_USE_SHA256, id, &len) >= 0;
}

gboolean
own_pair_is_whole (const OwnPair *self)
{
  guint8 of_crt[KEY_ID_SIZE], of_key[KEY_ID_SIZE];

  return own_pair_crt_id (self, of_crt) && own_pair_key_id (self, of_key)
      && memcmp (of_crt, of_key, sizeof of_crt) == 0;
}

gboolean
own_pair_shares_half (const OwnPair *self, const OwnPair *other)
{
  guint8 mine[KEY_ID_SIZE], theirs[KEY_ID_SIZE];

  if (self->crt != NULL && other->crt != NULL)
    return gnutls_x509_crt_equals (self->crt, other->crt) != 0;
  return own_pair_key_id (self, mine) && own_pair_key_id (other, theirs)
      && memcmp (mine, theirs, sizeof mine) == 0;
}

/* The name at @index of the certificate as a text; NULL: of another kind. FALSE: no more. */
static gboolean
own_pair_nth_name (const OwnPair *self, guint index, char **name)
{
  char buffer[512];
  char text[INET6_ADDRSTRLEN];
  size_t len = sizeof buffer;
  int kind = gnutls_x509_crt_get_subject_alt_name (self->crt, index, buffer, &len, NULL);

  *name = NULL;
  if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
    return FALSE;
  if (kind == GNUTLS_SAN_DNSNAME && memchr (buffer, 0, len) == NULL)
    *name = g_strndup (buffer, len);
  else if (kind == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16))
    *name = g_strdup (inet_ntop (len == 4 ? AF_INET : AF_INET6, buffer, text, sizeof text));
  return TRUE;
}

static GPtrArray *
own_pair_list_names (const OwnPair *self)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  char *name;

  for (guint i = 0; i < 1000 && own_pair_nth_name (self, i, &name); i++)
    if (name != NULL)
      g_ptr_array_add (names, name);
  return names;
}

gboolean
own_pair_same_name (const char *a, const char *b)
{
  guint8 bytes_a[16], bytes_b[16];
  gsize len = own_pair_parse_address (a, bytes_a);

  if (len == 0)
    return g_ascii_strcasecmp (a, b) == 0;
  return own_pair_parse_address (b, bytes_b) == len && memcmp (bytes_a, bytes_b, len) == 0;
}

gboolean
own_pair_has_names (const OwnPair *self, const char *const *names)
{
  g_autoptr (GPtrArray) own = own_pair_list_names (self);

  for (guint i = 0; names[i] != NULL; i++)
    {
      gboolean found = FALSE;

      for (guint k = 0; k < own->len && !found; k++)
        found = own_pair_same_name (names[i], own->pdata[k]);
      if (!found)
        return FALSE;
    }
  return TRUE;
}

gint64
own_pair_not_before (const OwnPair *self)
{
  return (gint64) gnutls_x509_crt_get_activation_time (self->crt);
}

gint64
own_pair_not_after (const OwnPair *self)
{
  return (gint64) gnutls_x509_crt_get_expiration_time (self->crt);
}

/* In other forms ------------------------------------------------------------------------------- */

static GBytes *
own_pair_crt_der (const OwnPair *self)
{
  gnutls_datum_t der = { NULL, 0 };

  if (gnutls_x509_crt_export2 (self->crt, GNUTLS_X509_FMT_DER, &der) < 0)
    return NULL;
  return g_bytes_new_with_free_func (der.data, der.size, gnutls_free, der.data);
}

DetourCert *
own_pair_to_cert (const OwnPair *self)
{
  g_autoptr (GBytes) chain = own_pair_crt_der (self);
  g_autoptr (GPtrArray) names = own_pair_list_names (self);
  gnutls_datum_t der = { NULL, 0 };
  DetourCert *cert;

  if (chain == NULL
      || gnutls_x509_privkey_export2_pkcs8 (self->key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN,
                                            &der)
             < 0)
    return NULL;
  g_ptr_array_add (names, NULL);
  cert = detour_cert_new (&chain, 1, der.data, der.size, (const char *const *) names->pdata,
                          own_pair_not_before (self), own_pair_not_after (self));
  gnutls_memset (der.data, 0, der.size);
  gnutls_free (der.data);
  return cert;
}

char *
own_pair_pin (const OwnPair *self)
{
  g_autoptr (GBytes) der = own_pair_crt_der (self);

  return der != NULL ? g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, der) : NULL;
}

char *
own_pair_crt_pem (const OwnPair *self)
{
  gnutls_datum_t pem = { NULL, 0 };
  char *text;

  if (gnutls_x509_crt_export2 (self->crt, GNUTLS_X509_FMT_PEM, &pem) < 0)
    return NULL;
  text = g_strndup ((const char *) pem.data, pem.size);
  gnutls_free (pem.data);
  return text;
}

char *
own_pair_key_pem (const OwnPair *self)
{
  gnutls_datum_t pem = { NULL, 0 };
  char *text;

  if (gnutls_x509_privkey_export2_pkcs8 (self->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                         &pem)
      < 0)
    return NULL;
  text = g_strndup ((const char *) pem.data, pem.size);
  gnutls_memset (pem.data, 0, pem.size);
  gnutls_free (pem.data);
  return text;
}

void
own_pair_wipe (char *pem)
{
  if (pem != NULL)
    gnutls_memset (pem, 0, strlen (pem));
  g_free (pem);
}
