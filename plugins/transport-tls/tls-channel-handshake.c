/* tls-channel-handshake.c: the handshake of the channel that leaves records to GnuTLS.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-channel-gnutls-private.h"

#include <string.h>

static const char
    plain_http_answer[] = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n"
                          "This port speaks HTTPS, and the request came without encryption.\n";

static gboolean
tls_gnutls_looks_like_http (const guint8 *data, gsize len)
{
  static const char *const methods[] = { "GET /", "HEAD /",   "POST /",
                                         "PUT /", "OPTIONS ", "CONNECT " };

  for (guint i = 0; i < G_N_ELEMENTS (methods); i++)
    {
      gsize n = strlen (methods[i]);

      if (len >= n && memcmp (data, methods[i], n) == 0)
        return TRUE;
    }
  return FALSE;
}

static DetourChannelResult
tls_gnutls_handshake_failed (TlsChannel *self, int rc, const char **reason)
{
  *reason = tls_channel_gnutls_reason (self, rc);
  if (self->choice.missing && self->choice.is_challenge)
    {
      *reason = "no challenge waits for the name that was asked for";
      gnutls_alert_send (self->session, GNUTLS_AL_FATAL, GNUTLS_A_UNRECOGNIZED_NAME);
    }
  else if (self->choice.missing)
    {
      *reason = "no certificate to serve"; /* GnuTLS only knows that no cipher fits */
      gnutls_alert_send (self->session, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
    }
  else if (rc == GNUTLS_E_NO_CIPHER_SUITES
           && tls_credentials_is_tls13_only (self->choice.credentials)
           && gnutls_protocol_get_version (self->session) != GNUTLS_TLS1_3)
    {
      /* RFC 8446, D.2: GnuTLS goes on with 1.2, for which it has no cipher then. */
      *reason = "TLS 1.3 was not offered, and min-version wants it";
      gnutls_alert_send (self->session, GNUTLS_AL_FATAL, GNUTLS_A_PROTOCOL_VERSION);
    }
  else if (rc != GNUTLS_E_FATAL_ALERT_RECEIVED)
    gnutls_alert_send_appropriate (self->session, rc);
  tls_credentials_count (self->choice.credentials, TLS_COUNT_FAILED);
  return rc == GNUTLS_E_CERTIFICATE_ERROR || rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR
           ? DETOUR_CHANNEL_UNTRUSTED
           : DETOUR_CHANNEL_BAD;
}

/* The peer exceeded a limit without finishing the handshake. */
static DetourChannelResult
tls_gnutls_handshake_endless (TlsChannel *self, const char **reason)
{
  *reason = self->content > MESSAGES_MAX     ? "more than 16 KiB of handshake messages"
          : self->taken > HANDSHAKE_WIRE_MAX ? "more than 128 KiB before the end of the handshake"
                                             : "too many records in a row that bring nothing";
  gnutls_alert_send (self->session, GNUTLS_AL_FATAL, GNUTLS_A_UNEXPECTED_MESSAGE);
  tls_credentials_count (self->choice.credentials, TLS_COUNT_FAILED);
  return DETOUR_CHANNEL_BAD;
}

static void
tls_gnutls_handshake_done (TlsChannel *self)
{
  gboolean tls13 = gnutls_protocol_get_version (self->session) == GNUTLS_TLS1_3;

  self->finished = TRUE;
  self->useless = 0;
  g_clear_pointer (&self->choice.local, g_free);
  tls_credentials_count (self->choice.credentials, tls13 ? TLS_COUNT_TLS13 : TLS_COUNT_TLS12);
}

/* The certificate was all that the authority wants to see. */
static DetourChannelResult
tls_gnutls_was_challenge (TlsChannel *self, const char **reason)
{
  *reason = "a challenge was answered";
  gnutls_bye (self->session, GNUTLS_SHUT_WR);
  return DETOUR_CHANNEL_CLOSED;
}

/* GnuTLS cannot stop between the hello and the certificate, so the same bytes are given to another
 * session later. Nothing was sent yet. */
static DetourChannelResult
tls_gnutls_put_off (TlsChannel *self, const char **reason)
{
  gnutls_deinit (self->session);
  self->session = NULL;
  if (!tls_channel_gnutls_open (self, GNUTLS_SERVER) || !tls_channel_gnutls_arm (self))
    {
      *reason = "no session for a handshake that has to wait";
      return DETOUR_CHANNEL_BAD;
    }
  self->put_off = TRUE;
  self->in_len = 0;
  self->head_len = 0;
  self->body_left = 0;
  self->taken = self->content = 0;
  self->useless = 0;
  return DETOUR_CHANNEL_WAIT;
}

static DetourChannelResult
tls_gnutls_handshake_step (TlsChannel *self, const char **reason)
{
  for (guint idle = 0; idle <= USELESS_MAX;)
    {
      gsize before = self->in_len;
      int rc = gnutls_handshake (self->session);

      if (self->choice.waits && self->hello != NULL)
        return tls_gnutls_put_off (self, reason);
      if (rc == GNUTLS_E_SUCCESS)
        {
          tls_gnutls_handshake_done (self);
          return self->choice.is_challenge ? tls_gnutls_was_challenge (self, reason)
                                           : DETOUR_CHANNEL_OK;
        }
      if (rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED && gnutls_error_is_fatal (rc))
        return tls_gnutls_handshake_failed (self, rc, reason);
      if (self->useless > USELESS_MAX || self->content > MESSAGES_MAX
          || self->taken > HANDSHAKE_WIRE_MAX)
        return tls_gnutls_handshake_endless (self, reason);
      if ((rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED) && self->in_len == 0)
        return DETOUR_CHANNEL_MORE;
      if (self->in_len == before)
        idle++;
    }
  return tls_gnutls_handshake_endless (self, reason);
}

/* While a certificate is expected: what comes is kept until the relay has answered. */
static DetourChannelResult
tls_gnutls_handshake_kept (TlsChannel *self, const char **reason)
{
  DetourChannelResult result;

  g_byte_array_append (self->hello, self->in, (guint) self->in_len);
  if (self->put_off)
    {
      if (!tls_credentials_look_again (self->choice.credentials, &self->choice))
        {
          self->in_len = 0;
          return DETOUR_CHANNEL_WAIT;
        }
      self->put_off = FALSE;
      self->in = self->hello->data;
      self->in_len = self->hello->len;
    }
  result = tls_gnutls_handshake_step (self, reason);
  if (result != DETOUR_CHANNEL_WAIT && self->choice.pair != NULL)
    g_clear_pointer (&self->hello, g_byte_array_unref);
  return result;
}

DetourChannelResult
tls_channel_gnutls_handshake (gpointer ptr, const guint8 *in, gsize len, gsize *used,
                              DetourBuffer *out, const char **reason)
{
  TlsChannel *self = ptr;
  DetourChannelResult result = DETOUR_CHANNEL_MORE;
  gboolean flushed = tls_channel_gnutls_flush (self, out);

  g_assert (len >= self->owed);
  if (!flushed)
    {
      *used = 0;
      return DETOUR_CHANNEL_MORE;
    }
  if (!self->begun && tls_gnutls_looks_like_http (in, len))
    {
      tls_channel_gnutls_put (self, (const guint8 *) plain_http_answer,
                              sizeof plain_http_answer - 1);
      *used = len;
      *reason = "the peer speaks HTTP without TLS";
      tls_credentials_count (self->choice.credentials, TLS_COUNT_FAILED);
      return DETOUR_CHANNEL_BAD;
    }
  self->begun = self->begun || len > 0;
  self->in = in + self->owed;
  self->in_len = len - self->owed;
  self->owed = 0;
  if (self->hello != NULL && !self->finished)
    result = tls_gnutls_handshake_kept (self, reason);
  else if (self->finished)
    result = DETOUR_CHANNEL_OK;
  else
    result = tls_gnutls_handshake_step (self, reason);
  *used = len - MIN (len, self->in_len);
  self->in = NULL;
  self->in_len = 0;

  if (self->kept != NULL && (result == DETOUR_CHANNEL_OK || result == DETOUR_CHANNEL_MORE))
    {
      /* The caller calls again only if bytes are left. When all were consumed, the last one is
       * reported as unused. */
      if (*used == len && len > 0)
        {
          self->owed = 1;
          *used -= 1;
        }
      result = DETOUR_CHANNEL_MORE;
    }
  return result;
}
