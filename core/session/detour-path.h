/* detour-path.h: why a client gets its packets slowly, out of what was measured of connections.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure: readings come in, figures and a cause come out. Who reads them is in detour-path-look.h. */
#pragma once

#include "detour-tcp-state.h"

G_BEGIN_DECLS

typedef enum {
  DETOUR_PATH_NONE,         /* nothing is wrong */
  DETOUR_PATH_QUIET,        /* too little was sent to it to say anything */
  DETOUR_PATH_LINE_DOWN,    /* its line takes less than comes for it */
  DETOUR_PATH_READER,       /* it reads too slowly */
  DETOUR_PATH_LOSS,         /* TCP towards it has to send much again */
  DETOUR_PATH_SEND_BUFFER,  /* the relay's send buffer is too small for its round trip */
  DETOUR_PATH_RELAY_CPU,    /* the relay is short of processor time */
  DETOUR_PATH_LINE_UP,      /* the lines of those that send to it */
  DETOUR_PATH_LOSS_UP,      /* what they send is lost on its way to the relay */
  DETOUR_PATH_RECEIVE_RATE, /* they send more than they may, and are read more slowly */
  DETOUR_N_PATHS,
} DetourPathCause;

/* "line-down"; static. */
const char *detour_path_name (DetourPathCause cause);
/* One sentence for people, to be translated; static. */
const char *detour_path_sentence (DetourPathCause cause);

/* One look at a connection. */
typedef struct {
  gint64 now_us;
  DetourTcpState tcp;
  guint64 rx_packets, rx_bytes; /* of its client, since it logged in */
  guint64 tx_packets, tx_bytes;
  guint64 dropped_packets;
  gsize waiting_bytes; /* in the relay: the socket did not take them */
  gboolean is_held_up; /* is not read for a while, because of its receive rate */
} DetourPathReading;

/* In thousandths; 0 of nothing. */
guint detour_path_share (guint64 part, guint64 whole);

/* Several looks at one connection. All zero to begin with. */
typedef struct {
  DetourPathReading first, last;
  guint n;
  guint n_waiting; /* looks at which something waited to be sent, in the relay or in the socket */
  guint n_unread;  /* at which more was unread than one read takes */
  guint n_held_up;
  guint64 waiting_bytes, unsent_bytes, rtt_us, receive_rtt_us; /* sums over the looks */
} DetourPathTrack;

void detour_path_track_add (DetourPathTrack *self, const DetourPathReading *reading);

/* What happened between the first look and the last one. Shares are in thousandths. */
typedef struct {
  guint64 time_us;
  gboolean has_tcp;

  /* Towards the client. */
  guint64 tx_packets, tx_bytes, dropped_packets;
  guint64 rtt_us, min_rtt_us; /* mean; least */
  guint64 acked_bytes, resent_bytes, sent_segments;
  guint64 delivery_rate;  /* bytes a second */
  guint resent;           /* of the bytes that TCP sent */
  guint busy;             /* of the time */
  guint peer_limited;     /* of the time: its window had no room */
  guint buffer_limited;   /* of the time: the send buffer was too small */
  guint waiting;          /* of the looks: something waited */
  guint64 waiting_bytes;  /* mean, in the relay */
  guint64 unsent_bytes;   /* mean, in the socket */
  guint64 queue_delay_us; /* how long a byte waits in the relay, from the two above it */

  /* From the client. */
  guint64 rx_packets, rx_bytes;
  guint64 receive_rtt_us; /* mean */
  guint64 received_segments;
  guint full;       /* of the room in the segments that came: their sender had more waiting */
  guint disordered; /* of the segments that came */
  guint unread;     /* of the looks: much was unread */
  guint held_up;    /* of the looks: its receive rate held it up */
} DetourPathFigures;

void detour_path_track_figures (const DetourPathTrack *self, DetourPathFigures *out);

/* Of the worker, as shares of the time in thousandths. */
typedef struct {
  guint cpu;       /* it ran */
  guint wait;      /* it was ready to run, and something else ran */
  guint64 late_us; /* mean: how much later than asked for it did something */
} DetourPathLoad;

/* @senders: (array length=n): of the connections that send to it; they may send to others, too */
DetourPathCause detour_path_judge (const DetourPathFigures *client,
                                   const DetourPathFigures *senders, guint n,
                                   const DetourPathLoad *load);

G_END_DECLS
