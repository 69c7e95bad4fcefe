/* bench-websocket.c: frames of a WebSocket around what a client sends and gets.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-websocket.h"

#include <string.h>

#define BINARY 0x82u
#define MASKED 0x80u

/* 0: it is not whole yet. */
static gsize
bench_websocket_head_size (const BenchWebsocket *self)
{
  gsize size = 2;

  if (self->n_head < 2)
    return 0;
  if (self->head[1] >= 126)
    size += self->head[1] == 126 ? 2 : 8;
  return self->n_head >= size ? size : 0;
}

static gboolean
bench_websocket_begin_frame (BenchWebsocket *self)
{
  if (self->head[0] != BINARY || (self->head[1] & MASKED) != 0)
    return FALSE;
  self->left = self->head[1];
  if (self->left >= 126)
    {
      self->left = 0;
      for (guint i = 2; i < self->n_head; i++)
        self->left = self->left << 8 | self->head[i];
    }
  self->n_head = 0;
  return TRUE;
}

gboolean
bench_websocket_open (BenchWebsocket *self, guint8 *data, gsize *len)
{
  gsize out = 0, in = 0;

  while (in < *len)
    if (self->left > 0)
      {
        gsize n = (gsize) MIN (self->left, *len - in);

        memmove (data + out, data + in, n);
        out += n;
        in += n;
        self->left -= n;
      }
    else
      {
        self->head[self->n_head++] = data[in++];
        if (bench_websocket_head_size (self) > 0 && !bench_websocket_begin_frame (self))
          return FALSE;
      }
  *len = out;
  return TRUE;
}

void
bench_websocket_put (GByteArray *out, const guint8 *data, gsize len, guint32 mask)
{
  guint8 head[BENCH_WEBSOCKET_HEAD_MAX] = { BINARY };
  guint n_len = len < 126 ? 0 : len <= G_MAXUINT16 ? 2 : 8;
  guint start = out->len + 2 + n_len + 4;
  guint64 wide = (guint64) mask << 32 | mask;
  gsize i = 0;

  head[1] = (guint8) (MASKED | (n_len == 0 ? len : n_len == 2 ? 126u : 127u));
  for (guint k = 0; k < n_len; k++)
    head[2 + k] = (guint8) ((guint64) len >> 8 * (n_len - 1 - k));
  memcpy (head + 2 + n_len, &mask, sizeof mask);
  g_byte_array_append (out, head, 2 + n_len + 4);
  g_byte_array_append (out, data, (guint) len);
  for (; len - i >= sizeof wide; i += sizeof wide)
    {
      guint64 word;

      memcpy (&word, out->data + start + i, sizeof word);
      word ^= wide;
      memcpy (out->data + start + i, &word, sizeof word);
    }
  for (; i < len; i++)
    out->data[start + i] ^= head[2 + n_len + i % 4];
}
