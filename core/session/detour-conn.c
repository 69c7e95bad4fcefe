/* detour-conn.c: one registered connection: reading, opening, sealing, sending, its timers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-conn-private.h"

#include <errno.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Laid out alike: the relay fills spans, the socket and the channel take vectors. */
typedef union {
  DetourSpan span[64];
  struct iovec vector[64];
} Spans;

#define MESH_WRITE_TIMEOUT_US (30 * G_USEC_PER_SEC)

/* Added to every interval, so that clients that came together do not stay together. */
#define KEEP_ALIVE_JITTER_US (5 * G_USEC_PER_SEC)
/* Keep-alives fall due on common points in time, about a second apart: an idle worker wakes once for all of them. */
#define KEEP_ALIVE_GRAIN_US (G_GINT64_CONSTANT (1) << 20)

/* Timers ------------------------------------------------------------------------------------------------------ */

static void
set_timer (DetourCarrier *carrier, DetourConn *conn)
{
  gint64 next_us = conn->keep_alive_us;

  if (conn->write_limit_us != 0)
    next_us = MIN (next_us, conn->write_limit_us);
  if (conn->resume_us != 0)
    next_us = MIN (next_us, conn->resume_us);
  detour_wheel_set (detour_worker_wheel (carrier->worker), &conn->timer, next_us);
}

static void
plan_keep_alive (DetourCarrier *carrier, DetourConn *conn)
{
  gint64 interval_us = carrier->limits.keep_alive_us;
  gint64 jitter_us = MIN (KEEP_ALIVE_JITTER_US, interval_us / 12);
  gint64 due_us = detour_worker_now_us (carrier->worker) + interval_us;

  if (jitter_us > KEEP_ALIVE_GRAIN_US)
    {
      due_us += randombytes_uniform ((guint32) (jitter_us - KEEP_ALIVE_GRAIN_US));
      due_us = (due_us + KEEP_ALIVE_GRAIN_US - 1) & ~(KEEP_ALIVE_GRAIN_US - 1);
    }
  conn->keep_alive_us = due_us;
}

static gint64
write_limit (DetourCarrier *carrier, DetourConn *conn)
{
  gint64 timeout_us = conn->client.is_mesh ? MESH_WRITE_TIMEOUT_US : carrier->limits.write_timeout_us;

  return timeout_us > 0 ? detour_worker_now_us (carrier->worker) + timeout_us : G_MAXINT64;
}

/* Interest in the socket follows from two facts. */
static void
set_events (DetourCarrier *carrier, DetourConn *conn)
{
  guint32 events = 0;

  if (conn->resume_us == 0 && !conn->is_stalled)
    events |= EPOLLIN;
  if (conn->out != NULL)
    events |= EPOLLOUT;
  detour_worker_modify (carrier->worker, &conn->io, events);
}

/* Input ------------------------------------------------------------------------------------------------------- */

static void
keep_input (DetourCarrier *carrier, DetourConn *conn, const guint8 *data, gsize len)
{
  detour_block_append (&carrier->blocks, &conn->in, data, len);
}

/* The relay borrows from the block until the round is over. */
static DetourBlock *
retire_input (DetourCarrier *carrier, DetourConn *conn)
{
  DetourBlock *block = g_steal_pointer (&conn->in);

  block->next = carrier->retired;
  carrier->retired = block;
  return block;
}

/* Gives whole frames to the relay and keeps the rest. FALSE: the connection is closed, paused or stalled. */
static gboolean
give (DetourCarrier *carrier, DetourConn *conn, guint8 *data, gsize len)
{
  DetourClose why = DETOUR_CLOSE_FRAME;
  gint64 resume_us = 0;
  gsize used;
  DetourInput result = detour_relay_input (carrier->relay, &conn->client, data, len, &used, &resume_us, &why);

  if (result == DETOUR_INPUT_CLOSE)
    {
      detour_carrier_end_conn (carrier, conn, why);
      return FALSE;
    }

  keep_input (carrier, conn, data + used, len - used);
  if (result == DETOUR_INPUT_OK)
    return TRUE;

  if (result == DETOUR_INPUT_PAUSE)
    {
      conn->resume_us = resume_us;
      set_timer (carrier, conn);
    }
  else
    {
      conn->is_stalled = TRUE;
      g_ptr_array_add (carrier->stalled, conn);
    }
  set_events (carrier, conn);
  return FALSE;
}

/* Moves bytes from *@data to the kept ones until there are @wanted. */
static gboolean
fill_input (DetourCarrier *carrier, DetourConn *conn, gsize wanted, guint8 **data, gsize *len)
{
  gsize n = MIN (wanted - MIN (wanted, conn->in->len), *len);

  keep_input (carrier, conn, *data, n);
  *data += n;
  *len -= n;
  return conn->in->len >= wanted;
}

/* The frame that was cut by the end of the last read is completed where it is kept; all others stay where they lie. */
static void
take (DetourCarrier *carrier, DetourConn *conn, guint8 *data, gsize len)
{
  if (conn->in != NULL)
    {
      DetourBlock *kept;
      DetourFrame frame;

      if (!fill_input (carrier, conn, DETOUR_FRAME_HEADER_SIZE, &data, &len))
        return;

      /* What the header alone condemns is not waited for. */
      if (detour_frame_parse (conn->in->data, conn->in->len, conn->client.is_mesh, &frame) == DETOUR_FRAME_MORE
          && !fill_input (carrier, conn, DETOUR_FRAME_HEADER_SIZE + frame.len, &data, &len))
        return;

      kept = retire_input (carrier, conn);
      if (!give (carrier, conn, kept->data, kept->len))
        {
          if (!conn->is_closed)
            keep_input (carrier, conn, data, len);
          return;
        }
    }
  if (len > 0)
    give (carrier, conn, data, len);
}

/* Goes on with the bytes that were kept while the connection was paused or stalled. */
static void
resume (DetourCarrier *carrier, DetourConn *conn)
{
  if (conn->in != NULL)
    {
      DetourBlock *kept = retire_input (carrier, conn);

      if (!give (carrier, conn, kept->data, kept->len))
        return;
    }
  set_events (carrier, conn);
}

static void
read_some (DetourCarrier *carrier, DetourConn *conn)
{
  gboolean plain = detour_channel_is_plain (&conn->channel);
  gsize room = DETOUR_CONN_READ_MAX + (plain ? 0 : DETOUR_CHANNEL_FEED_SLACK);
  DetourChannelResult result = DETOUR_CHANNEL_OK;
  gboolean reply = FALSE;
  guint8 *start;
  gssize n;

  if (carrier->arena.cap - carrier->arena.len < room)
    {
      detour_carrier_flush (carrier);
      if (conn->is_closed)
        return;
    }

  start = carrier->arena.data + carrier->arena.len;
  n = recv (conn->io.fd, plain ? start : carrier->cipher, DETOUR_CONN_READ_MAX, 0);
  detour_counter_add (&carrier->counters.reads, 1);
  if (n <= 0)
    {
      if (n == 0)
        detour_carrier_end_conn (carrier, conn, DETOUR_CLOSE_PEER);
      else if (errno != EAGAIN && errno != EINTR)
        detour_carrier_end_conn (carrier, conn, DETOUR_CLOSE_RESET);
      return;
    }

  if (plain)
    carrier->arena.len += (gsize) n;
  else
    result = detour_channel_feed (&conn->channel, carrier->cipher, (gsize) n, &carrier->arena, &reply);

  if (reply && !conn->owes_reply)
    {
      conn->owes_reply = TRUE;
      g_ptr_array_add (carrier->replies, conn);
    }
  take (carrier, conn, start, (gsize) (carrier->arena.data + carrier->arena.len - start));
  if (result != DETOUR_CHANNEL_OK && !conn->is_closed)
    detour_carrier_end_conn (carrier, conn, result == DETOUR_CHANNEL_CLOSED ? DETOUR_CLOSE_PEER : DETOUR_CLOSE_RECORD);
}

/* Output ------------------------------------------------------------------------------------------------------ */

/* The socket is full. What it did not take is sealed and can only wait; what comes from now on is copied, within
 * limits. */
static void
block (DetourCarrier *carrier, DetourConn *conn, const struct iovec *rest, guint n, gsize skip)
{
  gsize len = 0;

  for (guint i = 0; i < n; i++)
    len += rest[i].iov_len;
  len -= skip;

  conn->out = g_malloc (MAX (len, 1));
  conn->out_len = 0;
  conn->out_at = 0;
  for (guint i = 0; i < n; i++)
    {
      gsize cut = MIN (skip, rest[i].iov_len);

      memcpy (conn->out + conn->out_len, (const guint8 *) rest[i].iov_base + cut, rest[i].iov_len - cut);
      conn->out_len += (guint32) (rest[i].iov_len - cut);
      skip -= cut;
    }

  detour_relay_park (carrier->relay, &conn->client);
  conn->write_limit_us = write_limit (carrier, conn);
  set_events (carrier, conn);
  set_timer (carrier, conn);
}

/* FALSE: blocked or closed. */
static gboolean
send_spans (DetourCarrier *carrier, DetourConn *conn, struct iovec *spans, guint n, gsize len)
{
  gssize sent;

  if (n == 1) /* the kernel has less to copy and to check */
    sent = send (conn->io.fd, spans->iov_base, len, MSG_NOSIGNAL | MSG_DONTWAIT);
  else
    sent = sendmsg (conn->io.fd, &(struct msghdr){ .msg_iov = spans, .msg_iovlen = n }, MSG_NOSIGNAL | MSG_DONTWAIT);

  detour_counter_add (&carrier->counters.sends, 1);
  if (sent == (gssize) len)
    return TRUE;
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    {
      detour_relay_write_failed (carrier->relay, &conn->client);
      detour_carrier_end_conn (carrier, conn, DETOUR_CLOSE_WRITE);
      return FALSE;
    }
  block (carrier, conn, spans, n, (gsize) MAX (sent, 0));
  return FALSE;
}

static gboolean
send_sealed (DetourCarrier *carrier, DetourConn *conn)
{
  struct iovec span = { carrier->sealed.data, carrier->sealed.len };

  return span.iov_len == 0 || send_spans (carrier, conn, &span, 1, span.iov_len);
}

static void
flush_plain (DetourCarrier *carrier, DetourConn *conn)
{
  Spans spans;
  gsize len;
  guint n;

  while ((n = detour_relay_gather (carrier->relay, &conn->client, spans.span, G_N_ELEMENTS (spans.span),
                                   DETOUR_CONN_SEND_MAX, &len)) > 0)
    if (!send_spans (carrier, conn, spans.vector, n, len))
      return;
}

static void
flush_sealed (DetourCarrier *carrier, DetourConn *conn)
{
  Spans spans;
  gsize len;
  guint n;

  carrier->sealed.len = 0;
  do
    {
      n = detour_relay_gather (carrier->relay, &conn->client, spans.span, G_N_ELEMENTS (spans.span),
                               DETOUR_CHANNEL_RECORD_MAX, &len);
      if (n == 0 && !conn->owes_reply)
        break;
      conn->owes_reply = FALSE;
      if (!detour_channel_seal (&conn->channel, spans.vector, n, &carrier->sealed))
        {
          detour_relay_write_failed (carrier->relay, &conn->client);
          detour_carrier_end_conn (carrier, conn, DETOUR_CLOSE_RECORD);
          return;
        }
      if (carrier->sealed.len >= DETOUR_CONN_SEND_MAX)
        {
          if (!send_sealed (carrier, conn))
            return;
          carrier->sealed.len = 0;
        }
    }
  while (n > 0);
  send_sealed (carrier, conn);
}

void
detour_conn_flush (DetourCarrier *carrier, DetourConn *conn)
{
  if (conn->out != NULL)
    return;
  if (detour_channel_is_plain (&conn->channel))
    flush_plain (carrier, conn);
  else
    flush_sealed (carrier, conn);
  if (conn->client.is_overfull && !conn->is_closed)
    detour_carrier_end_conn (carrier, conn, DETOUR_CLOSE_BACKLOG);
}

static void
write_some (DetourCarrier *carrier, DetourConn *conn)
{
  gssize sent = send (conn->io.fd, conn->out + conn->out_at, conn->out_len - conn->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

  detour_counter_add (&carrier->counters.sends, 1);
  if (sent < 0)
    {
      if (errno != EAGAIN && errno != EINTR)
        detour_carrier_end_conn (carrier, conn, DETOUR_CLOSE_WRITE);
      return;
    }

  conn->out_at += (guint32) sent;
  if (sent > 0)
    conn->client.progress_us = detour_worker_now_us (carrier->worker);
  if (conn->out_at < conn->out_len)
    {
      /* It takes something, if slowly. The timer looks again when the old limit has come. */
      if (sent > 0)
        conn->write_limit_us = write_limit (carrier, conn);
      return;
    }

  g_clear_pointer (&conn->out, g_free);
  conn->write_limit_us = 0;
  set_events (carrier, conn);
  detour_relay_unblock (carrier->relay, &conn->client);
}

/* ------------------------------------------------------------------------------------------------------------- */

void
detour_conn_ready (DetourWorker *worker, DetourIo *io, guint32 events)
{
  DetourConn *conn = (DetourConn *) (gpointer) ((guint8 *) io - G_STRUCT_OFFSET (DetourConn, io));
  DetourCarrier *carrier = detour_worker_user (worker);

  if (conn->out != NULL && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
    write_some (carrier, conn);
  if (conn->is_closed)
    return;
  if (conn->resume_us == 0 && !conn->is_stalled && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
    read_some (carrier, conn);
  else if (events & (EPOLLERR | EPOLLHUP))
    detour_carrier_end_conn (carrier, conn, DETOUR_CLOSE_RESET);
}

void
detour_conn_retry (DetourCarrier *carrier, DetourConn *conn)
{
  conn->is_stalled = FALSE;
  conn->resume_us = 0;
  resume (carrier, conn);
}

void
detour_conn_timer (DetourCarrier *carrier, DetourTimer *timer)
{
  DetourConn *conn = (DetourConn *) (gpointer) ((guint8 *) timer - G_STRUCT_OFFSET (DetourConn, timer));
  gint64 now_us = detour_worker_now_us (carrier->worker);

  if (conn->write_limit_us != 0 && conn->write_limit_us <= now_us)
    {
      detour_carrier_end_conn (carrier, conn, DETOUR_CLOSE_WRITE_TIME);
      return;
    }
  if (conn->resume_us != 0 && conn->resume_us <= now_us)
    {
      conn->resume_us = 0;
      resume (carrier, conn);
      if (conn->is_closed)
        return;
    }
  if (conn->keep_alive_us <= now_us)
    {
      detour_relay_keep_alive (carrier->relay, &conn->client);
      plan_keep_alive (carrier, conn);
    }
  set_timer (carrier, conn);
}

void
detour_conn_start (DetourCarrier *carrier, DetourConn *conn, const GByteArray *sealed, const GByteArray *input)
{
  plan_keep_alive (carrier, conn);
  set_timer (carrier, conn);
  if (sealed != NULL && sealed->len > 0)
    {
      struct iovec rest = { sealed->data, sealed->len };

      block (carrier, conn, &rest, 1, 0);
    }
  if (input != NULL && input->len > 0)
    {
      keep_input (carrier, conn, input->data, input->len);
      resume (carrier, conn);
    }
}

void
detour_conn_clear (DetourCarrier *carrier, DetourConn *conn, gboolean say_goodbye)
{
  detour_wheel_clear (detour_worker_wheel (carrier->worker), &conn->timer);
  detour_worker_remove (carrier->worker, &conn->io);
  if (say_goodbye && conn->out == NULL)
    {
      guint8 bytes[DETOUR_CHANNEL_SEAL_BOUND (0)];
      DetourBuffer goodbye = { bytes, 0, sizeof bytes };

      detour_channel_close (&conn->channel, &goodbye);
      if (goodbye.len > 0 && send (conn->io.fd, bytes, goodbye.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        g_debug ("connection %" G_GUINT64_FORMAT ": no goodbye: %s", conn->number, g_strerror (errno));
    }
  close (conn->io.fd);
  conn->io.fd = -1;
  detour_channel_clear (&conn->channel);
  g_clear_pointer (&conn->out, g_free);
  if (conn->in != NULL)
    retire_input (carrier, conn);
  detour_sources_leave (carrier->sources, &conn->source);
  g_clear_pointer (&conn->label, g_free);
}
