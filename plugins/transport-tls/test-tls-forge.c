/* test-tls-forge.c: a peer that makes records of any sort with the right keys, and reads those of
 * the channel.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-forge.h"

#include <string.h>

#include "test-tls-wire.h"
#include "tls-thread.h"

void
test_forge_init (TestForge *self, const TlsKeys *channel_reads, const TlsKeys *channel_writes)
{
  memcpy (&self->write, channel_reads, tls_keys_size (channel_reads->cipher));
  memcpy (&self->read, channel_writes, tls_keys_size (channel_writes->cipher));
  self->sent = g_byte_array_new ();
  self->received = g_byte_array_new ();
  self->version = 3;
}

void
test_forge_clear (TestForge *self)
{
  tls_thread_forget (&self->write);
  tls_thread_forget (&self->read);
  g_byte_array_unref (self->sent);
  g_byte_array_unref (self->received);
}

void
test_forge_inner (TestForge *self, const guint8 *inner, gsize len)
{
  struct iovec span = { (void *) inner, len - 1 };
  guint at = self->sent->len;

  g_byte_array_set_size (self->sent, (guint) (at + TLS_RECORD_HEAD_SIZE + len + TLS_AEAD_TAG_SIZE));
  tls_record_head (self->sent->data + at, len - 1);
  self->sent->data[at + 2] = self->version;
  g_assert_true (tls_thread_seal (tls_thread_get (), &self->write, self->sent->data + at,
                                  (TlsText) { &span, 0, len - 1 }, inner[len - 1],
                                  self->sent->data + at + TLS_RECORD_HEAD_SIZE));
}

void
test_forge_record (TestForge *self, guint8 type, const void *text, gsize len, gsize padding)
{
  g_autofree guint8 *inner = g_malloc0 (len + 1 + padding);

  if (len > 0)
    memcpy (inner, text, len);
  inner[len] = type;
  test_forge_inner (self, inner, len + 1 + padding);
}

void
test_forge_raw (TestForge *self, const void *bytes, gsize len)
{
  g_byte_array_append (self->sent, bytes, (guint) len);
}

DetourChannelResult
test_forge_feed (TestForge *self, const DetourChannelClass *cls, gpointer channel, gsize step,
                 GByteArray *plain, gboolean *reply)
{
  return test_wire_feed (self->sent, cls, channel, step, plain, reply);
}

gboolean
test_forge_seal (TestForge *self, const DetourChannelClass *cls, gpointer channel, const void *data,
                 gsize len)
{
  struct iovec span = { (void *) data, len };
  gsize room = DETOUR_CHANNEL_SEAL_BOUND (len);
  DetourBuffer out = { g_malloc (room), 0, room };
  gboolean done = cls->seal (channel, &span, len > 0 ? 1 : 0, &out);

  g_byte_array_append (self->received, out.data, (guint) out.len);
  g_free (out.data);
  return done;
}

void
test_forge_close (TestForge *self, const DetourChannelClass *cls, gpointer channel)
{
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (0)];
  DetourBuffer out = { room, 0, sizeof room };

  cls->close (channel, &out);
  g_byte_array_append (self->received, out.data, (guint) out.len);
}

guint8
test_forge_read (TestForge *self, GByteArray *text)
{
  struct iovec sealed;
  gsize body_len;
  TlsAlert alert;
  guint8 type;
  gsize len;

  if (self->received->len == 0)
    return 0;
  g_assert_cmpint (tls_record_parse (self->received->data, self->received->len, &body_len, &alert),
                   ==, TLS_RECORD_OK);
  g_byte_array_set_size (text, (guint) body_len);
  sealed = (struct iovec) { self->received->data + TLS_RECORD_HEAD_SIZE,
                            body_len - TLS_AEAD_TAG_SIZE };
  g_assert_true (tls_thread_open (tls_thread_get (), &self->read, self->received->data,
                                  (TlsText) { &sealed, 0, sealed.iov_len },
                                  self->received->data + TLS_RECORD_HEAD_SIZE + sealed.iov_len,
                                  text->data));
  g_byte_array_set_size (text, (guint) sealed.iov_len);
  g_assert_true (tls_record_strip (text->data, text->len, &type, &len, &alert));
  g_byte_array_set_size (text, (guint) len);
  g_byte_array_remove_range (self->received, 0, (guint) (TLS_RECORD_HEAD_SIZE + body_len));
  if (type == TLS_TYPE_HANDSHAKE)
    {
      g_assert_cmpmem (text->data, 4, "\x18\0\0\1", 4);
      tls_thread_forget (&self->read);
      g_assert_true (tls_keys_update (&self->read));
    }
  return type;
}

void
test_forge_expect_data (TestForge *self, const void *data, gsize len)
{
  g_autoptr (GByteArray) all = g_byte_array_new ();
  g_autoptr (GByteArray) text = g_byte_array_new ();
  guint8 type;

  while ((type = test_forge_read (self, text)) != 0)
    {
      g_assert_cmpuint (type, ==, TLS_TYPE_DATA);
      g_byte_array_append (all, text->data, text->len);
    }
  g_assert_cmpmem (all->data, all->len, data, len);
}

void
test_forge_expect_alert (TestForge *self, guint8 level, TlsAlert alert)
{
  g_autoptr (GByteArray) text = g_byte_array_new ();
  guint8 expected[2] = { level, (guint8) alert };

  g_assert_cmpuint (test_forge_read (self, text), ==, TLS_TYPE_ALERT);
  g_assert_cmpmem (text->data, text->len, expected, sizeof expected);
}
