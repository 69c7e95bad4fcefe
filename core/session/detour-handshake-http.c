/* detour-handshake-http.c: the phase of an HTTP request: it is answered, or becomes DERP.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-phase.h"

#include "detour-http-exchange.h"
#include "detour-http-upgrade.h"
#include "detour-real-ip.h"

static void
handshake_http_begin_derp (const DetourHandshakeContext *context, gboolean fast_start,
                           GByteArray *reply)
{
  guint8 bytes[DETOUR_HTTP_UPGRADE_ANSWER_SIZE];
  DetourBuffer answer = { bytes, 0, sizeof bytes };

  if (!fast_start)
    detour_http_upgrade_answer (context->server_key, &answer);
  g_byte_array_append (reply, answer.data, (guint) answer.len);
  detour_handshake_http_greet (context->server_key, reply);
}

static gboolean
handshake_http_is_derp_path (const DetourHandshakeContext *context, const DetourHttpHead *head)
{
  return (context->flags & DETOUR_LISTENER_DERP) != 0
      && detour_http_head_is (head, head->path, DETOUR_HTTP_UPGRADE_PATH);
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

/* TRUE: the protocol begins, or was refused; FALSE: no plugin knows of it. */
static gboolean
handshake_http_upgrade (const DetourHandshakeContext *context, const DetourHttpRequest *request,
                        DetourHandshakeVerdict *verdict, GByteArray *reply)
{
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();
  g_autoptr (GByteArray) bytes = NULL;

  if ((context->flags & DETOUR_LISTENER_DERP) == 0
      || !detour_http_routes_upgrade (context->routes, request, response, &verdict->upper))
    return FALSE;
  if (verdict->upper.cls == NULL)
    {
      verdict->next = handshake_http_answer (response, request, context, reply);
      return TRUE;
    }
  bytes = detour_http_response_to_bytes (response, request, context->real_us);
  g_byte_array_append (reply, bytes->data, bytes->len);
  verdict->next = DETOUR_HANDSHAKE_LOGIN;
  return TRUE;
}

/* FALSE: the body has not come whole, or is refused. */
static gboolean
handshake_http_read_body (const DetourHandshakeContext *context, const guint8 *data, gsize len,
                          DetourHttpRequest *request, DetourHttpResponse *response,
                          DetourHandshakeVerdict *verdict, GByteArray *reply)
{
  guint64 wanted = detour_http_request_head (request)->content_length;
  gsize max = wanted > 0 ? detour_http_routes_body_max (context->routes, request) : 0;

  if (max == 0)
    return TRUE;
  if (wanted > max)
    {
      detour_http_response_set_error (response, 413, "The body is too long");
      verdict->next = handshake_http_answer (response, request, context, reply);
      return FALSE;
    }
  if (len - verdict->used < wanted)
    {
      verdict->used = 0;
      return FALSE;
    }
  detour_http_request_set_body (request, data + verdict->used, (gsize) wanted);
  verdict->used += (gsize) wanted;
  return TRUE;
}

/* The head has parsed. */
static void
handshake_http_read_request (const DetourHttpHead *head, const guint8 *data, gsize len,
                             const DetourHandshakeContext *context, DetourHandshakeVerdict *verdict,
                             GByteArray *reply)
{
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();
  g_autoptr (DetourHttpRequest)
      request = detour_http_request_new (head, context->peer, context->flags);

  if (handshake_http_upgrade (context, request, verdict, reply))
    return;
  if (handshake_http_is_derp_path (context, head))
    detour_http_response_set_error (response, 426, "DERP requires connection upgrade");
  else if (handshake_http_read_body (context, data, len, request, response, verdict, reply))
    detour_http_routes_answer (context->routes, request, response);
  else
    return;

  verdict->exchange = detour_http_response_held (response);
  if (verdict->exchange == NULL)
    {
      verdict->next = handshake_http_answer (response, request, context, reply);
      return;
    }
  /* Both are the exchange's. */
  g_steal_pointer (&request);
  g_steal_pointer (&response);
  verdict->next = DETOUR_HANDSHAKE_PENDING;
}

/* The client's address where a proxy has written it. */
static void
handshake_http_find_client (const DetourHttpHead *head, DetourHandshakeContext *context,
                            DetourHandshakeVerdict *verdict)
{
  const DetourListener *proxies = context->proxies;

  if (proxies != NULL
      && detour_real_ip_find (head, proxies->real_ip_header, proxies->trusted, proxies->n_trusted,
                              &verdict->peer))
    context->peer = &verdict->peer;
}

DetourHandshakeVerdict
detour_handshake_http_read (DetourHttpHead *head, const guint8 *data, gsize len,
                            const DetourHandshakeContext *given, GByteArray *reply,
                            DetourHttpUpgrade *upgrade)
{
  DetourHandshakeContext own = *given;
  const DetourHandshakeContext *context = &own;
  DetourHttpHeadResult result = detour_http_head_parse (head, data, len);
  DetourHandshakeVerdict verdict = { .next = DETOUR_HANDSHAKE_HEAD, .reason = DETOUR_CLOSE_SERVED };

  if (result == DETOUR_HTTP_HEAD_MORE)
    return verdict;
  if (result == DETOUR_HTTP_HEAD_BAD)
    {
      g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

      verdict.reason = DETOUR_CLOSE_HEAD;
      verdict.used = len;
      detour_http_response_set_error (response, head->status, head->reason);
      verdict.next = handshake_http_answer (response, NULL, context, reply);
      return verdict;
    }

  verdict.used = head->len;
  handshake_http_find_client (head, &own, &verdict);
  if (!handshake_http_is_derp_path (context, head))
    {
      handshake_http_read_request (head, data, len, context, &verdict, reply);
      return verdict;
    }
  *upgrade = detour_http_upgrade_of (head);
  if (upgrade->protocol == DETOUR_HTTP_UPGRADE_DERP)
    {
      handshake_http_begin_derp (context, upgrade->fast_start, reply);
      verdict.next = DETOUR_HANDSHAKE_LOGIN;
    }
  else
    handshake_http_read_request (head, data, len, context, &verdict, reply);
  return verdict;
}

DetourHandshakeState
detour_handshake_http_answer_later (DetourHttpExchange *exchange, gboolean is_last, gint64 real_us,
                                    GByteArray *reply)
{
  const DetourHandshakeContext context = { .is_last = is_last, .real_us = real_us };

  return handshake_http_answer (detour_http_exchange_answer (exchange),
                                detour_http_exchange_answered_request (exchange), &context, reply);
}

void
detour_handshake_http_greet (const DetourKey *server_key, GByteArray *reply)
{
  guint8 frame[DETOUR_FRAME_SERVER_KEY_SIZE];

  detour_frame_put_server_key (frame, server_key);
  g_byte_array_append (reply, frame, sizeof frame);
}
