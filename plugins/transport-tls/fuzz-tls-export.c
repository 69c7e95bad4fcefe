/* fuzz-tls-export.c: fuzz target for the export channel: records with the right keys and any
 * content, raw bytes, cuts.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input: a byte of flags (1: the channel dialled; 2 and 4: cipher), a byte for the length of
 * spans, then steps:
 *   0 N BYTES   N bytes as they are           2 N TYPE  a record with 256 * N + 17 bytes of text
 *   1 N BYTES   a record with that inside     3         the peer's keys change
 * The keys are fixed. Two channels get the same stream, one in a single span, one in many and
 * carried over on the way: both have to give the same. */
#include "config.h"

#include <string.h>

#include "tls-channel-export.h"
#include "tls-record.h"
#include "tls-thread.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static const DetourChannelClass *const cls = &tls_channel_export_class;

/* Records cost more to make than to read; what is longer says nothing new. */
#define STREAM_MAX (200u * 1024u)

typedef struct {
  gpointer channel;
  GByteArray *plain;
  GByteArray *sealed;
  DetourChannelResult result;
} Side;

static void
put_record (GByteArray *stream, TlsKeys *keys, const guint8 *inner, gsize len)
{
  struct iovec span = { (void *) inner, len - 1 };
  guint at = stream->len;

  g_byte_array_set_size (stream, (guint) (at + TLS_RECORD_HEAD_SIZE + len + TLS_AEAD_TAG_SIZE));
  tls_record_head (stream->data + at, len - 1);
  g_assert (tls_thread_seal (tls_thread_get (), keys, stream->data + at,
                             (TlsText) { &span, 0, len - 1 }, inner[len - 1],
                             stream->data + at + TLS_RECORD_HEAD_SIZE));
}

static GByteArray *
make_stream (TlsKeys *keys, const guint8 *data, gsize size)
{
  GByteArray *stream = g_byte_array_new ();

  while (size > 0 && stream->len < STREAM_MAX)
    {
      guint8 step = data[0] & 3;
      gsize n = size > 1 ? data[1] : 0;

      if (step == 3)
        {
          g_assert (tls_keys_update (keys));
          data++;
          size--;
          continue;
        }
      if (size < 3)
        break;
      data += 2;
      size -= 2;
      if (step == 2)
        {
          gsize len = 256 * n + 18;
          g_autofree guint8 *inner = g_malloc0 (len);

          inner[len - 1] = *data++;
          size--;
          if (len <= TLS_RECORD_BODY_MAX - TLS_AEAD_TAG_SIZE)
            put_record (stream, keys, inner, len);
          continue;
        }
      n = MIN (n, size);
      if (step == 0)
        g_byte_array_append (stream, data, (guint) n);
      else if (n > 0)
        put_record (stream, keys, data, n);
      data += n;
      size -= n;
    }
  return stream;
}

static void
side_feed (Side *self, const guint8 *in, gsize len)
{
  gsize room = len + DETOUR_CHANNEL_FEED_SLACK;
  g_autofree guint8 *copy = g_memdup2 (in, len);
  DetourBuffer plain = { g_malloc (room), 0, room };
  guint8 sealed_room[DETOUR_CHANNEL_SEAL_BOUND (0)];
  DetourBuffer sealed = { sealed_room, 0, sizeof sealed_room };
  gboolean reply = FALSE;

  self->result = cls->feed (self->channel, copy, len, &plain, &reply);
  g_assert (plain.len <= plain.cap && self->result != DETOUR_CHANNEL_MORE);
  g_byte_array_append (self->plain, plain.data, (guint) plain.len);
  g_free (plain.data);
  if (self->result != DETOUR_CHANNEL_BAD || !reply)
    return;
  g_assert (cls->seal (self->channel, NULL, 0, &sealed));
  g_assert (sealed.len > 0);
  g_byte_array_append (self->sealed, sealed.data, (guint) sealed.len);
}

static void
side_carry_over (Side *self)
{
  g_autoptr (GBytes) saved = cls->save (self->channel);
  gpointer other;

  g_assert (saved != NULL);
  other = cls->restore (g_bytes_get_data (saved, NULL), g_bytes_get_size (saved));
  g_assert (other != NULL);
  cls->free (self->channel);
  self->channel = other;
}

static void
side_clear (Side *self)
{
  cls->free (self->channel);
  g_byte_array_unref (self->plain);
  g_byte_array_unref (self->sealed);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static const guint8 secret[TLS_SECRET_MAX] = { 1, 2, 3 };
  TlsExportStart start = { .read_secret = secret, .write_secret = secret };
  g_autoptr (GByteArray) stream = NULL;
  Side whole, cut;
  TlsKeys keys;
  gsize step;

  if (size < 2)
    return 0;
  start.is_client = data[0] & 1;
  start.cipher = (data[0] >> 1) % TLS_N_CIPHERS;
  step = 1 + 7u * data[1];
  g_assert (tls_keys_init (&keys, start.cipher, secret, 0));
  stream = make_stream (&keys, data + 2, size - 2);
  if (stream->len / step > 2000)
    step = stream->len / 2000;

  whole = (Side) { tls_channel_export_new (&start), g_byte_array_new (), g_byte_array_new (),
                   DETOUR_CHANNEL_OK };
  cut = (Side) { tls_channel_export_new (&start), g_byte_array_new (), g_byte_array_new (),
                 DETOUR_CHANNEL_OK };
  if (stream->len > 0)
    side_feed (&whole, stream->data, stream->len);
  for (gsize at = 0; at < stream->len && cut.result == DETOUR_CHANNEL_OK; at += step)
    {
      side_feed (&cut, stream->data + at, MIN (step, stream->len - at));
      if (cut.result == DETOUR_CHANNEL_OK && at / step % 5 == 0)
        side_carry_over (&cut);
    }
  g_assert (cut.result == whole.result);
  g_assert (cut.plain->len == whole.plain->len);
  g_assert (cut.plain->len == 0
            || memcmp (cut.plain->data, whole.plain->data, cut.plain->len) == 0);
  g_assert (cut.sealed->len == whole.sealed->len);
  g_assert (cut.sealed->len == 0
            || memcmp (cut.sealed->data, whole.sealed->data, cut.sealed->len) == 0);

  tls_thread_forget (&keys);
  side_clear (&whole);
  side_clear (&cut);
  return 0;
}
