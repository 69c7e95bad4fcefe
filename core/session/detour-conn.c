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
/* Keep-alives fall due on common points in time, about a second apart: an idle worker wakes once
 * for all of them. */
#define KEEP_ALIVE_GRAIN_US (G_GINT64_CONSTANT (1) << 20)

/* Timers --------------------------------------------------------------------------------------- */

static void
conn_set_timer (DetourWorker *worker, DetourConn *conn)
{
  gint64 next_us = conn->keep_alive_us;

  if (conn->write_limit_us != 0)
    next_us = MIN (next_us, conn->write_limit_us);
  if (conn->resume_us != 0)
    next_us = MIN (next_us, conn->resume_us);
  detour_wheel_set (detour_loop_wheel (worker->loop), &conn->timer, next_us);
}

static void
conn_plan_keep_alive (DetourWorker *worker, DetourConn *conn)
{
  gint64 interval_us = worker->limits.keep_alive_us;
  gint64 jitter_us = MIN (KEEP_ALIVE_JITTER_US, interval_us / 12);
  gint64 due_us = detour_loop_now_us (worker->loop) + interval_us;

  if (jitter_us > KEEP_ALIVE_GRAIN_US)
    {
      due_us += randombytes_uniform ((guint32) (jitter_us - KEEP_ALIVE_GRAIN_US));
      due_us = (due_us + KEEP_ALIVE_GRAIN_US - 1) & ~(KEEP_ALIVE_GRAIN_US - 1);
    }
  conn->keep_alive_us = due_us;
}

static gint64
conn_write_limit (DetourWorker *worker, DetourConn *conn)
{
  gint64 timeout_us = conn->client.is_mesh ? MESH_WRITE_TIMEOUT_US
                                           : worker->limits.write_timeout_us;

  return timeout_us > 0 ? detour_loop_now_us (worker->loop) + timeout_us : G_MAXINT64;
}

/* Interest in the socket follows from two facts. */
static void
conn_set_events (DetourWorker *worker, DetourConn *conn)
{
  guint32 events = 0;

  if (conn->resume_us == 0 && !conn->is_stalled)
    events |= EPOLLIN;
  if (conn->out != NULL)
    events |= EPOLLOUT;
  detour_loop_modify (worker->loop, &conn->io, events);
}

/* Input ---------------------------------------------------------------------------------------- */

static void
conn_keep_input (DetourWorker *worker, DetourConn *conn, const guint8 *data, gsize len)
{
  detour_block_append (&worker->blocks, &conn->in, data, len);
}

/* The relay borrows from the block until the round is over. */
static DetourBlock *
conn_retire_input (DetourWorker *worker, DetourConn *conn)
{
  DetourBlock *conn_block = g_steal_pointer (&conn->in);

  conn_block->next = worker->retired;
  worker->retired = conn_block;
  return conn_block;
}

/* Gives whole frames to the relay and keeps the rest. FALSE: the connection is closed, paused or
 * stalled. */
static gboolean
conn_give (DetourWorker *worker, DetourConn *conn, guint8 *data, gsize len)
{
  DetourClose why = DETOUR_CLOSE_FRAME;
  gint64 resume_us = 0;
  gsize used;
  DetourInput result = detour_relay_input (worker->relay, &conn->client, data, len, &used,
                                           &resume_us, &why);

  if (result == DETOUR_INPUT_CLOSE)
    {
      detour_worker_end_conn (worker, conn, why);
      return FALSE;
    }

  conn_keep_input (worker, conn, data + used, len - used);
  if (result == DETOUR_INPUT_OK)
    return TRUE;

  if (result == DETOUR_INPUT_PAUSE)
    {
      conn->resume_us = resume_us;
      conn_set_timer (worker, conn);
    }
  else
    {
      conn->is_stalled = TRUE;
      g_ptr_array_add (worker->stalled, conn);
    }
  conn_set_events (worker, conn);
  return FALSE;
}

/* Moves bytes from *@data to the kept ones until there are @wanted. */
static gboolean
conn_fill_input (DetourWorker *worker, DetourConn *conn, gsize wanted, guint8 **data, gsize *len)
{
  gsize n = MIN (wanted - MIN (wanted, conn->in->len), *len);

  conn_keep_input (worker, conn, *data, n);
  *data += n;
  *len -= n;
  return conn->in->len >= wanted;
}

/* The frame that was cut by the end of the last read is completed where it is kept; all others stay
 * where they lie. */
static void
conn_take (DetourWorker *worker, DetourConn *conn, guint8 *data, gsize len)
{
  if (conn->in != NULL)
    {
      DetourBlock *kept;
      DetourFrame frame;

      if (!conn_fill_input (worker, conn, DETOUR_FRAME_HEADER_SIZE, &data, &len))
        return;

      /* What the header alone condemns is not waited for. */
      if (detour_frame_parse (conn->in->data, conn->in->len, conn->client.is_mesh, &frame)
              == DETOUR_FRAME_MORE
          && !conn_fill_input (worker, conn, DETOUR_FRAME_HEADER_SIZE + frame.len, &data, &len))
        return;

      kept = conn_retire_input (worker, conn);
      if (!conn_give (worker, conn, kept->data, kept->len))
        {
          if (!conn->is_closed)
            conn_keep_input (worker, conn, data, len);
          return;
        }
    }
  if (len > 0)
    conn_give (worker, conn, data, len);
}

/* Goes on with the bytes that were kept while the connection was paused or stalled. */
static void
conn_resume (DetourWorker *worker, DetourConn *conn)
{
  if (conn->in != NULL)
    {
      DetourBlock *kept = conn_retire_input (worker, conn);

      if (!conn_give (worker, conn, kept->data, kept->len))
        return;
    }
  conn_set_events (worker, conn);
}

static void
conn_read_some (DetourWorker *worker, DetourConn *conn)
{
  gboolean plain = detour_channel_is_plain (&conn->channel);
  gsize room = DETOUR_CONN_READ_MAX + (plain ? 0 : DETOUR_CHANNEL_FEED_SLACK);
  DetourChannelResult result = DETOUR_CHANNEL_OK;
  gboolean reply = FALSE;
  guint8 *start;
  gssize n;

  if (worker->arena.cap - worker->arena.len < room)
    {
      detour_worker_flush (worker);
      if (conn->is_closed)
        return;
    }

  start = worker->arena.data + worker->arena.len;
  n = recv (conn->io.fd, plain ? start : worker->cipher, DETOUR_CONN_READ_MAX, 0);
  detour_counter_add (&worker->counters.reads, 1);
  if (n <= 0)
    {
      if (n == 0)
        detour_worker_end_conn (worker, conn, DETOUR_CLOSE_PEER);
      else if (errno != EAGAIN && errno != EINTR)
        detour_worker_end_conn (worker, conn, DETOUR_CLOSE_RESET);
      return;
    }

  if (plain)
    worker->arena.len += (gsize) n;
  else
    result = detour_channel_feed (&conn->channel, worker->cipher, (gsize) n, &worker->arena,
                                  &reply);

  if (reply && !conn->owes_reply)
    {
      conn->owes_reply = TRUE;
      g_ptr_array_add (worker->replies, conn);
    }
  conn_take (worker, conn, start, (gsize) (worker->arena.data + worker->arena.len - start));
  if (result != DETOUR_CHANNEL_OK && !conn->is_closed)
    detour_worker_end_conn (
        worker, conn, result == DETOUR_CHANNEL_CLOSED ? DETOUR_CLOSE_PEER : DETOUR_CLOSE_RECORD);
}

/* Output --------------------------------------------------------------------------------------- */

/* The socket is full. What it did not take is sealed and can only wait; what comes from now on is
 * copied, within limits. */
static void
conn_block (DetourWorker *worker, DetourConn *conn, const struct iovec *rest, guint n, gsize skip)
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

      memcpy (conn->out + conn->out_len, (const guint8 *) rest[i].iov_base + cut,
              rest[i].iov_len - cut);
      conn->out_len += (guint32) (rest[i].iov_len - cut);
      skip -= cut;
    }

  detour_relay_park (worker->relay, &conn->client);
  conn->write_limit_us = conn_write_limit (worker, conn);
  conn_set_events (worker, conn);
  conn_set_timer (worker, conn);
}

/* FALSE: blocked or closed. */
static gboolean
conn_send_spans (DetourWorker *worker, DetourConn *conn, struct iovec *spans, guint n, gsize len)
{
  gssize sent;

  if (n == 1) /* the kernel has less to copy and to check */
    sent = send (conn->io.fd, spans->iov_base, len, MSG_NOSIGNAL | MSG_DONTWAIT);
  else
    sent = sendmsg (conn->io.fd, &(struct msghdr) { .msg_iov = spans, .msg_iovlen = n },
                    MSG_NOSIGNAL | MSG_DONTWAIT);

  detour_counter_add (&worker->counters.sends, 1);
  if (sent == (gssize) len)
    return TRUE;
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    {
      detour_relay_write_failed (worker->relay, &conn->client);
      detour_worker_end_conn (worker, conn, DETOUR_CLOSE_WRITE);
      return FALSE;
    }
  conn_block (worker, conn, spans, n, (gsize) MAX (sent, 0));
  return FALSE;
}

static gboolean
conn_send_sealed (DetourWorker *worker, DetourConn *conn)
{
  struct iovec span = { worker->sealed.data, worker->sealed.len };

  return span.iov_len == 0 || conn_send_spans (worker, conn, &span, 1, span.iov_len);
}

static void
conn_flush_plain (DetourWorker *worker, DetourConn *conn)
{
  Spans spans;
  gsize len;
  guint n;

  while ((n = detour_relay_gather (worker->relay, &conn->client, spans.span,
                                   G_N_ELEMENTS (spans.span), DETOUR_CONN_SEND_MAX, &len))
         > 0)
    if (!conn_send_spans (worker, conn, spans.vector, n, len))
      return;
}

static void
conn_flush_sealed (DetourWorker *worker, DetourConn *conn)
{
  Spans spans;
  gsize len;
  guint n;

  worker->sealed.len = 0;
  do
    {
      n = detour_relay_gather (worker->relay, &conn->client, spans.span, G_N_ELEMENTS (spans.span),
                               DETOUR_CHANNEL_RECORD_MAX, &len);
      if (n == 0 && !conn->owes_reply)
        break;
      conn->owes_reply = FALSE;
      if (!detour_channel_seal (&conn->channel, spans.vector, n, &worker->sealed))
        {
          detour_relay_write_failed (worker->relay, &conn->client);
          detour_worker_end_conn (worker, conn, DETOUR_CLOSE_RECORD);
          return;
        }
      if (worker->sealed.len >= DETOUR_CONN_SEND_MAX)
        {
          if (!conn_send_sealed (worker, conn))
            return;
          worker->sealed.len = 0;
        }
    }
  while (n > 0);
  conn_send_sealed (worker, conn);
}

void
detour_conn_flush (DetourWorker *worker, DetourConn *conn)
{
  if (conn->out != NULL)
    return;
  if (detour_channel_is_plain (&conn->channel))
    conn_flush_plain (worker, conn);
  else
    conn_flush_sealed (worker, conn);
  if (conn->client.is_overfull && !conn->is_closed)
    detour_worker_end_conn (worker, conn, DETOUR_CLOSE_BACKLOG);
}

static void
conn_write_some (DetourWorker *worker, DetourConn *conn)
{
  gssize sent = send (conn->io.fd, conn->out + conn->out_at, conn->out_len - conn->out_at,
                      MSG_NOSIGNAL | MSG_DONTWAIT);

  detour_counter_add (&worker->counters.sends, 1);
  if (sent < 0)
    {
      if (errno != EAGAIN && errno != EINTR)
        detour_worker_end_conn (worker, conn, DETOUR_CLOSE_WRITE);
      return;
    }

  conn->out_at += (guint32) sent;
  if (sent > 0)
    conn->client.progress_us = detour_loop_now_us (worker->loop);
  if (conn->out_at < conn->out_len)
    {
      /* It takes something, if slowly. The timer looks again when the old limit has come. */
      if (sent > 0)
        conn->write_limit_us = conn_write_limit (worker, conn);
      return;
    }

  g_clear_pointer (&conn->out, g_free);
  conn->write_limit_us = 0;
  conn_set_events (worker, conn);
  detour_relay_unblock (worker->relay, &conn->client);
}

/* ---------------------------------------------------------------------------------------------- */

void
detour_conn_ready (DetourLoop *loop, DetourIo *io, guint32 events)
{
  DetourConn *conn = (DetourConn *) (gpointer) ((guint8 *) io - G_STRUCT_OFFSET (DetourConn, io));
  DetourWorker *worker = detour_loop_user (loop);

  if (conn->out != NULL && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
    conn_write_some (worker, conn);
  if (conn->is_closed)
    return;
  if (conn->resume_us == 0 && !conn->is_stalled && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
    conn_read_some (worker, conn);
  else if (events & (EPOLLERR | EPOLLHUP))
    detour_worker_end_conn (worker, conn, DETOUR_CLOSE_RESET);
}

void
detour_conn_retry (DetourWorker *worker, DetourConn *conn)
{
  conn->is_stalled = FALSE;
  conn->resume_us = 0;
  conn_resume (worker, conn);
}

void
detour_conn_timer (DetourWorker *worker, DetourTimer *timer)
{
  DetourConn *conn = (DetourConn *) (gpointer) ((guint8 *) timer
                                                - G_STRUCT_OFFSET (DetourConn, timer));
  gint64 now_us = detour_loop_now_us (worker->loop);

  if (conn->write_limit_us != 0 && conn->write_limit_us <= now_us)
    {
      detour_worker_end_conn (worker, conn, DETOUR_CLOSE_WRITE_TIME);
      return;
    }
  if (conn->resume_us != 0 && conn->resume_us <= now_us)
    {
      conn->resume_us = 0;
      conn_resume (worker, conn);
      if (conn->is_closed)
        return;
    }
  if (conn->keep_alive_us <= now_us)
    {
      detour_relay_keep_alive (worker->relay, &conn->client);
      conn_plan_keep_alive (worker, conn);
    }
  conn_set_timer (worker, conn);
}

void
detour_conn_start (DetourWorker *worker, DetourConn *conn, const GByteArray *sealed,
                   const GByteArray *input)
{
  conn_plan_keep_alive (worker, conn);
  conn_set_timer (worker, conn);
  if (sealed != NULL && sealed->len > 0)
    {
      struct iovec rest = { sealed->data, sealed->len };

      conn_block (worker, conn, &rest, 1, 0);
    }
  if (input != NULL && input->len > 0)
    {
      conn_keep_input (worker, conn, input->data, input->len);
      conn_resume (worker, conn);
    }
}

void
detour_conn_clear (DetourWorker *worker, DetourConn *conn, gboolean say_goodbye)
{
  detour_wheel_clear (detour_loop_wheel (worker->loop), &conn->timer);
  detour_loop_remove (worker->loop, &conn->io);
  if (say_goodbye && conn->out == NULL)
    {
      guint8 bytes[DETOUR_CHANNEL_SEAL_BOUND (0)];
      DetourBuffer goodbye = { bytes, 0, sizeof bytes };

      detour_channel_close (&conn->channel, &goodbye);
      if (goodbye.len > 0
          && send (conn->io.fd, bytes, goodbye.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        g_debug ("connection %" G_GUINT64_FORMAT ": no goodbye: %s", conn->number,
                 g_strerror (errno));
    }
  close (conn->io.fd);
  conn->io.fd = -1;
  detour_channel_clear (&conn->channel);
  g_clear_pointer (&conn->out, g_free);
  if (conn->in != NULL)
    conn_retire_input (worker, conn);
  detour_address_counts_leave (worker->addresses, &conn->address_key);
  g_clear_pointer (&conn->verdict, detour_verdict_unref);
}
