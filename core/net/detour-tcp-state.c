/* detour-tcp-state.c: what the kernel knows of one TCP connection.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-tcp-state.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* What a kernel has that knows of no connection yet. */
#define NO_MIN_RTT G_MAXUINT32

static gboolean
tcp_state_ask (int fd, struct tcp_info *out)
{
  socklen_t len = sizeof *out;

  *out = (struct tcp_info) { 0 };
  return getsockopt (fd, IPPROTO_TCP, TCP_INFO, out, &len) == 0;
}

gint64
detour_tcp_state_idle_us (int fd)
{
  struct tcp_info info;

  return tcp_state_ask (fd, &info) ? (gint64) info.tcpi_last_data_recv * 1000 : -1;
}

gint64
detour_tcp_state_quiet_us (int fd)
{
  struct tcp_info info;

  return tcp_state_ask (fd, &info) ? (gint64) info.tcpi_last_data_sent * 1000 : -1;
}

guint32
detour_tcp_state_window (int fd)
{
  struct tcp_info info;

  return tcp_state_ask (fd, &info) ? info.tcpi_snd_wnd : 0;
}

gboolean
detour_tcp_state_read (int fd, DetourTcpState *out)
{
  struct tcp_info info;
  int unread = 0;

  *out = (DetourTcpState) { FALSE };
  if (!tcp_state_ask (fd, &info))
    return FALSE;
  if (ioctl (fd, SIOCINQ, &unread) < 0)
    unread = 0;
  *out = (DetourTcpState) {
    .is_known = TRUE,
    .rtt_us = info.tcpi_rtt,
    .min_rtt_us = info.tcpi_min_rtt != NO_MIN_RTT ? info.tcpi_min_rtt : 0,
    .sent_bytes = info.tcpi_bytes_sent,
    .resent_bytes = info.tcpi_bytes_retrans,
    .acked_bytes = info.tcpi_bytes_acked,
    .sent_segments = info.tcpi_data_segs_out,
    .busy_us = info.tcpi_busy_time,
    .peer_limited_us = info.tcpi_rwnd_limited,
    .buffer_limited_us = info.tcpi_sndbuf_limited,
    .delivery_rate = info.tcpi_delivery_rate,
    .unsent_bytes = info.tcpi_notsent_bytes,
    .unacked_segments = info.tcpi_unacked,
    .last_ack_ms = info.tcpi_last_ack_recv,
    .receive_rtt_us = info.tcpi_rcv_rtt,
    .received_bytes = info.tcpi_bytes_received,
    .receive_segment = info.tcpi_rcv_mss,
    .received_segments = info.tcpi_data_segs_in,
    .disordered_segments = info.tcpi_rcv_ooopack,
    .last_data_ms = info.tcpi_last_data_recv,
    .unread_bytes = (guint32) MAX (unread, 0),
  };
  return TRUE;
}
