/* detour-forwarder.c: hands connections on to other servers, byte by byte and unread.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-forwarder-private.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "detour-log.h"

/* Clients of the relay go before those of others. */
#define FORWARDER_NICE 5

#define CONNECT_US (10 * G_USEC_PER_SEC)

static void forwarder_on_ready (DetourLoop *loop, DetourIo *io, guint32 events);

/* The end -------------------------------------------------------------------------------------- */

static void
forwarder_release (DetourLoop *loop, gpointer data)
{
  DetourForwarderPair *pair = data;

  g_clear_pointer (&pair->table, detour_forward_table_unref);
  g_free (pair);
}

static void
forwarder_close_side (DetourForwarder *self, DetourForwarderSide *side)
{
  if (side->io.fd >= 0 && !side->is_parked)
    detour_loop_remove (self->loop, &side->io);
  if (side->io.fd >= 0)
    close (side->io.fd);
  g_clear_pointer (&side->rest, g_free);
}

void
detour_forwarder_close (DetourForwarderPair *pair)
{
  DetourForwarder *self = pair->forwarder;
  DetourForwarderEnd end;

  if (pair->is_closed)
    return;
  pair->is_closed = TRUE;
  if (pair->was_begun)
    detour_counter_add (&pair->counters->ended, 1);
  detour_wheel_clear (detour_loop_wheel (self->loop), &pair->timer);
  forwarder_close_side (self, &pair->client);
  forwarder_close_side (self, &pair->server);
  if (pair->client.is_sealed)
    detour_channel_clear (&pair->channel);
  g_queue_unlink (&self->pairs, &pair->link);
  __atomic_fetch_sub (&self->n_pairs, 1, __ATOMIC_RELAXED);
  end = (DetourForwarderEnd) { detour_loop_now_us (self->loop) - pair->start_us, pair->bytes_in,
                               pair->bytes_out };
  pair->ended (pair->user, pair->was_begun ? &end : NULL);
  detour_loop_defer (self->loop, forwarder_release, pair);
}

void
detour_forwarder_break (DetourForwarderPair *pair)
{
  detour_counter_add (&pair->counters->failed, 1);
  detour_forwarder_close (pair);
}

/* A warning, or DEBUG when there were too many of the kind lately. */
static GLogLevelFlags
forwarder_warning_level (DetourForwarder *self, DetourLogLimit *limit)
{
  GLogLevelFlags level = detour_log_limit_level (limit, detour_loop_now_us (self->loop));

  return level == G_LOG_LEVEL_MESSAGE ? G_LOG_LEVEL_WARNING : level;
}

static void
forwarder_fail (DetourForwarderPair *pair, int code)
{
  DetourForwarder *self = pair->forwarder;
  GLogLevelFlags level = forwarder_warning_level (self, &self->failures);

  detour_counter_add (&pair->counters->failed, 1);
  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "forward-failed", DETOUR_LOG_LISTENER,
                    pair->listener, DETOUR_LOG_REASON, g_strerror (code), "MESSAGE",
                    "%s: a connection cannot be forwarded to %s: %s", pair->listener,
                    pair->target->text, g_strerror (code));
  detour_forwarder_close (pair);
}

/* Bytes ---------------------------------------------------------------------------------------- */

static void
forwarder_watch (DetourForwarderSide *side)
{
  DetourForwarderPair *pair = side->pair;
  guint32 events = 0;

  if (pair->is_connecting)
    events = side == &pair->server ? EPOLLOUT : 0;
  else
    {
      /* What the other side does not take is not read. */
      if (!side->has_ended && detour_forwarder_other (side)->rest == NULL)
        events |= EPOLLIN;
      if (side->rest != NULL)
        events |= EPOLLOUT;
    }
  if (!side->is_parked)
    {
      detour_loop_modify (pair->forwarder->loop, &side->io, events);
      return;
    }
  if (events == 0)
    return;
  side->io.events = events;
  side->io.ready = forwarder_on_ready;
  if (detour_loop_add (pair->forwarder->loop, &side->io))
    side->is_parked = FALSE;
  else
    g_warning ("cannot watch a forwarded connection again: %s", g_strerror (errno));
}

static void
forwarder_start_idle (DetourForwarderPair *pair)
{
  DetourLoop *loop = pair->forwarder->loop;

  pair->moved_us = detour_loop_now_us (loop);
  detour_wheel_set (detour_loop_wheel (loop), &pair->timer, pair->moved_us + pair->idle_us);
}

/* FALSE: the pair is closed. */
static gboolean
forwarder_finish_connect (DetourForwarderPair *pair)
{
  int code = 0;
  socklen_t len = sizeof code;

  if (getsockopt (pair->server.io.fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
    code = errno;
  if (code != 0)
    {
      forwarder_fail (pair, code);
      return FALSE;
    }
  pair->is_connecting = FALSE;
  detour_forwarder_count_bytes (&pair->server, pair->server.rest_len);
  forwarder_start_idle (pair);
  return detour_forwarder_put_rest (&pair->server);
}

/* Both its directions are over, though it was not told that the other side has ended: nothing can
 * be sent to it any more, and what it has sent is passed on. */
static gboolean
forwarder_takes_nothing (DetourForwarderSide *side, guint32 events)
{
  return (events & EPOLLHUP) != 0 && side->has_ended && !side->was_told
      && detour_forwarder_other (side)->rest == NULL;
}

static void
forwarder_on_ready (DetourLoop *loop, DetourIo *io, guint32 events)
{
  DetourForwarderSide *side = (DetourForwarderSide *) io;
  DetourForwarderPair *pair = side->pair;

  if (pair->is_connecting)
    {
      if (side == &pair->client)
        {
          /* Nothing is read yet, so this is its end. */
          detour_forwarder_close (pair);
          return;
        }
      if (!forwarder_finish_connect (pair))
        return;
    }
  else
    {
      if (side->rest != NULL && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0
          && !detour_forwarder_put_rest (side))
        return;
      if (!side->has_ended && detour_forwarder_other (side)->rest == NULL
          && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && !detour_forwarder_read (side))
        return;
      if ((events & EPOLLERR) != 0 || forwarder_takes_nothing (side, events))
        {
          detour_forwarder_close (pair);
          return;
        }
      /* Both its directions are over, which the kernel would say again and again, but the other
       * side has not taken yet what it has sent. */
      if ((events & EPOLLHUP) != 0 && !side->is_parked
          && (side->has_ended || detour_forwarder_other (side)->rest != NULL))
        {
          detour_loop_remove (loop, &side->io);
          side->is_parked = TRUE;
        }
    }
  forwarder_watch (&pair->client);
  forwarder_watch (&pair->server);
}

/* Time ----------------------------------------------------------------------------------------- */

static void
forwarder_on_timer (DetourLoop *loop, DetourTimer *timer, gpointer user)
{
  DetourForwarderPair *pair = (DetourForwarderPair *) timer;

  if (pair->is_connecting)
    forwarder_fail (pair, ETIMEDOUT);
  else if (detour_loop_now_us (loop) - pair->moved_us < pair->idle_us)
    detour_wheel_set (detour_loop_wheel (loop), timer, pair->moved_us + pair->idle_us);
  else
    {
      detour_counter_add (&pair->counters->idle, 1);
      detour_forwarder_close (pair);
    }
}

/* The beginning -------------------------------------------------------------------------------- */

static int
forwarder_connect (const DetourForwardTarget *target)
{
  const int on = 1;
  int fd = socket (target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int saved;

  if (fd < 0)
    return -1;
  if (target->address.ss_family != AF_UNIX
      && setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
    g_debug ("no TCP_NODELAY: %s", g_strerror (errno));
  if (connect (fd, (const struct sockaddr *) &target->address, target->len) == 0
      || errno == EINPROGRESS)
    return fd;
  saved = errno;
  close (fd);
  errno = saved;
  return -1;
}

static void
forwarder_refuse (DetourForwarder *self, const DetourForwarderJob *job)
{
  GLogLevelFlags level = forwarder_warning_level (self, &self->refusals);

  detour_counter_add (
      job->table == NULL ? &self->tunnel_counters.over_limit : &self->counters.over_limit, 1);
  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "forward-full", DETOUR_LOG_LISTENER,
                    job->listener, "MESSAGE",
                    "%s: %u connections are forwarded at a time, and another one is closed; allow "
                    "more (forward-connections), or more open files (LimitNOFILE= of the service)",
                    job->listener, job->most);
}

/* What goes to a side before anything else. */
static void
forwarder_keep_first (DetourForwarderSide *side, GByteArray *bytes)
{
  gsize len;
  g_autofree guint8 *data = g_byte_array_steal (bytes, &len);

  g_byte_array_unref (bytes);
  side->rest_len = (guint32) len;
  side->rest = len > 0 ? g_steal_pointer (&data) : NULL;
}

static void
forwarder_make_buffers (DetourForwarder *self)
{
  gsize size = DETOUR_FORWARDER_READ_SIZE + DETOUR_CHANNEL_FEED_SLACK;

  if (self->opened.data != NULL)
    return;
  self->opened = (DetourBuffer) { g_malloc (size), 0, size };
  size = DETOUR_CHANNEL_SEAL_BOUND (DETOUR_FORWARDER_READ_SIZE);
  self->sealed = (DetourBuffer) { g_malloc (size), 0, size };
}

static DetourForwarderPair *
forwarder_pair_new (DetourForwarder *self, const DetourForwarderJob *job)
{
  DetourForwarderPair *pair = g_new0 (DetourForwarderPair, 1);
  gboolean is_tunnel = job->table == NULL;

  *pair = (DetourForwarderPair) { .forwarder = self,
                                  .channel = job->channel,
                                  .table = job->table,
                                  .target = job->target,
                                  .counters = is_tunnel ? &self->tunnel_counters : &self->counters,
                                  .listener = job->listener,
                                  .ended = job->ended,
                                  .user = job->user,
                                  .start_us = detour_loop_now_us (self->loop),
                                  .idle_us = job->idle_us,
                                  .is_connecting = !is_tunnel };
  memcpy (pair->address, job->address, sizeof pair->address);
  pair->client = (DetourForwarderSide) { .io = { forwarder_on_ready, job->fd, 0 },
                                         .pair = pair,
                                         .is_sealed = is_tunnel
                                                   && !detour_channel_is_plain (&job->channel) };
  pair->server = (DetourForwarderSide) {
    .io = { forwarder_on_ready, is_tunnel ? job->server_fd : -1, EPOLLOUT }, .pair = pair
  };
  pair->link.data = pair;
  forwarder_keep_first (&pair->server, job->first);
  if (is_tunnel)
    forwarder_keep_first (&pair->client, job->back);
  if (pair->client.is_sealed)
    forwarder_make_buffers (self);
  return pair;
}

/* Both sides are there. Bytes may wait in the kernel, of which the loop tells. */
static void
forwarder_start_tunnel (DetourForwarderPair *pair)
{
  detour_forwarder_count_bytes (&pair->server, pair->server.rest_len);
  forwarder_start_idle (pair);
  forwarder_watch (&pair->client);
  forwarder_watch (&pair->server);
}

static void
forwarder_start (DetourLoop *loop, gpointer data)
{
  DetourForwarder *self = detour_loop_user (loop);
  g_autofree DetourForwarderJob *job = data;
  gboolean is_full = self->pairs.length >= job->most;
  DetourForwarderPair *pair = forwarder_pair_new (self, job);

  g_queue_push_tail_link (&self->pairs, &pair->link);
  __atomic_fetch_add (&self->n_pairs, 1, __ATOMIC_RELAXED);
  pair->server.is_parked = TRUE;
  if (is_full)
    forwarder_refuse (self, job);
  pair->client.is_parked = is_full || !detour_loop_add (loop, &pair->client.io);
  if (pair->client.is_parked)
    {
      detour_forwarder_close (pair);
      return;
    }
  pair->was_begun = TRUE;
  detour_counter_add (&pair->counters->begun, 1);
  if (pair->is_connecting)
    pair->server.io.fd = forwarder_connect (job->target);
  pair->server.is_parked = pair->server.io.fd < 0 || !detour_loop_add (loop, &pair->server.io);
  if (pair->server.is_parked && pair->is_connecting)
    forwarder_fail (pair, errno);
  else if (pair->server.is_parked)
    detour_forwarder_break (pair);
  else if (pair->is_connecting)
    detour_wheel_set (detour_loop_wheel (loop), &pair->timer,
                      detour_loop_now_us (loop) + CONNECT_US);
  else
    forwarder_start_tunnel (pair);
}

void
detour_forwarder_take (DetourForwarder *self, const DetourForwarderJob *job)
{
  DetourForwarderJob *copy = g_memdup2 (job, sizeof *job);

  if (job->table != NULL)
    copy->table = detour_forward_table_ref (job->table);
  detour_loop_post (self->loop, forwarder_start, copy);
}

static void
forwarder_close_from (DetourLoop *loop, gpointer data)
{
  DetourForwarder *self = detour_loop_user (loop);
  g_autoptr (DetourNetSet) networks = data;
  GList *next;

  for (GList *link = self->pairs.head; link != NULL; link = next)
    {
      DetourForwarderPair *pair = link->data;

      next = link->next;
      if (!detour_net_set_has_bytes (networks, pair->address))
        continue;
      detour_counter_add (&pair->counters->banned, 1);
      detour_forwarder_close (pair);
    }
}

void
detour_forwarder_close_from (DetourForwarder *self, DetourNetSet *networks)
{
  detour_loop_post (self->loop, forwarder_close_from, detour_net_set_ref (networks));
}

static const DetourLoopFuncs loop_funcs = { .timer = forwarder_on_timer };

DetourForwarder *
detour_forwarder_new (GError **error)
{
  DetourForwarder *self = g_new0 (DetourForwarder, 1);

  self->buffer = g_malloc (DETOUR_FORWARDER_READ_SIZE);
  g_queue_init (&self->pairs);
  detour_log_limit_init (&self->failures, g_get_monotonic_time ());
  detour_log_limit_init (&self->refusals, g_get_monotonic_time ());
  self->loop = detour_loop_new ("forward", FORWARDER_NICE, &loop_funcs, self, error);
  if (self->loop != NULL)
    return self;
  detour_forwarder_free (self);
  return NULL;
}

static void
forwarder_stop (DetourLoop *loop, gpointer data)
{
  DetourForwarder *self = data;

  while (self->pairs.head != NULL)
    detour_forwarder_close (self->pairs.head->data);
}

void
detour_forwarder_free (DetourForwarder *self)
{
  if (self->loop != NULL)
    {
      detour_loop_call (self->loop, forwarder_stop, self);
      detour_loop_clear (&self->loop);
    }
  g_free (self->buffer);
  g_free (self->opened.data);
  g_free (self->sealed.data);
  g_free (self);
}

guint
detour_forwarder_count (const DetourForwarder *self)
{
  return __atomic_load_n (&self->n_pairs, __ATOMIC_RELAXED);
}

const DetourForwarderCounters *
detour_forwarder_counters (const DetourForwarder *self)
{
  return &self->counters;
}

const DetourForwarderCounters *
detour_forwarder_tunnel_counters (const DetourForwarder *self)
{
  return &self->tunnel_counters;
}
