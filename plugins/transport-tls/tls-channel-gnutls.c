/* tls-channel-gnutls.c: the channel that leaves records to GnuTLS.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GnuTLS never sees a descriptor: it pulls from the span that core read in bulk, and what it
 * pushes goes into the buffer that core sends. So pushing never blocks, and only the end of the
 * span makes a call of GnuTLS incomplete. */
#include "config.h"

#include "tls-channel-gnutls-private.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#include "tls-secrets.h"

/* Follows the records of the handshake: those that carry a piece of a handshake message, however
 * small, bring it on; all others are useless. */
static void
tls_gnutls_note_pulled (TlsChannel *self, const guint8 *data, gsize len)
{
  self->taken += (guint32) len;
  while (len > 0)
    {
      gsize n = MIN (len, self->body_left);

      if (n == 0)
        {
          n = MIN (len, (gsize) RECORD_HEAD_SIZE - self->head_len);
          memcpy (self->head + self->head_len, data, n);
          self->head_len += (guint8) n;
        }
      else
        self->body_left -= (guint16) n;
      if (self->head_len == RECORD_HEAD_SIZE)
        {
          self->head_len = 0;
          self->body_left = (guint16) (self->head[3] << 8 | self->head[4]);
          if (self->body_left > 0
              && (self->head[0] == RECORD_HANDSHAKE || self->head[0] == RECORD_PROTECTED_DATA))
            {
              self->useless = 0;
              self->content += self->body_left;
            }
          else if (self->useless < G_MAXUINT8)
            self->useless++;
        }
      data += n;
      len -= n;
    }
}

static ssize_t
tls_gnutls_pull (gnutls_transport_ptr_t ptr, void *data, size_t len)
{
  TlsChannel *self = ptr;
  gsize n = MIN (len, self->in_len);

  if (n == 0)
    {
      gnutls_transport_set_errno (self->session, EAGAIN);
      return -1;
    }
  memcpy (data, self->in, n);
  self->in += n;
  self->in_len -= n;
  if (!self->finished)
    tls_gnutls_note_pulled (self, data, n);
  return (ssize_t) n;
}

static int
tls_gnutls_pull_timeout (gnutls_transport_ptr_t ptr, unsigned ms)
{
  TlsChannel *self = ptr;

  return self->in_len > 0;
}

void
tls_channel_gnutls_put (TlsChannel *self, const guint8 *data, gsize len)
{
  if (self->out != NULL && self->kept == NULL)
    {
      gsize n = MIN (len, self->out->cap - self->out->len);

      memcpy (self->out->data + self->out->len, data, n);
      self->out->len += n;
      data += n;
      len -= n;
    }
  if (len == 0)
    return;
  if (self->kept == NULL)
    self->kept = g_byte_array_new ();
  g_byte_array_append (self->kept, data, (guint) len);
}

static ssize_t
tls_gnutls_push (gnutls_transport_ptr_t ptr, const giovec_t *vec, int n)
{
  ssize_t sum = 0;

  for (int i = 0; i < n; i++)
    {
      tls_channel_gnutls_put (ptr, vec[i].iov_base, vec[i].iov_len);
      sum += (ssize_t) vec[i].iov_len;
    }
  return sum;
}

/* Moves what was kept into @out, which takes later pushes of this call, too. TRUE: nothing is kept
 * any more. */
gboolean
tls_channel_gnutls_flush (TlsChannel *self, DetourBuffer *out)
{
  gsize n;

  self->out = out;
  if (self->kept == NULL)
    return TRUE;
  n = MIN (self->kept->len, out->cap - out->len);
  memcpy (out->data + out->len, self->kept->data, n);
  out->len += n;
  g_byte_array_remove_range (self->kept, 0, (guint) n);
  if (self->kept->len > 0)
    return FALSE;
  g_clear_pointer (&self->kept, g_byte_array_unref);
  return TRUE;
}

static int
tls_gnutls_secret (gnutls_session_t session, gnutls_record_encryption_level_t level,
                   const void *read, const void *write, size_t len)
{
  TlsChannel *self = gnutls_transport_get_ptr (session);

  if (self->secrets != NULL)
    tls_secrets_note (self->secrets, level, read, write, len);
  return 0;
}

static void
tls_gnutls_drop_secrets (TlsChannel *self)
{
  if (self->secrets != NULL)
    tls_secrets_wipe (self->secrets);
  g_clear_pointer (&self->secrets, g_free);
}

static void
tls_gnutls_free (gpointer ptr)
{
  TlsChannel *self = ptr;

  if (self->session != NULL)
    gnutls_deinit (self->session);
  tls_gnutls_drop_secrets (self);
  g_clear_pointer (&self->kept, g_byte_array_unref);
  g_clear_pointer (&self->hello, g_byte_array_unref);
  tls_choice_clear (&self->choice);
  tls_dial_clear (&self->dial);
  g_free (self);
}

/* What both ends begin with; FALSE: GnuTLS has no session to give. */
gboolean
tls_channel_gnutls_open (TlsChannel *self, guint end)
{
  /* No tickets: sessions last for hours, and each ticket would be one more allocation. */
  if (gnutls_init (&self->session, end | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS)
      < 0)
    return FALSE;
  gnutls_transport_set_ptr (self->session, self);
  gnutls_transport_set_pull_function (self->session, tls_gnutls_pull);
  gnutls_transport_set_pull_timeout_function (self->session, tls_gnutls_pull_timeout);
  gnutls_transport_set_vec_push_function (self->session, tls_gnutls_push);
  gnutls_handshake_set_timeout (self->session,
                                GNUTLS_INDEFINITE_TIMEOUT); /* core has the deadline */
  return TRUE;
}

static TlsChannel *
tls_gnutls_begin (TlsCredentials *credentials, guint end)
{
  TlsChannel *self = g_new0 (TlsChannel, 1);

  if (!tls_channel_gnutls_open (self, end))
    {
      g_free (self);
      return NULL;
    }
  self->choice.credentials = tls_credentials_ref (credentials);
  return self;
}

/* FALSE: GnuTLS does not take what the server's session needs. */
gboolean
tls_channel_gnutls_arm (TlsChannel *self)
{
  if (self->secrets != NULL)
    gnutls_handshake_set_secret_function (self->session, tls_gnutls_secret);
  return tls_credentials_arm (self->choice.credentials, self->session, &self->choice) >= 0;
}

gpointer
tls_channel_gnutls_connect (TlsCredentials *credentials, const char *host, const char *pin,
                            const char *ca_file, GError **error)
{
  TlsChannel *self = tls_gnutls_begin (credentials, GNUTLS_CLIENT);

  if (self == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "TLS has no session for \"%s\"", host);
      return NULL;
    }
  if (tls_credentials_exports (credentials))
    {
      self->secrets = g_new0 (TlsSecrets, 1);
      gnutls_handshake_set_secret_function (self->session, tls_gnutls_secret);
    }
  if (!tls_dial_init (&self->dial, credentials, self->session, host, pin, ca_file, error))
    {
      tls_gnutls_free (self);
      return NULL;
    }
  return self;
}

gpointer
tls_channel_gnutls_new (TlsCredentials *credentials, const struct sockaddr_storage *local)
{
  TlsChannel *self = tls_gnutls_begin (credentials, GNUTLS_SERVER);

  if (self == NULL)
    return NULL;
  self->choice.local = g_memdup2 (local, sizeof *local);
  if (tls_credentials_exports (credentials))
    self->secrets = g_new0 (TlsSecrets, 1);
  if (tls_credentials_expect (credentials))
    self->hello = g_byte_array_new ();
  if (!tls_channel_gnutls_arm (self))
    {
      tls_gnutls_free (self);
      return NULL;
    }
  return self;
}

/* A static text for an error of GnuTLS; for an alert of the peer, what it says. */
const char *
tls_channel_gnutls_reason (TlsChannel *self, int rc)
{
  const char *text = NULL;

  if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED || rc == GNUTLS_E_WARNING_ALERT_RECEIVED)
    text = gnutls_alert_get_name (gnutls_alert_get (self->session));
  if (text == NULL)
    text = gnutls_strerror (rc);
  return text;
}

gpointer
tls_channel_gnutls_export (gpointer ptr)
{
  TlsChannel *self = ptr;

  /* Bytes that were read beyond the handshake, or not sent yet, would be lost. */
  if (self->secrets == NULL || !self->finished || self->kept != NULL || self->owed > 0)
    return NULL;
  return tls_secrets_export (self->secrets, self->session, self->dial.host != NULL,
                             self->choice.sni);
}

static gpointer
tls_gnutls_settle (gpointer ptr, const DetourChannelClass **cls)
{
  TlsChannel *self = ptr;
  gboolean wanted = self->secrets != NULL;
  gpointer channel = tls_channel_gnutls_export (self);

  if (wanted)
    tls_credentials_count (self->choice.credentials,
                           channel != NULL ? TLS_COUNT_EXPORTED : TLS_COUNT_NOT_EXPORTED);
  if (channel == NULL)
    {
      tls_gnutls_drop_secrets (self);
      *cls = &tls_channel_gnutls_class;
      return self;
    }
  tls_gnutls_free (self);
  *cls = &tls_channel_export_class;
  return channel;
}

static void
tls_gnutls_info (gpointer ptr, DetourChannelInfo *info)
{
  TlsChannel *self = ptr;

  info->version = gnutls_protocol_get_version (self->session) == GNUTLS_TLS1_3 ? "1.3" : "1.2";
  info->cipher = gnutls_cipher_get_name (gnutls_cipher_get (self->session));
  info->sni = self->choice.sni;
}

/* The peer violated the protocol: an alert is queued for seal(). */
static DetourChannelResult
tls_gnutls_feed_failed (TlsChannel *self, int rc)
{
  g_debug ("record refused: %s", tls_channel_gnutls_reason (self, rc));
  if (rc == GNUTLS_E_REHANDSHAKE)
    gnutls_alert_send (self->session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
  else if (rc != GNUTLS_E_FATAL_ALERT_RECEIVED)
    gnutls_alert_send_appropriate (self->session, rc);
  return DETOUR_CHANNEL_BAD;
}

static DetourChannelResult
tls_gnutls_feed_span (TlsChannel *self, DetourBuffer *plain)
{
  for (;;)
    {
      gsize room = plain->cap - plain->len;
      ssize_t n;

      g_assert (room > 0);
      n = gnutls_record_recv (self->session, plain->data + plain->len, room);
      if (n > 0)
        {
          plain->len += (gsize) n;
          self->useless = 0;
          continue;
        }
      if (n == 0)
        return DETOUR_CHANNEL_CLOSED;
      if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
        {
          /* With bytes left it means that the record had no data, as a KeyUpdate. */
          if (self->in_len == 0)
            return DETOUR_CHANNEL_OK;
        }
      else if (n != GNUTLS_E_WARNING_ALERT_RECEIVED)
        return tls_gnutls_feed_failed (self, (int) n);
      if (++self->useless > USELESS_MAX)
        return tls_gnutls_feed_failed (self, GNUTLS_E_TOO_MANY_EMPTY_PACKETS);
    }
}

static DetourChannelResult
tls_gnutls_feed (gpointer ptr, const guint8 *in, gsize len, DetourBuffer *plain, gboolean *reply)
{
  TlsChannel *self = ptr;
  DetourChannelResult result;

  self->in = in;
  self->in_len = len;
  self->out = NULL;
  result = tls_gnutls_feed_span (self, plain);
  self->in = NULL;
  self->in_len = 0;
  if (self->kept != NULL)
    *reply = TRUE;
  return result;
}

static gboolean
tls_gnutls_send (TlsChannel *self, const guint8 *data, gsize len)
{
  while (len > 0)
    {
      ssize_t n = gnutls_record_send (self->session, data, len);

      if (n <= 0)
        return FALSE;
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

static gboolean
tls_gnutls_seal (gpointer ptr, const struct iovec *plain, guint n, DetourBuffer *out)
{
  TlsChannel *self = ptr;
  guint8 scratch[DETOUR_CHANNEL_RECORD_MAX]; /* gathering here is 250 ns a record faster than cork
                                                and uncork */
  gsize held = 0;
  gboolean sent = TRUE;

  tls_channel_gnutls_flush (self, out);
  for (guint i = 0; i < n && sent; i++)
    {
      const guint8 *data = plain[i].iov_base;
      gsize left = plain[i].iov_len;

      while (left > 0 && sent)
        {
          gsize take = MIN (left, sizeof scratch - held);

          if (held == 0 && (take == sizeof scratch || i == n - 1))
            sent = tls_gnutls_send (self, data, take);
          else
            {
              memcpy (scratch + held, data, take);
              held += take;
              if (held == sizeof scratch)
                {
                  sent = tls_gnutls_send (self, scratch, held);
                  held = 0;
                }
            }
          data += take;
          left -= take;
        }
    }
  if (sent && held > 0)
    sent = tls_gnutls_send (self, scratch, held);
  self->out = NULL;
  return sent;
}

static void
tls_gnutls_close (gpointer ptr, DetourBuffer *out)
{
  TlsChannel *self = ptr;

  tls_channel_gnutls_flush (self, out);
  if (self->finished)
    gnutls_bye (self->session, GNUTLS_SHUT_WR);
  else
    {
      gnutls_alert_send (self->session, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
      tls_credentials_count (self->choice.credentials, TLS_COUNT_FAILED);
    }
  self->out = NULL;
}

const DetourChannelClass tls_channel_gnutls_class = {
  .name = "gnutls",
  .handshake = tls_channel_gnutls_handshake,
  .settle = tls_gnutls_settle,
  .info = tls_gnutls_info,
  .feed = tls_gnutls_feed,
  .seal = tls_gnutls_seal,
  .close = tls_gnutls_close,
  /* save and restore: GnuTLS cannot write a live session down and read it back. */
  .free = tls_gnutls_free,
};
