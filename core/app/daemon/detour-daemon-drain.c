/* detour-daemon-drain.c: takes the daemon out of service, and back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-daemon-private.h"

#include "detour-events.h"
#include "detour-log.h"
#include "detour-notify.h"

/* "3 connections are left, and 1 of the mesh" */
static char *
daemon_drain_describe (const DetourDaemon *self)
{
  guint n = detour_server_n_clients (self->server), n_mesh = detour_server_n_mesh (self->server);
  g_autofree char *mesh = n_mesh > 0 ? g_strdup_printf (", and %u of the mesh", n_mesh) : NULL;

  return g_strdup_printf (n == 1 ? "%u connection is left%s" : "%u connections are left%s", n,
                          mesh != NULL ? mesh : "");
}

static void
daemon_drain_on_done (gpointer data)
{
  DetourDaemon *self = data;
  g_autofree char *left = daemon_drain_describe (self);

  detour_log_event (G_LOG_LEVEL_MESSAGE, "drained", "drained: %s", left);
  detour_events_note (DETOUR_EVENT_DRAIN, NULL, NULL, NULL, "drained");
  detour_notify_status ("drained");
  if (self->control != NULL)
    detour_control_changed (self->control);
  if (self->ends_when_drained)
    g_main_loop_quit (self->loop);
}

static void
daemon_drain_tell (const DetourServerDrain *drain)
{
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_printf (text, "no new connections; %u are closed within %" G_GINT64_FORMAT " s",
                   drain->n_begin, drain->for_us / G_USEC_PER_SEC);
  if (drain->keep > 0)
    g_string_append_printf (text, ", but for the last %u", drain->keep);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "draining", "draining: %s", text->str);
  detour_events_note (DETOUR_EVENT_DRAIN, NULL, NULL, NULL, "%s", text->str);
}

void
detour_daemon_drain (gpointer user, gint64 for_us, guint keep, gboolean ends)
{
  DetourDaemon *self = user;
  DetourServerDrain drain = {
    .begin_real_us = g_get_real_time (),
    .for_us = for_us >= 0 ? for_us : detour_roster_config (self->roster)->options.limits.drain_us,
    .keep = keep,
    .n_begin = detour_server_n_clients (self->server),
  };

  /* It takes nobody any more, and the next program finds sockets that listen. */
  if (self->is_leaving)
    return;
  self->ends_when_drained = ends;
  detour_roster_set_ready (self->roster, FALSE);
  detour_server_drain (self->server, &drain, daemon_drain_on_done, self);
  daemon_drain_tell (&drain);
  detour_notify_status ("draining");
  if (self->control != NULL)
    detour_control_changed (self->control);
}

gboolean
detour_daemon_cancel_drain (gpointer user, GError **error)
{
  DetourDaemon *self = user;
  g_autofree char *listeners = NULL;
  g_autoptr (GError) problem = NULL;

  detour_server_cancel_drain (self->server, &problem);
  listeners = detour_daemon_describe_listeners (self);
  detour_roster_set_ready (self->roster, TRUE);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "drain-cancelled", "in service again: %s", listeners);
  detour_events_note (DETOUR_EVENT_DRAIN, NULL, NULL, NULL, "taken back: in service again");
  detour_notify_status ("ready: %s", listeners);
  if (self->control != NULL)
    detour_control_changed (self->control);
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&problem));
  return FALSE;
}

gboolean
detour_daemon_ends_when_drained (gpointer user)
{
  return ((DetourDaemon *) user)->ends_when_drained;
}

/* SIGUSR1: whoever asks by a signal wants the daemon to end. */
gboolean
detour_daemon_on_drain (gpointer data)
{
  DetourDaemon *self = data;
  const DetourServerDrain *drain = detour_server_draining (self->server);

  if (drain == NULL)
    detour_daemon_drain (self, -1, 0, TRUE);
  self->ends_when_drained = TRUE;
  if (drain != NULL && drain->is_done)
    g_main_loop_quit (self->loop);
  return G_SOURCE_CONTINUE;
}

void
detour_daemon_drain_on (DetourDaemon *self, const DetourByHand *by_hand)
{
  g_autofree char *left = NULL;

  if (!by_hand->is_draining)
    return;
  self->ends_when_drained = by_hand->ends_when_drained;
  detour_server_drain (self->server, &by_hand->drain, daemon_drain_on_done, self);
  left = daemon_drain_describe (self);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "draining", "draining goes on: %s", left);
}
