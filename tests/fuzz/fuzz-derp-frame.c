/* fuzz-derp-frame.c: feeds a stream of frames, as a stranger or a client may send it, to the
 * parsers.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The first byte says who sends: bit 0 a mesh peer, bit 1 someone who has to log in first. */
#include "detour-frame.h"
#include "detour-login.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* The verdict on the header alone is that on the frame, but for the payload that is waited for. */
static void
check_header (guint8 *at, gsize len, gboolean is_mesh, DetourFrameVerdict verdict)
{
  DetourFrame head;
  DetourFrameVerdict early;

  if (len < DETOUR_FRAME_HEADER_SIZE)
    {
      g_assert (verdict == DETOUR_FRAME_MORE);
      return;
    }
  early = detour_frame_parse (at, DETOUR_FRAME_HEADER_SIZE, is_mesh, &head);
  if (verdict == DETOUR_FRAME_BAD || verdict == DETOUR_FRAME_FORBIDDEN)
    g_assert (early == verdict);
  else
    g_assert (early == (head.len == 0 ? DETOUR_FRAME_OK : DETOUR_FRAME_MORE));
}

static void
use_frame (const DetourFrame *frame, gboolean is_mesh)
{
  guint8 out[DETOUR_FRAME_RECV_HEAD_SIZE];
  DetourKey key;

  g_assert (frame->len <= DETOUR_FRAME_PAYLOAD_MAX);
  switch (frame->type)
    {
    case DETOUR_FRAME_SEND_PACKET:
      (void) detour_frame_is_disco (frame->payload + DETOUR_KEY_SIZE, frame->len - DETOUR_KEY_SIZE);
      memcpy (key.bytes, frame->payload, DETOUR_KEY_SIZE);
      detour_frame_put_recv_head (out, &key, frame->len - DETOUR_KEY_SIZE);
      break;
    case DETOUR_FRAME_FORWARD_PACKET:
      g_assert (is_mesh);
      (void) detour_frame_is_disco (frame->payload + 2 * DETOUR_KEY_SIZE,
                                    frame->len - 2 * DETOUR_KEY_SIZE);
      break;
    case DETOUR_FRAME_PING:
      detour_frame_put_pong (out, frame->payload);
      break;
    case DETOUR_FRAME_WATCH_CONNS:
    case DETOUR_FRAME_CLOSE_PEER:
      g_assert (is_mesh);
      break;
    default:
      break;
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static const guint8 server_secret[DETOUR_KEY_SIZE] = { 8, 1, 2, 3, [31] = 0x5f };
  g_autofree guint8 *stream = NULL;
  gsize len, at = 0;
  gboolean is_mesh;
  DetourFrame frame;

  if (size < 2)
    return 0;
  len = size - 1;
  stream = g_memdup2 (data + 1, len);
  is_mesh = data[0] & 1;

  if (data[0] & 2)
    {
      DetourLogin login;
      const char *reason;

      if (detour_login_parse (stream, len, &frame) != DETOUR_FRAME_OK)
        return 0;
      at = DETOUR_FRAME_HEADER_SIZE + frame.len;
      g_assert (at <= len);
      if (detour_login_open (frame.payload, frame.len, server_secret, NULL, &login, &reason))
        detour_login_clear (&login);
    }
  for (;;)
    {
      DetourFrameVerdict verdict = detour_frame_parse (stream + at, len - at, is_mesh, &frame);

      check_header (stream + at, len - at, is_mesh, verdict);
      if (verdict != DETOUR_FRAME_OK)
        break;
      g_assert (frame.payload == stream + at + DETOUR_FRAME_HEADER_SIZE);
      g_assert (frame.len <= len - at - DETOUR_FRAME_HEADER_SIZE);
      use_frame (&frame, is_mesh);
      at += DETOUR_FRAME_HEADER_SIZE + frame.len;
    }
  return 0;
}
