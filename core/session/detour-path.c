/* detour-path.c: why a client gets its packets slowly, out of what was measured of connections.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-path.h"

#include <glib/gi18n-lib.h>

/* Fewer packets a second, none of them waiting, say nothing. */
#define QUIET_PACKETS_A_SECOND 5
/* Something waits at so many looks of a thousand: more comes than goes. */
#define BACKLOG 300u
/* The peer's window had no room for so much of the time. */
#define PEER_LIMITED 250u
/* The send buffer was too small for so much of it. */
#define BUFFER_LIMITED 300u
/* So much of what TCP sends or gets was lost once, and so many segments are needed to say so. */
#define LOSS          20u
#define LOSS_SEGMENTS 50u
/* A round trip has grown that is so much longer than the least one. A queue that overflows makes
 * the larger difference. */
#define GROWN_FACTOR   3
#define GROWN_US       (20 * 1000)
#define OVERFLOWING_US (40 * 1000)
/* Of a sender whose segments are full, so that more is waiting there, this is enough. */
#define FULL             970u
#define GROWN_IF_FULL_US (10 * 1000)
/* The worker works all the time, or waits for a processor most of it, or is late by more than
 * people overlook. */
#define BUSY_CPU 850u
#define WAIT_CPU 700u
#define LATE_US  (25 * 1000)
#define UNREAD   300u
#define HELD_UP  200u
/* More unread bytes than one read of a worker takes are left over from a read. */
#define UNREAD_BYTES 65536u

static const struct {
  const char *name, *sentence;
} causes[DETOUR_N_PATHS] = {
  [DETOUR_PATH_NONE] = { "none", N_ ("Nothing slows this client down at the relay: what comes for "
                                     "it goes out at once.") },
  [DETOUR_PATH_QUIET] = { "quiet", N_ ("Hardly anything was sent to this client, so that nothing "
                                       "can be said: ask again while it is slow.") },
  [DETOUR_PATH_LINE_DOWN] = { "line-down", N_ ("This client's line down is the limit: more comes "
                                               "for it than its line takes.") },
  [DETOUR_PATH_READER] = { "reader", N_ ("This client reads too slowly: its system has no room for "
                                         "more until it has read what came.") },
  [DETOUR_PATH_LOSS] = { "loss", N_ ("Segments are lost between the relay and this client, and TCP "
                                     "has to send them again.") },
  [DETOUR_PATH_SEND_BUFFER] = { "send-buffer", N_ ("The relay's send buffer (net.ipv4.tcp_wmem) is "
                                                   "too small for this "
                                                   "client's round trip.") },
  [DETOUR_PATH_RELAY_CPU] = { "relay-cpu", N_ ("The relay is short of processor time: it cannot "
                                               "pass packets on as fast as they come.") },
  [DETOUR_PATH_LINE_UP] = { "line-up", N_ ("The lines up of those that send to this client are the "
                                           "limit: packets wait there before they come here.") },
  [DETOUR_PATH_LOSS_UP] = { "loss-up", N_ ("Segments of those that send to this client are lost on "
                                           "their way to the relay.") },
  [DETOUR_PATH_RECEIVE_RATE] = { "receive-rate", N_ ("Those that send to this client send more "
                                                     "than their receive rate, and "
                                                     "the relay reads them more slowly.") },
};

const char *
detour_path_name (DetourPathCause cause)
{
  return causes[cause].name;
}

const char *
detour_path_sentence (DetourPathCause cause)
{
  return causes[cause].sentence;
}

/* Figures -------------------------------------------------------------------------------------- */

void
detour_path_track_add (DetourPathTrack *self, const DetourPathReading *reading)
{
  if (self->n == 0)
    self->first = *reading;
  self->last = *reading;
  self->n++;
  self->n_waiting += reading->waiting_bytes > 0 || reading->tcp.unsent_bytes > 0;
  self->n_unread += reading->tcp.unread_bytes > UNREAD_BYTES;
  self->n_held_up += reading->is_held_up;
  self->waiting_bytes += reading->waiting_bytes;
  self->unsent_bytes += reading->tcp.unsent_bytes;
  self->rtt_us += reading->tcp.rtt_us;
  self->receive_rtt_us += reading->tcp.receive_rtt_us;
}

guint
detour_path_share (guint64 part, guint64 whole)
{
  return whole > 0 ? (guint) (MIN (part, whole) * 1000 / whole) : 0;
}

/* Counters of the kernel may be missing or step back. */
static guint64
path_delta (guint64 first, guint64 last)
{
  return last - MIN (first, last);
}

void
detour_path_track_figures (const DetourPathTrack *self, DetourPathFigures *out)
{
  const DetourPathReading *first = &self->first, *last = &self->last;
  const DetourTcpState *before = &first->tcp, *after = &last->tcp;
  guint64 time_us = (guint64) MAX (last->now_us - first->now_us, 0), n = MAX (self->n, 1), came;

  *out = (DetourPathFigures) {
    .time_us = time_us,
    .has_tcp = after->is_known,
    .tx_packets = path_delta (first->tx_packets, last->tx_packets),
    .tx_bytes = path_delta (first->tx_bytes, last->tx_bytes),
    .dropped_packets = path_delta (first->dropped_packets, last->dropped_packets),
    .rtt_us = self->rtt_us / n,
    .min_rtt_us = after->min_rtt_us,
    .acked_bytes = path_delta (before->acked_bytes, after->acked_bytes),
    .resent_bytes = path_delta (before->resent_bytes, after->resent_bytes),
    .sent_segments = path_delta (before->sent_segments, after->sent_segments),
    .delivery_rate = after->delivery_rate,
    .busy = detour_path_share (path_delta (before->busy_us, after->busy_us), time_us),
    .peer_limited = detour_path_share (path_delta (before->peer_limited_us, after->peer_limited_us),
                                       time_us),
    .buffer_limited = detour_path_share (
        path_delta (before->buffer_limited_us, after->buffer_limited_us), time_us),
    .waiting = detour_path_share (self->n_waiting, n),
    .waiting_bytes = self->waiting_bytes / n,
    .unsent_bytes = self->unsent_bytes / n,
    .rx_packets = path_delta (first->rx_packets, last->rx_packets),
    .rx_bytes = path_delta (first->rx_bytes, last->rx_bytes),
    .receive_rtt_us = self->receive_rtt_us / n,
    .received_segments = path_delta (before->received_segments, after->received_segments),
    .unread = detour_path_share (self->n_unread, n),
    .held_up = detour_path_share (self->n_held_up, n),
  };
  out->resent = detour_path_share (out->resent_bytes,
                                   path_delta (before->sent_bytes, after->sent_bytes));
  came = out->received_segments;
  out->full = detour_path_share (path_delta (before->received_bytes, after->received_bytes),
                                 came * after->receive_segment);
  out->disordered = detour_path_share (
      path_delta (before->disordered_segments, after->disordered_segments), came);
  /* What waits, at the pace at which it goes. */
  if (out->waiting_bytes > 0)
    out->queue_delay_us = out->tx_bytes > 0
                            ? MIN (out->waiting_bytes * time_us / out->tx_bytes, time_us)
                            : time_us;
}

/* The cause ------------------------------------------------------------------------------------ */

static gboolean
path_has_grown (guint64 rtt_us, guint64 min_rtt_us, guint64 by_us)
{
  return rtt_us >= min_rtt_us * GROWN_FACTOR && rtt_us >= min_rtt_us + by_us;
}

/* The client's own side, when more comes for it than goes. */
static DetourPathCause
path_judge_backlog (const DetourPathFigures *client)
{
  if (client->peer_limited >= PEER_LIMITED)
    return DETOUR_PATH_READER;
  if (client->buffer_limited >= BUFFER_LIMITED)
    return DETOUR_PATH_SEND_BUFFER;
  if (client->resent >= LOSS && client->sent_segments >= LOSS_SEGMENTS
      && !path_has_grown (client->rtt_us, client->min_rtt_us, OVERFLOWING_US))
    return DETOUR_PATH_LOSS;
  return DETOUR_PATH_LINE_DOWN;
}

static gboolean
path_is_loss_up (const DetourPathFigures *sender)
{
  return sender->disordered >= LOSS && sender->received_segments >= LOSS_SEGMENTS
      && !path_has_grown (sender->receive_rtt_us, sender->min_rtt_us, OVERFLOWING_US);
}

/* The kernel measures how long a sender takes to answer, its pauses included, unless more waits
 * there than it can send. */
static gboolean
path_is_line_up (const DetourPathFigures *sender)
{
  gboolean is_full = sender->full >= FULL;
  guint64 pause_us = is_full ? 0 : sender->time_us / MAX (sender->received_segments, 1);

  return sender->unread < UNREAD
      && path_has_grown (sender->receive_rtt_us - MIN (sender->receive_rtt_us, pause_us),
                         sender->min_rtt_us, is_full ? GROWN_IF_FULL_US : GROWN_US);
}

/* What the senders of most of the bytes have in common; NONE: nothing. */
static DetourPathCause
path_judge_senders (const DetourPathFigures *senders, guint n)
{
  guint64 bytes = 0, held_up = 0, grown = 0, lost = 0;

  for (guint i = 0; i < n; i++)
    {
      const DetourPathFigures *sender = &senders[i];

      bytes += sender->rx_bytes;
      if (sender->held_up >= HELD_UP)
        held_up += sender->rx_bytes;
      else if (path_is_loss_up (sender))
        lost += sender->rx_bytes;
      else if (path_is_line_up (sender))
        grown += sender->rx_bytes;
    }
  if (bytes == 0)
    return DETOUR_PATH_NONE;
  if (held_up > bytes / 2)
    return DETOUR_PATH_RECEIVE_RATE;
  if (grown > bytes / 2)
    return DETOUR_PATH_LINE_UP;
  if (lost > bytes / 2)
    return DETOUR_PATH_LOSS_UP;
  return DETOUR_PATH_NONE;
}

static gboolean
path_is_short_of_cpu (const DetourPathLoad *load)
{
  return load->cpu >= BUSY_CPU || load->wait >= WAIT_CPU || load->late_us >= LATE_US;
}

DetourPathCause
detour_path_judge (const DetourPathFigures *client, const DetourPathFigures *senders, guint n,
                   const DetourPathLoad *load)
{
  DetourPathCause cause;

  if (client->waiting >= BACKLOG || client->dropped_packets > 0)
    return path_judge_backlog (client);
  if (client->tx_packets * G_USEC_PER_SEC < QUIET_PACKETS_A_SECOND * client->time_us)
    return DETOUR_PATH_QUIET;
  if (client->resent >= LOSS && client->sent_segments >= LOSS_SEGMENTS)
    return DETOUR_PATH_LOSS;
  /* A sender's line shows a round trip that has grown, whatever the load. */
  cause = path_judge_senders (senders, n);
  if (cause == DETOUR_PATH_NONE && path_is_short_of_cpu (load))
    return DETOUR_PATH_RELAY_CPU;
  return cause;
}
