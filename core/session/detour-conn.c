/* detour-conn.c: one transport connection: reading, opening, sealing, sending, its timers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-conn-private.h"

#include "detour-channel-stack.h"

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

/* Added to every interval, so that clients that came together do not stay together. */
#define KEEP_ALIVE_JITTER_US (5 * G_USEC_PER_SEC)
/* Keep-alives fall due on common points in time, about a second apart: an idle worker wakes once
 * for all of them. */
#define KEEP_ALIVE_GRAIN_US (G_GINT64_CONSTANT (1) << 20)
/* The other end of a link, which is a server, says something at least once a minute. */
#define LINK_SILENCE_US (120 * G_USEC_PER_SEC)

/* Timers --------------------------------------------------------------------------------------- */

static void
conn_set_timer (DetourConnShared *shared, DetourConn *conn)
{
  gint64 next_us = conn->keep_alive_us;

  if (conn->rest != NULL)
    next_us = MIN (next_us, conn->rest->limit_us);
  if (conn->resume_us != 0)
    next_us = MIN (next_us, conn->resume_us);
  if (conn->is_pinged)
    next_us = MIN (next_us, detour_conn_silent_next_us (shared, conn));
  detour_wheel_set (detour_loop_wheel (shared->loop), &conn->timer, next_us);
}

static void
conn_plan_keep_alive (DetourConnShared *shared, DetourConn *conn)
{
  gint64 interval_us = shared->limits.keep_alive_us;
  gint64 jitter_us = MIN (KEEP_ALIVE_JITTER_US, interval_us / 12);
  gint64 due_us = detour_loop_now_us (shared->loop) + interval_us;

  if (jitter_us > KEEP_ALIVE_GRAIN_US)
    {
      due_us += randombytes_uniform ((guint32) (jitter_us - KEEP_ALIVE_GRAIN_US));
      due_us = (due_us + KEEP_ALIVE_GRAIN_US - 1) & ~(KEEP_ALIVE_GRAIN_US - 1);
    }
  conn->keep_alive_us = due_us;
}

static gboolean
conn_is_read (const DetourConn *conn)
{
  return conn->resume_us == 0 && !conn->is_stalled && !conn->is_frozen;
}

/* Interest in the socket follows from what the connection waits for. The loop of a frozen one is
 * held, so that there is time until it thaws. */
static void
conn_set_events (DetourConnShared *shared, DetourConn *conn)
{
  guint32 events = 0;

  if (conn->is_frozen)
    return;
  if (conn_is_read (conn))
    events |= EPOLLIN;
  if (conn->rest != NULL)
    events |= EPOLLOUT;
  detour_loop_modify (shared->loop, &conn->io, events);
}

/* Input ---------------------------------------------------------------------------------------- */

static void
conn_keep_input (DetourConnShared *shared, DetourConn *conn, const guint8 *data, gsize len)
{
  detour_block_append (&shared->blocks, &conn->in, data, len);
}

/* The relay borrows from the block until the round is over. */
static DetourBlock *
conn_retire_input (DetourConnShared *shared, DetourConn *conn)
{
  DetourBlock *conn_block = g_steal_pointer (&conn->in);

  conn_block->next = shared->retired;
  shared->retired = conn_block;
  return conn_block;
}

typedef enum {
  CONN_WENT_ON,
  CONN_WAITS, /* paused or stalled; what follows is to be kept */
  CONN_ENDS,
} ConnStep;

/* Gives whole frames to the relay and keeps the rest. @why: set with CONN_ENDS. */
static ConnStep
conn_give (DetourConnShared *shared, DetourConn *conn, guint8 *data, gsize len, DetourClose *why)
{
  gint64 resume_us = 0;
  gsize used;
  DetourInput result;

  *why = DETOUR_CLOSE_FRAME;
  result = detour_relay_input (shared->relay, conn->client, data, len, &used, &resume_us, why);
  if (result == DETOUR_INPUT_CLOSE)
    return CONN_ENDS;

  conn_keep_input (shared, conn, data + used, len - used);
  if (result == DETOUR_INPUT_OK)
    return CONN_WENT_ON;

  if (result == DETOUR_INPUT_PAUSE)
    {
      conn->resume_us = resume_us;
      conn_set_timer (shared, conn);
      detour_conn_limit_tell_slowed (shared, conn);
    }
  else
    {
      conn->is_stalled = TRUE;
      g_ptr_array_add (shared->stalled, conn);
    }
  conn_set_events (shared, conn);
  return CONN_WAITS;
}

/* Moves bytes from *@data to the kept ones until there are @wanted. */
static gboolean
conn_fill_input (DetourConnShared *shared, DetourConn *conn, gsize wanted, guint8 **data,
                 gsize *len)
{
  gsize n = MIN (wanted - MIN (wanted, conn->in->len), *len);

  conn_keep_input (shared, conn, *data, n);
  *data += n;
  *len -= n;
  return conn->in->len >= wanted;
}

static DetourFrameVerdict
conn_look_at_kept (const DetourConn *conn, DetourFrame *frame)
{
  if (conn->client->is_link)
    return detour_frame_parse_served (conn->in->data, conn->in->len, frame);
  return detour_frame_parse (conn->in->data, conn->in->len, conn->client->is_mesh, frame);
}

/* The frame that was cut by the end of the last read is completed where it is kept; all others stay
 * where they lie. */
static DetourClose
conn_take (DetourConnShared *shared, DetourConn *conn, guint8 *data, gsize len)
{
  DetourClose why;

  if (conn->in != NULL)
    {
      DetourBlock *kept;
      DetourFrame frame;
      ConnStep step;

      if (!conn_fill_input (shared, conn, DETOUR_FRAME_HEADER_SIZE, &data, &len))
        return DETOUR_CONN_OPEN;

      /* A frame whose header alone is wrong is not waited for. */
      if (conn_look_at_kept (conn, &frame) == DETOUR_FRAME_MORE
          && !conn_fill_input (shared, conn, DETOUR_FRAME_HEADER_SIZE + frame.len, &data, &len))
        return DETOUR_CONN_OPEN;

      kept = conn_retire_input (shared, conn);
      step = conn_give (shared, conn, kept->data, kept->len, &why);
      if (step == CONN_WAITS)
        conn_keep_input (shared, conn, data, len);
      if (step != CONN_WENT_ON)
        return step == CONN_ENDS ? why : DETOUR_CONN_OPEN;
    }
  if (len > 0 && conn_give (shared, conn, data, len, &why) == CONN_ENDS)
    return why;
  return DETOUR_CONN_OPEN;
}

/* Goes on with the bytes that were kept while the connection was not read. */
static DetourClose
conn_resume (DetourConnShared *shared, DetourConn *conn)
{
  if (conn->in != NULL && conn_is_read (conn))
    {
      DetourBlock *kept = conn_retire_input (shared, conn);
      DetourClose why;

      switch (conn_give (shared, conn, kept->data, kept->len, &why))
        {
        case CONN_ENDS:
          return why;
        case CONN_WAITS:
          return DETOUR_CONN_OPEN;
        case CONN_WENT_ON:
          break;
        }
    }
  conn_set_events (shared, conn);
  return DETOUR_CONN_OPEN;
}

static void
conn_note_reply (DetourConnShared *shared, DetourConn *conn)
{
  conn->owes_reply = TRUE;
  g_ptr_array_add (shared->replies, conn);
}

static DetourClose
conn_read_some (DetourConnShared *shared, DetourConn *conn)
{
  gboolean plain = detour_channel_is_plain (&conn->channel);
  DetourChannelResult result = DETOUR_CHANNEL_OK;
  guint8 *start = shared->arena.data + shared->arena.len;
  gboolean reply = FALSE;
  DetourClose why;
  gssize n;

  n = recv (conn->io.fd, plain ? start : shared->cipher, DETOUR_CONN_READ_MAX, 0);
  detour_counter_add (&shared->counters.reads, 1);
  if (n == 0)
    return DETOUR_CLOSE_PEER;
  if (n < 0)
    return errno == EAGAIN || errno == EINTR ? DETOUR_CONN_OPEN : DETOUR_CLOSE_RESET;

  if (plain)
    shared->arena.len += (gsize) n;
  else
    result = detour_channel_feed (&conn->channel, shared->cipher, (gsize) n, &shared->arena,
                                  &reply);

  if (reply && !conn->owes_reply)
    conn_note_reply (shared, conn);
  why = conn_take (shared, conn, start, (gsize) (shared->arena.data + shared->arena.len - start));
  if (why != DETOUR_CONN_OPEN || result == DETOUR_CHANNEL_OK)
    return why;
  return result == DETOUR_CHANNEL_CLOSED ? DETOUR_CLOSE_PEER : DETOUR_CLOSE_RECORD;
}

/* Output --------------------------------------------------------------------------------------- */

/* The socket is full. What it did not take is sealed and can only wait; what comes from now on is
 * copied, within limits. */
static void
conn_block (DetourConnShared *shared, DetourConn *conn, const struct iovec *rest, guint n,
            gsize skip)
{
  gsize len = 0;

  for (guint i = 0; i < n; i++)
    len += rest[i].iov_len;
  len -= skip;

  conn->rest = g_malloc (sizeof *conn->rest + len);
  conn->rest->len = 0;
  conn->rest->at = 0;
  for (guint i = 0; i < n; i++)
    {
      gsize cut = MIN (skip, rest[i].iov_len);

      memcpy (conn->rest->bytes + conn->rest->len, (const guint8 *) rest[i].iov_base + cut,
              rest[i].iov_len - cut);
      conn->rest->len += (guint32) (rest[i].iov_len - cut);
      skip -= cut;
    }

  detour_relay_park (shared->relay, conn->client);
  detour_conn_limit_set_slow (shared, conn, TRUE);
  detour_conn_limit_set (shared, conn);
  conn_set_events (shared, conn);
  conn_set_timer (shared, conn);
}

/* @is_blocked: (out): the socket did not take all of it. */
static DetourClose
conn_send_spans (DetourConnShared *shared, DetourConn *conn, struct iovec *spans, guint n,
                 gsize len, gboolean *is_blocked)
{
  gssize sent;

  if (n == 1) /* the kernel has less to copy and to check */
    sent = send (conn->io.fd, spans->iov_base, len, MSG_NOSIGNAL | MSG_DONTWAIT);
  else
    sent = sendmsg (conn->io.fd, &(struct msghdr) { .msg_iov = spans, .msg_iovlen = n },
                    MSG_NOSIGNAL | MSG_DONTWAIT);

  detour_counter_add (&shared->counters.sends, 1);
  *is_blocked = sent != (gssize) len;
  if (!*is_blocked)
    return DETOUR_CONN_OPEN;
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    {
      detour_relay_write_failed (shared->relay, conn->client);
      return DETOUR_CLOSE_WRITE;
    }
  conn_block (shared, conn, spans, n, (gsize) MAX (sent, 0));
  return DETOUR_CONN_OPEN;
}

static DetourClose
conn_send_sealed (DetourConnShared *shared, DetourConn *conn, gboolean *is_blocked)
{
  struct iovec span = { shared->sealed.data, shared->sealed.len };

  *is_blocked = FALSE;
  if (span.iov_len == 0)
    return DETOUR_CONN_OPEN;
  return conn_send_spans (shared, conn, &span, 1, span.iov_len, is_blocked);
}

static DetourClose
conn_flush_plain (DetourConnShared *shared, DetourConn *conn)
{
  DetourClose why = DETOUR_CONN_OPEN;
  gboolean is_blocked = FALSE;
  Spans spans;
  gsize len;
  guint n;

  while (why == DETOUR_CONN_OPEN && !is_blocked
         && (n = detour_relay_gather (shared->relay, conn->client, spans.span,
                                      G_N_ELEMENTS (spans.span), DETOUR_CONN_SEND_MAX, &len))
                > 0)
    why = conn_send_spans (shared, conn, spans.vector, n, len, &is_blocked);
  return why;
}

static DetourClose
conn_flush_sealed (DetourConnShared *shared, DetourConn *conn)
{
  Spans spans;
  gsize len;
  guint n;

  shared->sealed.len = 0;
  do
    {
      n = detour_relay_gather (shared->relay, conn->client, spans.span, G_N_ELEMENTS (spans.span),
                               DETOUR_CHANNEL_RECORD_MAX, &len);
      if (n == 0 && !conn->owes_reply)
        break;
      conn->owes_reply = FALSE;
      if (!detour_channel_seal (&conn->channel, spans.vector, n, &shared->sealed))
        {
          detour_relay_write_failed (shared->relay, conn->client);
          return DETOUR_CLOSE_RECORD;
        }
      if (shared->sealed.len >= DETOUR_CONN_SEND_MAX)
        {
          gboolean is_blocked;
          DetourClose why = conn_send_sealed (shared, conn, &is_blocked);

          if (why != DETOUR_CONN_OPEN || is_blocked)
            return why;
          shared->sealed.len = 0;
        }
    }
  while (n > 0);
  return conn_send_sealed (shared, conn, &(gboolean) { FALSE });
}

DetourClose
detour_conn_flush (DetourConnShared *shared, DetourConn *conn)
{
  DetourClose why;

  if (conn->rest != NULL)
    return DETOUR_CONN_OPEN;
  if (G_UNLIKELY (conn->is_silent) && detour_conn_silent_send (shared, conn))
    conn_set_timer (shared, conn);
  if (detour_channel_is_plain (&conn->channel))
    why = conn_flush_plain (shared, conn);
  else
    why = conn_flush_sealed (shared, conn);
  if (why != DETOUR_CONN_OPEN)
    return why;
  if (G_UNLIKELY (conn->is_slow) && conn->rest == NULL)
    detour_conn_limit_set_slow (shared, conn, FALSE);
  return conn->client->is_overfull ? DETOUR_CLOSE_BACKLOG : DETOUR_CONN_OPEN;
}

static DetourClose
conn_write_some (DetourConnShared *shared, DetourConn *conn)
{
  DetourConnRest *rest = conn->rest;
  gssize sent = send (conn->io.fd, rest->bytes + rest->at, rest->len - rest->at,
                      MSG_NOSIGNAL | MSG_DONTWAIT);

  detour_counter_add (&shared->counters.sends, 1);
  if (sent < 0)
    return errno == EAGAIN || errno == EINTR ? DETOUR_CONN_OPEN : DETOUR_CLOSE_WRITE;

  rest->at += (guint32) sent;
  if (sent > 0)
    conn->client->progress_us = detour_loop_now_us (shared->loop);
  if (rest->at < rest->len)
    {
      /* It takes something, if slowly. The timer looks again when the old limit has come. */
      if (sent > 0)
        detour_conn_limit_set (shared, conn);
      return DETOUR_CONN_OPEN;
    }

  g_clear_pointer (&conn->rest, g_free);
  conn_set_events (shared, conn);
  detour_relay_unblock (shared->relay, conn->client);
  /* The answer to a KeyUpdate goes out now, whether there is a packet to take it along or not. */
  if (conn->owes_reply)
    conn_note_reply (shared, conn);
  return DETOUR_CONN_OPEN;
}

/* ---------------------------------------------------------------------------------------------- */

DetourClose
detour_conn_ready (DetourConnShared *shared, DetourConn *conn, guint32 events)
{
  if (conn->rest != NULL && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
    {
      DetourClose why = conn_write_some (shared, conn);

      if (why != DETOUR_CONN_OPEN)
        return why;
    }
  if (conn_is_read (conn) && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
    return conn_read_some (shared, conn);
  return events & (EPOLLERR | EPOLLHUP) ? DETOUR_CLOSE_RESET : DETOUR_CONN_OPEN;
}

DetourClose
detour_conn_retry (DetourConnShared *shared, DetourConn *conn)
{
  conn->is_stalled = FALSE;
  conn->resume_us = 0;
  return conn_resume (shared, conn);
}

DetourClose
detour_conn_thaw (DetourConnShared *shared, DetourConn *conn)
{
  conn->is_frozen = FALSE;
  return conn_resume (shared, conn);
}

DetourClose
detour_conn_timer (DetourConnShared *shared, DetourConn *conn)
{
  gint64 now_us = detour_loop_now_us (shared->loop);

  if (conn->rest != NULL && conn->rest->limit_us <= now_us)
    {
      if (!detour_conn_limit_extend (shared, conn))
        return DETOUR_CLOSE_WRITE_TIME;
    }
  if (conn->is_pinged && !detour_conn_silent_look (shared, conn))
    return DETOUR_CLOSE_BLACK_HOLE;
  if (conn->resume_us != 0 && conn->resume_us <= now_us)
    {
      DetourClose why;

      conn->resume_us = 0;
      why = conn_resume (shared, conn);
      if (why != DETOUR_CONN_OPEN)
        return why;
    }
  if (conn->keep_alive_us <= now_us && conn->client->is_link)
    {
      conn->keep_alive_us = detour_relay_link_of (conn->client)->heard_us + LINK_SILENCE_US;
      if (conn->keep_alive_us <= now_us)
        return DETOUR_CLOSE_SILENT;
    }
  else if (conn->keep_alive_us <= now_us)
    {
      detour_conn_limit_note_drops (conn);
      detour_conn_silent_keep_alive (conn);
      detour_conn_sample (shared, conn);
      detour_relay_keep_alive (shared->relay, conn->client);
      detour_conn_limit_forget_slowed (shared, conn);
      conn_plan_keep_alive (shared, conn);
    }
  conn_set_timer (shared, conn);
  return DETOUR_CONN_OPEN;
}

DetourClose
detour_conn_start (DetourConnShared *shared, DetourConn *conn, const DetourSession *session)
{
  conn->window_kib = session->window_kib != 0 ? session->window_kib
                                              : detour_conn_limit_window (conn);
  conn->keep_alive_us = session->keep_alive_us;
  if (conn->client->is_link)
    conn->keep_alive_us = detour_loop_now_us (shared->loop) + LINK_SILENCE_US;
  else if (conn->keep_alive_us == 0)
    conn_plan_keep_alive (shared, conn);
  if (conn->owes_reply)
    conn_note_reply (shared, conn);
  conn_set_timer (shared, conn);
  if (session->sealed != NULL && session->sealed->len > 0)
    conn_block (shared, conn, &(struct iovec) { session->sealed->data, session->sealed->len }, 1,
                0);
  if (session->input == NULL || session->input->len == 0)
    return DETOUR_CONN_OPEN;
  conn_keep_input (shared, conn, session->input->data, session->input->len);
  return conn_resume (shared, conn);
}

/* What @conn holds beside its socket, channel and client. */
static void
conn_drop_buffers (DetourConnShared *shared, DetourConn *conn)
{
  detour_wheel_clear (detour_loop_wheel (shared->loop), &conn->timer);
  detour_conn_silent_forget (shared, conn);
  g_clear_pointer (&conn->rest, g_free);
  if (conn->in != NULL)
    conn_retire_input (shared, conn);
}

void
detour_conn_detach (DetourConnShared *shared, DetourConn *conn, DetourSession *session)
{
  session->fd = conn->io.fd;
  session->channel = conn->channel;
  session->number = conn->number;
  session->listener = conn->listener;
  session->address_key = detour_conn_address_key (conn);
  if (conn->rest != NULL)
    session->sealed = g_byte_array_append (g_byte_array_new (), conn->rest->bytes + conn->rest->at,
                                           conn->rest->len - conn->rest->at);
  if (conn->in != NULL)
    session->input = g_byte_array_append (g_byte_array_new (), conn->in->data, conn->in->len);
  session->owes_reply = conn->owes_reply;
  session->was_slowed = conn->was_slowed;
  session->window_kib = conn->window_kib;
  session->keep_alive_us = conn->keep_alive_us;
  session->watched_events = conn->io.events;

  detour_loop_leave (shared->loop, &conn->io);
  conn_drop_buffers (shared, conn);
  conn->io.fd = -1;
  conn->channel = (DetourChannel) { NULL };
}

void
detour_conn_clear (DetourConnShared *shared, DetourConn *conn, gboolean say_goodbye)
{
  gboolean was_blocked = conn->rest != NULL;

  detour_loop_remove (shared->loop, &conn->io);
  conn_drop_buffers (shared, conn);
  if (say_goodbye && !was_blocked)
    {
      guint8 bytes[DETOUR_CHANNEL_SEAL_BOUND (0)];
      DetourBuffer goodbye = { bytes, 0, sizeof bytes };

      detour_channel_close (&conn->channel, &goodbye);
      if (goodbye.len > 0
          && send (conn->io.fd, bytes, goodbye.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        g_debug ("connection %" G_GUINT64_FORMAT ": no goodbye: %s", conn->number,
                 g_strerror (errno));
      detour_partings_add (&shared->partings, shared->loop, conn->io.fd,
                           detour_channel_stack_is_upper (&conn->channel));
    }
  else
    close (conn->io.fd);
  conn->io.fd = -1;
  detour_channel_clear (&conn->channel);
}
