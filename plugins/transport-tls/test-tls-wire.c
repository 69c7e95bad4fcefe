/* test-tls-wire.c: bytes in memory between a GnuTLS session and a channel, or another session.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-wire.h"

#include <errno.h>
#include <string.h>

static ssize_t
wire_pull (gnutls_transport_ptr_t ptr, void *data, size_t len)
{
  TestWire *self = ptr;
  gsize n = MIN (len, self->received->len);

  if (n == 0)
    {
      gnutls_transport_set_errno (self->session, EAGAIN);
      return -1;
    }
  memcpy (data, self->received->data, n);
  g_byte_array_remove_range (self->received, 0, (guint) n);
  return (ssize_t) n;
}

static int
wire_pull_timeout (gnutls_transport_ptr_t ptr, unsigned ms)
{
  TestWire *self = ptr;

  return self->received->len > 0;
}

static ssize_t
wire_push (gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
  TestWire *self = ptr;

  g_byte_array_append (self->sent, data, (guint) len);
  return (ssize_t) len;
}

void
test_wire_init (TestWire *self, gnutls_session_t session, GByteArray *received, GByteArray *sent)
{
  *self = (TestWire) { session, received, sent };
  gnutls_transport_set_ptr (session, self);
  gnutls_transport_set_pull_function (session, wire_pull);
  gnutls_transport_set_pull_timeout_function (session, wire_pull_timeout);
  gnutls_transport_set_push_function (session, wire_push);
}

DetourChannelResult
test_wire_feed (GByteArray *sent, const DetourChannelClass *cls, gpointer channel, gsize step,
                GByteArray *plain, gboolean *reply)
{
  DetourChannelResult result = DETOUR_CHANNEL_OK;

  while (result == DETOUR_CHANNEL_OK && sent->len > 0)
    {
      gsize len = step > 0 ? MIN (step, sent->len) : sent->len;
      g_autofree guint8 *in = g_memdup2 (sent->data, len);
      gsize room = len + DETOUR_CHANNEL_FEED_SLACK;
      DetourBuffer out = { g_malloc (room), 0, room };

      result = cls->feed (channel, in, len, &out, reply);
      g_byte_array_append (plain, out.data, (guint) out.len);
      g_byte_array_remove_range (sent, 0, (guint) len);
      g_free (out.data);
    }
  return result;
}
