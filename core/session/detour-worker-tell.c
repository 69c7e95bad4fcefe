/* detour-worker-tell.c: what the log and the events say of the end of a client's session.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-address.h"
#include "detour-events.h"
#include "detour-log.h"
#include "detour-worker-private.h"

/* What is written costs a few microseconds, and many may end at once, so the log is asked first. */
static void
worker_tell_log (DetourWorker *self, const DetourConn *conn, DetourClose reason)
{
  const DetourClient *client = conn->client;
  gint64 duration_ms = (detour_loop_now_us (self->shared.loop) - client->login_us) / 1000;
  g_autofree char *key = NULL;
  char number[24], duration[24], in[24], out[24], short_key[9];

  if (!detour_log_wants (G_LOG_LEVEL_INFO))
    return;
  key = detour_key_to_text (&client->peer->key);
  detour_key_to_short (&client->peer->key, short_key);
  g_snprintf (number, sizeof number, "%" G_GUINT64_FORMAT, conn->number);
  g_snprintf (duration, sizeof duration, "%" G_GINT64_FORMAT, duration_ms);
  g_snprintf (in, sizeof in, "%" G_GUINT64_FORMAT, client->rx_bytes);
  g_snprintf (out, sizeof out, "%" G_GUINT64_FORMAT, client->tx_bytes);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, DETOUR_LOG_EVENT, "session-end",
                    DETOUR_LOG_CONN, number, DETOUR_LOG_KEY, key, DETOUR_LOG_LISTENER,
                    conn->listener, DETOUR_LOG_REASON, detour_close_name (reason),
                    DETOUR_LOG_DURATION, duration, DETOUR_LOG_BYTES_IN, in, DETOUR_LOG_BYTES_OUT,
                    out, "MESSAGE",
                    "client %s: session ended after %" G_GINT64_FORMAT ".%03d s, %s bytes in, %s "
                    "bytes out: %s",
                    short_key, duration_ms / 1000, (int) (duration_ms % 1000), in, out,
                    detour_conn_limit_text (conn, reason));
}

static void
worker_tell_event (const DetourConn *conn, DetourClose reason)
{
  const DetourClient *client = conn->client;
  char address[DETOUR_ADDRESS_TEXT_MAX];

  detour_events_add (&(DetourEvent) {
      .kind = DETOUR_EVENT_GONE,
      .key = &client->peer->key,
      .address = detour_address_format_bytes (client->presence.ip, client->presence.port, address),
      .source = conn->listener,
      .tenant = detour_worker_tenant_name (conn),
      .text = detour_conn_limit_text (conn, reason),
  });
}

void
detour_worker_tell_end (DetourWorker *self, DetourConn *conn, DetourClose reason)
{
  worker_tell_log (self, conn, reason);
  detour_conn_limit_note_drops (conn);
  worker_tell_event (conn, reason);
}
