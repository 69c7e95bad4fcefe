/* tls-dial.c: how the server at the other end of a link is known.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-dial.h"

#include <gio/gio.h>
#include <string.h>

#define PIN_PREFIX "sha256-raw:"

/* A bundle of all authorities of a system has some 250 KB. */
#define CA_FILE_MAX ((gsize) 4 << 20)

/* The server must have one of the certificates that the session's pointer names by their pins. */
static int
tls_dial_check_pin (gnutls_session_t session)
{
  const TlsDial *self = gnutls_session_get_ptr (session);
  g_auto (GStrv) pins = g_strsplit (self->pin, ";", -1);
  unsigned n = 0;
  const gnutls_datum_t *chain = gnutls_certificate_get_peers (session, &n);
  guint8 digest[32];
  size_t len = sizeof digest;
  g_autoptr (GString) text = g_string_new (PIN_PREFIX);

  if (n == 0 || gnutls_fingerprint (GNUTLS_DIG_SHA256, &chain[0], digest, &len) < 0)
    return GNUTLS_E_CERTIFICATE_ERROR;
  for (gsize i = 0; i < len; i++)
    g_string_append_printf (text, "%02x", digest[i]);
  for (guint i = 0; pins[i] != NULL; i++)
    if (g_ascii_strcasecmp (text->str, pins[i]) == 0)
      return 0;
  return GNUTLS_E_CERTIFICATE_ERROR;
}

/* Read at each attempt, so that a file that changed counts from the next one on. */
static gboolean
tls_dial_read_authorities (TlsDial *self, const char *ca_file, GError **error)
{
  g_auto (DetourFile) file = { 0 };
  gnutls_datum_t data;
  int n;

  if (!detour_file_read (ca_file, CA_FILE_MAX, 0, &file, error))
    return FALSE;
  data = (gnutls_datum_t) { (unsigned char *) file.data, (unsigned) file.len };
  n = gnutls_certificate_set_x509_trust_mem (self->own, &data, GNUTLS_X509_FMT_PEM);
  if (n > 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: %s", ca_file,
               n < 0 ? gnutls_strerror (n) : "it has no certificate");
  return FALSE;
}

static gboolean
tls_dial_choose (TlsDial *self, TlsCredentials *credentials, const char *ca_file,
                 gnutls_certificate_credentials_t *trust, GError **error)
{
  int rc = 0;

  if (self->pin == NULL && ca_file == NULL)
    rc = tls_credentials_roots (credentials, trust);
  else
    {
      rc = gnutls_certificate_allocate_credentials (&self->own);
      *trust = self->own;
    }
  if (rc >= 0)
    return self->pin != NULL || ca_file == NULL || tls_dial_read_authorities (self, ca_file, error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
               "the certificate of \"%s\" cannot be verified: %s", self->host,
               gnutls_strerror (rc));
  return FALSE;
}

gboolean
tls_dial_init (TlsDial *self, TlsCredentials *credentials, gnutls_session_t session,
               const char *host, const char *pin, const char *ca_file, GError **error)
{
  gnutls_certificate_credentials_t trust = NULL;
  int rc;

  self->host = g_strdup (host);
  self->pin = g_strdup (pin);
  if (!tls_dial_choose (self, credentials, ca_file, &trust, error))
    return FALSE;
  rc = tls_credentials_arm_client (credentials, session, trust, self->host);
  if (rc < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "TLS has no session for \"%s\": %s", host,
                   gnutls_strerror (rc));
      return FALSE;
    }
  if (pin != NULL)
    {
      gnutls_session_set_ptr (session, self);
      gnutls_session_set_verify_function (session, tls_dial_check_pin);
    }
  else
    gnutls_session_set_verify_cert (session, self->host, 0);
  return TRUE;
}

void
tls_dial_clear (TlsDial *self)
{
  if (self->own != NULL)
    gnutls_certificate_free_credentials (self->own);
  g_free (self->host);
  g_free (self->pin);
}
