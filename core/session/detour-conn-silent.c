/* detour-conn-silent.c: finds connections into which everything disappears.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client that sends nothing for the time between two keep-alives is silent. The first packet for
 * it takes a ping along. When neither an acknowledgement nor an answer comes, its network has lost
 * the connection, and nobody was told. The kernel knows since when nothing came: it is asked at the
 * first packet for a client after each keep-alive, and while there is no answer every three
 * seconds. */
#include "config.h"

#include "detour-conn-private.h"

#include "detour-address.h"
#include "detour-events.h"
#include "detour-tcp-state.h"

#include <sodium.h>

/* An answer may take so long. */
#define LOOK_MS 3000

static guint32
conn_silent_now_ms (const DetourConnShared *shared)
{
  return (guint32) (detour_loop_now_us (shared->loop) / 1000);
}

/* Since the ping; the clock may have gone round. */
static guint32
conn_silent_elapsed_ms (const DetourConnShared *shared, DetourConn *conn)
{
  return conn_silent_now_ms (shared)
       - GPOINTER_TO_UINT (g_hash_table_lookup (shared->pinged, conn));
}

static void
conn_silent_tell (const DetourConn *conn, const char *text)
{
  const DetourClient *client = conn->client;
  char address[DETOUR_ADDRESS_TEXT_MAX];

  detour_events_note (
      DETOUR_EVENT_SUSPECT, &client->peer->key,
      detour_address_format_bytes (client->presence.ip, client->presence.port, address),
      conn->listener, "%s", text);
}

void
detour_conn_silent_keep_alive (DetourConn *conn)
{
  conn->is_silent = !conn->is_pinged && !conn->client->is_mesh;
  conn->is_kept_alive = conn->is_silent;
}

void
detour_conn_silent_forget (DetourConnShared *shared, DetourConn *conn)
{
  if (conn->is_pinged)
    g_hash_table_remove (shared->pinged, conn);
  conn->is_pinged = FALSE;
  conn->is_suspect = FALSE;
}

gboolean
detour_conn_silent_send (DetourConnShared *shared, DetourConn *conn)
{
  DetourClient *client = conn->client;
  gint64 long_ms = shared->limits.keep_alive_us / 1000;
  guint8 ping[DETOUR_FRAME_PONG_SIZE];
  DetourTcpState tcp;

  /* A keep-alive is no reason, since an idle client would be woken every minute. */
  if (conn->is_kept_alive || !detour_relay_has_output (client))
    {
      conn->is_kept_alive = FALSE;
      return FALSE;
    }
  conn->is_silent = FALSE;
  if (!detour_tcp_state_read (conn->io.fd, &tcp) || tcp.last_data_ms < long_ms)
    return FALSE;

  detour_frame_put_header (ping, DETOUR_FRAME_PING, DETOUR_FRAME_PING_SIZE);
  randombytes_buf (ping + DETOUR_FRAME_HEADER_SIZE, DETOUR_FRAME_PING_SIZE);
  detour_relay_control (shared->relay, client, ping, sizeof ping);
  conn->is_pinged = TRUE;
  if (shared->pinged == NULL)
    shared->pinged = g_hash_table_new (NULL, NULL);
  g_hash_table_insert (shared->pinged, conn, GUINT_TO_POINTER (conn_silent_now_ms (shared)));
  return TRUE;
}

gint64
detour_conn_silent_next_us (const DetourConnShared *shared, DetourConn *conn)
{
  gint64 limit_ms = shared->limits.black_hole_us / 1000;
  guint32 elapsed_ms = conn_silent_elapsed_ms (shared, conn);
  gint64 next_ms = elapsed_ms / LOOK_MS * LOOK_MS + LOOK_MS;

  if (limit_ms > elapsed_ms)
    next_ms = MIN (next_ms, limit_ms);
  return detour_loop_now_us (shared->loop) + (next_ms - elapsed_ms) * 1000;
}

gboolean
detour_conn_silent_look (DetourConnShared *shared, DetourConn *conn)
{
  gint64 limit_ms = shared->limits.black_hole_us / 1000;
  guint32 elapsed_ms = conn_silent_elapsed_ms (shared, conn);
  gboolean is_late = limit_ms > 0 && elapsed_ms >= limit_ms;
  DetourTcpState tcp;

  if (elapsed_ms < LOOK_MS && !is_late)
    return TRUE;
  if (!detour_tcp_state_read (conn->io.fd, &tcp) || tcp.unacked_segments == 0
      || tcp.last_ack_ms < elapsed_ms || tcp.last_data_ms < elapsed_ms)
    {
      if (conn->is_suspect)
        conn_silent_tell (conn, "it answers again");
      detour_conn_silent_forget (shared, conn);
      return TRUE;
    }
  if (!conn->is_suspect)
    {
      conn->is_suspect = TRUE;
      detour_counter_add (&shared->counters.suspects, 1);
      conn_silent_tell (conn, "nothing arrives: it was silent, and neither acknowledges nor "
                              "answers what it is sent now");
    }
  return !is_late;
}
