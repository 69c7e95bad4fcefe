/* tls-metacert.c: the throw-away certificate that tells a client the DERP key during the
 * handshake.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The DER is written here byte by byte, because the common name has 71 characters where X.520
 * allows 64, and libraries refuse or warn. A client scans every certificate it gets for this one
 * and reads subject and serial number; a client that cannot parse it fails the whole handshake, so
 * it has to be strict DER. */
#include "config.h"

#include "tls-metacert.h"

#include <gio/gio.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#define ED25519_KEY_SIZE       32
#define ED25519_SIGNATURE_SIZE 64

enum {
  DER_BOOLEAN = 0x01,
  DER_INTEGER = 0x02,
  DER_BIT_STRING = 0x03,
  DER_OCTET_STRING = 0x04,
  DER_PRINTABLE_STRING = 0x13,
  DER_UTC_TIME = 0x17,
  DER_GENERALIZED_TIME = 0x18,
  DER_SEQUENCE = 0x30,
  DER_SET = 0x31,
  DER_VERSION = 0xa0,    /* [0] of TBSCertificate */
  DER_EXTENSIONS = 0xa3, /* [3] of TBSCertificate */
};

static const guint8 oid_ed25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };           /* 1.3.101.112 */
static const guint8 oid_common_name[] = { 0x06, 0x03, 0x55, 0x04, 0x03 };       /* 2.5.4.3 */
static const guint8 oid_basic_constraints[] = { 0x06, 0x03, 0x55, 0x1d, 0x13 }; /* 2.5.29.19 */

static void
tls_metacert_der_append (GByteArray *to, guint8 tag, const guint8 *body, gsize len)
{
  guint8 head[4] = { tag };
  guint head_len = 2;

  g_assert (len <= G_MAXUINT16);
  if (len < 0x80)
    head[1] = (guint8) len;
  else if (len <= G_MAXUINT8)
    {
      head[1] = 0x81;
      head[2] = (guint8) len;
      head_len = 3;
    }
  else
    {
      head[1] = 0x82;
      head[2] = (guint8) (len >> 8);
      head[3] = (guint8) len;
      head_len = 4;
    }
  g_byte_array_append (to, head, head_len);
  g_byte_array_append (to, body, (guint) len);
}

/* Appends @body under @tag and consumes @body. */
static void
tls_metacert_der_wrap (GByteArray *to, guint8 tag, GByteArray *body)
{
  tls_metacert_der_append (to, tag, body->data, body->len);
  g_byte_array_unref (body);
}

static void
tls_metacert_der_append_bits (GByteArray *to, const guint8 *bits, gsize len)
{
  GByteArray *body = g_byte_array_sized_new ((guint) len + 1);

  g_byte_array_append (body, (const guint8[]) { 0 }, 1); /* unused bits in the last byte */
  g_byte_array_append (body, bits, (guint) len);
  tls_metacert_der_wrap (to, DER_BIT_STRING, body);
}

static void
tls_metacert_der_append_algorithm (GByteArray *to)
{
  tls_metacert_der_append (to, DER_SEQUENCE, oid_ed25519, sizeof oid_ed25519);
}

static void
tls_metacert_der_append_name (GByteArray *to, const char *common_name)
{
  GByteArray *pair = g_byte_array_new ();
  GByteArray *set = g_byte_array_new ();
  GByteArray *names = g_byte_array_new ();

  g_byte_array_append (pair, oid_common_name, sizeof oid_common_name);
  tls_metacert_der_append (pair, DER_PRINTABLE_STRING, (const guint8 *) common_name,
                           strlen (common_name));
  tls_metacert_der_wrap (set, DER_SEQUENCE, pair);
  tls_metacert_der_wrap (names, DER_SET, set);
  tls_metacert_der_wrap (to, DER_SEQUENCE, names);
}

static void
tls_metacert_der_append_time (GByteArray *to, gint64 unix_s)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (unix_s);
  gboolean utc = g_date_time_get_year (time) < 2050; /* X.509 changes the time format there */
  g_autofree char *text = g_date_time_format (time, utc ? "%y%m%d%H%M%SZ" : "%Y%m%d%H%M%SZ");

  tls_metacert_der_append (to, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, (const guint8 *) text,
                           strlen (text));
}

static void
tls_metacert_der_append_not_a_ca (GByteArray *to)
{
  static const guint8 critical[] = { 0xff };
  static const guint8 not_a_ca[] = { DER_SEQUENCE, 0x00 };
  GByteArray *extension = g_byte_array_new ();
  GByteArray *list = g_byte_array_new ();
  GByteArray *extensions = g_byte_array_new ();

  g_byte_array_append (extension, oid_basic_constraints, sizeof oid_basic_constraints);
  tls_metacert_der_append (extension, DER_BOOLEAN, critical, sizeof critical);
  tls_metacert_der_append (extension, DER_OCTET_STRING, not_a_ca, sizeof not_a_ca);
  tls_metacert_der_wrap (list, DER_SEQUENCE, extension);
  tls_metacert_der_wrap (extensions, DER_SEQUENCE, list);
  tls_metacert_der_wrap (to, DER_EXTENSIONS, extensions);
}

/* The part that is signed. */
static GByteArray *
tls_metacert_body (const char *common_name, gint64 now_s, const guint8 public_key[ED25519_KEY_SIZE])
{
  static const guint8 version_3[] = { DER_INTEGER, 1, 2 };
  static const guint8 serial[] = { 2 }; /* the version of the DERP protocol */
  GByteArray *fields = g_byte_array_new ();
  GByteArray *validity = g_byte_array_new ();
  GByteArray *key_info = g_byte_array_new ();
  GByteArray *body = g_byte_array_new ();

  tls_metacert_der_append (fields, DER_VERSION, version_3, sizeof version_3);
  tls_metacert_der_append (fields, DER_INTEGER, serial, sizeof serial);
  tls_metacert_der_append_algorithm (fields);
  tls_metacert_der_append_name (fields, common_name);
  tls_metacert_der_append_time (validity, now_s - TLS_METACERT_SPAN_S);
  tls_metacert_der_append_time (validity, now_s + TLS_METACERT_SPAN_S);
  tls_metacert_der_wrap (fields, DER_SEQUENCE, validity);
  tls_metacert_der_append_name (fields, common_name);
  tls_metacert_der_append_algorithm (key_info);
  tls_metacert_der_append_bits (key_info, public_key, ED25519_KEY_SIZE);
  tls_metacert_der_wrap (fields, DER_SEQUENCE, key_info);
  tls_metacert_der_append_not_a_ca (fields);
  tls_metacert_der_wrap (body, DER_SEQUENCE, fields);
  return body;
}

/* Signs @body with a throw-away key; @public_key is already in it. */
static GBytes *
tls_metacert_sign (gnutls_privkey_t key, GByteArray *body, GError **error)
{
  gnutls_datum_t data = { body->data, body->len };
  gnutls_datum_t signature = { NULL, 0 };
  GByteArray *fields;
  GByteArray *certificate;
  int rc = gnutls_privkey_sign_data2 (key, GNUTLS_SIGN_EDDSA_ED25519, 0, &data, &signature);

  if (rc < 0 || signature.size != ED25519_SIGNATURE_SIZE)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "the meta certificate cannot be signed: %s",
                   rc < 0 ? gnutls_strerror (rc) : "wrong length of the signature");
      gnutls_free (signature.data);
      return NULL;
    }
  fields = g_byte_array_new ();
  certificate = g_byte_array_new ();
  g_byte_array_append (fields, body->data, body->len);
  tls_metacert_der_append_algorithm (fields);
  tls_metacert_der_append_bits (fields, signature.data, signature.size);
  gnutls_free (signature.data);
  tls_metacert_der_wrap (certificate, DER_SEQUENCE, fields);
  return g_byte_array_free_to_bytes (certificate);
}

static GBytes *
tls_metacert_make (gnutls_privkey_t key, const char *common_name, gint64 now_s, GError **error)
{
  g_autoptr (GByteArray) body = NULL;
  gnutls_datum_t x = { NULL, 0 }, secret = { NULL, 0 };
  int rc = gnutls_privkey_generate (key, GNUTLS_PK_EDDSA_ED25519,
                                    GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_ED25519), 0);

  if (rc >= 0)
    rc = gnutls_privkey_export_ecc_raw2 (key, NULL, &x, NULL, &secret, 0);
  if (rc >= 0 && x.size == ED25519_KEY_SIZE)
    body = tls_metacert_body (common_name, now_s, x.data);
  if (secret.data != NULL)
    gnutls_memset (secret.data, 0, secret.size);
  gnutls_free (secret.data);
  gnutls_free (x.data);
  if (body == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "no Ed25519 key for the meta certificate: %s",
                   rc < 0 ? gnutls_strerror (rc) : "wrong length of the public key");
      return NULL;
    }
  return tls_metacert_sign (key, body, error);
}

GBytes *
tls_metacert_new (const guint8 *server_key, gint64 now_s, GError **error)
{
  g_autoptr (GString) common_name = g_string_new ("derpkey");
  gnutls_privkey_t key;
  GBytes *der;
  int rc;

  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    g_string_append_printf (common_name, "%02x", server_key[i]);

  rc = gnutls_privkey_init (&key);
  if (rc < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "no Ed25519 key for the meta certificate: %s", gnutls_strerror (rc));
      return NULL;
    }
  der = tls_metacert_make (key, common_name->str, now_s, error);
  gnutls_privkey_deinit (key);
  return der;
}
