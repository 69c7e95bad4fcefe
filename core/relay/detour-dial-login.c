/* detour-dial-login.c: the two boxes of a login from the client's side, for links to other relays.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-dial-login.h"

#include <sodium.h>

#define MESH_KEY_HEX (2 * DETOUR_KEY_SIZE)

/* A ServerInfo of any server: its text is not looked at. */
#define SERVER_INFO_MAX 4096u

gboolean
detour_dial_login_begin (DetourDialLogin *self, const DetourKey *own, const guint8 *secret,
                         const DetourKey *server)
{
  self->own = *own;
  self->server = *server;
  self->is_prober = FALSE;
  return !detour_key_is_zero (server)
      && crypto_box_beforenm (self->shared, server->bytes, secret) == 0;
}

/* The longest text there can be, with a NUL. */
typedef char InfoText[96 + MESH_KEY_HEX];

static gsize
dial_login_write_info (InfoText text, const guint8 *mesh_key, gboolean is_prober)
{
  const char *prober = is_prober ? ",\"IsProber\":true" : "";
  char hex[MESH_KEY_HEX + 1] = "";

  if (mesh_key == NULL)
    return (gsize) g_snprintf (text, sizeof (InfoText), "{\"version\":%u,\"CanAckPings\":true%s}",
                               DETOUR_FRAME_PROTOCOL_VERSION, prober);
  sodium_bin2hex (hex, sizeof hex, mesh_key, DETOUR_KEY_SIZE);
  g_snprintf (text, sizeof (InfoText), "{\"meshKey\":\"%s\",\"version\":%u,\"CanAckPings\":true%s}",
              hex, DETOUR_FRAME_PROTOCOL_VERSION, prober);
  sodium_memzero (hex, sizeof hex);
  return strlen (text);
}

void
detour_dial_login_client_info (const DetourDialLogin *self, const guint8 *mesh_key, GByteArray *out)
{
  InfoText text;
  gsize len = dial_login_write_info (text, mesh_key, self->is_prober);
  gsize payload_len = DETOUR_LOGIN_CLIENT_INFO_MIN + len;
  guint at = out->len;
  guint8 *frame, *nonce;

  g_byte_array_set_size (out, at + DETOUR_FRAME_HEADER_SIZE + (guint) payload_len);
  frame = out->data + at;
  nonce = frame + DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE;
  detour_frame_put_header (frame, DETOUR_FRAME_CLIENT_INFO, (guint32) payload_len);
  memcpy (frame + DETOUR_FRAME_HEADER_SIZE, self->own.bytes, DETOUR_KEY_SIZE);
  randombytes_buf (nonce, DETOUR_LOGIN_NONCE_SIZE);
  g_assert (crypto_box_easy_afternm (nonce + DETOUR_LOGIN_NONCE_SIZE, (const guint8 *) text, len,
                                     nonce, self->shared)
            == 0);
  sodium_memzero (text, sizeof (InfoText));
}

gboolean
detour_dial_login_is_server (const DetourDialLogin *self, const guint8 *payload, gsize len)
{
  g_autofree guint8 *text = NULL;

  if (len < DETOUR_LOGIN_NONCE_SIZE + DETOUR_LOGIN_TAG_SIZE || len > SERVER_INFO_MAX)
    return FALSE;
  text = g_malloc (len);
  return crypto_box_open_easy_afternm (text, payload + DETOUR_LOGIN_NONCE_SIZE,
                                       len - DETOUR_LOGIN_NONCE_SIZE, payload, self->shared)
      == 0;
}

void
detour_dial_login_clear (DetourDialLogin *self)
{
  sodium_memzero (self->shared, sizeof self->shared);
}
