/* tls-secrets.c: captures the traffic secrets of a GnuTLS session and makes a channel of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-secrets.h"

#include <sodium.h>
#include <string.h>

void
tls_secrets_note (TlsSecrets *self, gnutls_record_encryption_level_t level, const void *read,
                  const void *write, size_t len)
{
  if (level != GNUTLS_ENCRYPTION_LEVEL_APPLICATION || len > TLS_SECRET_MAX)
    return;
  if (read != NULL)
    {
      memcpy (self->read, read, len);
      self->read_len = (guint8) len;
    }
  if (write != NULL)
    {
      memcpy (self->write, write, len);
      self->write_len = (guint8) len;
    }
}

void
tls_secrets_wipe (TlsSecrets *self)
{
  sodium_memzero (self, sizeof *self);
}

static gboolean
tls_secrets_cipher_of (gnutls_session_t session, TlsCipher *cipher)
{
  switch (gnutls_cipher_get (session))
    {
    case GNUTLS_CIPHER_AES_128_GCM:
      *cipher = TLS_CIPHER_AES_128_GCM;
      return TRUE;
    case GNUTLS_CIPHER_AES_256_GCM:
      *cipher = TLS_CIPHER_AES_256_GCM;
      return TRUE;
    case GNUTLS_CIPHER_CHACHA20_POLY1305:
      *cipher = TLS_CIPHER_CHACHA20_POLY1305;
      return TRUE;
    default:
      return FALSE;
    }
}

static gboolean
tls_secrets_seq_of (gnutls_session_t session, gboolean read, guint64 *seq)
{
  unsigned char bytes[8];

  if (gnutls_record_get_state (session, read ? 1 : 0, NULL, NULL, NULL, bytes) < 0)
    return FALSE;
  *seq = 0;
  for (guint i = 0; i < sizeof bytes; i++)
    *seq = *seq << 8 | bytes[i];
  return TRUE;
}

/* Checks that GnuTLS writes with the key derived here; otherwise the captured secret is not the
 * expected one. */
static gboolean
tls_secrets_is_key_of (const TlsKeys *keys, gnutls_session_t session, gboolean read)
{
  gnutls_datum_t key;

  return gnutls_record_get_state (session, read ? 1 : 0, NULL, NULL, &key, NULL) >= 0
      && key.size == tls_cipher_key_size (keys->cipher)
      && sodium_memcmp (key.data, keys->key, key.size) == 0;
}

gpointer
tls_secrets_export (const TlsSecrets *self, gnutls_session_t session, gboolean is_client,
                    const char *sni)
{
  TlsExportStart start = {
    .is_client = is_client, .read_secret = self->read, .write_secret = self->write, .sni = sni
  };
  gpointer channel;

  if (gnutls_protocol_get_version (session) != GNUTLS_TLS1_3
      || !tls_secrets_cipher_of (session, &start.cipher)
      || self->read_len != tls_keys_secret_size (start.cipher) || self->write_len != self->read_len
      || gnutls_record_check_pending (session) != 0
      || !tls_secrets_seq_of (session, TRUE, &start.read_seq)
      || !tls_secrets_seq_of (session, FALSE, &start.write_seq))
    return NULL;
  channel = tls_channel_export_new (&start);
  if (channel == NULL)
    return NULL;
  if (!tls_secrets_is_key_of (tls_channel_export_keys (channel, TRUE), session, TRUE)
      || !tls_secrets_is_key_of (tls_channel_export_keys (channel, FALSE), session, FALSE))
    {
      tls_channel_export_class.free (channel);
      return NULL;
    }
  return channel;
}
