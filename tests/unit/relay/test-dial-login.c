/* test-dial-login.c: the client's side of a login agrees with the server's.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-dial-login.h"

#include <sodium.h>
#include <string.h>

static DetourKey client, server;
static guint8 client_secret[DETOUR_KEY_SIZE], server_secret[DETOUR_KEY_SIZE];
static guint8 mesh_key[DETOUR_KEY_SIZE];

static void
begin (DetourDialLogin *login)
{
  g_assert_true (detour_dial_login_begin (login, &client, client_secret, &server));
}

static void
both_sides (void)
{
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GByteArray) out = g_byte_array_new ();
      guint8 other[DETOUR_KEY_SIZE] = { 3 };
      DetourDialLogin dial;
      DetourLogin login;
      DetourFrame frame;
      const char *reason;
      guint8 info[DETOUR_LOGIN_SERVER_INFO_SIZE];

      begin (&dial);
      g_assert_false (dial.is_prober);
      dial.is_prober = i == 2;
      detour_dial_login_client_info (&dial, i == 0 ? NULL : i == 1 ? mesh_key : other, out);
      g_assert_cmpint (detour_login_parse (out->data, out->len, &frame), ==, DETOUR_FRAME_OK);
      g_assert_cmpuint (frame.len + DETOUR_FRAME_HEADER_SIZE, ==, out->len);
      g_assert_true (
          detour_login_open (frame.payload, frame.len, server_secret, mesh_key, &login, &reason));
      g_assert_cmpmem (login.key.bytes, DETOUR_KEY_SIZE, client.bytes, DETOUR_KEY_SIZE);
      g_assert_cmpint (login.is_mesh, ==, i == 1);
      g_assert_cmpint (login.is_prober, ==, i == 2);

      detour_login_server_info (&login, NULL, info);
      g_assert_true (detour_dial_login_is_server (&dial, info + DETOUR_FRAME_HEADER_SIZE,
                                                  sizeof info - DETOUR_FRAME_HEADER_SIZE));
      info[sizeof info - 1] ^= 1;
      g_assert_false (detour_dial_login_is_server (&dial, info + DETOUR_FRAME_HEADER_SIZE,
                                                   sizeof info - DETOUR_FRAME_HEADER_SIZE));
      for (gsize n = 0; n < sizeof info - DETOUR_FRAME_HEADER_SIZE; n++)
        {
          g_autofree guint8 *prefix = g_memdup2 (info + DETOUR_FRAME_HEADER_SIZE, n + 1);

          g_assert_false (detour_dial_login_is_server (&dial, prefix, n));
        }
      detour_login_clear (&login);
      detour_dial_login_clear (&dial);
    }
}

static void
key_of_nobody (void)
{
  const DetourKey zero = { { 0 } };
  DetourDialLogin dial;

  g_assert_false (detour_dial_login_begin (&dial, &client, client_secret, &zero));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (sodium_init (), >=, 0);
  crypto_box_keypair (client.bytes, client_secret);
  crypto_box_keypair (server.bytes, server_secret);
  memset (mesh_key, 0x77, sizeof mesh_key);
  g_test_add_func ("/dial-login/both-sides", both_sides);
  g_test_add_func ("/dial-login/key-of-nobody", key_of_nobody);
  return g_test_run ();
}
