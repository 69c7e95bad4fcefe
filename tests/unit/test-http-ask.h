/* test-http-ask.h: a request for a route of HTTP, without a connection, for the tests of plugins.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "detour-http-message.h"

/* What goes on the wire for @request, the whole text of one; @flags: of the listener. Free with
 * g_free(). */
static inline char *
test_http_ask (const DetourHttpRoute *route, gpointer user, const char *request,
               DetourListenerFlags flags)
{
  const struct sockaddr_storage peer = { .ss_family = AF_INET };
  g_autoptr (DetourHttpRequest) asked = NULL;
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();
  g_autoptr (GByteArray) bytes = NULL;
  DetourHttpHead head;

  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) request, strlen (request)), ==,
                   DETOUR_HTTP_HEAD_OK);
  asked = detour_http_request_new (&head, &peer, flags);
  route->handle (user, asked, response);
  bytes = detour_http_response_to_bytes (response, asked, 0);
  return g_strndup ((const char *) bytes->data, bytes->len);
}
