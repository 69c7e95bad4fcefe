/* detour-guest-http.c: the HTTP requests of a guest: answered, or turned into DERP.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-guest-private.h"

#include "detour-http-upgrade.h"

#include <sys/socket.h>

/* After the last response the peer has so long to read it. */
#define LINGER_US (2 * G_USEC_PER_SEC)

/* The response was written: another request, or the end. FALSE: closed. */
gboolean
detour_guest_after_answer (DetourGuest *self)
{
  DetourBuffer *out = &self->thread->out;

  if (!self->close_after)
    {
      detour_guest_set_state (self, DETOUR_GUEST_HEAD);
      detour_http_head_init (&self->head);
      detour_guest_set_limit (self, self->thread->limits.handshake_timeout_us);
      return TRUE;
    }

  out->len = 0;
  detour_channel_close (&self->channel, out);
  if (out->len > 0 && send (self->io.fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    {
      detour_guest_close (self, DETOUR_CLOSE_WRITE);
      return FALSE;
    }
  detour_guest_set_state (self, DETOUR_GUEST_LINGERING);
  detour_guest_set_limit (self, LINGER_US);
  shutdown (self->io.fd, SHUT_WR);
  return TRUE;
}

/* FALSE: closed, or the response is not out yet. */
static gboolean
guest_http_answer (DetourGuest *self, DetourHttpResponse *response,
                   const DetourHttpRequest *request)
{
  g_autoptr (GByteArray)
      bytes = detour_http_response_to_bytes (response, request, g_get_real_time ());

  self->close_after = !detour_http_response_keeps_alive (response, request);
  detour_guest_set_state (self, DETOUR_GUEST_ANSWERING);
  if (!detour_guest_put (self, bytes->data, bytes->len) || self->out->len > 0)
    return FALSE;
  if (!detour_guest_after_answer (self))
    return FALSE;
  detour_guest_set_events (self);
  return TRUE;
}

static gboolean
guest_http_begin_derp (DetourGuest *self, gboolean fast_start)
{
  const DetourHandshakePoolParts *parts = &self->thread->pool->parts;
  guint8 frame[DETOUR_FRAME_SERVER_KEY_SIZE];

  detour_counter_add (&self->thread->counters.derp, 1);
  detour_guest_set_state (self, DETOUR_GUEST_LOGIN);
  detour_guest_set_limit (self, self->thread->limits.login_timeout_us);
  if (!fast_start)
    {
      guint8 bytes[DETOUR_HTTP_UPGRADE_ANSWER_SIZE];
      DetourBuffer head = { bytes, 0, sizeof bytes };

      detour_http_upgrade_answer (&parts->server_key, &head);
      if (!detour_guest_put (self, bytes, head.len))
        return FALSE;
    }
  detour_frame_put_server_key (frame, &parts->server_key);
  return detour_guest_put (self, frame, sizeof frame);
}

/* FALSE: closed, or waits for something. */
gboolean
detour_guest_on_head (DetourGuest *self)
{
  DetourHttpHeadResult result = detour_http_head_parse (&self->head, self->plain->data,
                                                        self->plain->len);
  g_autoptr (DetourHttpResponse) response = NULL;
  g_autoptr (DetourHttpRequest) request = NULL;
  gboolean on_derp_path;
  DetourHttpUpgrade upgrade;
  guint16 head_len = self->head.len;

  if (result == DETOUR_HTTP_HEAD_MORE)
    return FALSE;

  detour_counter_add (&self->thread->counters.requests, 1);
  response = detour_http_response_new ();
  if (result == DETOUR_HTTP_HEAD_BAD)
    {
      self->is_bad_head = TRUE;
      detour_http_response_set_error (response, self->head.status, self->head.reason);
      guest_http_answer (self, response, NULL);
      return FALSE;
    }

  on_derp_path = (self->listener->flags & DETOUR_LISTENER_DERP) != 0
              && detour_http_head_is (&self->head, self->head.path, DETOUR_HTTP_UPGRADE_PATH);
  if (on_derp_path)
    {
      upgrade = detour_http_upgrade_of (&self->head);
      if (upgrade.protocol == DETOUR_HTTP_UPGRADE_DERP)
        {
          self->not_ideal = upgrade.not_ideal;
          g_byte_array_remove_range (self->plain, 0, head_len);
          return guest_http_begin_derp (self, upgrade.fast_start);
        }
      detour_http_response_set_error (response, 426, "DERP requires connection upgrade");
    }

  request = detour_http_request_new (&self->head, &self->peer, self->listener->flags);
  if (!on_derp_path)
    detour_http_routes_answer (self->thread->pool->parts.routes, request, response);
  g_byte_array_remove_range (self->plain, 0, head_len);
  return guest_http_answer (self, response, request);
}
