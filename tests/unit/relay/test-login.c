/* test-login.c: tests the boxes of a login against fixed vectors and against what strangers may
 * send.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-login.h"

#include <sodium.h>

#define SERVER_SECRET "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e5f"
#define SERVER_PUBLIC "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f"
#define CLIENT_SECRET "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e5f"
#define CLIENT_PUBLIC "493e82fc74464a59268817623d2053c5eb8e2cc4a988b4fee179ec6b010d531d"
#define NONCE         "404142434445464748494a4b4c4d4e4f5051525354555657"

static guint8 *
from_hex (const char *hex, gsize *len)
{
  guint8 *bytes = g_malloc (strlen (hex) / 2);

  g_assert_cmpint (sodium_hex2bin (bytes, strlen (hex) / 2, hex, strlen (hex), NULL, len, NULL), ==,
                   0);
  return bytes;
}

static const guint8 *
server_secret (void)
{
  static DetourKey key;

  g_assert_true (detour_key_parse (&key, SERVER_SECRET, ""));
  return key.bytes;
}

/* Payload of a ClientInfo that says @text, from the client of the vectors. */
static guint8 *
make_payload (const char *text, gsize text_len, gsize *len)
{
  DetourKey server, secret, public;
  guint8 *payload;

  g_assert_true (detour_key_parse (&server, SERVER_PUBLIC, ""));
  g_assert_true (detour_key_parse (&secret, CLIENT_SECRET, ""));
  g_assert_true (detour_key_parse (&public, CLIENT_PUBLIC, ""));
  *len = DETOUR_LOGIN_CLIENT_INFO_MIN + text_len;
  payload = g_malloc (*len);
  memcpy (payload, public.bytes, 32);
  randombytes_buf (payload + 32, 24);
  g_assert_cmpint (crypto_box_easy (payload + 56, (const guint8 *) text, text_len, payload + 32,
                                    server.bytes, secret.bytes),
                   ==, 0);
  return payload;
}

static gboolean
try_login (const char *text, const guint8 *mesh_key, DetourLogin *login, const char **reason)
{
  gsize len;
  g_autofree guint8 *payload = make_payload (text, strlen (text), &len);

  return detour_login_open (payload, len, server_secret (), mesh_key, login, reason);
}

static void
test_vectors (void)
{
  gsize len, expected_len, nonce_len;
  g_autofree guint8 *frame_bytes = from_hex (
      "0200000068" CLIENT_PUBLIC NONCE "b74572de1b4fb4f7afd8d00ec8f62747"
      "59ff39372832c1f113924bfda7f34f1c24193ad82ac25c1ba685e5b7f0858bd2",
      &len);
  g_autofree guint8 *expected = from_hex (
      "0300000035" NONCE "b6d9f3493f42c9da5489de01e7b4041059ff39372832c1f113924bfdf6",
      &expected_len);
  g_autofree guint8 *nonce = from_hex (NONCE, &nonce_len);
  guint8 answer[DETOUR_LOGIN_SERVER_INFO_SIZE + 1], other[DETOUR_LOGIN_SERVER_INFO_SIZE];
  char hex[DETOUR_KEY_HEX_SIZE + 1];
  DetourFrame frame;
  DetourLogin login;
  const char *reason;

  g_assert_cmpint (detour_login_parse (frame_bytes, len, &frame), ==, DETOUR_FRAME_OK);
  g_assert_cmpuint (frame.len, ==, 104);
  g_assert_true (
      detour_login_open (frame.payload, frame.len, server_secret (), NULL, &login, &reason));
  detour_key_to_hex (&login.key, hex);
  g_assert_cmpstr (hex, ==, CLIENT_PUBLIC);
  g_assert_false (login.is_mesh);
  g_assert_false (login.is_prober);
  g_assert_cmpstr (login.app_name, ==, "");

  answer[DETOUR_LOGIN_SERVER_INFO_SIZE] = 0xaa;
  detour_login_server_info (&login, nonce, answer);
  g_assert_cmpmem (answer, DETOUR_LOGIN_SERVER_INFO_SIZE, expected, expected_len);
  g_assert_cmpuint (answer[DETOUR_LOGIN_SERVER_INFO_SIZE], ==, 0xaa);

  /* Nonces of its own differ. */
  detour_login_server_info (&login, NULL, answer);
  detour_login_server_info (&login, NULL, other);
  g_assert_cmpint (memcmp (answer + 5, other + 5, 24), !=, 0);

  detour_login_clear (&login);
  g_assert_true (sodium_is_zero (login.shared, sizeof login.shared));
}

static void
test_prefixes (void)
{
  gsize len;
  g_autofree guint8 *payload = make_payload ("{\"version\":2}", 13, &len);
  guint8 frame_bytes[128];
  DetourFrame frame;

  detour_frame_put_header (frame_bytes, DETOUR_FRAME_CLIENT_INFO, (guint32) len);
  memcpy (frame_bytes + 5, payload, len);
  for (gsize n = 0; n < 5 + len; n++)
    {
      g_autofree guint8 *part = g_memdup2 (frame_bytes, n);

      g_assert_cmpint (detour_login_parse (part, n, &frame), ==, DETOUR_FRAME_MORE);
    }
  g_assert_cmpint (detour_login_parse (frame_bytes, 5 + len, &frame), ==, DETOUR_FRAME_OK);
  /* Frames that follow at once are not its business. */
  g_assert_cmpint (detour_login_parse (frame_bytes, sizeof frame_bytes, &frame), ==,
                   DETOUR_FRAME_OK);
  g_assert_cmpuint (frame.len, ==, len);
}

static void
test_first_frame (void)
{
  static const struct {
    guint8 type;
    guint32 len;
    DetourFrameVerdict verdict;
  } cases[] = {
    { DETOUR_FRAME_CLIENT_INFO, DETOUR_LOGIN_CLIENT_INFO_MIN - 1, DETOUR_FRAME_BAD },
    { DETOUR_FRAME_CLIENT_INFO, DETOUR_LOGIN_CLIENT_INFO_MIN, DETOUR_FRAME_MORE },
    { DETOUR_FRAME_CLIENT_INFO, DETOUR_LOGIN_CLIENT_INFO_MAX, DETOUR_FRAME_MORE },
    { DETOUR_FRAME_CLIENT_INFO, DETOUR_LOGIN_CLIENT_INFO_MAX + 1, DETOUR_FRAME_BAD },
    { DETOUR_FRAME_CLIENT_INFO, G_MAXUINT32, DETOUR_FRAME_BAD },
    { DETOUR_FRAME_SEND_PACKET, 104, DETOUR_FRAME_BAD },
    { DETOUR_FRAME_PING, 8, DETOUR_FRAME_BAD },
    { 0x77, 104, DETOUR_FRAME_BAD },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint8 header[DETOUR_FRAME_HEADER_SIZE];
      DetourFrame frame;

      detour_frame_put_header (header, cases[i].type, cases[i].len);
      g_assert_cmpint (detour_login_parse (header, sizeof header, &frame), ==, cases[i].verdict);
      g_assert_cmpuint (frame.len, ==, cases[i].len);
    }
}

static void
test_damaged (void)
{
  gsize len;
  g_autofree guint8 *payload = make_payload ("{\"version\":2}", 13, &len);
  DetourLogin login;
  const char *reason;

  for (gsize bit = 0; bit < 8 * len; bit++)
    {
      /* The highest bit of a key is not looked at. */
      if (bit == 8 * 31 + 7)
        continue;
      payload[bit / 8] ^= (guint8) (1u << bit % 8);
      g_assert_false (detour_login_open (payload, len, server_secret (), NULL, &login, &reason));
      g_assert_true (sodium_is_zero (login.shared, sizeof login.shared));
      payload[bit / 8] ^= (guint8) (1u << bit % 8);
    }
  g_assert_true (detour_login_open (payload, len, server_secret (), NULL, &login, &reason));
  for (gsize n = 0; n < len; n++)
    {
      g_autofree guint8 *part = g_memdup2 (payload, n);

      g_assert_false (detour_login_open (part, n, server_secret (), NULL, &login, &reason));
    }
}

static void
test_bad_keys (void)
{
  gsize len;
  g_autofree guint8 *payload = make_payload ("{}", 2, &len);
  DetourLogin login;
  const char *reason;

  memset (payload, 0, 32);
  g_assert_false (detour_login_open (payload, len, server_secret (), NULL, &login, &reason));
  g_assert_cmpstr (reason, ==, "the client's key is zero");
  payload[0] = 1;
  g_assert_false (detour_login_open (payload, len, server_secret (), NULL, &login, &reason));
  g_assert_cmpstr (reason, ==, "the client's key is weak");
}

static void
test_texts (void)
{
  g_autofree char *longest = g_strnfill (DETOUR_CLIENTINFO_TEXT_MAX, ' ');
  DetourLogin login;
  const char *reason;

  g_assert_true (try_login ("{\"version\":7,\"IsProber\":true,\"AppName\":\"my app\"}", NULL,
                            &login, &reason));
  g_assert_true (login.is_prober);
  g_assert_cmpstr (login.app_name, ==, "my app");
  g_assert_true (try_login ("null", NULL, &login, &reason));
  g_assert_false (try_login ("", NULL, &login, &reason));
  g_assert_false (try_login ("{\"version\":\"2\"}", NULL, &login, &reason));
  g_assert_cmpstr (reason, ==, "version is not an integer");
  memcpy (longest, "{}", 2);
  g_assert_true (try_login (longest, NULL, &login, &reason));
}

static void
test_mesh_key (void)
{
#define TEXT(hex) "{\"meshKey\":\"" hex "\"}"
  static const guint8 zero[32];
  DetourKey mesh;
  DetourLogin login;
  const char *reason;

  g_assert_true (detour_key_parse (&mesh, NONCE "0123456789abcdef", ""));
  g_assert_true (try_login (TEXT (NONCE "0123456789abcdef"), mesh.bytes, &login, &reason));
  g_assert_true (login.is_mesh);
  g_assert_true (try_login (TEXT (NONCE "0123456789ABCDEF"), mesh.bytes, &login, &reason));
  g_assert_true (login.is_mesh);
  /* A wrong one makes an ordinary client; so does none, and a right one where nobody has it. */
  g_assert_true (try_login (TEXT (NONCE "0123456789abcdee"), mesh.bytes, &login, &reason));
  g_assert_false (login.is_mesh);
  g_assert_true (try_login ("{}", mesh.bytes, &login, &reason));
  g_assert_false (login.is_mesh);
  g_assert_true (try_login (TEXT (NONCE "0123456789abcdef"), NULL, &login, &reason));
  g_assert_false (login.is_mesh);
  /* Zero is never a match. */
#define ZERO16 "0000000000000000"
  g_assert_true (try_login (TEXT (ZERO16 ZERO16 ZERO16 ZERO16), zero, &login, &reason));
  g_assert_false (login.is_mesh);
  g_assert_true (try_login ("{}", zero, &login, &reason));
  g_assert_false (login.is_mesh);
  /* A malformed one is refused everywhere. */
  g_assert_false (try_login (TEXT (NONCE), mesh.bytes, &login, &reason));
  g_assert_false (try_login (TEXT (NONCE), NULL, &login, &reason));
#undef ZERO16
#undef TEXT
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (sodium_init (), >=, 0);
  g_test_add_func ("/login/fixed-vectors", test_vectors);
  g_test_add_func ("/login/every-prefix-wants-more", test_prefixes);
  g_test_add_func ("/login/first-frame-must-be-clientinfo", test_first_frame);
  g_test_add_func ("/login/any-flipped-bit-is-refused", test_damaged);
  g_test_add_func ("/login/zero-and-weak-keys-are-refused", test_bad_keys);
  g_test_add_func ("/login/texts", test_texts);
  g_test_add_func ("/login/mesh-key-decides-privilege", test_mesh_key);
  return g_test_run ();
}
