/* detourctl-captive.c: the question by which clients find out that they are behind a captive
 * portal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-captive.h"

#include "detourctl-http.h"

#define CHALLENGE "ts_detourctl"

gboolean
detourctl_captive_ask (GInetAddress *address, guint16 port, gint64 limit_us, guint *status,
                       gboolean *is_response, GError **error)
{
  g_autofree char *host = g_inet_address_to_string (address);
  g_auto (DetourctlStream) stream = DETOURCTL_STREAM_INIT;
  g_auto (DetourctlHttpAnswer) answer = { 0 };
  g_autofree char *echo = NULL;

  if (!detourctl_stream_connect (&stream, address, port, limit_us, error)
      || !detourctl_stream_ask_http (
          &stream, host, "/generate_204",
          "X-Tailscale-Challenge: " CHALLENGE "\r\nConnection: close\r\n", &answer, error))
    return FALSE;
  echo = detourctl_http_answer_header (&answer, "X-Tailscale-Response");
  *status = answer.status;
  *is_response = g_strcmp0 (echo, "response " CHALLENGE) == 0;
  return TRUE;
}
