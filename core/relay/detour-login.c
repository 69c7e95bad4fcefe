/* detour-login.c: the two boxes by which client and server know each other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-login.h"

#include <sodium.h>

G_STATIC_ASSERT (DETOUR_KEY_SIZE == crypto_box_PUBLICKEYBYTES);
G_STATIC_ASSERT (DETOUR_LOGIN_NONCE_SIZE == crypto_box_NONCEBYTES);
G_STATIC_ASSERT (DETOUR_LOGIN_TAG_SIZE == crypto_box_MACBYTES);
G_STATIC_ASSERT (sizeof (((DetourLogin *) NULL)->shared) == crypto_box_BEFORENMBYTES);

DetourFrameVerdict
detour_login_parse (guint8 *data, gsize len, DetourFrame *frame)
{
  *frame = (DetourFrame) { 0 };
  if (len < DETOUR_FRAME_HEADER_SIZE)
    return DETOUR_FRAME_MORE;
  frame->type = data[0];
  frame->len = detour_frame_get_u32 (data + 1);
  if (frame->type != DETOUR_FRAME_CLIENT_INFO || frame->len < DETOUR_LOGIN_CLIENT_INFO_MIN
      || frame->len > DETOUR_LOGIN_CLIENT_INFO_MAX)
    return DETOUR_FRAME_BAD;
  if (len - DETOUR_FRAME_HEADER_SIZE < frame->len)
    return DETOUR_FRAME_MORE;
  frame->payload = data + DETOUR_FRAME_HEADER_SIZE;
  return DETOUR_FRAME_OK;
}

static gboolean
login_is_mesh (const DetourClientInfo *info, const guint8 *mesh_key)
{
  if (mesh_key == NULL || !info->has_mesh_key)
    return FALSE;
  /* Zero stands for "no key", on either side. */
  if (sodium_is_zero (mesh_key, DETOUR_KEY_SIZE))
    return FALSE;
  return sodium_memcmp (info->mesh_key, mesh_key, DETOUR_KEY_SIZE) == 0;
}

static gboolean
login_read_info (const guint8 *text, gsize len, const guint8 *mesh_key, DetourLogin *login,
                 const char **reason)
{
  DetourClientInfo info;
  gboolean is_good = detour_clientinfo_parse ((const char *) text, len, &info, reason);

  if (is_good)
    {
      login->is_mesh = login_is_mesh (&info, mesh_key);
      login->is_prober = info.is_prober;
      login->can_ack_pings = info.can_ack_pings;
      login->has_snake_case = info.has_snake_case;
      memcpy (login->app_name, info.app_name, sizeof login->app_name);
    }
  sodium_memzero (&info, sizeof info);
  return is_good;
}

gboolean
detour_login_open (const guint8 *payload, gsize len, const guint8 *server_secret,
                   const guint8 *mesh_key, DetourLogin *login, const char **reason)
{
  const guint8 *nonce = payload + DETOUR_KEY_SIZE, *box = nonce + DETOUR_LOGIN_NONCE_SIZE;
  gsize text_len;
  guint8 *text;
  gboolean is_good;

  *login = (DetourLogin) { 0 };
  *reason = "ClientInfo has a length that none can have";
  if (len < DETOUR_LOGIN_CLIENT_INFO_MIN || len > DETOUR_LOGIN_CLIENT_INFO_MAX)
    return FALSE;
  memcpy (login->key.bytes, payload, DETOUR_KEY_SIZE);
  *reason = "the client's key is zero";
  if (detour_key_is_zero (&login->key))
    return FALSE;
  *reason = "the client's key is weak";
  if (crypto_box_beforenm (login->shared, login->key.bytes, server_secret) != 0)
    {
      detour_login_clear (login);
      return FALSE;
    }

  text_len = len - DETOUR_LOGIN_CLIENT_INFO_MIN;
  text = g_malloc (text_len + 1);
  if (crypto_box_open_easy_afternm (text, box, len - DETOUR_KEY_SIZE - DETOUR_LOGIN_NONCE_SIZE,
                                    nonce, login->shared)
      == 0)
    {
      is_good = login_read_info (text, text_len, mesh_key, login, reason);
    }
  else
    {
      *reason = "ClientInfo was not sealed for this server's key";
      is_good = FALSE;
    }
  /* It may hold the mesh key. */
  sodium_memzero (text, text_len);
  g_free (text);
  if (!is_good)
    detour_login_clear (login);
  return is_good;
}

void
detour_login_server_info (const DetourLogin *login, const guint8 *nonce, guint8 *out)
{
  static const char text[] = DETOUR_LOGIN_SERVER_INFO_TEXT;
  guint8 *out_nonce = out + DETOUR_FRAME_HEADER_SIZE, *box = out_nonce + DETOUR_LOGIN_NONCE_SIZE;

  detour_frame_put_header (out, DETOUR_FRAME_SERVER_INFO,
                           DETOUR_LOGIN_SERVER_INFO_SIZE - DETOUR_FRAME_HEADER_SIZE);
  if (nonce != NULL)
    memcpy (out_nonce, nonce, DETOUR_LOGIN_NONCE_SIZE);
  else
    randombytes_buf (out_nonce, DETOUR_LOGIN_NONCE_SIZE);
  g_assert (crypto_box_easy_afternm (box, (const guint8 *) text, sizeof text - 1, out_nonce,
                                     login->shared)
            == 0);
}

void
detour_login_clear (DetourLogin *login)
{
  sodium_memzero (login->shared, sizeof login->shared);
}
