/* detourctl-watch.c: notices that the daemon has gone while a command waits for what it says.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-watch.h"

#include <glib/gi18n.h>

struct _DetourctlWatch {
  GDBusConnection *connection;
  GMainLoop *loop;
  gulong closed_id;
  guint name_id; /* 0: there is no bus */
  gboolean is_lost;
};

static void
ctl_watch_lose (DetourctlWatch *self)
{
  self->is_lost = TRUE;
  g_main_loop_quit (self->loop);
}

static void
ctl_watch_on_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
  ctl_watch_lose (data);
}

static void
ctl_watch_on_vanished (GDBusConnection *connection, const char *name, gpointer data)
{
  ctl_watch_lose (data);
}

DetourctlWatch *
detourctl_watch_new (Detourctl *self, GMainLoop *loop)
{
  DetourctlWatch *watch = g_new0 (DetourctlWatch, 1);

  watch->connection = self->connection;
  watch->loop = loop;
  watch->closed_id = g_signal_connect (self->connection, "closed", G_CALLBACK (ctl_watch_on_closed),
                                       watch);
  /* A bus stays when the daemon goes. */
  if (self->bus != NULL)
    watch->name_id = g_bus_watch_name_on_connection (self->connection, DETOUR_BUS_NAME,
                                                     G_BUS_NAME_WATCHER_FLAGS_NONE, NULL,
                                                     ctl_watch_on_vanished, watch, NULL);
  return watch;
}

DetourctlExit
detourctl_watch_end (DetourctlWatch *watch, DetourctlExit exit)
{
  gboolean is_lost = watch->is_lost;

  if (watch->name_id != 0)
    g_bus_unwatch_name (watch->name_id);
  g_signal_handler_disconnect (watch->connection, watch->closed_id);
  g_free (watch);
  if (!is_lost)
    return exit;
  detourctl_complain (_ ("the daemon has ended, or closed the connection"));
  return DETOURCTL_NO_DAEMON;
}
