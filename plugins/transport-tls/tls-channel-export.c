/* tls-channel-export.c: the channel that handles the records of TLS 1.3 itself, from the traffic
 * secrets on.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What it owes to a peer and to an attacker, and the tests of it, are in doc/record-layer.md. */
#include "config.h"

#include "tls-channel-export.h"

#include <sodium.h>
#include <string.h>

#include "tls-message.h"
#include "tls-record.h"
#include "tls-thread.h"

/* Records without data that a peer may send in a row: empty ones, key updates, some alerts. */
#define USELESS_MAX 16

/* First room for the part of a record that was kept. */
#define PARTIAL_MIN 64u

/* One for each idle client: it ends with what has no fixed length. */
typedef struct {
  guint8 *partial; /* part of a record that was not received completely; NULL: none */
  guint16 partial_len;
  guint16 partial_cap;
  TlsMessage message;
  guint8 useless;   /* records without data in a row */
  guint8 alert;     /* to send, when `failed` */
  guint8 keys_size; /* of one direction */
  guint8 is_client : 1;
  guint8 failed : 1;      /* nothing is read any more */
  guint8 owes_alert : 1;  /* and the peer gets an alert */
  guint8 owes_update : 1; /* our keys have to change before we send anything else */
  guint8 asks : 1;        /* with our next KeyUpdate: change yours */
  guint8 asked : 1;       /* the peer has not changed its keys since we asked it to */
  guint8 peer_closed : 1;
  guint8 closed : 1; /* our last record was sent */
  guint64 room[];    /* keys to read with, keys to write with, the name that the client asked for */
} TlsExport;

static TlsKeys *
tls_export_read (TlsExport *self)
{
  return (TlsKeys *) self->room;
}

static TlsKeys *
tls_export_write (TlsExport *self)
{
  return (TlsKeys *) (self->room + self->keys_size / sizeof self->room[0]);
}

/* "": it asked for none. */
static char *
tls_export_sni (TlsExport *self)
{
  return (char *) self->room + 2 * self->keys_size;
}

G_STATIC_ASSERT (TLS_RECORD_HEAD_SIZE + TLS_RECORD_BODY_MAX <= G_MAXUINT16);
G_STATIC_ASSERT (TLS_RECORD_BODY_MAX <= DETOUR_CHANNEL_FEED_SLACK);
G_STATIC_ASSERT (TLS_RECORD_TEXT_MAX == DETOUR_CHANNEL_RECORD_MAX);
G_STATIC_ASSERT (TLS_RECORD_OVERHEAD + TLS_MESSAGE_KEY_UPDATE_SIZE <= 64);

static void
tls_export_free (gpointer ptr)
{
  TlsExport *self = ptr;

  tls_thread_forget (tls_export_read (self));
  tls_thread_forget (tls_export_write (self));
  tls_keys_wipe (tls_export_read (self));
  tls_keys_wipe (tls_export_write (self));
  g_free (self->partial);
  g_free (self);
}

gpointer
tls_channel_export_new (const TlsExportStart *start)
{
  gsize sni_size = strlen (start->sni != NULL ? start->sni : "") + 1;
  gsize keys_size = tls_keys_size (start->cipher);
  TlsExport *self = g_malloc0 (sizeof *self + 2 * keys_size + sni_size);

  G_STATIC_ASSERT (sizeof (TlsKeys) <= G_MAXUINT8 && sizeof (TlsKeys) % sizeof self->room[0] == 0);
  self->keys_size = (guint8) keys_size;
  self->is_client = start->is_client != FALSE;
  if (start->sni != NULL)
    memcpy (tls_export_sni (self), start->sni, sni_size);
  if (!tls_keys_init (tls_export_read (self), start->cipher, start->read_secret, start->read_seq)
      || !tls_keys_init (tls_export_write (self), start->cipher, start->write_secret,
                         start->write_seq))
    {
      tls_export_free (self);
      return NULL;
    }
  return self;
}

const TlsKeys *
tls_channel_export_keys (gconstpointer ptr, gboolean of_peer)
{
  TlsExport *self = (gpointer) ptr;

  return of_peer ? tls_export_read (self) : tls_export_write (self);
}

/* The channel begins after the handshake. */
static DetourChannelResult
tls_export_handshake (gpointer ptr, const guint8 *in, gsize len, gsize *used, DetourBuffer *out,
                      const char **reason)
{
  *used = 0;
  return DETOUR_CHANNEL_OK;
}

static void
tls_export_info (gpointer ptr, DetourChannelInfo *info)
{
  TlsExport *self = ptr;
  const char *sni = tls_export_sni (self);

  info->version = "1.3";
  info->cipher = tls_cipher_name (tls_export_read (self)->cipher);
  info->sni = sni[0] != '\0' ? sni : NULL;
}

/* Output --------------------------------------------------------------------------------------- */

static gboolean
tls_export_put (TlsExport *self, TlsThread *thread, TlsText text, guint8 type, DetourBuffer *out)
{
  guint8 *at = out->data + out->len;

  g_assert (out->cap - out->len >= TLS_RECORD_OVERHEAD + text.len);
  tls_record_head (at, text.len);
  if (!tls_thread_seal (thread, tls_export_write (self), at, text, type, at + TLS_RECORD_HEAD_SIZE))
    return FALSE;
  out->len += TLS_RECORD_OVERHEAD + text.len;
  return TRUE;
}

static gboolean
tls_export_put_small (TlsExport *self, TlsThread *thread, const void *data, gsize len, guint8 type,
                      DetourBuffer *out)
{
  struct iovec span = { (void *) data, len };

  return tls_export_put (self, thread, (TlsText) { &span, 0, len }, type, out);
}

static gboolean
tls_export_put_alert (TlsExport *self, TlsThread *thread, TlsAlert alert, DetourBuffer *out)
{
  guint8 text[2] = { alert == TLS_ALERT_CLOSE_NOTIFY ? 1 : 2, (guint8) alert };

  self->closed = TRUE;
  return tls_export_put_small (self, thread, text, sizeof text, TLS_TYPE_ALERT, out);
}

static gboolean
tls_export_put_update (TlsExport *self, TlsThread *thread, DetourBuffer *out)
{
  guint8 text[TLS_MESSAGE_KEY_UPDATE_SIZE];

  tls_message_key_update (text, self->asks);
  if (!tls_export_put_small (self, thread, text, sizeof text, TLS_TYPE_HANDSHAKE, out))
    return FALSE;
  self->owes_update = FALSE;
  self->asks = FALSE;
  tls_thread_forget (tls_export_write (self));
  return tls_keys_update (tls_export_write (self));
}

/* Writes the records that must precede all others. FALSE: the library failed. */
static gboolean
tls_export_put_owed (TlsExport *self, TlsThread *thread, DetourBuffer *out)
{
  if (self->closed)
    return TRUE;
  if (self->owes_alert)
    {
      self->owes_alert = FALSE;
      return tls_export_put_alert (self, thread, self->alert, out);
    }
  if (self->owes_update && !self->failed)
    return tls_export_put_update (self, thread, out);
  return TRUE;
}

static gboolean
tls_export_seal (gpointer ptr, const struct iovec *plain, guint n, DetourBuffer *out)
{
  TlsExport *self = ptr;
  TlsThread *thread = tls_thread_get ();
  TlsText rest = { plain, 0, 0 };

  for (guint i = 0; i < n; i++)
    rest.len += plain[i].iov_len;
  if (!tls_export_put_owed (self, thread, out))
    return FALSE;
  while (rest.len > 0)
    {
      TlsText text = rest;

      if (self->failed || self->closed)
        return FALSE;
      if (tls_export_write (self)->seq >= TLS_KEYS_RECORDS_MAX
          && !tls_export_put_update (self, thread, out))
        return FALSE;
      text.len = MIN (rest.len, TLS_RECORD_TEXT_MAX);
      if (!tls_export_put (self, thread, text, TLS_TYPE_DATA, out))
        return FALSE;
      rest.len -= text.len;
      if (rest.len > 0)
        for (rest.skip += text.len; rest.skip >= rest.span->iov_len; rest.span++)
          rest.skip -= rest.span->iov_len;
    }
  return TRUE;
}

static void
tls_export_close (gpointer ptr, DetourBuffer *out)
{
  TlsExport *self = ptr;
  TlsThread *thread = tls_thread_get ();

  if (!tls_export_put_owed (self, thread, out) || self->closed || self->failed)
    return;
  if (!tls_export_put_alert (self, thread, TLS_ALERT_CLOSE_NOTIFY, out))
    g_debug ("no goodbye: the library does not seal");
}

/* Input ---------------------------------------------------------------------------------------- */

static DetourChannelResult
tls_export_fail (TlsExport *self, TlsAlert alert)
{
  g_debug ("record refused: alert %u", alert);
  self->failed = TRUE;
  self->owes_alert = TRUE;
  self->alert = (guint8) alert;
  return DETOUR_CHANNEL_BAD;
}

static DetourChannelResult
tls_export_take_alert (TlsExport *self, const guint8 *text, gsize len)
{
  if (len != 2)
    return tls_export_fail (self, len == 0 ? TLS_ALERT_UNEXPECTED_MESSAGE : TLS_ALERT_DECODE_ERROR);
  if (text[1] == TLS_ALERT_CLOSE_NOTIFY)
    {
      self->peer_closed = TRUE;
      return DETOUR_CHANNEL_CLOSED;
    }
  if (text[1] == TLS_ALERT_USER_CANCELED)
    return DETOUR_CHANNEL_OK;
  /* All others end the connection, whatever their level, and are not answered. */
  g_debug ("alert %u received", text[1]);
  self->failed = TRUE;
  return DETOUR_CHANNEL_BAD;
}

static DetourChannelResult
tls_export_take_message (TlsExport *self, const guint8 *text, gsize len)
{
  TlsAlert alert = TLS_ALERT_UNEXPECTED_MESSAGE;
  TlsMessageVerdict verdict = len > 0 ? tls_message_take (&self->message, self->is_client, text,
                                                          len, &alert)
                                      : TLS_MESSAGE_BAD;

  if (verdict == TLS_MESSAGE_BAD)
    return tls_export_fail (self, alert);
  if (verdict == TLS_MESSAGE_OK)
    return DETOUR_CHANNEL_OK;
  self->asked = FALSE;
  if (verdict == TLS_MESSAGE_UPDATE_REQUESTED)
    self->owes_update = TRUE;
  tls_thread_forget (tls_export_read (self));
  return tls_keys_update (tls_export_read (self))
           ? DETOUR_CHANNEL_OK
           : tls_export_fail (self, TLS_ALERT_INTERNAL_ERROR);
}

static DetourChannelResult
tls_export_take (TlsExport *self, TlsThread *thread, const guint8 *head, TlsText sealed,
                 const guint8 *tag, DetourBuffer *plain)
{
  guint8 *text = plain->data + plain->len;
  TlsAlert alert = TLS_ALERT_BAD_RECORD_MAC;
  guint8 type = 0;
  gsize len;

  g_assert (plain->cap - plain->len >= sealed.len + TLS_AEAD_TAG_SIZE);
  if (tls_export_read (self)->seq == G_MAXUINT64)
    return tls_export_fail (self, TLS_ALERT_INTERNAL_ERROR); /* the record number would repeat */
  if (!tls_thread_open (thread, tls_export_read (self), head, sealed, tag, text)
      || !tls_record_strip (text, sealed.len, &type, &len, &alert))
    return tls_export_fail (self, alert);

  if (type == TLS_TYPE_DATA && len > 0 && !tls_message_is_open (&self->message))
    {
      plain->len += len;
      self->useless = 0;
      return DETOUR_CHANNEL_OK;
    }
  if (++self->useless > USELESS_MAX
      || (type != TLS_TYPE_HANDSHAKE && tls_message_is_open (&self->message)))
    return tls_export_fail (self, TLS_ALERT_UNEXPECTED_MESSAGE);
  if (type == TLS_TYPE_DATA)
    return DETOUR_CHANNEL_OK;
  if (type == TLS_TYPE_ALERT)
    return tls_export_take_alert (self, text, len);
  if (type == TLS_TYPE_HANDSHAKE)
    return tls_export_take_message (self, text, len);
  return tls_export_fail (self, TLS_ALERT_UNEXPECTED_MESSAGE);
}

static void
tls_export_keep (TlsExport *self, const guint8 *in, gsize len, gsize record_len)
{
  gsize wanted = self->partial_len + len;

  if (wanted > self->partial_cap)
    {
      /* Room grows with the bytes received, not with the length that the head announces; it
       * doubles, so that single bytes are cheap. */
      gsize cap = MAX (wanted, MIN (MAX (2u * self->partial_cap, PARTIAL_MIN), record_len));

      self->partial = g_realloc (self->partial, cap);
      self->partial_cap = (guint16) cap;
    }
  memcpy (self->partial + self->partial_len, in, len);
  self->partial_len = (guint16) wanted;
}

/* Completes the record that was kept and opens it from both places. Takes *@used bytes. */
static DetourChannelResult
tls_export_join (TlsExport *self, TlsThread *thread, const guint8 *in, gsize len, gsize *used,
                 DetourBuffer *plain)
{
  guint8 head[TLS_RECORD_HEAD_SIZE];
  guint8 tag[TLS_AEAD_TAG_SIZE];
  gsize from_partial = MIN (self->partial_len, sizeof head);
  gsize from_in = MIN (len, sizeof head - from_partial);
  struct iovec pieces[2];
  g_autofree guint8 *partial = NULL;
  gsize body_len;
  gsize tag_in;
  TlsAlert alert;

  memcpy (head, self->partial, from_partial);
  memcpy (head + from_partial, in, from_in);
  if (tls_record_parse (head, from_partial + from_in, &body_len, &alert) == TLS_RECORD_BAD)
    return tls_export_fail (self, alert);
  if (body_len == 0 || len < sizeof head + body_len - self->partial_len)
    {
      tls_export_keep (self, in, len, body_len > 0 ? sizeof head + body_len : sizeof head);
      *used = len;
      return DETOUR_CHANNEL_OK;
    }

  *used = sizeof head + body_len - self->partial_len;
  pieces[0] = (struct iovec) { self->partial + from_partial, self->partial_len - from_partial };
  pieces[1] = (struct iovec) { (void *) (in + from_in), *used - from_in };
  tag_in = MIN (pieces[1].iov_len, sizeof tag);
  memcpy (tag + sizeof tag - tag_in, in + *used - tag_in, tag_in);
  memcpy (tag, self->partial + self->partial_len - (sizeof tag - tag_in), sizeof tag - tag_in);

  partial = g_steal_pointer (&self->partial);
  self->partial_len = self->partial_cap = 0;
  return tls_export_take (self, thread, head, (TlsText) { pieces, 0, body_len - sizeof tag }, tag,
                          plain);
}

/* A record that lies in one piece. */
static DetourChannelResult
tls_export_take_whole (TlsExport *self, TlsThread *thread, const guint8 *record, gsize body_len,
                       DetourBuffer *plain)
{
  struct iovec body = { (void *) (record + TLS_RECORD_HEAD_SIZE), body_len - TLS_AEAD_TAG_SIZE };

  return tls_export_take (self, thread, record, (TlsText) { &body, 0, body.iov_len },
                          record + TLS_RECORD_HEAD_SIZE + body.iov_len, plain);
}

static DetourChannelResult
tls_export_feed (gpointer ptr, const guint8 *in, gsize len, DetourBuffer *plain, gboolean *reply)
{
  TlsExport *self = ptr;
  TlsThread *thread = tls_thread_get ();
  DetourChannelResult result = DETOUR_CHANNEL_OK;

  if (self->failed)
    return DETOUR_CHANNEL_BAD;
  if (self->peer_closed)
    return DETOUR_CHANNEL_CLOSED;
  while (len > 0 && result == DETOUR_CHANNEL_OK)
    {
      TlsAlert alert = TLS_ALERT_INTERNAL_ERROR;
      gsize body_len;
      gsize used = len;

      if (self->partial_len > 0)
        result = tls_export_join (self, thread, in, len, &used, plain);
      else
        switch (tls_record_parse (in, len, &body_len, &alert))
          {
          case TLS_RECORD_OK:
            used = TLS_RECORD_HEAD_SIZE + body_len;
            result = tls_export_take_whole (self, thread, in, body_len, plain);
            break;
          case TLS_RECORD_MORE:
            tls_export_keep (self, in, len, len);
            break;
          case TLS_RECORD_BAD:
            result = tls_export_fail (self, alert);
            break;
          }
      in += used;
      len -= used;
    }

  if (tls_export_read (self)->seq >= TLS_KEYS_RECORDS_MAX && !self->asked)
    {
      /* The peer should have changed its keys by itself; some implementations never do. */
      self->owes_update = self->asks = self->asked = TRUE;
    }
  if (self->owes_alert || (self->owes_update && !self->failed))
    *reply = TRUE;
  return result;
}

/* Carrying over -------------------------------------------------------------------------------- */

/* Native byte order: both processes run on one machine. Behind it: both secrets, the name, the kept
 * part of a record. */
typedef struct {
  guint32 magic;
  guint16 partial_len;
  guint16 sni_len;
  guint64 read_seq;
  guint64 write_seq;
  TlsMessage message;
  guint8 cipher;
  guint8 flags;
  guint8 useless;
  guint8 zero;
} TlsSaved;

#define SAVED_MAGIC       0x31454c54u /* TLE1; changed with the format */
#define SAVED_CLIENT      1u
#define SAVED_OWES_UPDATE 2u
#define SAVED_ASKS        4u
#define SAVED_ASKED       8u
#define SAVED_FLAGS       (SAVED_CLIENT | SAVED_OWES_UPDATE | SAVED_ASKS | SAVED_ASKED)

typedef struct {
  gsize len;
  guint8 bytes[];
} TlsBlob;

static void
tls_blob_free (gpointer ptr)
{
  TlsBlob *self = ptr;

  sodium_memzero (self->bytes, self->len);
  g_free (self);
}

static GBytes *
tls_export_save (gpointer ptr)
{
  TlsExport *self = ptr;
  gsize secret_size = tls_keys_secret_size (tls_export_read (self)->cipher);
  gsize sni_len = strlen (tls_export_sni (self));
  gsize len = sizeof (TlsSaved) + 2 * secret_size + sni_len + self->partial_len;
  TlsSaved saved;
  TlsBlob *blob;
  guint8 *at;

  if (self->failed || self->closed || self->peer_closed)
    return NULL;
  memset (&saved, 0, sizeof saved);
  saved.magic = SAVED_MAGIC;
  saved.partial_len = self->partial_len;
  saved.sni_len = (guint16) sni_len;
  saved.read_seq = tls_export_read (self)->seq;
  saved.write_seq = tls_export_write (self)->seq;
  saved.message.left = self->message.left;
  saved.message.have = self->message.have;
  memcpy (saved.message.head, self->message.head, sizeof saved.message.head);
  saved.cipher = tls_export_read (self)->cipher;
  saved.flags = (guint8) ((self->is_client ? SAVED_CLIENT : 0u)
                          | (self->owes_update ? SAVED_OWES_UPDATE : 0u)
                          | (self->asks ? SAVED_ASKS : 0u) | (self->asked ? SAVED_ASKED : 0u));
  saved.useless = self->useless;

  blob = g_malloc (sizeof *blob + len);
  blob->len = len;
  at = blob->bytes;
  memcpy (at, &saved, sizeof saved);
  at += sizeof saved;
  memcpy (at, tls_export_read (self)->secret, secret_size);
  at += secret_size;
  memcpy (at, tls_export_write (self)->secret, secret_size);
  at += secret_size;
  memcpy (at, tls_export_sni (self), sni_len);
  at += sni_len;
  if (self->partial_len > 0)
    memcpy (at, self->partial, self->partial_len);
  return g_bytes_new_with_free_func (blob->bytes, len, tls_blob_free, blob);
}

static gboolean
tls_saved_is_valid (const TlsSaved *saved)
{
  return saved->magic == SAVED_MAGIC && saved->cipher < TLS_N_CIPHERS
      && (saved->flags & ~SAVED_FLAGS) == 0 && saved->useless <= USELESS_MAX && saved->zero == 0
      && tls_message_is_valid (&saved->message, (saved->flags & SAVED_CLIENT) != 0);
}

static gpointer
tls_export_restore (const guint8 *data, gsize len)
{
  g_autofree char *sni = NULL;
  TlsExport *self;
  TlsSaved saved;
  gsize secret_size;
  gsize body_len;
  TlsAlert alert;

  if (len < sizeof saved)
    return NULL;
  memcpy (&saved, data, sizeof saved);
  if (!tls_saved_is_valid (&saved))
    return NULL;
  secret_size = tls_keys_secret_size (saved.cipher);
  data += sizeof saved;
  len -= sizeof saved;
  if (len != 2 * secret_size + saved.sni_len + saved.partial_len
      || memchr (data + 2 * secret_size, '\0', saved.sni_len) != NULL
      || tls_record_parse (data + 2 * secret_size + saved.sni_len, saved.partial_len, &body_len,
                           &alert)
             != TLS_RECORD_MORE)
    return NULL;

  sni = g_strndup ((const char *) data + 2 * secret_size, saved.sni_len);
  self = tls_channel_export_new (&(TlsExportStart) { .cipher = saved.cipher,
                                                     .is_client = (saved.flags & SAVED_CLIENT) != 0,
                                                     .read_secret = data,
                                                     .write_secret = data + secret_size,
                                                     .read_seq = saved.read_seq,
                                                     .write_seq = saved.write_seq,
                                                     .sni = sni });
  if (self == NULL)
    return NULL;
  self->message = saved.message;
  self->useless = saved.useless;
  self->owes_update = (saved.flags & SAVED_OWES_UPDATE) != 0;
  self->asks = (saved.flags & SAVED_ASKS) != 0;
  self->asked = (saved.flags & SAVED_ASKED) != 0;
  if (saved.partial_len > 0)
    tls_export_keep (self, data + 2 * secret_size + saved.sni_len, saved.partial_len,
                     saved.partial_len);
  return self;
}

const DetourChannelClass tls_channel_export_class = {
  .name = "export",
  .handshake = tls_export_handshake,
  .info = tls_export_info,
  .feed = tls_export_feed,
  .seal = tls_export_seal,
  .close = tls_export_close,
  .save = tls_export_save,
  .restore = tls_export_restore,
  .free = tls_export_free,
};
