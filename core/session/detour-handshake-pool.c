/* detour-handshake-pool.c: the threads that take connections up to the moment they are registered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-pool-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <unistd.h>

#define POOL_NICE 5

/* Between two warnings that descriptors are short. */
#define TELL_FULL_US (60 * G_USEC_PER_SEC)

/* Connections accepted from one socket in a round. */
#define ACCEPT_MAX 64

#define READ_SIZE 16384u

/* One bound socket as one thread watches it. */
typedef struct {
  DetourIo io;
  DetourListener *listener;
  int spare_fd; /* closed for a moment when descriptors run out */
} ListenSocket;

static DetourHandshakeThread *
handshake_pool_thread_of (DetourLoop *loop)
{
  return detour_loop_user (loop);
}

/* Accepting ------------------------------------------------------------------------------------ */

static gboolean
handshake_pool_rate_allows (DetourHandshakeThread *thread)
{
  DetourHandshakePool *pool = thread->pool;
  gboolean allowed;

  if (thread->limits.accept_rate == 0)
    return TRUE;
  g_mutex_lock (&pool->accept_lock);
  allowed = detour_bucket_take (&pool->accept_bucket, thread->limits.accept_rate,
                                MAX (thread->limits.accept_burst, 1), 1,
                                detour_loop_now_us (thread->loop));
  g_mutex_unlock (&pool->accept_lock);
  return allowed;
}

static gboolean
handshake_pool_numbers_allow (DetourHandshakeThread *thread, const struct sockaddr_storage *peer,
                              DetourSource *source)
{
  DetourHandshakePool *pool = thread->pool;
  const DetourHandshakePoolLimits *limits = &thread->limits;

  if (limits->connections > 0 && detour_handshake_pool_n_connections (pool) >= limits->connections)
    return FALSE;
  return detour_sources_enter (pool->parts.sources, (const struct sockaddr *) peer,
                               limits->connections_per_source, source);
}

static void
handshake_pool_take_connection (DetourHandshakeThread *thread, DetourListener *listener, int fd,
                                const struct sockaddr_storage *peer)
{
  DetourSource source;

  detour_counter_add (&thread->counters.accepted, 1);
  if (!handshake_pool_rate_allows (thread))
    {
      detour_counter_add (&thread->counters.over_rate, 1);
      close (fd);
    }
  else if (!handshake_pool_numbers_allow (thread, peer, &source))
    {
      detour_counter_add (&thread->counters.over_limit, 1);
      close (fd);
    }
  else
    detour_guest_new (thread, listener, fd, peer, source);
}

/* The operator's to mend, unlike what strangers do; once in a while is enough. */
static void
handshake_pool_tell_full (DetourHandshakeThread *thread)
{
  gint64 now_us = detour_loop_now_us (thread->loop);

  if (thread->told_full_us != 0 && now_us - thread->told_full_us < TELL_FULL_US)
    return;
  thread->told_full_us = now_us;
  g_warning ("no descriptor is free and connections are turned away; allow more open files "
             "(LimitNOFILE= of the "
             "service), or fewer connections ([limits])");
}

/* Without this the socket stays readable and the thread spins until a descriptor is free. */
static void
handshake_pool_shed_connection (ListenSocket *socket)
{
  struct sockaddr_storage peer;
  int fd;

  close (socket->spare_fd);
  fd = detour_socket_accept (socket->io.fd, &peer);
  if (fd >= 0)
    close (fd);
  socket->spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
handshake_pool_on_acceptable (DetourLoop *loop, DetourIo *io, guint32 events)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);
  ListenSocket *socket = (ListenSocket *) io;

  for (guint i = 0; i < ACCEPT_MAX; i++)
    {
      struct sockaddr_storage peer;
      int fd = detour_socket_accept (io->fd, &peer);

      if (fd >= 0)
        handshake_pool_take_connection (thread, socket->listener, fd, &peer);
      else if (errno == EMFILE || errno == ENFILE)
        {
          detour_counter_add (&thread->counters.over_limit, 1);
          handshake_pool_tell_full (thread);
          handshake_pool_shed_connection (socket);
        }
      else if (errno != ECONNABORTED && errno != EINTR)
        return;
    }
}

static void
handshake_pool_add_listener (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);
  DetourListener *listener = data;

  for (guint i = 0; i < listener->fds->len; i++)
    {
      ListenSocket *socket = g_new0 (ListenSocket, 1);

      socket->io = (DetourIo) { handshake_pool_on_acceptable, g_array_index (listener->fds, int, i),
                                EPOLLIN | EPOLLEXCLUSIVE };
      socket->listener = detour_listener_ref (listener);
      socket->spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
      g_ptr_array_add (thread->sockets, socket);
      if (!detour_loop_add (loop, &socket->io))
        g_critical ("cannot watch a listening socket: %s", g_strerror (errno));
    }
}

static void
handshake_pool_free_socket (gpointer data)
{
  ListenSocket *socket = data;

  if (socket->spare_fd >= 0)
    close (socket->spare_fd);
  detour_listener_unref (socket->listener);
  g_free (socket);
}

static void
handshake_pool_release_socket (DetourLoop *loop, gpointer data)
{
  handshake_pool_free_socket (data);
}

static void
handshake_pool_remove_listener (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);

  for (guint i = thread->sockets->len; i > 0; i--)
    {
      ListenSocket *socket = g_ptr_array_index (thread->sockets, i - 1);

      if (socket->listener == data)
        {
          detour_loop_remove (loop, &socket->io);
          g_ptr_array_steal_index_fast (thread->sockets, i - 1);
          detour_loop_defer (loop, handshake_pool_release_socket, socket);
        }
    }
}

void
detour_handshake_pool_add_listener (DetourHandshakePool *self, DetourListener *listener)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_pool_add_listener, listener);
}

void
detour_handshake_pool_remove_listener (DetourHandshakePool *self, DetourListener *listener)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_pool_remove_listener, listener);
}

/* Settings ------------------------------------------------------------------------------------- */

static void
handshake_pool_set_limits (DetourLoop *loop, gpointer data)
{
  handshake_pool_thread_of (loop)->limits = *(const DetourHandshakePoolLimits *) data;
}

void
detour_handshake_pool_set_limits (DetourHandshakePool *self,
                                  const DetourHandshakePoolLimits *limits)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_pool_set_limits, (gpointer) limits);
  g_mutex_lock (&self->accept_lock);
  detour_bucket_init (&self->accept_bucket, MAX (limits->accept_burst, 1), g_get_monotonic_time ());
  g_mutex_unlock (&self->accept_lock);
}

static void
handshake_pool_set_refuse_hold (DetourLoop *loop, gpointer data)
{
  handshake_pool_thread_of (loop)->refuse_hold_us = *(const gint64 *) data;
}

void
detour_handshake_pool_set_refuse_hold (DetourHandshakePool *self, gint64 hold_us)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_pool_set_refuse_hold, &hold_us);
}

static void
handshake_pool_set_mesh_key (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);

  thread->has_mesh_key = data != NULL && !sodium_is_zero (data, DETOUR_KEY_SIZE);
  if (thread->has_mesh_key)
    memcpy (thread->mesh_key, data, DETOUR_KEY_SIZE);
  else
    sodium_memzero (thread->mesh_key, DETOUR_KEY_SIZE);
}

void
detour_handshake_pool_set_mesh_key (DetourHandshakePool *self, const guint8 *key)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_pool_set_mesh_key, (gpointer) key);
}

static void
handshake_pool_ask_again (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);
  GList *link = thread->held.head;

  while (link != NULL)
    {
      DetourGuest *guest = link->data;

      link = link->next;
      detour_guest_ask_again (guest);
    }
}

void
detour_handshake_pool_ask_again (DetourHandshakePool *self)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_post (self->threads[i].loop, handshake_pool_ask_again, NULL);
}

/* ---------------------------------------------------------------------------------------------- */

static void
handshake_pool_on_timer (DetourLoop *loop, DetourTimer *timer, gpointer user)
{
  DetourHandshakeThread *thread = user;

  if (timer == &thread->look)
    detour_guest_look (thread);
  else
    detour_guest_timer (timer);
}

static const DetourLoopFuncs loop_funcs = { .timer = handshake_pool_on_timer };

static gboolean
handshake_pool_start_thread (DetourHandshakePool *self, guint index,
                             const DetourHandshakePoolLimits *limits, GError **error)
{
  DetourHandshakeThread *thread = &self->threads[index];
  char name[16];

  thread->pool = self;
  thread->limits = *limits;
  thread->sockets = g_ptr_array_new_with_free_func (handshake_pool_free_socket);
  thread->in = (DetourBuffer) { g_malloc (READ_SIZE), 0, READ_SIZE };
  thread->plain.cap = READ_SIZE + DETOUR_CHANNEL_FEED_SLACK;
  thread->plain.data = g_malloc (thread->plain.cap);
  thread->out.cap = DETOUR_CHANNEL_SEAL_BOUND (2 * DETOUR_CHANNEL_RECORD_MAX)
                  + DETOUR_CHANNEL_FEED_SLACK;
  thread->out.data = g_malloc (thread->out.cap);
  g_queue_init (&thread->guests);
  g_queue_init (&thread->half_open);
  g_queue_init (&thread->waiting);
  g_queue_init (&thread->held);
  detour_log_limit_init (&thread->refusals, g_get_monotonic_time ());

  g_snprintf (name, sizeof name, "handshake-%u", index);
  thread->loop = detour_loop_new (name, POOL_NICE, &loop_funcs, thread, error);
  return thread->loop != NULL;
}

DetourHandshakePool *
detour_handshake_pool_new (guint n_threads, const DetourHandshakePoolParts *parts,
                           const DetourHandshakePoolLimits *limits, GError **error)
{
  DetourHandshakePool *self = g_new0 (DetourHandshakePool, 1);

  self->parts = *parts;
  self->n_threads = n_threads;
  self->threads = g_new0 (DetourHandshakeThread, n_threads);
  self->half_open_sources = detour_sources_new ();
  g_mutex_init (&self->accept_lock);
  detour_bucket_init (&self->accept_bucket, MAX (limits->accept_burst, 1), g_get_monotonic_time ());

  for (guint i = 0; i < n_threads; i++)
    if (!handshake_pool_start_thread (self, i, limits, error))
      {
        detour_handshake_pool_free (self);
        return NULL;
      }
  return self;
}

static void
handshake_pool_stop_thread (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);

  for (guint i = 0; i < thread->sockets->len; i++)
    detour_loop_remove (loop, &((ListenSocket *) g_ptr_array_index (thread->sockets, i))->io);
  while (thread->guests.head != NULL)
    detour_guest_close (thread->guests.head->data, DETOUR_CLOSE_STOPPING);
}

void
detour_handshake_pool_free (DetourHandshakePool *self)
{
  /* Threads write to each other as long as one of them has guests. */
  for (guint i = 0; i < self->n_threads; i++)
    if (self->threads[i].loop != NULL)
      detour_loop_call (self->threads[i].loop, handshake_pool_stop_thread, NULL);
  for (guint i = 0; i < self->n_threads; i++)
    {
      DetourHandshakeThread *thread = &self->threads[i];

      g_clear_pointer (&thread->loop, detour_loop_free);
      g_clear_pointer (&thread->sockets, g_ptr_array_unref);
      g_free (thread->in.data);
      g_free (thread->plain.data);
      g_free (thread->out.data);
      sodium_memzero (thread->mesh_key, sizeof thread->mesh_key);
    }
  g_free (self->threads);
  detour_sources_free (self->half_open_sources);
  g_mutex_clear (&self->accept_lock);
  g_free (self);
}

guint
detour_handshake_pool_n_connections (const DetourHandshakePool *self)
{
  guint n = detour_handshake_pool_n_half_open (self) + detour_handshake_pool_n_held (self);

  for (guint i = 0; i < self->parts.n_workers; i++)
    n += detour_worker_n_conns (self->parts.workers[i]);
  return n;
}

guint
detour_handshake_pool_n_half_open (const DetourHandshakePool *self)
{
  return __atomic_load_n (&self->n_half_open, __ATOMIC_RELAXED);
}

guint
detour_handshake_pool_n_waiting (const DetourHandshakePool *self)
{
  return __atomic_load_n (&self->n_waiting, __ATOMIC_RELAXED);
}

guint
detour_handshake_pool_n_held (const DetourHandshakePool *self)
{
  return __atomic_load_n (&self->n_held, __ATOMIC_RELAXED);
}

guint
detour_handshake_pool_n_threads (const DetourHandshakePool *self)
{
  return self->n_threads;
}

const DetourHandshakePoolCounters *
detour_handshake_pool_counters (const DetourHandshakePool *self, guint thread)
{
  return &self->threads[thread].counters;
}
