/* test-websocket-frame.c: heads of frames at each limit and cut anywhere; masks at any place.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "websocket-frame.h"

#include <string.h>

#include "test-program.h"

#define HEAD(...) { __VA_ARGS__ }, sizeof ((const guint8[]) { __VA_ARGS__ })

static const struct {
  const char *name;
  guint8 bytes[16];
  gsize len;
  WebsocketHeadResult result;
  guint64 payload;
  WebsocketOpcode opcode;
  gboolean is_final;
} cases[] = {
  { "empty-binary", HEAD (0x82, 0x80, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 0, WEBSOCKET_BINARY, TRUE },
  { "first-fragment", HEAD (0x02, 0x85, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 5, WEBSOCKET_BINARY,
    FALSE },
  { "fragment", HEAD (0x00, 0x85, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 5, WEBSOCKET_CONTINUATION,
    FALSE },
  { "last-fragment", HEAD (0x80, 0x85, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 5, WEBSOCKET_CONTINUATION,
    TRUE },
  { "text", HEAD (0x81, 0x81, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 1, WEBSOCKET_TEXT, TRUE },
  { "longest-of-one-byte", HEAD (0x82, 0xfd, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 125, WEBSOCKET_BINARY,
    TRUE },
  { "shortest-of-two-bytes", HEAD (0x82, 0xfe, 0, 126, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 126,
    WEBSOCKET_BINARY, TRUE },
  { "two-bytes-for-125", HEAD (0x82, 0xfe, 0, 125), WEBSOCKET_HEAD_BAD },
  { "longest-of-two-bytes", HEAD (0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 65535,
    WEBSOCKET_BINARY, TRUE },
  { "shortest-of-eight-bytes", HEAD (0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4),
    WEBSOCKET_HEAD_OK, 65536, WEBSOCKET_BINARY, TRUE },
  { "eight-bytes-for-65535", HEAD (0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff), WEBSOCKET_HEAD_BAD },
  { "longest-of-eight-bytes",
    HEAD (0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4),
    WEBSOCKET_HEAD_OK, G_MAXINT64, WEBSOCKET_BINARY, TRUE },
  { "highest-bit-of-length", HEAD (0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0), WEBSOCKET_HEAD_BAD },
  { "ping", HEAD (0x89, 0xfd, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 125, WEBSOCKET_PING, TRUE },
  { "pong", HEAD (0x8a, 0x80, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 0, WEBSOCKET_PONG, TRUE },
  { "close", HEAD (0x88, 0x82, 1, 2, 3, 4), WEBSOCKET_HEAD_OK, 2, WEBSOCKET_CLOSE, TRUE },
  { "long-ping", HEAD (0x89, 0xfe), WEBSOCKET_HEAD_BAD },
  { "very-long-close", HEAD (0x88, 0xff), WEBSOCKET_HEAD_BAD },
  { "fragmented-ping", HEAD (0x09), WEBSOCKET_HEAD_BAD },
  { "fragmented-close", HEAD (0x08), WEBSOCKET_HEAD_BAD },
  { "no-mask", HEAD (0x82, 0x05), WEBSOCKET_HEAD_BAD },
  { "no-mask-and-long", HEAD (0x82, 0x7e), WEBSOCKET_HEAD_BAD },
  { "reserved-1", HEAD (0xc2), WEBSOCKET_HEAD_BAD },
  { "reserved-2", HEAD (0xa2), WEBSOCKET_HEAD_BAD },
  { "reserved-3", HEAD (0x92), WEBSOCKET_HEAD_BAD },
  { "data-kind-3", HEAD (0x83), WEBSOCKET_HEAD_BAD },
  { "data-kind-7", HEAD (0x87), WEBSOCKET_HEAD_BAD },
  { "control-kind-11", HEAD (0x8b), WEBSOCKET_HEAD_BAD },
  { "control-kind-15", HEAD (0x8f), WEBSOCKET_HEAD_BAD },
};

/* Every prefix lies in a block of exactly its size. */
static void
test_head (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);

  for (gsize n = 0; n <= cases[i].len; n++)
    {
      g_autofree guint8 *block = g_memdup2 (cases[i].bytes, n);
      WebsocketHead head;
      WebsocketHeadResult result = websocket_head_parse (block, n, &head);

      if (n < cases[i].len)
        {
          g_assert_cmpint (result, ==, WEBSOCKET_HEAD_MORE);
          continue;
        }
      g_assert_cmpint (result, ==, cases[i].result);
      if (result != WEBSOCKET_HEAD_OK)
        continue;
      g_assert_cmpuint (head.size, ==, n);
      g_assert_cmpuint (head.len, ==, cases[i].payload);
      g_assert_cmpint (head.opcode, ==, cases[i].opcode);
      g_assert_cmpint (head.is_final, ==, cases[i].is_final);
      g_assert_cmpmem (head.mask, 4, "\1\2\3\4", 4);
    }
}

static void
test_put (void)
{
  static const guint64 lengths[] = {
    0, 1, 125, 126, 127, 16384, 65535, 65536, G_MAXINT64, G_GUINT64_CONSTANT (1) << 40
  };

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      guint8 bytes[WEBSOCKET_HEAD_MAX];
      gsize n = websocket_head_put (bytes, WEBSOCKET_BINARY, lengths[i]);
      WebsocketHead head;

      g_assert_cmpuint (n, <=, WEBSOCKET_HEAD_SENT_MAX);
      g_assert_cmpuint (bytes[1] & 0x80u, ==, 0);
      /* The parser is for clients, so it wants a mask. */
      bytes[1] |= 0x80;
      memcpy (bytes + n, "mask", 4);
      g_assert_cmpint (websocket_head_parse (bytes, n + 4, &head), ==, WEBSOCKET_HEAD_OK);
      g_assert_cmpuint (head.len, ==, lengths[i]);
      g_assert_cmpint (head.opcode, ==, WEBSOCKET_BINARY);
      g_assert_true (head.is_final);
    }
}

/* In one piece or in two, cut anywhere, at any alignment. */
static void
test_mask (void)
{
  guint8 from[160];

  for (guint i = 0; i < sizeof from; i++)
    from[i] = (guint8) (i * 7 + 1);
  for (gsize len = 0; len <= 100; len++)
    for (gsize cut = 0; cut <= len; cut++)
      {
        gsize start = (len + cut) % 8;
        guint8 mask[] = { 0x11, 0x22, 0x44, 0x88 };
        g_autofree guint8 *in = g_memdup2 (from + start, len);
        g_autofree guint8 *out = g_malloc (len);

        websocket_mask_copy (out, in, cut, mask);
        websocket_mask_copy (out + cut, in + cut, len - cut, mask);
        for (gsize i = 0; i < len; i++)
          g_assert_cmpuint (out[i], ==, from[start + i] ^ (0x11u << i % 4));
        g_assert_cmpuint (mask[0], ==, 0x11u << len % 4);
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/websocket-frame/head/", cases, test_head);
  g_test_add_func ("/websocket-frame/head-that-is-sent", test_put);
  g_test_add_func ("/websocket-frame/mask-of-any-length-and-cut", test_mask);
  return g_test_run ();
}
