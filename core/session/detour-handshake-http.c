/* detour-handshake-http.c: the phase of an HTTP request: it is answered, or becomes DERP.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-phase.h"

#include "detour-http-upgrade.h"

static void
handshake_http_begin_derp (const DetourHandshakeContext *context, gboolean fast_start,
                           GByteArray *reply)
{
  guint8 bytes[DETOUR_HTTP_UPGRADE_ANSWER_SIZE];
  DetourBuffer answer = { bytes, 0, sizeof bytes };
  guint8 frame[DETOUR_FRAME_SERVER_KEY_SIZE];

  if (!fast_start)
    detour_http_upgrade_answer (context->server_key, &answer);
  g_byte_array_append (reply, answer.data, (guint) answer.len);
  detour_frame_put_server_key (frame, context->server_key);
  g_byte_array_append (reply, frame, sizeof frame);
}

static DetourHandshakeState
handshake_http_answer (DetourHttpResponse *response, const DetourHttpRequest *request,
                       const DetourHandshakeContext *context, GByteArray *reply)
{
  g_autoptr (GByteArray) bytes = NULL;

  if (context->is_last)
    detour_http_response_add_header (response, "Connection", "close");
  bytes = detour_http_response_to_bytes (response, request, context->real_us);
  g_byte_array_append (reply, bytes->data, bytes->len);
  return detour_http_response_keeps_alive (response, request) ? DETOUR_HANDSHAKE_ANSWERING
                                                              : DETOUR_HANDSHAKE_PARTING;
}

DetourHandshakeVerdict
detour_handshake_http_read (DetourHttpHead *head, const guint8 *data, gsize len,
                            const DetourHandshakeContext *context, GByteArray *reply,
                            gboolean *not_ideal)
{
  DetourHttpHeadResult result = detour_http_head_parse (head, data, len);
  DetourHandshakeVerdict verdict = { .next = DETOUR_HANDSHAKE_HEAD, .reason = DETOUR_CLOSE_SERVED };
  g_autoptr (DetourHttpResponse) response = NULL;
  g_autoptr (DetourHttpRequest) request = NULL;
  gboolean on_derp_path;

  if (result == DETOUR_HTTP_HEAD_MORE)
    return verdict;

  response = detour_http_response_new ();
  if (result == DETOUR_HTTP_HEAD_BAD)
    {
      verdict.reason = DETOUR_CLOSE_HEAD;
      verdict.used = len;
      detour_http_response_set_error (response, head->status, head->reason);
      verdict.next = handshake_http_answer (response, NULL, context, reply);
      return verdict;
    }

  verdict.used = head->len;
  on_derp_path = (context->flags & DETOUR_LISTENER_DERP) != 0
              && detour_http_head_is (head, head->path, DETOUR_HTTP_UPGRADE_PATH);
  if (on_derp_path)
    {
      DetourHttpUpgrade upgrade = detour_http_upgrade_of (head);

      if (upgrade.protocol == DETOUR_HTTP_UPGRADE_DERP)
        {
          *not_ideal = upgrade.not_ideal;
          handshake_http_begin_derp (context, upgrade.fast_start, reply);
          verdict.next = DETOUR_HANDSHAKE_LOGIN;
          return verdict;
        }
      detour_http_response_set_error (response, 426, "DERP requires connection upgrade");
    }

  request = detour_http_request_new (head, context->peer, context->flags);
  if (!on_derp_path)
    detour_http_routes_answer (context->routes, request, response);
  verdict.next = handshake_http_answer (response, request, context, reply);
  return verdict;
}
