/* test-websocket-channel.c: what a WebSocket carries, however it is cut, and how it ends.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "websocket-channel.h"

#include <string.h>

#include "test-program.h"
#include "websocket-frame.h"

#define FIN  0x80u
#define BOTH 70000u

/* ---- what a client writes -------------------------------------------------------------------- */

static void
put_frame (GByteArray *wire, guint first, const void *payload, gsize len)
{
  guint8 head[WEBSOCKET_HEAD_MAX];
  guint8 mask[] = { 0xde, 0xad, 0xbe, 0xef };
  gsize n = websocket_head_put (head, first & 0x0f, len);
  g_autofree guint8 *masked = g_malloc (len);

  head[0] = (guint8) first;
  head[1] |= 0x80;
  memcpy (head + n, mask, sizeof mask);
  g_byte_array_append (wire, head, (guint) (n + sizeof mask));
  websocket_mask_copy (masked, payload, len, mask);
  g_byte_array_append (wire, masked, (guint) len);
}

static GByteArray *
some_bytes (gsize len)
{
  GByteArray *bytes = g_byte_array_sized_new ((guint) len);

  for (gsize i = 0; i < len; i++)
    {
      const guint8 byte = (guint8) (i * 31 + i / 251);

      g_byte_array_append (bytes, &byte, 1);
    }
  return bytes;
}

/* ---- the channel ----------------------------------------------------------------------------- */

typedef struct {
  gpointer self;
  GByteArray *plain, *sent;
  DetourChannelResult result;
} Side;

static void
side_init (Side *side, guint64 max_message)
{
  side->self = websocket_channel_new (max_message);
  side->plain = g_byte_array_new ();
  side->sent = g_byte_array_new ();
  side->result = DETOUR_CHANNEL_OK;
}

static void
side_clear (Side *side)
{
  websocket_channel_class.free (side->self);
  g_byte_array_unref (side->plain);
  g_byte_array_unref (side->sent);
}

static void
side_seal (Side *side, const struct iovec *spans, guint n)
{
  gsize len = 0;
  g_autofree guint8 *room = NULL;
  DetourBuffer out;

  for (guint i = 0; i < n; i++)
    len += spans[i].iov_len;
  out = (DetourBuffer) { room = g_malloc (DETOUR_CHANNEL_SEAL_BOUND (len)), 0,
                         DETOUR_CHANNEL_SEAL_BOUND (len) };
  g_assert_true (websocket_channel_class.seal (side->self, spans, n, &out));
  g_byte_array_append (side->sent, out.data, (guint) out.len);
}

/* As core does: input in a block of its size, the answer at once. */
static void
side_feed (Side *side, const guint8 *data, gsize len)
{
  g_autofree guint8 *in = g_memdup2 (data, len);
  g_autofree guint8 *room = g_malloc (len);
  DetourBuffer plain = { room, 0, len };
  gboolean reply = FALSE;

  side->result = websocket_channel_class.feed (side->self, in, len, &plain, &reply);
  g_byte_array_append (side->plain, plain.data, (guint) plain.len);
  if (reply)
    side_seal (side, NULL, 0);
}

static void
side_close (Side *side)
{
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (0)];
  DetourBuffer out = { room, 0, sizeof room };

  websocket_channel_class.close (side->self, &out);
  g_byte_array_append (side->sent, out.data, (guint) out.len);
}

/* The channel is written down and goes on in a new one. */
static void
side_carry (Side *side)
{
  g_autoptr (GBytes) saved = websocket_channel_class.save (side->self);
  gsize len;
  const guint8 *data = g_bytes_get_data (saved, &len);
  g_autofree guint8 *copy = g_memdup2 (data, len);
  gpointer other = websocket_channel_class.restore (copy, len);
  g_autoptr (GBytes) again = NULL;

  g_assert_nonnull (other);
  again = websocket_channel_class.save (other);
  g_assert_true (g_bytes_equal (saved, again));
  websocket_channel_class.free (side->self);
  side->self = other;
}

static void
assert_bytes (const GByteArray *got, const void *expected, gsize len)
{
  g_assert_cmpmem (got->data, got->len, expected, len);
}

/* ---- data, in any form and cut anywhere ------------------------------------------------------ */

/* Fragments of every number and size, empty ones among them, with control frames between them. */
static GByteArray *
fragmented (guint *n_pings, GByteArray *plain)
{
  GByteArray *wire = g_byte_array_new ();
  static const gsize sizes[][4] = { { 5, 0, 0, 0 },     { 0, 0, 7, 0 },     { 1, 1, 1, 1 },
                                    { 125, 126, 3, 0 }, { 0, 300, 0, 127 }, { 2, 0, 0, 9 } };

  *n_pings = 0;
  for (gsize m = 0; m < G_N_ELEMENTS (sizes); m++)
    for (gsize n = 1; n <= 4; n++)
      for (gsize i = 0; i < n; i++)
        {
          g_autoptr (GByteArray) part = some_bytes (sizes[m][i]);

          put_frame (wire,
                     (i == 0 ? WEBSOCKET_BINARY : WEBSOCKET_CONTINUATION) | (i + 1 == n ? FIN : 0),
                     part->data, part->len);
          g_byte_array_append (plain, part->data, part->len);
          if ((m + n + i) % 3 == 0)
            {
              put_frame (wire, FIN | WEBSOCKET_PING, "are you there", m + i);
              ++*n_pings;
            }
          if ((m + n + i) % 4 == 0)
            put_frame (wire, FIN | WEBSOCKET_PONG, "nobody asked", n);
        }
  return wire;
}

static void
test_cut_anywhere (void)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  guint n_pings;
  g_autoptr (GByteArray) wire = fragmented (&n_pings, plain);

  for (gsize cut = 0; cut <= wire->len; cut++)
    {
      Side side;

      side_init (&side, 0);
      side_feed (&side, wire->data, cut);
      side_carry (&side);
      side_feed (&side, wire->data + cut, wire->len - cut);
      g_assert_cmpint (side.result, ==, DETOUR_CHANNEL_OK);
      assert_bytes (side.plain, plain->data, plain->len);
      side_clear (&side);
    }
}

static void
test_byte_by_byte (void)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  guint n_pings, n_pongs = 0;
  g_autoptr (GByteArray) wire = fragmented (&n_pings, plain);
  Side side;

  side_init (&side, 0);
  for (gsize i = 0; i < wire->len; i++)
    {
      side_feed (&side, wire->data + i, 1);
      side_carry (&side);
    }
  assert_bytes (side.plain, plain->data, plain->len);
  for (gsize i = 0; i < side.sent->len; i += 2u + side.sent->data[i + 1])
    {
      g_assert_cmpuint (side.sent->data[i], ==, FIN | WEBSOCKET_PONG);
      g_assert_cmpmem (side.sent->data + i + 2, side.sent->data[i + 1], "are you there",
                       side.sent->data[i + 1]);
      n_pongs++;
    }
  g_assert_cmpuint (n_pongs, ==, n_pings);
  side_clear (&side);
}

static void
test_long (void)
{
  static const gsize sizes[] = { 125, 126, 65535, 65536, 65573, 1000000 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GByteArray) plain = some_bytes (sizes[i]);
      g_autoptr (GByteArray) wire = g_byte_array_new ();
      Side side;

      put_frame (wire, FIN | WEBSOCKET_BINARY, plain->data, plain->len);
      side_init (&side, 1000000);
      for (gsize at = 0; at < wire->len; at += 4093)
        side_feed (&side, wire->data + at, MIN (4093, wire->len - at));
      g_assert_cmpint (side.result, ==, DETOUR_CHANNEL_OK);
      assert_bytes (side.plain, plain->data, plain->len);
      side_clear (&side);
    }
}

/* ---- pings ----------------------------------------------------------------------------------- */

static void
test_pings (void)
{
  g_autoptr (GByteArray) wire = g_byte_array_new ();
  static const char pongs[] = "\x8a\x05third\x82\x04"
                              "data";
  struct iovec span = { (void *) "data", 4 };
  g_autofree char *longest = g_strnfill (125, 'x');
  Side side;

  side_init (&side, 0);
  put_frame (wire, FIN | WEBSOCKET_PING, "first", 5);
  put_frame (wire, FIN | WEBSOCKET_PING, longest, 125);
  put_frame (wire, FIN | WEBSOCKET_PING, "third", 5);
  put_frame (wire, FIN | WEBSOCKET_PONG, "a pong that nobody asked for", 28);
  side_feed (&side, wire->data, wire->len);
  side_seal (&side, &span, 1);
  /* The last one is answered, once, and before data. */
  assert_bytes (side.sent, pongs, sizeof pongs - 1);

  g_byte_array_set_size (wire, 0);
  g_byte_array_set_size (side.sent, 0);
  put_frame (wire, FIN | WEBSOCKET_PING, longest, 125);
  side_feed (&side, wire->data, wire->len);
  g_assert_cmpuint (side.sent->len, ==, 127);
  g_assert_cmpmem (side.sent->data + 2, 125, longest, 125);
  side_clear (&side);
}

/* A pong that is owed survives the pong of the peer, and being carried over. */
static void
test_pong_is_owed (void)
{
  g_autoptr (GByteArray) wire = g_byte_array_new ();
  guint8 room[64];
  DetourBuffer plain = { room, 0, sizeof room };
  gboolean reply = FALSE;
  Side side;

  side_init (&side, 0);
  put_frame (wire, FIN | WEBSOCKET_PING, "owed", 4);
  put_frame (wire, FIN | WEBSOCKET_PONG, "not", 3);
  for (gsize cut = 10; cut <= wire->len; cut++)
    {
      g_assert_cmpint (websocket_channel_class.feed (side.self, wire->data, cut, &plain, &reply),
                       ==, DETOUR_CHANNEL_OK);
      g_assert_true (reply);
      side_carry (&side);
      side_feed (&side, wire->data + cut, wire->len - cut);
      side_seal (&side, NULL, 0);
      assert_bytes (side.sent, "\x8a\x04owed", 6);
      g_byte_array_set_size (side.sent, 0);
    }
  side_clear (&side);
}

/* ---- the end --------------------------------------------------------------------------------- */

#define TEXT(text) text, sizeof (text) - 1

static const struct {
  const char *name;
  const char *wire; /* masked with zeros */
  gsize len;
  DetourChannelResult result;
  guint code;
  const char *plain; /* before the end */
} ends[] = {
  { "goodbye", TEXT ("\x88\x82\0\0\0\0\x03\xe8"), DETOUR_CHANNEL_CLOSED, 1000, "" },
  { "going-away", TEXT ("\x88\x84\0\0\0\0\x03\xe9ok"), DETOUR_CHANNEL_CLOSED, 1001, "" },
  { "no-code", TEXT ("\x88\x80\0\0\0\0"), DETOUR_CHANNEL_CLOSED, 1005, "" },
  { "application", TEXT ("\x88\x82\0\0\0\0\x0b\xb8"), DETOUR_CHANNEL_CLOSED, 3000, "" },
  { "highest-code", TEXT ("\x88\x82\0\0\0\0\x13\x87"), DETOUR_CHANNEL_CLOSED, 4999, "" },
  { "after-data", TEXT ("\x82\x81\0\0\0\0a\x88\x82\0\0\0\0\x03\xe8"), DETOUR_CHANNEL_CLOSED, 1000,
    "a" },
  { "within-a-message", TEXT ("\x02\x81\0\0\0\0a\x88\x82\0\0\0\0\x03\xe8"), DETOUR_CHANNEL_CLOSED,
    1000, "a" },
  { "nothing-after-goodbye", TEXT ("\x88\x82\0\0\0\0\x03\xe8\x82\x81\0\0\0\0a"),
    DETOUR_CHANNEL_CLOSED, 1000, "" },
  { "code-of-one-byte", TEXT ("\x88\x81\0\0\0\0\x03"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "code-999", TEXT ("\x88\x82\0\0\0\0\x03\xe7"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "code-1005", TEXT ("\x88\x82\0\0\0\0\x03\xed"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "code-1015", TEXT ("\x88\x82\0\0\0\0\x03\xf7"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "code-2999", TEXT ("\x88\x82\0\0\0\0\x0b\xb7"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "code-5000", TEXT ("\x88\x82\0\0\0\0\x13\x88"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "reason-not-text", TEXT ("\x88\x83\0\0\0\0\x03\xe8\xff"), DETOUR_CHANNEL_BAD, 1007, "" },
  { "text", TEXT ("\x81\x81\0\0\0\0a"), DETOUR_CHANNEL_BAD, 1003, "" },
  { "text-fragment", TEXT ("\x01\x81\0\0\0\0a"), DETOUR_CHANNEL_BAD, 1003, "" },
  { "data-before-text", TEXT ("\x82\x81\0\0\0\0a\x81\x81\0\0\0\0b"), DETOUR_CHANNEL_BAD, 1003,
    "a" },
  { "text-within-a-message", TEXT ("\x02\x81\0\0\0\0a\x81\x81\0\0\0\0b"), DETOUR_CHANNEL_BAD, 1002,
    "a" },
  { "binary-within-a-message", TEXT ("\x02\x81\0\0\0\0a\x82\x81\0\0\0\0b"), DETOUR_CHANNEL_BAD,
    1002, "a" },
  { "fragment-first", TEXT ("\x80\x81\0\0\0\0a"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "fragment-after-the-last", TEXT ("\x82\x80\0\0\0\0\x80\x80\0\0\0\0"), DETOUR_CHANNEL_BAD, 1002,
    "" },
  { "no-mask", TEXT ("\x82\x01"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "reserved-bit", TEXT ("\xc2"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "unknown-kind", TEXT ("\x83"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "fragmented-ping", TEXT ("\x09"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "long-ping", TEXT ("\x89\xfe"), DETOUR_CHANNEL_BAD, 1002, "" },
  { "too-long", TEXT ("\x82\x8b\0\0\0\0"), DETOUR_CHANNEL_BAD, 1009, "" },
  { "longest",
    TEXT ("\x82\x8a\0\0\0\0"
          "0123456789"
          "\x88\x82\0\0\0\0\x03\xe8"),
    DETOUR_CHANNEL_CLOSED, 1000, "0123456789" },
  { "too-long-in-fragments",
    TEXT ("\x02\x86\0\0\0\0"
          "012345"
          "\x80\x85\0\0\0\0"),
    DETOUR_CHANNEL_BAD, 1009, "012345" },
  { "longest-in-fragments",
    TEXT ("\x02\x86\0\0\0\0"
          "012345"
          "\x80\x84\0\0\0\0"
          "6789"
          "\x88\x82\0\0\0\0\x03\xe8"),
    DETOUR_CHANNEL_CLOSED, 1000, "0123456789" },
  { "longest-there-is", TEXT ("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"),
    DETOUR_CHANNEL_BAD, 1009, "" },
};

/* In one piece, and byte by byte; the goodbye is answered with its own code, a fault with ours. */
static void
test_end (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  const guint8 code[] = { (guint8) (ends[i].code >> 8), (guint8) ends[i].code };

  for (gsize step = ends[i].len; step > 0; step = step == 1 ? 0 : 1)
    {
      Side side;

      side_init (&side, 10);
      for (gsize at = 0; at < ends[i].len && side.result == DETOUR_CHANNEL_OK; at += step)
        side_feed (&side, (const guint8 *) ends[i].wire + at, MIN (step, ends[i].len - at));
      g_assert_cmpint (side.result, ==, ends[i].result);
      assert_bytes (side.plain, ends[i].plain, strlen (ends[i].plain));
      /* One that is over cannot be carried over, and takes nothing any more. */
      g_assert_null (websocket_channel_class.save (side.self));
      side_feed (&side, (const guint8 *) "\x82\x81\0\0\0\0a", 7);
      g_assert_cmpint (side.result, ==, DETOUR_CHANNEL_BAD);
      assert_bytes (side.plain, ends[i].plain, strlen (ends[i].plain));

      side_close (&side);
      g_assert_cmpuint (side.sent->data[0], ==, FIN | WEBSOCKET_CLOSE);
      if (ends[i].code == 1005)
        assert_bytes (side.sent, "\x88\0", 2);
      else
        g_assert_cmpmem (side.sent->data + 1, side.sent->len - 1,
                         ((const guint8[]) { 2, code[0], code[1] }), 3);
      side_clear (&side);
    }
}

static void
test_own_goodbye (void)
{
  Side side;

  side_init (&side, 0);
  side_close (&side);
  assert_bytes (side.sent, "\x88\x02\x03\xe8", 4);
  side_clear (&side);
}

/* ---- what goes ------------------------------------------------------------------------------- */

static void
test_seal (void)
{
  static const gsize sizes[] = { 0, 1, 125, 126, 1437, 16383, 16384, 16385, 65605, BOTH };
  g_autoptr (GByteArray) plain = some_bytes (BOTH);

  for (gsize k = 0; k < G_N_ELEMENTS (sizes); k++)
    for (gsize cut = 0; cut <= sizes[k]; cut += sizes[k] / 3 + 1)
      {
        const struct iovec spans[] = { { plain->data, cut },
                                       { NULL, 0 },
                                       { plain->data + cut, sizes[k] - cut } };
        gsize done = 0;
        Side side;

        side_init (&side, 0);
        side_seal (&side, spans, G_N_ELEMENTS (spans));
        g_assert_cmpuint (side.sent->len, <=, sizes[k] + DETOUR_CHANNEL_UPPER_MAX);
        for (gsize at = 0; at < side.sent->len;)
          {
            const guint8 *frame = side.sent->data + at;
            gsize n_head = frame[1] == 126 ? 4 : 2;
            gsize len = frame[1] == 126 ? (gsize) frame[2] << 8 | frame[3] : frame[1];

            g_assert_cmpuint (frame[0], ==, FIN | WEBSOCKET_BINARY);
            g_assert_cmpuint (frame[1], <=, 126);
            g_assert_cmpuint (len, ==, MIN (sizes[k] - done, DETOUR_CHANNEL_RECORD_MAX));
            g_assert_cmpmem (frame + n_head, len, plain->data + done, len);
            done += len;
            at += n_head + len;
          }
        g_assert_cmpuint (done, ==, sizes[k]);
        side_clear (&side);
      }
}

/* ---- damaged states -------------------------------------------------------------------------- */

static void
test_damaged (void)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  guint n_pings;
  g_autoptr (GByteArray) wire = fragmented (&n_pings, plain);

  for (gsize cut = 0; cut < wire->len; cut += 29)
    {
      g_autoptr (GBytes) saved = NULL;
      g_autofree guint8 *copy = NULL;
      gsize len;
      Side side;

      side_init (&side, 0);
      side_feed (&side, wire->data, cut);
      saved = websocket_channel_class.save (side.self);
      copy = g_memdup2 (g_bytes_get_data (saved, &len), g_bytes_get_size (saved));
      for (gsize n = 0; n < len; n++)
        {
          g_autofree guint8 *shorter = g_memdup2 (copy, n);

          g_assert_null (websocket_channel_class.restore (shorter, n));
        }
      /* A bit that is turned is found, or leaves a state that takes anything without harm. */
      for (gsize bit = 0; bit < 8 * len; bit++)
        {
          gpointer other;

          copy[bit / 8] ^= (guint8) (1u << bit % 8);
          other = websocket_channel_class.restore (copy, len);
          copy[bit / 8] ^= (guint8) (1u << bit % 8);
          if (other == NULL)
            continue;
          websocket_channel_class.free (side.self);
          side.self = other;
          side_feed (&side, wire->data, wire->len);
        }
      side_clear (&side);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/websocket-channel/cut-and-carried-anywhere", test_cut_anywhere);
  g_test_add_func ("/websocket-channel/byte-by-byte", test_byte_by_byte);
  g_test_add_func ("/websocket-channel/long-messages", test_long);
  g_test_add_func ("/websocket-channel/pings", test_pings);
  g_test_add_func ("/websocket-channel/pong-that-is-owed", test_pong_is_owed);
  TEST_ADD_ROWS ("/websocket-channel/end/", ends, test_end);
  g_test_add_func ("/websocket-channel/own-goodbye", test_own_goodbye);
  g_test_add_func ("/websocket-channel/messages-that-are-sent", test_seal);
  g_test_add_func ("/websocket-channel/damaged-state", test_damaged);
  return g_test_run ();
}
