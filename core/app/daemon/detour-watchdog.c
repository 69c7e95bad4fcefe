/* detour-watchdog.c: tells the service manager that every thread of the relay makes progress, and
 * the log which one does not.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-watchdog.h"

#include "detour-log.h"
#include "detour-notify.h"

/* How often the threads are asked within the time of the manager, and when one is named. */
#define ASKED_TIMES 6
#define NAMED_AFTER 3

/* A thread that is asked. The fields that are not atomic belong to the watchdog's thread. */
typedef struct {
  char name[16];
  DetourLoop *loop; /* NULL: the main loop */
  int has_answered; /* atomic */
  gint64 asked_us;
  gint64 named_us; /* when the log heard of it last; 0: it is not late */
} Watched;

struct _DetourWatchdog {
  gint64 limit_us;         /* of the service manager */
  gint64 excused_until_us; /* atomic */
  Watched *watched;
  guint n_watched;
  GThread *thread; /* NULL: stopped */
  GMutex lock;
  GCond cond;
  gboolean is_stopping; /* under the lock */
  GSource *main_source; /* asks the main loop; under the lock; NULL: it has answered */
};

/* A third of the manager's time. */
static gint64
watchdog_patience_us (const DetourWatchdog *self)
{
  return self->limit_us / NAMED_AFTER;
}

/* Asking --------------------------------------------------------------------------------------- */

/* On the thread that was asked. */
static void
watchdog_on_loop (DetourLoop *loop, gpointer data)
{
  __atomic_store_n (&((Watched *) data)->has_answered, TRUE, __ATOMIC_RELEASE);
}

static gboolean
watchdog_on_main (gpointer data)
{
  DetourWatchdog *self = data;

  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->main_source, g_source_unref);
  g_mutex_unlock (&self->lock);
  __atomic_store_n (&self->watched[0].has_answered, TRUE, __ATOMIC_RELEASE);
  return G_SOURCE_REMOVE;
}

/* Before everything else that the main loop has to do, so that much work does not look like none.
 */
static void
watchdog_ask_main (DetourWatchdog *self)
{
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_set_callback (source, watchdog_on_main, self, NULL);
  g_mutex_lock (&self->lock);
  self->main_source = source;
  g_source_attach (source, NULL);
  g_mutex_unlock (&self->lock);
}

static void
watchdog_ask (DetourWatchdog *self, Watched *watched, gint64 now_us)
{
  watched->asked_us = now_us;
  __atomic_store_n (&watched->has_answered, FALSE, __ATOMIC_RELEASE);
  if (watched->loop != NULL)
    detour_loop_post (watched->loop, watchdog_on_loop, watched);
  else
    watchdog_ask_main (self);
}

/* Judging -------------------------------------------------------------------------------------- */

/* The manager first: if the log itself is what hangs, this still gets through. */
static void
watchdog_name (DetourWatchdog *self, Watched *watched, gint64 now_us)
{
  double late_s = (double) (now_us - watched->asked_us) / G_USEC_PER_SEC;

  watched->named_us = now_us;
  detour_notify_status ("%s has made no progress for %.1f s", watched->name, late_s);
  detour_log_event (
      G_LOG_LEVEL_WARNING, "thread-late",
      "watchdog: %s has made no progress for %.1f s; the service manager ends the daemon "
      "after %.0f s",
      watched->name, late_s, (double) self->limit_us / G_USEC_PER_SEC);
}

/* Whether it has come round since it was asked; a late one is named, and named again. The time of
 * one that is excused begins anew. */
static gboolean
watchdog_judge (DetourWatchdog *self, Watched *watched, gboolean is_excused, gint64 now_us)
{
  if (__atomic_load_n (&watched->has_answered, __ATOMIC_ACQUIRE))
    {
      if (watched->named_us != 0)
        detour_log_event (G_LOG_LEVEL_MESSAGE, "thread-goes-on", "watchdog: %s goes on",
                          watched->name);
      watched->named_us = 0;
      return TRUE;
    }
  if (is_excused)
    watched->asked_us = now_us;
  else if (now_us - MAX (watched->named_us, watched->asked_us) >= watchdog_patience_us (self))
    watchdog_name (self, watched, now_us);
  return FALSE;
}

static void
watchdog_round (DetourWatchdog *self)
{
  gint64 now_us = g_get_monotonic_time ();
  gboolean all = self->watched[0].asked_us != 0; /* nobody was asked before the first round */
  gboolean is_excused = now_us < __atomic_load_n (&self->excused_until_us, __ATOMIC_RELAXED);

  for (guint i = 0; i < self->n_watched; i++)
    if (watchdog_judge (self, &self->watched[i], is_excused, now_us))
      watchdog_ask (self, &self->watched[i], now_us);
    else
      all = FALSE;
  if (all || is_excused)
    detour_notify_watchdog ();
}

static gpointer
watchdog_run (gpointer data)
{
  DetourWatchdog *self = data;
  gint64 step_us = MAX (self->limit_us / ASKED_TIMES, 1000);

  g_mutex_lock (&self->lock);
  while (!self->is_stopping)
    {
      g_mutex_unlock (&self->lock);
      watchdog_round (self);
      g_mutex_lock (&self->lock);
      if (!self->is_stopping)
        g_cond_wait_until (&self->cond, &self->lock, g_get_monotonic_time () + step_us);
    }
  g_mutex_unlock (&self->lock);
  return NULL;
}

/* ---------------------------------------------------------------------------------------------- */

static void
watchdog_add (DetourWatchdog *self, const char *kind, guint index, DetourLoop *loop)
{
  Watched *watched = &self->watched[self->n_watched++];

  watched->loop = loop;
  watched->has_answered = TRUE;
  if (loop == NULL)
    g_strlcpy (watched->name, kind, sizeof watched->name);
  else
    g_snprintf (watched->name, sizeof watched->name, "%s-%u", kind, index);
}

DetourWatchdog *
detour_watchdog_new (DetourServer *server)
{
  guint64 limit_us = detour_notify_watchdog_us ();
  DetourHandshakePool *pool = detour_server_pool (server);
  DetourWatchdog *self;

  if (limit_us == 0)
    return NULL;
  self = g_new0 (DetourWatchdog, 1);
  self->limit_us = (gint64) limit_us;
  self->watched = g_new0 (Watched, 1 + detour_server_n_workers (server)
                                       + detour_handshake_pool_n_threads (pool));
  watchdog_add (self, "the main loop", 0, NULL);
  for (guint i = 0; i < detour_server_n_workers (server); i++)
    watchdog_add (self, "worker", i, detour_worker_loop (detour_server_worker (server, i)));
  for (guint i = 0; i < detour_handshake_pool_n_threads (pool); i++)
    watchdog_add (self, "handshake", i, detour_handshake_pool_loop (pool, i));
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->thread = g_thread_new ("watchdog", watchdog_run, self);
  return self;
}

void
detour_watchdog_excuse (DetourWatchdog *self, gint64 for_us)
{
  if (self != NULL)
    __atomic_store_n (&self->excused_until_us, g_get_monotonic_time () + for_us, __ATOMIC_RELAXED);
}

void
detour_watchdog_stop (DetourWatchdog *self)
{
  if (self == NULL || self->thread == NULL)
    return;
  g_mutex_lock (&self->lock);
  self->is_stopping = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
  g_thread_join (g_steal_pointer (&self->thread));
  if (self->main_source != NULL)
    g_source_destroy (self->main_source);
  g_clear_pointer (&self->main_source, g_source_unref);
}

void
detour_watchdog_free (DetourWatchdog *self)
{
  if (self == NULL)
    return;
  detour_watchdog_stop (self);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_free (self->watched);
  g_free (self);
}
