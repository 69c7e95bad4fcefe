/* detour-conn-limit.c: how long a connection is kept whose socket takes nothing more.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-conn-private.h"

#include "detour-address.h"
#include "detour-events.h"
#include "detour-log.h"
#include "detour-tcp-state.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* What another server takes is looked at so often, so that its limit runs from when it took
 * something last. */
#define MESH_LOOK_US G_USEC_PER_SEC

/* Beside the write timeout a client has the time in which one that reads so much a second makes
 * its system acknowledge something, up to a limit. A system makes room when the application has
 * read all of what came in one piece, which may be most of what it buffers; twice the first window
 * is taken for that. And a TLS library takes a whole record from the system, which the application
 * then reads little by little, and nothing is acknowledged meanwhile. The limit is the time for 64
 * KiB and a record. */
#define SLOW_BYTES_A_SECOND 4096
#define SLOW_TIMEOUT_US     (20 * G_USEC_PER_SEC)

/* Bytes in the socket that the peer's system has not acknowledged. */
static guint32
conn_limit_unacked (const DetourConn *conn)
{
  int n = 0;

  return ioctl (conn->io.fd, SIOCOUTQ, &n) == 0 && n > 0 ? (guint32) n : 0;
}

guint
detour_conn_limit_window (const DetourConn *conn)
{
  guint window_kib = detour_tcp_state_window (conn->io.fd) / 1024;

  return MIN (window_kib, DETOUR_CONN_WINDOW_MAX);
}

static gint64
conn_limit_slow_us (const DetourConn *conn)
{
  gint64 n_bytes = 2 * 1024 * (gint64) conn->window_kib;

  if (!detour_channel_is_plain (&conn->channel))
    n_bytes += DETOUR_CHANNEL_RECORD_MAX;
  return MIN (n_bytes * G_USEC_PER_SEC / SLOW_BYTES_A_SECOND, SLOW_TIMEOUT_US);
}

/* While a connection is slow, its own limit decides. The kernel's would count from when the window
 * was first too small for a segment, whatever is acknowledged since. */
void
detour_conn_limit_set_slow (DetourConnShared *shared, DetourConn *conn, gboolean is_slow)
{
  guint timeout_ms = is_slow ? 0 : shared->limits.user_timeout_ms;

  if (conn->is_slow == is_slow)
    return;
  conn->is_slow = is_slow;
  if (shared->limits.user_timeout_ms > 0
      && setsockopt (conn->io.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms)
             < 0)
    g_debug ("connection %" G_GUINT64_FORMAT ": no TCP_USER_TIMEOUT: %s", conn->number,
             g_strerror (errno));
}

/* "[limits] receive-rate = 1024 bytes a second": what it sends more than. */
static char *
conn_limit_format_rate (const DetourConn *conn)
{
  const DetourClient *client = conn->client;
  const DetourTerms *terms = detour_conn_terms (conn);

  if (terms != NULL && detour_conn_is_over_quota (conn))
    return g_strdup_printf ("slow-rate = %" G_GUINT64_FORMAT
                            " bytes a second, as the quota of %s is used up",
                            detour_client_receive_rate (client), terms->over);
  if (client->has_own_rate && terms != NULL)
    return g_strdup_printf ("[class %s] receive-rate = %" G_GUINT64_FORMAT " bytes a second",
                            terms->class_, detour_client_receive_rate (client));
  return g_strdup_printf ("[limits] receive-rate = %" G_GUINT64_FORMAT " bytes a second",
                          detour_client_receive_rate (client));
}

void
detour_conn_limit_note_drops (DetourConn *conn)
{
  const DetourClient *client = conn->client;
  guint32 n = (guint32) client->dropped_packets - conn->told_drops;
  char address[DETOUR_ADDRESS_TEXT_MAX];

  if (n == 0)
    return;
  conn->told_drops = (guint32) client->dropped_packets;
  detour_events_note (
      DETOUR_EVENT_DROPS, &client->peer->key,
      detour_address_format_bytes (client->presence.ip, client->presence.port, address),
      conn->listener, "%u packets for it were dropped since its last keep-alive", n);
}

void
detour_conn_limit_tell_slowed (DetourConnShared *shared, DetourConn *conn)
{
  const DetourClient *client = conn->client;
  GLogLevelFlags level;
  g_autofree char *key = NULL;
  g_autofree char *rate = NULL;
  char number[24], address[DETOUR_ADDRESS_TEXT_MAX], short_key[9];

  conn->is_hasty = TRUE;
  detour_relay_set_health (shared->relay, conn->client, DETOUR_HEALTH_SLOWED, TRUE);
  if (conn->was_slowed)
    return;
  conn->was_slowed = TRUE;
  rate = conn_limit_format_rate (conn);
  detour_events_note (
      DETOUR_EVENT_SLOWED, &client->peer->key,
      detour_address_format_bytes (client->presence.ip, client->presence.port, address),
      conn->listener, "it sends more than %s", rate);
  /* A stranger can make connections without end. */
  level = detour_log_limit_level (&shared->slowed, detour_loop_now_us (shared->loop));
  if (!detour_log_wants (level))
    return;
  key = detour_key_to_text (&client->peer->key);
  detour_key_to_short (&client->peer->key, short_key);
  g_snprintf (number, sizeof number, "%" G_GUINT64_FORMAT, conn->number);
  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "client-slowed", DETOUR_LOG_CONN, number,
                    DETOUR_LOG_KEY, key, DETOUR_LOG_ADDRESS, address, DETOUR_LOG_LISTENER,
                    conn->listener, DETOUR_LOG_REASON,
                    detour_conn_is_over_quota (conn) ? "quota" : "receive-rate", "MESSAGE",
                    "client %s: it sends more than %s, and is read more slowly; nothing is "
                    "dropped, and this is said "
                    "once for each connection",
                    short_key, rate);
}

void
detour_conn_limit_forget_slowed (DetourConnShared *shared, DetourConn *conn)
{
  if (!conn->is_hasty && conn->resume_us == 0)
    detour_relay_set_health (shared->relay, conn->client, DETOUR_HEALTH_SLOWED, FALSE);
  conn->is_hasty = FALSE;
}

/* Another server has a fixed time, which is longer than what a slow reader gets. */
void
detour_conn_limit_set (DetourConnShared *shared, DetourConn *conn)
{
  gint64 now_us = detour_loop_now_us (shared->loop);
  DetourConnRest *rest = conn->rest;

  rest->unacked = conn_limit_unacked (conn);
  rest->end_us = G_MAXINT64;
  if (conn->client->is_mesh)
    rest->end_us = now_us + shared->limits.mesh_write_timeout_us;
  else if (shared->limits.write_timeout_us > 0)
    rest->end_us = now_us + shared->limits.write_timeout_us + conn_limit_slow_us (conn);
  rest->limit_us = conn->client->is_mesh ? MIN (rest->end_us, now_us + MESH_LOOK_US) : rest->end_us;
}

/* The kernel took nothing more until the limit. The peer may read all the same, only not enough to
 * make room for another segment: what it acknowledged tells. FALSE: it takes nothing. */
gboolean
detour_conn_limit_extend (DetourConnShared *shared, DetourConn *conn)
{
  gint64 now_us = detour_loop_now_us (shared->loop);
  DetourConnRest *rest = conn->rest;

  if (conn_limit_unacked (conn) < rest->unacked)
    {
      conn->client->progress_us = now_us;
      detour_conn_limit_set (shared, conn);
      return TRUE;
    }
  rest->limit_us = MIN (rest->end_us, now_us + MESH_LOOK_US);
  return now_us < rest->end_us;
}

const char *
detour_conn_limit_text (const DetourConn *conn, DetourClose reason)
{
  if (reason == DETOUR_CLOSE_WRITE_TIME && conn->client->is_mesh)
    return "it took nothing for " G_STRINGIFY (DETOUR_WORKER_MESH_WRITE_TIMEOUT_S) " s";
  return detour_close_text (reason);
}
