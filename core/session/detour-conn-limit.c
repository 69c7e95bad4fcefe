/* detour-conn-limit.c: how long a connection is kept whose socket takes nothing more.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-conn-private.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define MESH_WRITE_TIMEOUT_US (30 * G_USEC_PER_SEC)

/* A receiver's system makes room when the application has read most of what it buffers, and until
 * then nothing is acknowledged. So beside the write timeout a client has the time in which one that
 * reads so much a second has read twice what its first window announced, up to a limit. */
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
  struct tcp_info info = { 0 };
  socklen_t len = sizeof info;

  if (getsockopt (conn->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
    return 0;
  return MIN (info.tcpi_snd_wnd / 1024, DETOUR_CONN_WINDOW_MAX);
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

void
detour_conn_limit_set (DetourConnShared *shared, DetourConn *conn)
{
  gint64 timeout_us = conn->client->is_mesh ? MESH_WRITE_TIMEOUT_US
                                            : shared->limits.write_timeout_us;
  gint64 slow_us = 2 * conn->window_kib * (1024 * G_USEC_PER_SEC / SLOW_BYTES_A_SECOND);

  conn->rest->unacked = conn_limit_unacked (conn);
  conn->write_limit_us = G_MAXINT64;
  if (timeout_us > 0)
    conn->write_limit_us = detour_loop_now_us (shared->loop) + timeout_us
                         + MIN (slow_us, SLOW_TIMEOUT_US);
}

/* The kernel took nothing more until the limit. The peer may read all the same, only not enough to
 * make room for another segment: what it acknowledged tells. FALSE: it takes nothing. */
gboolean
detour_conn_limit_extend (DetourConnShared *shared, DetourConn *conn)
{
  if (conn_limit_unacked (conn) >= conn->rest->unacked)
    return FALSE;
  conn->client->progress_us = detour_loop_now_us (shared->loop);
  detour_conn_limit_set (shared, conn);
  return TRUE;
}
