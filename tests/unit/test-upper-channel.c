/* test-upper-channel.c: a channel to be put over another: frames with a head of two bytes, whose
 * payload is turned over, as a WebSocket does it; pings are answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-upper-channel.h"

#include <string.h>

#define PING    0xffffu
#define PONG    0xfffeu
#define GOODBYE 0xfffdu
#define LEN_MAX 0xff00u
/* In one frame; a call may have the whole of a packet. */
#define LEN_SENT 32000u
#define MASK     0x5au

typedef struct {
  guint8 head[2];
  guint32 n_head; /* bytes of it that are here */
  guint32 left;   /* of the payload */
  guint32 n_pongs;
} Upper;

gpointer
test_upper_channel_new (void)
{
  return g_new0 (Upper, 1);
}

static DetourChannelResult
upper_handshake (gpointer self, const guint8 *in, gsize len, gsize *used, DetourBuffer *out,
                 const char **reason)
{
  g_assert_not_reached ();
}

static void
upper_info (gpointer self, DetourChannelInfo *info)
{
}

static void
put (DetourBuffer *out, const void *data, gsize len)
{
  g_assert_cmpuint (len, <=, out->cap - out->len);
  memcpy (out->data + out->len, data, len);
  out->len += len;
}

static void
put_head (DetourBuffer *out, guint head)
{
  const guint8 bytes[] = { (guint8) (head >> 8), (guint8) head };

  put (out, bytes, sizeof bytes);
}

static DetourChannelResult
upper_on_head (Upper *self, gboolean *reply)
{
  guint head = (guint) self->head[0] << 8 | self->head[1];

  self->n_head = 0;
  if (head == GOODBYE)
    return DETOUR_CHANNEL_CLOSED;
  if (head == PING)
    {
      self->n_pongs++;
      *reply = TRUE;
    }
  else if (head <= LEN_MAX)
    self->left = head;
  else
    return DETOUR_CHANNEL_BAD;
  return DETOUR_CHANNEL_OK;
}

static DetourChannelResult
upper_feed (gpointer ptr, const guint8 *in, gsize len, DetourBuffer *plain, gboolean *reply)
{
  Upper *self = ptr;

  for (gsize i = 0; i < len; i++)
    if (self->left > 0)
      {
        const guint8 byte = in[i] ^ MASK;

        put (plain, &byte, 1);
        self->left--;
      }
    else
      {
        self->head[self->n_head++] = in[i];
        if (self->n_head == 2)
          {
            DetourChannelResult result = upper_on_head (self, reply);

            if (result != DETOUR_CHANNEL_OK)
              return result;
          }
      }
  return DETOUR_CHANNEL_OK;
}

static gboolean
upper_seal (gpointer ptr, const struct iovec *spans, guint n, DetourBuffer *out)
{
  Upper *self = ptr;
  gsize len = 0, done = 0;

  for (; self->n_pongs > 0; self->n_pongs--)
    put_head (out, PONG);
  for (guint i = 0; i < n; i++)
    len += spans[i].iov_len;
  for (guint i = 0; i < n; i++)
    for (gsize k = 0; k < spans[i].iov_len; k++, done++)
      {
        const guint8 byte = ((const guint8 *) spans[i].iov_base)[k] ^ MASK;

        if (done % LEN_SENT == 0)
          put_head (out, (guint) MIN (len - done, LEN_SENT));
        put (out, &byte, 1);
      }
  return TRUE;
}

static void
upper_close (gpointer self, DetourBuffer *out)
{
  put_head (out, GOODBYE);
}

static GBytes *
upper_save (gpointer self)
{
  return g_bytes_new (self, sizeof (Upper));
}

static gpointer
upper_restore (const guint8 *data, gsize len)
{
  Upper upper;

  if (len != sizeof upper)
    return NULL;
  memcpy (&upper, data, sizeof upper);
  return upper.n_head < 2 && upper.left <= LEN_MAX ? g_memdup2 (&upper, sizeof upper) : NULL;
}

const DetourChannelClass test_upper_channel = {
  .name = "upper",
  .handshake = upper_handshake,
  .info = upper_info,
  .feed = upper_feed,
  .seal = upper_seal,
  .close = upper_close,
  .save = upper_save,
  .restore = upper_restore,
  .free = g_free,
};

void
test_upper_put_frame (GByteArray *wire, const void *data, gsize len)
{
  const guint8 head[] = { (guint8) (len >> 8), (guint8) len };

  g_byte_array_append (wire, head, sizeof head);
  for (gsize i = 0; i < len; i++)
    {
      const guint8 byte = ((const guint8 *) data)[i] ^ MASK;

      g_byte_array_append (wire, &byte, 1);
    }
}

static void
put_control (GByteArray *wire, guint head)
{
  const guint8 bytes[] = { (guint8) (head >> 8), (guint8) head };

  g_byte_array_append (wire, bytes, sizeof bytes);
}

void
test_upper_put_ping (GByteArray *wire)
{
  put_control (wire, PING);
}

void
test_upper_put_goodbye (GByteArray *wire)
{
  put_control (wire, GOODBYE);
}
