/* detourctl-derp.c: a client of DERP with a key that is thrown away: login, packets.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-derp.h"

#include <glib/gi18n.h>
#include <sodium.h>
#include <string.h>

/* For a word that is on its way already. */
#define MOMENT_US (100 * 1000)

void
detourctl_derp_init (DetourctlDerp *self)
{
  *self = (DetourctlDerp) { .stream = DETOURCTL_STREAM_INIT };
  crypto_box_keypair (self->key.bytes, self->secret);
}

void
detourctl_derp_clear (DetourctlDerp *self)
{
  detourctl_stream_close (&self->stream);
  sodium_memzero (self->secret, sizeof self->secret);
}

static gboolean
ctl_derp_fail (GError **error, const char *text)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, text);
  return FALSE;
}

/* The next frame, which stays at the beginning of `in` until ctl_derp_take_frame(). */
static gboolean
ctl_derp_need_frame (DetourctlDerp *self, guint8 *type, guint32 *len, GError **error)
{
  const GByteArray *in;

  if (!detourctl_stream_need (&self->stream, DETOUR_FRAME_HEADER_SIZE, error))
    return FALSE;
  in = self->stream.in;
  *type = in->data[0];
  *len = detour_frame_get_u32 (in->data + 1);
  if (*len > DETOUR_FRAME_PAYLOAD_MAX)
    return ctl_derp_fail (error, _ ("a frame is longer than any may be"));
  return detourctl_stream_need (&self->stream, DETOUR_FRAME_HEADER_SIZE + *len, error);
}

static const guint8 *
ctl_derp_payload (const DetourctlDerp *self)
{
  return self->stream.in->data + DETOUR_FRAME_HEADER_SIZE;
}

static void
ctl_derp_take_frame (DetourctlDerp *self, guint32 len)
{
  detourctl_stream_take (&self->stream, DETOUR_FRAME_HEADER_SIZE + len);
}

gboolean
detourctl_derp_upgrade (DetourctlDerp *self, const char *host, GError **error)
{
  g_auto (DetourctlHttpAnswer) answer = { 0 };
  guint8 type;
  guint32 len;

  if (!detourctl_stream_ask_http (&self->stream, host, "/derp",
                                  "Connection: Upgrade\r\nUpgrade: DERP\r\n", &answer, error))
    return FALSE;
  if (answer.status != 101)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   _ ("it answers %u to a client of DERP, where a relay answers 101"),
                   answer.status);
      return FALSE;
    }
  if (!ctl_derp_need_frame (self, &type, &len, error))
    return FALSE;
  if (type != DETOUR_FRAME_SERVER_KEY || len < DETOUR_FRAME_MAGIC_SIZE + DETOUR_KEY_SIZE
      || memcmp (ctl_derp_payload (self), DETOUR_FRAME_MAGIC, DETOUR_FRAME_MAGIC_SIZE) != 0)
    return ctl_derp_fail (error, _ ("its first frame is not the greeting of a relay"));
  memcpy (self->server.bytes, ctl_derp_payload (self) + DETOUR_FRAME_MAGIC_SIZE, DETOUR_KEY_SIZE);
  ctl_derp_take_frame (self, len);
  return TRUE;
}

/* Waits for ServerInfo, which must be the next frame. */
static gboolean
ctl_derp_await_info (DetourctlDerp *self, const DetourDialLogin *login, GError **error)
{
  guint8 type;
  guint32 len;

  if (!ctl_derp_need_frame (self, &type, &len, error))
    return FALSE;
  if (type != DETOUR_FRAME_SERVER_INFO
      || !detour_dial_login_is_server (login, ctl_derp_payload (self), len))
    return ctl_derp_fail (error, _ ("it does not prove that it has its key"));
  ctl_derp_take_frame (self, len);
  return TRUE;
}

gboolean
detourctl_derp_login (DetourctlDerp *self, const guint8 *mesh_key, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  DetourDialLogin login;
  gboolean is_good;

  if (!detour_dial_login_begin (&login, &self->key, self->secret, &self->server))
    return ctl_derp_fail (error, _ ("nobody can have the key that it shows"));
  login.is_prober = TRUE;
  detour_dial_login_client_info (&login, mesh_key, out);
  is_good = detourctl_stream_write (&self->stream, out->data, out->len, error)
         && ctl_derp_await_info (self, &login, error);
  detour_dial_login_clear (&login);
  return is_good;
}

/* A relay that does not admit somebody closes the connection, or holds it and says nothing. */
gboolean
detourctl_derp_is_refusal (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED)
      || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)
      || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}

gboolean
detourctl_derp_send (DetourctlDerp *self, const DetourKey *to, gconstpointer data, gsize len,
                     GError **error)
{
  g_autoptr (GByteArray) frame = g_byte_array_new ();

  g_byte_array_set_size (frame, DETOUR_FRAME_HEADER_SIZE);
  detour_frame_put_header (frame->data, DETOUR_FRAME_SEND_PACKET,
                           (guint32) (DETOUR_KEY_SIZE + len));
  g_byte_array_append (frame, to->bytes, DETOUR_KEY_SIZE);
  g_byte_array_append (frame, data, (guint) len);
  return detourctl_stream_write (&self->stream, frame->data, frame->len, error);
}

gboolean
detourctl_derp_expect (DetourctlDerp *self, const DetourKey *from, gconstpointer data, gsize len,
                       GError **error)
{
  gint64 end_us = g_get_monotonic_time () + self->stream.limit_us;

  while (g_get_monotonic_time () < end_us)
    {
      guint8 type;
      guint32 n;
      gboolean is_it;

      if (!ctl_derp_need_frame (self, &type, &n, error))
        return FALSE;
      is_it = type == DETOUR_FRAME_RECV_PACKET && n == DETOUR_KEY_SIZE + len
           && memcmp (ctl_derp_payload (self), from->bytes, DETOUR_KEY_SIZE) == 0
           && memcmp (ctl_derp_payload (self) + DETOUR_KEY_SIZE, data, len) == 0;
      ctl_derp_take_frame (self, n);
      if (is_it)
        return TRUE;
    }
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("no answer in time"));
  return FALSE;
}

gboolean
detourctl_derp_was_told_gone (DetourctlDerp *self, const DetourKey *peer)
{
  gint64 limit_us = self->stream.limit_us;
  gboolean is_gone = FALSE;
  guint8 type;
  guint32 len;

  self->stream.limit_us = MOMENT_US;
  while (!is_gone && ctl_derp_need_frame (self, &type, &len, NULL))
    {
      is_gone = type == DETOUR_FRAME_PEER_GONE && len >= DETOUR_KEY_SIZE
             && memcmp (ctl_derp_payload (self), peer->bytes, DETOUR_KEY_SIZE) == 0;
      ctl_derp_take_frame (self, len);
    }
  self->stream.limit_us = limit_us;
  return is_gone;
}
