/* test-frame.c: tests the layout and the limits of frames.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-frame.h"

/* Header in front of @len bytes that count up. */
static guint8 *
make_frame (guint8 type, guint32 len)
{
  guint8 *frame = g_malloc (DETOUR_FRAME_HEADER_SIZE + len);

  detour_frame_put_header (frame, type, len);
  for (guint32 i = 0; i < len; i++)
    frame[DETOUR_FRAME_HEADER_SIZE + i] = (guint8) i;
  return frame;
}

static const struct {
  guint8 type;
  guint32 len;
  DetourFrameVerdict client, mesh;
} check_cases[] = {
  { DETOUR_FRAME_SEND_PACKET, 31, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_SEND_PACKET, 32, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { DETOUR_FRAME_SEND_PACKET, 65568, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { DETOUR_FRAME_SEND_PACKET, 65569, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_SEND_PACKET, G_MAXUINT32, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_FORWARD_PACKET, 63, DETOUR_FRAME_FORBIDDEN, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_FORWARD_PACKET, 64, DETOUR_FRAME_FORBIDDEN, DETOUR_FRAME_OK },
  { DETOUR_FRAME_FORWARD_PACKET, 65600, DETOUR_FRAME_FORBIDDEN, DETOUR_FRAME_OK },
  { DETOUR_FRAME_FORWARD_PACKET, 65601, DETOUR_FRAME_FORBIDDEN, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_NOTE_PREFERRED, 0, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_NOTE_PREFERRED, 1, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { DETOUR_FRAME_NOTE_PREFERRED, 2, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_WATCH_CONNS, 0, DETOUR_FRAME_FORBIDDEN, DETOUR_FRAME_OK },
  { DETOUR_FRAME_WATCH_CONNS, 1, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_CLOSE_PEER, 31, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_CLOSE_PEER, 32, DETOUR_FRAME_FORBIDDEN, DETOUR_FRAME_OK },
  { DETOUR_FRAME_CLOSE_PEER, 33, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_PING, 7, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_PING, 8, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { DETOUR_FRAME_PING, 1000, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { DETOUR_FRAME_PING, 1001, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  /* What a server does not handle is skipped up to one limit, whatever it is called. */
  { DETOUR_FRAME_PONG, 65568, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { DETOUR_FRAME_PONG, 65569, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_KEEP_ALIVE, 65568, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { DETOUR_FRAME_KEEP_ALIVE, 65569, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { DETOUR_FRAME_CLIENT_INFO, 65568, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { DETOUR_FRAME_CLIENT_INFO, 65569, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { 0x00, 0, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { 0x00, 65569, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { 0x0b, 65568, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { 0xff, 65568, DETOUR_FRAME_OK, DETOUR_FRAME_OK },
  { 0xff, 65569, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD },
  { 'G', 0x4554202f, DETOUR_FRAME_BAD, DETOUR_FRAME_BAD }, /* "GET /" */
};

static void
test_check (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (check_cases); i++)
    {
      g_test_message ("type 0x%02x, %u bytes", check_cases[i].type, check_cases[i].len);
      g_assert_cmpint (detour_frame_check (check_cases[i].type, check_cases[i].len, FALSE), ==,
                       check_cases[i].client);
      g_assert_cmpint (detour_frame_check (check_cases[i].type, check_cases[i].len, TRUE), ==,
                       check_cases[i].mesh);
    }
}

static void
test_prefixes (void)
{
  static const struct {
    guint8 type;
    guint32 len;
  } cases[] = { { DETOUR_FRAME_SEND_PACKET, 37 }, { DETOUR_FRAME_PING, 8 },
                { DETOUR_FRAME_WATCH_CONNS, 0 },  { DETOUR_FRAME_FORWARD_PACKET, 70 },
                { DETOUR_FRAME_CLOSE_PEER, 32 },  { 0x77, 100 } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree guint8 *whole = make_frame (cases[i].type, cases[i].len);
      gsize size = DETOUR_FRAME_HEADER_SIZE + cases[i].len;
      DetourFrame frame;

      for (gsize n = 0; n < size; n++)
        {
          g_autofree guint8 *part = g_memdup2 (whole, n);

          g_assert_cmpint (detour_frame_parse (part, n, TRUE, &frame), ==, DETOUR_FRAME_MORE);
          g_assert_null (frame.payload);
          g_assert_cmpuint (frame.len, ==, n < DETOUR_FRAME_HEADER_SIZE ? 0 : cases[i].len);
        }
      g_assert_cmpint (detour_frame_parse (whole, size, TRUE, &frame), ==, DETOUR_FRAME_OK);
      g_assert_cmpuint (frame.type, ==, cases[i].type);
      g_assert_cmpuint (frame.len, ==, cases[i].len);
      g_assert_true (frame.payload == whole + DETOUR_FRAME_HEADER_SIZE);
    }
}

static void
test_bad_header_at_once (void)
{
  guint8 header[DETOUR_FRAME_HEADER_SIZE];
  DetourFrame frame;

  detour_frame_put_header (header, DETOUR_FRAME_SEND_PACKET, 65569);
  g_assert_cmpint (detour_frame_parse (header, sizeof header, FALSE, &frame), ==, DETOUR_FRAME_BAD);
  detour_frame_put_header (header, DETOUR_FRAME_FORWARD_PACKET, 100);
  g_assert_cmpint (detour_frame_parse (header, sizeof header, FALSE, &frame), ==,
                   DETOUR_FRAME_FORBIDDEN);
  detour_frame_put_header (header, 0xee, G_MAXUINT32);
  g_assert_cmpint (detour_frame_parse (header, sizeof header, TRUE, &frame), ==, DETOUR_FRAME_BAD);
}

/* The short way for packets and the long one for all frames agree: type, length and how much has
 * come, around every limit. */
static void
test_short_way_of_packets (void)
{
  static const guint32 lens[] = {
    0, 31, 32, 33, 1400, DETOUR_FRAME_SEND_MAX, DETOUR_FRAME_SEND_MAX + 1, G_MAXUINT32
  };
  g_autofree guint8 *data = g_malloc0 (DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_SEND_MAX + 1);

  for (guint type = 0; type <= G_MAXUINT8; type++)
    for (guint i = 0; i < G_N_ELEMENTS (lens); i++)
      for (guint have = 0; have < 6; have++)
        {
          const gsize whole = DETOUR_FRAME_HEADER_SIZE + (gsize) lens[i];
          const gsize haves[] = { 0, 4, 5, whole - 1, whole, whole + 1 };
          DetourFrame frame, other;
          gboolean is_short, is_ok;

          if (haves[have] > DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_SEND_MAX + 1)
            continue;
          detour_frame_put_header (data, (guint8) type, lens[i]);
          is_short = detour_frame_parse_send (data, haves[have], &frame);
          is_ok = detour_frame_parse (data, haves[have], FALSE, &other) == DETOUR_FRAME_OK;
          g_assert_cmpint (is_short, ==, is_ok && type == DETOUR_FRAME_SEND_PACKET);
          if (!is_short)
            continue;
          g_assert_cmpuint (frame.type, ==, other.type);
          g_assert_cmpuint (frame.len, ==, other.len);
          g_assert_true (frame.payload == other.payload);
        }
}

static void
test_several_in_a_row (void)
{
  guint8 buffer[64];
  gsize len = 0, at = 0;
  DetourFrame frame;

  detour_frame_put_header (buffer, DETOUR_FRAME_PING, 9);
  memset (buffer + 5, 'p', 9);
  detour_frame_put_header (buffer + 14, DETOUR_FRAME_NOTE_PREFERRED, 1);
  buffer[19] = 1;
  len = 20;
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (detour_frame_parse (buffer + at, len - at, FALSE, &frame), ==,
                       DETOUR_FRAME_OK);
      at += DETOUR_FRAME_HEADER_SIZE + frame.len;
    }
  g_assert_cmpuint (frame.payload[0], ==, 1);
  g_assert_cmpuint (at, ==, len);
}

static void
test_disco (void)
{
  guint8 packet[62] = "TS\xf0\x9f\x92\xac";

  g_assert_true (detour_frame_is_disco (packet, 62));
  g_assert_false (detour_frame_is_disco (packet, 61));
  g_assert_false (detour_frame_is_disco (NULL, 0));
  packet[5] ^= 1;
  g_assert_false (detour_frame_is_disco (packet, 62));
}

static void
test_send_becomes_recv_in_place (void)
{
  guint8 frame[] = "\x04\x00\x00\x00\x25"
                   "dddddddddddddddddddddddddddddddd"
                   "hello";
  static const guint8 expected[] = "\x05\x00\x00\x00\x25"
                                   "ssssssssssssssssssssssssssssssss"
                                   "hello";
  DetourKey source;

  memset (&source, 's', sizeof source);
  g_assert_cmpuint (detour_frame_put_recv_head (frame, &source, 5), ==, 37);
  g_assert_cmpmem (frame, sizeof frame, expected, sizeof expected);
}

static void
test_builders (void)
{
  guint8 out[DETOUR_FRAME_PEER_PRESENT_MAX + 1];
  DetourKey key;
  DetourPresence presence = { .ip = "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01",
                              .port = 50806,
                              .flags = DETOUR_FRAME_PRESENT_MESH };
  static const guint8 present_tail[] = "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01\xc6\x76\x02\x06"
                                       "my app";

  memset (&key, 0x11, sizeof key);
#define HEAD(n, ...) g_assert_cmpmem (out, n, ((const guint8[]) { __VA_ARGS__ }), n)

  g_assert_cmpuint (detour_frame_put_server_key (out, &key), ==, 45);
  HEAD (14, 1, 0, 0, 0, 0x28, 0x44, 0x45, 0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91, 0x11);
  g_assert_cmpmem (out + 13, 32, &key, 32);

  g_assert_cmpuint (detour_frame_put_peer_gone (out, &key, DETOUR_FRAME_GONE_NOT_HERE), ==, 38);
  HEAD (6, 8, 0, 0, 0, 0x21, 0x11);
  g_assert_cmpuint (out[37], ==, 1);

  g_assert_cmpuint (detour_frame_put_pong (out, (const guint8 *) "12345678"), ==, 13);
  HEAD (6, 0x13, 0, 0, 0, 8, '1');
  g_assert_cmpuint (out[12], ==, '8');

  g_assert_cmpuint (detour_frame_put_keep_alive (out), ==, 5);
  HEAD (5, 6, 0, 0, 0, 0);

  g_assert_cmpuint (detour_frame_put_peer_present (out, &key, &presence), ==, 57);
  HEAD (6, 9, 0, 0, 0, 0x34, 0x11);
  g_assert_cmpmem (out + 37, 19, present_tail, 19);
  g_assert_cmpuint (out[56], ==, 0);
  memcpy (presence.name, "my app", 6);
  presence.name_len = 6;
  g_assert_cmpuint (detour_frame_put_peer_present (out, &key, &presence), ==, 63);
  HEAD (6, 9, 0, 0, 0, 0x3a, 0x11);
  g_assert_cmpmem (out + 37, 26, present_tail, 26);

  memset (presence.name, 'x', DETOUR_FRAME_APP_NAME_MAX);
  presence.name_len = DETOUR_FRAME_APP_NAME_MAX;
  out[DETOUR_FRAME_PEER_PRESENT_MAX] = 0xaa;
  g_assert_cmpuint (detour_frame_put_peer_present (out, &key, &presence), ==,
                    DETOUR_FRAME_PEER_PRESENT_MAX);
  g_assert_cmpuint (out[DETOUR_FRAME_PEER_PRESENT_MAX], ==, 0xaa);
#undef HEAD
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/frame/length-and-permission-of-each-type", test_check);
  g_test_add_func ("/frame/every-prefix-wants-more", test_prefixes);
  g_test_add_func ("/frame/bad-header-refused-before-payload", test_bad_header_at_once);
  g_test_add_func ("/frame/short-way-of-packets", test_short_way_of_packets);
  g_test_add_func ("/frame/several-in-a-row", test_several_in_a_row);
  g_test_add_func ("/frame/disco-needs-62-bytes-and-magic", test_disco);
  g_test_add_func ("/frame/send-becomes-recv-in-place", test_send_becomes_recv_in_place);
  g_test_add_func ("/frame/builders", test_builders);
  return g_test_run ();
}
