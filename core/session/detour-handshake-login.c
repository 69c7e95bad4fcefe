/* detour-handshake-login.c: the phase of the login: the client says who it is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-phase.h"

DetourHandshakeVerdict
detour_handshake_login_read (guint8 *data, gsize len, const guint8 *server_secret,
                             const guint8 *mesh_key, DetourLogin *login)
{
  DetourHandshakeVerdict verdict = { .next = DETOUR_HANDSHAKE_LOGIN };
  DetourFrame frame;
  DetourFrameVerdict parsed = detour_login_parse (data, len, &frame);

  if (parsed == DETOUR_FRAME_MORE)
    return verdict;
  if (parsed != DETOUR_FRAME_OK)
    verdict.why = "not a ClientInfo frame of an acceptable length";
  else if (detour_login_open (frame.payload, frame.len, server_secret, mesh_key, login,
                              &verdict.why))
    {
      verdict.next = DETOUR_HANDSHAKE_ASKING;
      verdict.used = DETOUR_FRAME_HEADER_SIZE + frame.len;
      return verdict;
    }
  verdict.next = DETOUR_HANDSHAKE_CLOSED;
  verdict.reason = DETOUR_CLOSE_LOGIN;
  return verdict;
}
