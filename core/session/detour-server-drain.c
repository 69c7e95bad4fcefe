/* detour-server-drain.c: takes the relay out of service, and back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

/* Workers look at their connections so often. */
#define PASS_MS 500u

/* Addresses that another program took meanwhile are tried again so often. */
#define TAKEN_S 1u

static void
server_drain_pause (DetourServer *self)
{
  for (guint i = 0; i < self->listeners->len; i++)
    {
      DetourListener *listener = g_ptr_array_index (self->listeners, i);

      if (listener->is_paused || (listener->flags & DETOUR_LISTENER_ADMIN) != 0)
        continue;
      detour_server_unwatch (self, listener);
      detour_listener_pause (listener);
    }
}

void
detour_server_stay_out (DetourServer *self)
{
  self->stays_out = TRUE;
}

static gboolean
server_drain_has_taken (const DetourServer *self)
{
  for (guint i = 0; i < self->listeners->len; i++)
    if (detour_listener_has_taken (g_ptr_array_index (self->listeners, i)))
      return TRUE;
  return FALSE;
}

static gboolean
server_drain_try_taken (gpointer data)
{
  DetourServer *self = data;
  gboolean any = FALSE;

  for (guint i = 0; i < self->listeners->len; i++)
    {
      DetourListener *listener = g_ptr_array_index (self->listeners, i);

      if (!detour_listener_try_taken (listener, &self->socket_options))
        continue;
      any = TRUE;
      /* What comes in meanwhile waits in the sockets. */
      detour_server_unwatch (self, listener);
      detour_server_watch (self, listener);
    }
  if (any && self->observer != NULL)
    self->observer (self->observer_user);
  if (server_drain_has_taken (self))
    return G_SOURCE_CONTINUE;
  self->taken_timer = 0;
  return G_SOURCE_REMOVE;
}

static gboolean
server_drain_resume (DetourServer *self, GError **error)
{
  gboolean good = TRUE;

  for (guint i = 0; i < self->listeners->len; i++)
    {
      DetourListener *listener = g_ptr_array_index (self->listeners, i);

      if (!listener->is_paused)
        continue;
      good = detour_listener_resume (listener, &self->socket_options, good ? error : NULL) && good;
      detour_server_watch (self, listener);
    }
  if (!good && self->taken_timer == 0)
    self->taken_timer = g_timeout_add_seconds (TAKEN_S, server_drain_try_taken, self);
  return good;
}

/* Of DetourDrainPlan. */
static guint
server_drain_n_left (gpointer user)
{
  return detour_handshake_pool_n_clients (((DetourServer *) user)->pool);
}

static gboolean
server_drain_on_timer (gpointer data)
{
  DetourServer *self = data;

  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_drain_pass (self->workers[i]);
  /* Those that had begun to log in are waited for as well. */
  if (!self->drain.is_done && detour_server_n_clients (self) <= self->drain.keep)
    {
      self->drain.is_done = TRUE;
      self->drained (self->drained_user);
    }
  return G_SOURCE_CONTINUE;
}

void
detour_server_drain (DetourServer *self, const DetourServerDrain *drain, DetourServerDrained done,
                     gpointer user)
{
  gint64 ago_us = g_get_real_time () - drain->begin_real_us;
  DetourDrainPlan plan = {
    .begin_us = g_get_monotonic_time () - MAX (ago_us, 0),
    .for_us = drain->for_us,
    .keep = drain->keep,
    .salt = drain->salt != 0 ? drain->salt : (guint32) g_random_int_range (1, G_MAXINT32),
    .n_left = server_drain_n_left,
    .user = self,
    .n_reserved = &self->drain_reserved,
  };
  guint n_begin = self->drain_timer != 0 ? self->drain.n_begin : drain->n_begin;

  self->drain = *drain;
  self->drain.n_begin = n_begin;
  self->drain.salt = plan.salt;
  self->stays_out = FALSE;
  self->drained = done;
  self->drained_user = user;
  server_drain_pause (self);
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_drain (self->workers[i], &plan);
  if (self->drain_timer == 0)
    self->drain_timer = g_timeout_add (PASS_MS, server_drain_on_timer, self);
}

gboolean
detour_server_cancel_drain (DetourServer *self, GError **error)
{
  detour_server_stop_drain (self);
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_drain (self->workers[i], NULL);
  return server_drain_resume (self, error);
}

void
detour_server_stop_drain (DetourServer *self)
{
  if (self->drain_timer != 0)
    g_source_remove (self->drain_timer);
  self->drain_timer = 0;
  if (self->taken_timer != 0)
    g_source_remove (self->taken_timer);
  self->taken_timer = 0;
}

const DetourServerDrain *
detour_server_draining (const DetourServer *self)
{
  return self->drain_timer != 0 ? &self->drain : NULL;
}
