/* detour-watchdog.c: tells the service manager that the threads which carry traffic are alive.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The main loop may turn happily while a worker hangs. So each worker gets a message, and only
 * when all have answered the last one the manager hears of it. */
#include "config.h"

#include "detour-watchdog.h"

#include "detour-notify.h"

struct _DetourWatchdog {
  DetourServer *server;
  guint source;
  int unanswered; /* atomic */
};

/* Worker's thread. */
static void
watchdog_on_asked (DetourLoop *loop, gpointer data)
{
  DetourWatchdog *self = data;

  __atomic_sub_fetch (&self->unanswered, 1, __ATOMIC_RELEASE);
}

static gboolean
watchdog_on_time (gpointer data)
{
  DetourWatchdog *self = data;
  guint n = detour_server_n_carriers (self->server);

  if (__atomic_load_n (&self->unanswered, __ATOMIC_ACQUIRE) != 0)
    return G_SOURCE_CONTINUE;
  detour_notify_watchdog ();
  __atomic_store_n (&self->unanswered, (int) n, __ATOMIC_RELEASE);
  for (guint i = 0; i < n; i++)
    detour_loop_post (detour_worker_loop (detour_server_carrier (self->server, i)),
                      watchdog_on_asked, self);
  return G_SOURCE_CONTINUE;
}

DetourWatchdog *
detour_watchdog_new (DetourServer *server)
{
  guint64 limit_us = detour_notify_watchdog_us ();
  DetourWatchdog *self;

  if (limit_us == 0)
    return NULL;
  self = g_new0 (DetourWatchdog, 1);
  self->server = server;
  /* Three times within the limit, since an answer may miss a turn. */
  self->source = g_timeout_add ((guint) CLAMP (limit_us / 3000, 1, G_MAXUINT), watchdog_on_time,
                                self);
  return self;
}

void
detour_watchdog_stop (DetourWatchdog *self)
{
  if (self != NULL)
    g_clear_handle_id (&self->source, g_source_remove);
}

void
detour_watchdog_free (DetourWatchdog *self)
{
  if (self == NULL)
    return;
  detour_watchdog_stop (self);
  g_free (self);
}
