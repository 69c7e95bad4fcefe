/* detour-daemon.c: the running daemon, from its configuration to its end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-daemon.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/resource.h>

#include "detour-config-warnings.h"
#include "detour-control.h"
#include "detour-descriptors.h"
#include "detour-dev.h"
#include "detour-log.h"
#include "detour-notify.h"
#include "detour-roster.h"
#include "detour-server.h"
#include "detour-watchdog.h"

/* A reload has a file open at a time, and a module that is loaded needs a few; so does a call of
 * the operator. */
#define KEPT_DESCRIPTORS 8u

typedef struct {
  const DetourConfigSources *sources;
  DetourPlugins *plugins;
  DetourServerKey *key;
  DetourServer *server;
  DetourRoster *roster;
  DetourControl *control; /* NULL before it is ready, and while it stops */
  DetourWatchdog *watchdog;
  DetourDescriptors *descriptors; /* for the control socket and for reading files */
  GMainLoop *loop;
  guint signals[4];
  gboolean draining;
  guint drain_timer; /* 0: none */
} Daemon;

/* Each client is a descriptor, and the soft limit of most systems is 1024. */
static void
daemon_raise_descriptor_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
    return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit (RLIMIT_NOFILE, &limit) < 0)
    g_warning ("the limit of open files cannot be raised: %s", g_strerror (errno));
}

static DetourServerKey *
daemon_open_key (const DetourConfig *config, const char *state)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  DetourServerKey *key;
  gboolean created;

  if (config->options.core.key_file != NULL)
    path = g_strdup (config->options.core.key_file);
  else
    path = g_build_filename (state, "server.key", NULL);
  key = detour_server_key_load_or_create (path, &created, &error);
  if (key == NULL)
    g_warning ("no server key: %s", error->message);
  else if (created)
    g_message ("made a server key in %s", path);
  return key;
}

static void
daemon_log_errors (DetourConfigErrors *errors)
{
  g_auto (GStrv) lines = detour_config_errors_lines (errors);

  for (guint i = 0; lines[i] != NULL; i++)
    detour_log_event (G_LOG_LEVEL_WARNING, "reload-failed", "%s", lines[i]);
}

/* What `--check-config` says as well, for those who did not run it. */
static void
daemon_log_warnings (const DetourConfig *config)
{
  g_auto (GStrv) lines = detour_config_warnings (config);

  for (guint i = 0; lines[i] != NULL; i++)
    g_warning ("%s", lines[i]);
}

static void
daemon_log_findings (const DetourConfigErrors *errors)
{
  g_auto (GStrv) lines = detour_config_errors_warnings (errors);

  for (guint i = 0; lines[i] != NULL; i++)
    g_warning ("%s", lines[i]);
}

/* "transport/https (:443), service/stun (listening on :3478)": what runs and can be reached. */
static char *
daemon_describe_listeners (Daemon *self)
{
  const GPtrArray *listeners = detour_server_listeners (self->server);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < listeners->len; i++)
    {
      const DetourListener *listener = listeners->pdata[i];
      g_autofree char *addresses = detour_listener_dup_addresses (listener);

      g_string_append_printf (text, "%s%s (%s)", i > 0 ? ", " : "", listener->instance, addresses);
    }
  for (guint i = 0; i < detour_roster_count (self->roster); i++)
    {
      DetourInstance *instance = detour_roster_nth (self->roster, i);
      g_autofree char *summary = detour_instance_dup_summary (instance);

      if (detour_instance_state (instance) != DETOUR_INSTANCE_RUNNING
          || detour_instance_kind (instance) != DETOUR_KIND_SERVICE)
        continue;
      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "",
                              detour_instance_id (instance));
      if (summary != NULL)
        g_string_append_printf (text, " (%s)", summary);
    }
  return g_string_free (text, FALSE);
}

static GStrv
daemon_list_failures (DetourRoster *roster)
{
  GPtrArray *lines = g_ptr_array_new ();

  for (guint i = 0; i < detour_roster_count (roster); i++)
    {
      DetourInstance *instance = detour_roster_nth (roster, i);

      if (detour_instance_error (instance) != NULL)
        g_ptr_array_add (lines,
                         g_strdup_printf ("%s does not run: %s", detour_instance_id (instance),
                                          detour_instance_error (instance)));
    }
  g_ptr_array_add (lines, NULL);
  return (GStrv) g_ptr_array_free (lines, FALSE);
}

static DetourReload
daemon_reload (gpointer user, GStrv *problems)
{
  Daemon *self = user;
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourPlugins) fork = detour_plugins_fork (self->plugins);
  g_autoptr (DetourConfig) config = NULL;
  DetourReload outcome = DETOUR_RELOAD_DONE;

  if (self->draining)
    {
      detour_log_event (G_LOG_LEVEL_WARNING, "reload-failed",
                        "not reloaded: draining, which only ends with the daemon");
      *problems = g_strsplit ("the daemon is draining, which only ends with it", "\n", -1);
      return DETOUR_RELOAD_REFUSED;
    }
  detour_notify_reloading ();
  /* With no descriptor left, a file that raises a limit could not be read. */
  detour_descriptors_lend (self->descriptors, KEPT_DESCRIPTORS);
  config = detour_config_load (self->sources, fork, errors);
  if (config != NULL)
    {
      detour_plugins_adopt (self->plugins, fork);
      daemon_log_findings (errors);
    }
  if (config == NULL)
    {
      daemon_log_errors (errors);
      *problems = detour_config_errors_lines (errors);
      outcome = DETOUR_RELOAD_REFUSED;
    }
  else if (detour_roster_apply (self->roster, config))
    {
      daemon_log_warnings (config);
      detour_log_event (G_LOG_LEVEL_MESSAGE, "reloaded", "reloaded");
      *problems = g_new0 (char *, 1);
    }
  else
    {
      daemon_log_warnings (config);
      detour_log_event (G_LOG_LEVEL_WARNING, "reload-failed",
                        "reloaded, but not everything could follow");
      *problems = daemon_list_failures (self->roster);
      outcome = DETOUR_RELOAD_PARTLY;
    }
  detour_descriptors_refill (self->descriptors);
  if (self->control != NULL)
    detour_control_changed (self->control);
  detour_notify_ready ();
  return outcome;
}

static gboolean
daemon_is_draining (gpointer user)
{
  return ((Daemon *) user)->draining;
}

static const DetourControlFuncs control_funcs = { daemon_reload, daemon_is_draining };

static gboolean
daemon_on_hangup (gpointer data)
{
  g_auto (GStrv) problems = NULL;

  daemon_reload (data, &problems);
  return G_SOURCE_CONTINUE;
}

static gboolean
daemon_on_terminate (gpointer data)
{
  Daemon *self = data;

  g_main_loop_quit (self->loop);
  return G_SOURCE_CONTINUE;
}

/* The last client of a draining daemon is gone: so is its work. */
static gboolean
daemon_on_drained (gpointer data)
{
  Daemon *self = data;

  if (detour_server_n_connections (self->server) > 0)
    return G_SOURCE_CONTINUE;
  self->drain_timer = 0;
  detour_log_event (G_LOG_LEVEL_MESSAGE, "drained", "drained");
  g_main_loop_quit (self->loop);
  return G_SOURCE_REMOVE;
}

static gboolean
daemon_on_drain (gpointer data)
{
  Daemon *self = data;

  if (self->draining)
    return G_SOURCE_CONTINUE;
  self->draining = TRUE;
  self->drain_timer = g_timeout_add_seconds (1, daemon_on_drained, self);
  detour_roster_set_ready (self->roster, FALSE);
  detour_server_stop_listening (self->server);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "draining", "draining: no new connections");
  detour_notify_status ("draining");
  if (self->control != NULL)
    detour_control_changed (self->control);
  return G_SOURCE_CONTINUE;
}

/* Before anything is there that a signal could find half made: they are dispatched by the loop, not
 * earlier. */
static void
daemon_watch_signals (Daemon *self)
{
  self->signals[0] = g_unix_signal_add (SIGHUP, daemon_on_hangup, self);
  self->signals[1] = g_unix_signal_add (SIGTERM, daemon_on_terminate, self);
  self->signals[2] = g_unix_signal_add (SIGINT, daemon_on_terminate, self);
  self->signals[3] = g_unix_signal_add (SIGUSR1, daemon_on_drain, self);
}

static void
daemon_warn_without_cert (Daemon *self)
{
  const GPtrArray *listeners = detour_server_listeners (self->server);
  DetourCert *cert = detour_cert_store_find (detour_roster_certs (self->roster), NULL, NULL, NULL);

  for (guint i = 0; cert == NULL && i < listeners->len; i++)
    {
      const DetourListener *listener = listeners->pdata[i];

      if ((listener->flags & DETOUR_LISTENER_SECURE) != 0)
        g_warning ("%s has no certificate and turns everyone away until a [cert NAME] has one",
                   listener->instance);
    }
  g_clear_pointer (&cert, detour_cert_unref);
}

static void
daemon_run_loop (Daemon *self, gboolean dev)
{
  g_autofree char *listeners = daemon_describe_listeners (self);

  daemon_warn_without_cert (self);
  self->control = detour_control_new (
      &(DetourControlParts) { self->server, self->roster, self->plugins, self->key, self->sources,
                              self->descriptors, &control_funcs, self });
  detour_roster_set_ready (self->roster, TRUE);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "ready", "ready: %s", listeners);
  detour_notify_status ("ready: %s", listeners);
  detour_notify_ready ();
  self->watchdog = detour_watchdog_new (self->server);
  if (dev)
    detour_dev_print (self->roster, detour_control_socket (self->control));

  g_main_loop_run (self->loop);

  detour_log_event (G_LOG_LEVEL_MESSAGE, "stopping", "stopping");
  detour_notify_stopping ();
  detour_roster_set_ready (self->roster, FALSE);
  g_clear_pointer (&self->control, detour_control_free);
  detour_watchdog_stop (self->watchdog);
}

DetourExit
detour_daemon_run (DetourConfig *config, const DetourConfigSources *sources, DetourPlugins *plugins,
                   gboolean dev)
{
  g_autofree char *state = detour_config_state_directory (config);
  Daemon self = { .sources = sources, .plugins = plugins };
  g_autoptr (GError) error = NULL;
  gboolean good;

  daemon_raise_descriptor_limit ();
  if (g_mkdir_with_parents (state, 0700) < 0)
    {
      g_warning ("%s: cannot be made: %s; make it once as root and give it to the user that the "
                 "relay runs as, or name another: [core] state-directory",
                 state, g_strerror (errno));
      return DETOUR_EXIT_FAILED;
    }
  self.key = daemon_open_key (config, state);
  if (self.key == NULL)
    return DETOUR_EXIT_FAILED;

  self.server = detour_server_new (config, self.key, &error);
  if (self.server == NULL)
    {
      g_warning ("%s", error->message);
      detour_server_key_free (self.key);
      return DETOUR_EXIT_FAILED;
    }

  self.descriptors = detour_descriptors_new (KEPT_DESCRIPTORS);
  self.loop = g_main_loop_new (NULL, FALSE);
  daemon_watch_signals (&self);
  self.roster = detour_roster_new (config, state, detour_server_key_public (self.key)->bytes,
                                   &detour_server_hooks, self.server);
  detour_server_set_roster (self.server, self.roster);
  if (!dev)
    daemon_log_warnings (config);
  good = detour_roster_start (self.roster);
  if (good)
    daemon_run_loop (&self, dev);
  else
    g_warning ("not everything could start; giving up");

  /* Connections first: an instance stops when no call of it is in flight any more. */
  detour_server_stop (self.server);
  detour_roster_free (self.roster);
  detour_server_set_roster (self.server, NULL);
  detour_server_free (self.server);
  detour_watchdog_free (self.watchdog);
  detour_descriptors_free (self.descriptors);
  detour_server_key_free (self.key);
  for (guint i = 0; i < G_N_ELEMENTS (self.signals); i++)
    g_source_remove (self.signals[i]);
  if (self.drain_timer != 0)
    g_source_remove (self.drain_timer);
  g_main_loop_unref (self.loop);
  detour_log_flush ();
  return good ? DETOUR_EXIT_GOOD : DETOUR_EXIT_FAILED;
}
