/* detour-pool.c: the threads that take connections up to the moment they are registered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-pool-private.h"

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

static DetourPoolThread *
thread_of (DetourWorker *worker)
{
  return detour_worker_user (worker);
}

/* Accepting --------------------------------------------------------------------------------------------------- */

static gboolean
rate_allows (DetourPoolThread *thread)
{
  DetourPool *pool = thread->pool;
  gboolean allowed;

  if (thread->limits.accept_rate == 0)
    return TRUE;
  g_mutex_lock (&pool->accept_lock);
  allowed = detour_bucket_take (&pool->accept_bucket, thread->limits.accept_rate,
                                MAX (thread->limits.accept_burst, 1), 1, detour_worker_now_us (thread->worker));
  g_mutex_unlock (&pool->accept_lock);
  return allowed;
}

static gboolean
numbers_allow (DetourPoolThread *thread, const struct sockaddr_storage *peer, DetourSource *source)
{
  DetourPool *pool = thread->pool;
  const DetourPoolLimits *limits = &thread->limits;

  if (limits->connections > 0 && detour_pool_n_connections (pool) >= limits->connections)
    return FALSE;
  return detour_sources_enter (pool->parts.sources, (const struct sockaddr *) peer, limits->connections_per_source, source);
}

static void
take_connection (DetourPoolThread *thread, DetourListener *listener, int fd, const struct sockaddr_storage *peer)
{
  DetourSource source;

  detour_counter_add (&thread->counters.accepted, 1);
  if (!rate_allows (thread))
    {
      detour_counter_add (&thread->counters.over_rate, 1);
      close (fd);
    }
  else if (!numbers_allow (thread, peer, &source))
    {
      detour_counter_add (&thread->counters.over_limit, 1);
      close (fd);
    }
  else
    detour_guest_new (thread, listener, fd, peer, source);
}

/* The operator's to mend, unlike what strangers do; once in a while is enough. */
static void
tell_full (DetourPoolThread *thread)
{
  gint64 now_us = detour_worker_now_us (thread->worker);

  if (thread->told_full_us != 0 && now_us - thread->told_full_us < TELL_FULL_US)
    return;
  thread->told_full_us = now_us;
  g_warning ("no descriptor is free and connections are turned away; allow more open files (LimitNOFILE= of the "
             "service), or fewer connections ([limits])");
}

/* Without this the socket stays readable and the thread spins until a descriptor is free. */
static void
shed_connection (ListenSocket *socket)
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
on_acceptable (DetourWorker *worker, DetourIo *io, guint32 events)
{
  DetourPoolThread *thread = thread_of (worker);
  ListenSocket *socket = (ListenSocket *) io;

  for (guint i = 0; i < ACCEPT_MAX; i++)
    {
      struct sockaddr_storage peer;
      int fd = detour_socket_accept (io->fd, &peer);

      if (fd >= 0)
        take_connection (thread, socket->listener, fd, &peer);
      else if (errno == EMFILE || errno == ENFILE)
        {
          detour_counter_add (&thread->counters.over_limit, 1);
          tell_full (thread);
          shed_connection (socket);
        }
      else if (errno != ECONNABORTED && errno != EINTR)
        return;
    }
}

static void
add_listener (DetourWorker *worker, gpointer data)
{
  DetourPoolThread *thread = thread_of (worker);
  DetourListener *listener = data;

  for (guint i = 0; i < listener->fds->len; i++)
    {
      ListenSocket *socket = g_new0 (ListenSocket, 1);

      socket->io = (DetourIo) { on_acceptable, g_array_index (listener->fds, int, i), EPOLLIN | EPOLLEXCLUSIVE };
      socket->listener = detour_listener_ref (listener);
      socket->spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
      g_ptr_array_add (thread->sockets, socket);
      if (!detour_worker_add (worker, &socket->io))
        g_critical ("cannot watch a listening socket: %s", g_strerror (errno));
    }
}

static void
free_socket (gpointer data)
{
  ListenSocket *socket = data;

  if (socket->spare_fd >= 0)
    close (socket->spare_fd);
  detour_listener_unref (socket->listener);
  g_free (socket);
}

static void
release_socket (DetourWorker *worker, gpointer data)
{
  free_socket (data);
}

static void
remove_listener (DetourWorker *worker, gpointer data)
{
  DetourPoolThread *thread = thread_of (worker);

  for (guint i = thread->sockets->len; i > 0; i--)
    {
      ListenSocket *socket = g_ptr_array_index (thread->sockets, i - 1);

      if (socket->listener == data)
        {
          detour_worker_remove (worker, &socket->io);
          g_ptr_array_steal_index_fast (thread->sockets, i - 1);
          detour_worker_defer (worker, release_socket, socket);
        }
    }
}

void
detour_pool_add_listener (DetourPool *self, DetourListener *listener)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_worker_call (self->threads[i].worker, add_listener, listener);
}

void
detour_pool_remove_listener (DetourPool *self, DetourListener *listener)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_worker_call (self->threads[i].worker, remove_listener, listener);
}

/* Settings ---------------------------------------------------------------------------------------------------- */

static void
set_limits (DetourWorker *worker, gpointer data)
{
  thread_of (worker)->limits = *(const DetourPoolLimits *) data;
}

void
detour_pool_set_limits (DetourPool *self, const DetourPoolLimits *limits)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_worker_call (self->threads[i].worker, set_limits, (gpointer) limits);
  g_mutex_lock (&self->accept_lock);
  detour_bucket_init (&self->accept_bucket, MAX (limits->accept_burst, 1), g_get_monotonic_time ());
  g_mutex_unlock (&self->accept_lock);
}

static void
set_refuse_hold (DetourWorker *worker, gpointer data)
{
  thread_of (worker)->refuse_hold_us = *(const gint64 *) data;
}

void
detour_pool_set_refuse_hold (DetourPool *self, gint64 hold_us)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_worker_call (self->threads[i].worker, set_refuse_hold, &hold_us);
}

static void
set_mesh_key (DetourWorker *worker, gpointer data)
{
  DetourPoolThread *thread = thread_of (worker);

  thread->has_mesh_key = data != NULL && !sodium_is_zero (data, DETOUR_KEY_SIZE);
  if (thread->has_mesh_key)
    memcpy (thread->mesh_key, data, DETOUR_KEY_SIZE);
  else
    sodium_memzero (thread->mesh_key, DETOUR_KEY_SIZE);
}

void
detour_pool_set_mesh_key (DetourPool *self, const guint8 *key)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_worker_call (self->threads[i].worker, set_mesh_key, (gpointer) key);
}

static void
ask_again (DetourWorker *worker, gpointer data)
{
  DetourPoolThread *thread = thread_of (worker);
  GList *link = thread->held.head;

  while (link != NULL)
    {
      DetourGuest *guest = link->data;

      link = link->next;
      detour_guest_ask_again (guest);
    }
}

void
detour_pool_ask_again (DetourPool *self)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_worker_post (self->threads[i].worker, ask_again, NULL);
}

/* ------------------------------------------------------------------------------------------------------------- */

static void
on_timer (DetourWorker *worker, DetourTimer *timer, gpointer user)
{
  DetourPoolThread *thread = user;

  if (timer == &thread->look)
    detour_guest_look (thread);
  else
    detour_guest_timer (timer);
}

static const DetourWorkerFuncs worker_funcs = { .timer = on_timer };

static gboolean
start_thread (DetourPool *self, guint index, const DetourPoolLimits *limits, GError **error)
{
  DetourPoolThread *thread = &self->threads[index];
  char name[16];

  thread->pool = self;
  thread->limits = *limits;
  thread->sockets = g_ptr_array_new_with_free_func (free_socket);
  thread->in = (DetourBuffer) { g_malloc (READ_SIZE), 0, READ_SIZE };
  thread->plain.cap = READ_SIZE + DETOUR_CHANNEL_FEED_SLACK;
  thread->plain.data = g_malloc (thread->plain.cap);
  thread->out.cap = DETOUR_CHANNEL_SEAL_BOUND (2 * DETOUR_CHANNEL_RECORD_MAX) + DETOUR_CHANNEL_FEED_SLACK;
  thread->out.data = g_malloc (thread->out.cap);
  g_queue_init (&thread->guests);
  g_queue_init (&thread->half_open);
  g_queue_init (&thread->waiting);
  g_queue_init (&thread->held);
  detour_log_limit_init (&thread->refusals, g_get_monotonic_time ());

  g_snprintf (name, sizeof name, "handshake-%u", index);
  thread->worker = detour_worker_new (name, POOL_NICE, &worker_funcs, thread, error);
  return thread->worker != NULL;
}

DetourPool *
detour_pool_new (guint n_threads, const DetourPoolParts *parts, const DetourPoolLimits *limits, GError **error)
{
  DetourPool *self = g_new0 (DetourPool, 1);

  self->parts = *parts;
  self->n_threads = n_threads;
  self->threads = g_new0 (DetourPoolThread, n_threads);
  self->half_open_sources = detour_sources_new ();
  g_mutex_init (&self->accept_lock);
  detour_bucket_init (&self->accept_bucket, MAX (limits->accept_burst, 1), g_get_monotonic_time ());

  for (guint i = 0; i < n_threads; i++)
    if (!start_thread (self, i, limits, error))
      {
        detour_pool_free (self);
        return NULL;
      }
  return self;
}

static void
stop_thread (DetourWorker *worker, gpointer data)
{
  DetourPoolThread *thread = thread_of (worker);

  for (guint i = 0; i < thread->sockets->len; i++)
    detour_worker_remove (worker, &((ListenSocket *) g_ptr_array_index (thread->sockets, i))->io);
  while (thread->guests.head != NULL)
    detour_guest_close (thread->guests.head->data, DETOUR_CLOSE_STOPPING);
}

void
detour_pool_free (DetourPool *self)
{
  /* Threads write to each other as long as one of them has guests. */
  for (guint i = 0; i < self->n_threads; i++)
    if (self->threads[i].worker != NULL)
      detour_worker_call (self->threads[i].worker, stop_thread, NULL);
  for (guint i = 0; i < self->n_threads; i++)
    {
      DetourPoolThread *thread = &self->threads[i];

      g_clear_pointer (&thread->worker, detour_worker_free);
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
detour_pool_n_connections (const DetourPool *self)
{
  guint n = detour_pool_n_half_open (self) + detour_pool_n_held (self);

  for (guint i = 0; i < self->parts.n_carriers; i++)
    n += detour_carrier_n_conns (self->parts.carriers[i]);
  return n;
}

guint
detour_pool_n_half_open (const DetourPool *self)
{
  return __atomic_load_n (&self->n_half_open, __ATOMIC_RELAXED);
}

guint
detour_pool_n_waiting (const DetourPool *self)
{
  return __atomic_load_n (&self->n_waiting, __ATOMIC_RELAXED);
}

guint
detour_pool_n_held (const DetourPool *self)
{
  return __atomic_load_n (&self->n_held, __ATOMIC_RELAXED);
}

guint
detour_pool_n_threads (const DetourPool *self)
{
  return self->n_threads;
}

const DetourPoolCounters *
detour_pool_counters (const DetourPool *self, guint thread)
{
  return &self->threads[thread].counters;
}
