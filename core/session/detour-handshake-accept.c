/* detour-handshake-accept.c: the threads of the handshake pool accept connections from listeners.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-pool-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Between two warnings that descriptors are short. */
#define TELL_FULL_US (60 * G_USEC_PER_SEC)

/* Connections accepted from one socket in a round. */
#define ACCEPT_MAX 64

/* A bound socket, as one of the threads watches it. */
typedef struct {
  DetourIo io;
  DetourListener *listener;
  DetourHandshakeGate *gate;
  int spare_fd; /* closed for a moment when descriptors run out */
} ListenSocket;

/* Limits for clients do not keep administrators out. */
static gboolean
handshake_accept_is_admin (const DetourListener *listener)
{
  return (listener->flags & DETOUR_LISTENER_ADMIN) != 0;
}

static gboolean
handshake_accept_rate_allows (DetourHandshakeThread *thread, const DetourListener *listener)
{
  DetourHandshakePool *pool = thread->pool;
  gboolean allowed;

  if (thread->limits.accept_rate == 0 || handshake_accept_is_admin (listener))
    return TRUE;
  detour_handshake_pool_lock (pool);
  allowed = detour_bucket_take (&pool->accept_bucket, thread->limits.accept_rate,
                                MAX (thread->limits.accept_burst, 1), 1,
                                detour_loop_now_us (thread->loop));
  detour_handshake_pool_unlock (pool);
  return allowed;
}

/* A proxy that is trusted is not counted itself: it will say whose connection it hands on. */
static gboolean
handshake_accept_numbers_allow (DetourHandshakeThread *thread, const DetourListener *listener,
                                const struct sockaddr_storage *peer, gboolean is_trusted,
                                DetourAddressKey *counted)
{
  DetourHandshakePool *pool = thread->pool;
  const DetourHandshakePoolLimits *limits = &thread->limits;

  if (limits->connections > 0 && !handshake_accept_is_admin (listener)
      && detour_handshake_pool_n_registered (pool) >= limits->connections)
    return FALSE;
  return detour_address_counts_enter (pool->parts.addresses, (const struct sockaddr *) peer,
                                      is_trusted ? 0 : limits->connections_per_source, counted);
}

/* @is_new: it counts as accepted, which one of the program before has done there. */
static void
handshake_accept_take_connection (DetourHandshakeThread *thread, DetourListener *listener,
                                  DetourHandshakeGate *gate, int fd,
                                  const struct sockaddr_storage *peer, gboolean is_new)
{
  gboolean is_trusted = detour_listener_trusts (listener, (const struct sockaddr *) peer);
  DetourAddressKey counted;

  if (is_new)
    detour_counter_add (&thread->counters.accepted, 1);
  if (listener->proxy_protocol == DETOUR_PROXY_REQUIRE && !is_trusted)
    {
      detour_counter_add (&thread->counters.closed[DETOUR_CLOSE_PROXY], 1);
      detour_handshake_tell_proxy (thread, listener, peer, fd, "it is not one of trusted-proxies");
      close (fd);
    }
  else if (!is_trusted && detour_handshake_is_banned (thread, listener, peer))
    {
      detour_counter_add (&thread->counters.banned, 1);
      close (fd);
    }
  else if (is_new && !handshake_accept_rate_allows (thread, listener))
    {
      detour_counter_add (&thread->counters.over_rate, 1);
      close (fd);
    }
  else if (!handshake_accept_numbers_allow (thread, listener, peer, is_trusted, &counted))
    {
      detour_counter_add (&thread->counters.over_limit, 1);
      close (fd);
    }
  else
    detour_handshake_new (thread, listener, gate, fd, peer, &counted, is_trusted);
}

/* Only the operator can mend this, so the log has it, but not for each connection. */
static void
handshake_accept_tell_full (DetourHandshakeThread *thread)
{
  gint64 now_us = detour_loop_now_us (thread->loop);

  if (thread->told_full_us != 0 && now_us - thread->told_full_us < TELL_FULL_US)
    return;
  thread->told_full_us = now_us;
  g_warning ("only %u descriptors are left and connections are turned away; allow more open files "
             "(LimitNOFILE= of the service), or fewer connections ([limits])",
             thread->limits.reserved);
}

/* Accepts one connection with the spare descriptor, and closes it. Otherwise the socket would stay
 * readable, and the thread would spin until a descriptor is free. FALSE: there was none to accept,
 * which the kernel does not say while it has no descriptor. */
static gboolean
handshake_accept_shed_connection (ListenSocket *socket)
{
  struct sockaddr_storage peer;
  int fd;

  close (socket->spare_fd);
  fd = detour_socket_accept (socket->io.fd, &peer);
  if (fd >= 0)
    close (fd);
  socket->spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

static void
handshake_accept_refuse (DetourHandshakeThread *thread)
{
  detour_counter_add (&thread->counters.accepted, 1);
  detour_counter_add (&thread->counters.over_limit, 1);
  handshake_accept_tell_full (thread);
}

static void
handshake_accept_on_acceptable (DetourLoop *loop, DetourIo *io, guint32 events)
{
  DetourHandshakeThread *thread = detour_loop_user (loop);
  ListenSocket *socket = (ListenSocket *) io;
  guint usable = detour_handshake_pool_check_descriptors (thread);

  for (guint i = 0; i < ACCEPT_MAX; i++)
    {
      struct sockaddr_storage peer;
      int fd = detour_socket_accept (io->fd, &peer);

      if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        {
          if (!handshake_accept_shed_connection (socket))
            return;
          handshake_accept_refuse (thread);
        }
      else if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
        return;
      /* The kernel gives the lowest number that is free, so all numbers below are taken. */
      else if (fd >= 0 && (guint) fd >= usable
               && (guint) fd >= (usable = detour_handshake_pool_check_descriptors (thread)))
        {
          close (fd);
          handshake_accept_refuse (thread);
        }
      else if (fd >= 0)
        handshake_accept_take_connection (thread, socket->listener, socket->gate, fd, &peer, TRUE);
      detour_handshake_pool_give_way (thread);
    }
}

typedef struct {
  DetourListener *listener;
  DetourHandshakeGate *gate;
} NewListener;

static void
handshake_accept_add_listener (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = detour_loop_user (loop);
  const NewListener *new_listener = data;
  DetourListener *listener = new_listener->listener;

  for (guint i = 0; i < listener->fds->len; i++)
    {
      ListenSocket *socket;

      if (detour_listener_is_taken (listener, i))
        continue;
      socket = g_new0 (ListenSocket, 1);
      socket->io = (DetourIo) { handshake_accept_on_acceptable,
                                g_array_index (listener->fds, int, i), EPOLLIN | EPOLLEXCLUSIVE };
      socket->listener = detour_listener_ref (listener);
      socket->gate = new_listener->gate;
      socket->spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
      g_ptr_array_add (thread->sockets, socket);
      if (!detour_loop_add (loop, &socket->io))
        g_critical ("cannot watch a listening socket: %s", g_strerror (errno));
    }
}

static void
handshake_accept_free_socket (gpointer data)
{
  ListenSocket *socket = data;

  if (socket->spare_fd >= 0)
    close (socket->spare_fd);
  detour_listener_unref (socket->listener);
  g_free (socket);
}

static void
handshake_accept_release_socket (DetourLoop *loop, gpointer data)
{
  handshake_accept_free_socket (data);
}

static void
handshake_accept_remove_listener (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = detour_loop_user (loop);

  for (guint i = thread->sockets->len; i > 0; i--)
    {
      ListenSocket *socket = g_ptr_array_index (thread->sockets, i - 1);

      if (socket->listener == data)
        {
          detour_loop_remove (loop, &socket->io);
          g_ptr_array_steal_index_fast (thread->sockets, i - 1);
          detour_loop_defer (loop, handshake_accept_release_socket, socket);
        }
    }
}

void
detour_handshake_pool_need_forwarder (DetourHandshakePool *self, const char *who)
{
  g_autoptr (GError) error = NULL;

  if (self->forwarder == NULL)
    self->forwarder = detour_forwarder_new (&error);
  if (error != NULL)
    g_warning ("%s: no connection is forwarded: %s", who, error->message);
}

void
detour_handshake_pool_add_listener (DetourHandshakePool *self, DetourListener *listener)
{
  NewListener new_listener = { listener, detour_handshake_pool_count_listener (self, listener, 1) };

  if (listener->forward != NULL)
    detour_handshake_pool_need_forwarder (self, listener->instance);
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_accept_add_listener, &new_listener);
}

void
detour_handshake_pool_remove_listener (DetourHandshakePool *self, DetourListener *listener)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_accept_remove_listener, listener);
  detour_handshake_pool_count_listener (self, listener, -1);
}

/* Of the program before -------------------------------------------------------------------------
 */

typedef struct {
  DetourListener *listener;
  DetourHandshakeGate *gate;
  int fd;
} Taken;

/* One whose peer has gone meanwhile has no address any more. */
static void
handshake_accept_take_over (DetourLoop *loop, gpointer data)
{
  g_autofree Taken *taken = data;
  struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
  socklen_t size = sizeof peer;

  if (getpeername (taken->fd, (struct sockaddr *) &peer, &size) == 0)
    handshake_accept_take_connection (detour_loop_user (loop), taken->listener, taken->gate,
                                      taken->fd, &peer, FALSE);
  else
    close (taken->fd);
  detour_listener_unref (taken->listener);
}

void
detour_handshake_pool_take (DetourHandshakePool *self, DetourListener *listener, int fd)
{
  Taken *taken = g_new (Taken, 1);

  *taken = (Taken) { .listener = detour_listener_ref (listener), .fd = fd };
  detour_handshake_pool_lock (self);
  taken->gate = detour_handshake_pool_find_gate (self, listener->instance);
  detour_handshake_pool_unlock (self);
  detour_loop_post (self->threads[self->n_taken++ % self->n_threads].loop,
                    handshake_accept_take_over, taken);
}

GPtrArray *
detour_handshake_accept_sockets_new (void)
{
  return g_ptr_array_new_with_free_func (handshake_accept_free_socket);
}

void
detour_handshake_accept_stop (DetourHandshakeThread *thread)
{
  for (guint i = 0; i < thread->sockets->len; i++)
    detour_loop_remove (thread->loop,
                        &((ListenSocket *) g_ptr_array_index (thread->sockets, i))->io);
}
