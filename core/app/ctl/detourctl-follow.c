/* detourctl-follow.c: what the daemon tells as it happens, until somebody ends it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-follow.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>

#include "detourctl-watch.h"

typedef struct {
  Detourctl *ctl;
  const DetourctlFollow *what;
  gpointer user;
  GMainLoop *loop;
} Follow;

static void
ctl_follow_on_signal (GDBusConnection *connection, const char *sender, const char *path,
                      const char *interface, const char *signal, GVariant *arguments, gpointer data)
{
  Follow *self = data;

  if (!g_variant_is_of_type (arguments, G_VARIANT_TYPE (self->what->type)))
    return;
  self->what->on_signal (self->ctl, arguments, self->user);
  /* Whoever reads a pipe wants to have it now, and may have gone. */
  if (fflush (stdout) != 0 || ferror (stdout))
    g_main_loop_quit (self->loop);
}

static gboolean
ctl_follow_on_interrupt (gpointer data)
{
  g_main_loop_quit (((Follow *) data)->loop);
  return G_SOURCE_CONTINUE;
}

static DetourctlExit
ctl_follow_run (Follow *self)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant)
      reply = detourctl_call (self->ctl, "", "Manager", self->what->subscribe, NULL, NULL, &exit);

  if (reply == NULL)
    return exit;
  if (self->what->begin != NULL)
    exit = self->what->begin (self->ctl, self->user);
  if (exit == DETOURCTL_GOOD && fflush (stdout) == 0 && !ferror (stdout))
    g_main_loop_run (self->loop);
  return exit;
}

DetourctlExit
detourctl_follow (Detourctl *self, const DetourctlFollow *what, gpointer user)
{
  Follow follow = { .ctl = self, .what = what, .user = user };
  DetourctlExit exit = DETOURCTL_GOOD;
  /* A property first, which makes the connection: no signal may come before it is waited for. */
  g_autoptr (GVariant) manager = detourctl_manager (self, &exit);
  DetourctlWatch *watch;
  guint signal_id, interrupt_id, end_id;

  if (manager == NULL)
    return exit;
  follow.loop = g_main_loop_new (NULL, FALSE);
  watch = detourctl_watch_new (self, follow.loop);
  signal_id = g_dbus_connection_signal_subscribe (
      self->connection, NULL, DETOUR_BUS_NAME ".Manager", what->signal, NULL, NULL,
      G_DBUS_SIGNAL_FLAGS_NONE, ctl_follow_on_signal, &follow, NULL);
  interrupt_id = g_unix_signal_add (SIGINT, ctl_follow_on_interrupt, &follow);
  end_id = g_unix_signal_add (SIGTERM, ctl_follow_on_interrupt, &follow);
  exit = ctl_follow_run (&follow);
  g_source_remove (end_id);
  g_source_remove (interrupt_id);
  g_dbus_connection_signal_unsubscribe (self->connection, signal_id);
  exit = detourctl_watch_end (watch, exit);
  g_main_loop_unref (follow.loop);
  return exit;
}
