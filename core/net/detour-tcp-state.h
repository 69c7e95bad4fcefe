/* detour-tcp-state.h: what the kernel knows of one TCP connection.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Numbers that only grow begin with the connection. Older kernels leave some at 0. */
typedef struct {
  gboolean is_known; /* FALSE: no TCP, all is 0 */

  /* Towards the peer. */
  guint32 rtt_us, min_rtt_us; /* smoothed; the least of the last minutes */
  guint64 sent_bytes;         /* of data, those that were sent again too */
  guint64 resent_bytes;
  guint64 acked_bytes;
  guint64 sent_segments;     /* with data */
  guint64 busy_us;           /* something was on its way */
  guint64 peer_limited_us;   /* of that: the peer's window had no room */
  guint64 buffer_limited_us; /* of that: this side's send buffer was too small for the round trip */
  guint64 delivery_rate;     /* bytes a second, as last measured */
  guint32 unsent_bytes;      /* in the socket, not sent yet */
  guint32 unacked_segments;  /* sent and not acknowledged */
  guint32 last_ack_ms;       /* since an acknowledgement came */

  /* From the peer. */
  guint32 receive_rtt_us;      /* round trip as the receiver of data sees it; 0: no data came */
  guint64 received_bytes;      /* in order */
  guint32 receive_segment;     /* bytes of the longest one that came */
  guint64 received_segments;   /* with data */
  guint64 disordered_segments; /* that did not come in order, so that one before was lost or late */
  guint32 last_data_ms;        /* since data came */
  guint32 unread_bytes;        /* in the socket */
} DetourTcpState;

/* Any thread, as all of this. Two system calls, some 2 µs. FALSE: @fd is no TCP connection, and all
 * is 0. */
gboolean detour_tcp_state_read (int fd, DetourTcpState *out);

/* Parts of it, with one system call. How long ago data came from the peer, and was sent to it; -1
 * when the kernel does not know. */
gint64 detour_tcp_state_idle_us (int fd);
gint64 detour_tcp_state_quiet_us (int fd);
/* Bytes that the peer has room for; 0 when the kernel does not know. */
guint32 detour_tcp_state_window (int fd);

G_END_DECLS
