/* detour-daemon.c: the running daemon, from its configuration to its end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-daemon.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "detour-daemon-private.h"
#include "detour-descriptors.h"
#include "detour-dev.h"
#include "detour-event-file.h"
#include "detour-log-memory.h"
#include "detour-log.h"
#include "detour-notify.h"
#include "detour-state-lock.h"
#include "detour-store.h"

/* A reload has a file open at a time, and a module that is loaded needs a few; so does a call of
 * the operator. */
#define KEPT_DESCRIPTORS 8u

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

static void
daemon_log_errors (const DetourConfigErrors *errors)
{
  g_auto (GStrv) lines = detour_config_errors_lines (errors);

  for (guint i = 0; lines[i] != NULL; i++)
    detour_log_event (G_LOG_LEVEL_WARNING, "reload-failed", "%s", lines[i]);
}

void
detour_daemon_log_findings (const DetourConfigErrors *errors)
{
  g_auto (GStrv) lines = detour_config_errors_warnings (errors);

  for (guint i = 0; lines[i] != NULL; i++)
    g_warning ("%s", lines[i]);
}

/* Once there are logs. */
static void
daemon_log_refused (const DetourConfigErrors *refused)
{
  daemon_log_errors (refused);
  detour_log_event (G_LOG_LEVEL_WARNING, "reload-failed",
                    "the configuration that was in force before stays so, for the clients that are "
                    "here; when what is wrong has been mended: detourctl reload");
}

static gboolean
daemon_has_listener (const GPtrArray *listeners, const char *id)
{
  for (guint i = 0; i < listeners->len; i++)
    if (strcmp (((DetourListener *) listeners->pdata[i])->instance, id) == 0)
      return TRUE;
  return FALSE;
}

/* A service with listeners of the server's is among those. */
char *
detour_daemon_describe_listeners (DetourDaemon *self)
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
          || detour_instance_kind (instance) != DETOUR_KIND_SERVICE
          || daemon_has_listener (listeners, detour_instance_id (instance)))
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
  DetourDaemon *self = user;
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourPlugins) fork = detour_plugins_fork (self->plugins);
  g_autoptr (DetourConfig) config = NULL;
  DetourReload outcome = DETOUR_RELOAD_DONE;

  /* Instances that start listen. */
  if (detour_server_draining (self->server) != NULL)
    {
      detour_log_event (G_LOG_LEVEL_WARNING, "reload-failed",
                        "not reloaded: the relay is being taken out of service; to take it back: "
                        "detourctl drain --cancel");
      *problems = g_strsplit ("the relay is being taken out of service; to take it back: detourctl "
                              "drain --cancel",
                              "\n", -1);
      return DETOUR_RELOAD_REFUSED;
    }
  detour_notify_reloading ();
  /* With no descriptor left, a file that raises a limit could not be read. */
  detour_descriptors_lend (self->descriptors, KEPT_DESCRIPTORS);
  config = detour_config_load (self->sources, fork, errors);
  if (config != NULL)
    {
      detour_plugins_adopt (self->plugins, fork);
      detour_daemon_log_findings (errors);
    }
  if (config == NULL)
    {
      daemon_log_errors (errors);
      *problems = detour_config_errors_lines (errors);
      outcome = DETOUR_RELOAD_REFUSED;
    }
  else if (detour_roster_apply (self->roster, config))
    {
      detour_log_event (G_LOG_LEVEL_MESSAGE, "reloaded", "reloaded");
      detour_events_note (DETOUR_EVENT_RELOAD, NULL, NULL, NULL,
                          "the new configuration is in force");
      *problems = g_new0 (char *, 1);
    }
  else
    {
      detour_log_event (G_LOG_LEVEL_WARNING, "reload-failed",
                        "reloaded, but not everything could follow");
      detour_events_note (DETOUR_EVENT_RELOAD, NULL, NULL, NULL, "not everything could follow");
      *problems = daemon_list_failures (self->roster);
      outcome = DETOUR_RELOAD_PARTLY;
    }
  detour_descriptors_refill (self->descriptors);
  if (self->control != NULL)
    detour_control_changed (self->control);
  detour_notify_ready ();
  return outcome;
}

/* Clients can log in through no listener. */
static gboolean
daemon_lacks_cert (const DetourDaemon *self)
{
  const GPtrArray *listeners = detour_server_listeners (self->server);
  DetourCert *cert = detour_cert_store_find (detour_roster_certs (self->roster), NULL, NULL, NULL);
  gboolean has_secure = FALSE, has_plain = FALSE;

  for (guint i = 0; i < listeners->len; i++)
    {
      guint flags = ((const DetourListener *) listeners->pdata[i])->flags;

      if ((flags & DETOUR_LISTENER_DERP) != 0 && (flags & DETOUR_LISTENER_SECURE) != 0)
        has_secure = TRUE;
      else if ((flags & DETOUR_LISTENER_DERP) != 0)
        has_plain = TRUE;
    }
  if (cert == NULL)
    return has_secure && !has_plain;
  detour_cert_unref (cert);
  return FALSE;
}

static void
daemon_on_changed (gpointer user)
{
  DetourDaemon *self = user;

  detour_roster_set_lacks_cert (self->roster, daemon_lacks_cert (self));
  /* A relay that goes is no longer what its entry says, and others need not know. */
  if (self->map_file != NULL && detour_server_draining (self->server) == NULL)
    detour_map_file_changed (self->map_file);
}

static const char *
daemon_map_trouble (gpointer user)
{
  const DetourDaemon *self = user;

  return self->map_file != NULL ? detour_map_file_trouble (self->map_file) : NULL;
}

static void
daemon_upgrade (gpointer user, const char *binary, const char *socket, gboolean check,
                DetourControlUpgradeDone done, gpointer data)
{
  DetourDaemon *self = user;

  if (self->upgrade != NULL)
    detour_upgrade_begin (self->upgrade, binary, socket, check, done, data);
  else
    done (&(DetourControlUpgrade) { .problem = "the daemon is about to stop" }, data);
}

static void
daemon_last_upgrade (gpointer user, DetourControlUpgrade *out)
{
  const DetourDaemon *self = user;

  if (self->upgrade != NULL)
    detour_upgrade_read_last (self->upgrade, out);
}

static const DetourControlFuncs control_funcs = {
  daemon_reload,
  detour_daemon_drain,
  detour_daemon_cancel_drain,
  detour_daemon_ends_when_drained,
  daemon_on_changed,
  daemon_map_trouble,
  daemon_upgrade,
  daemon_last_upgrade,
};

static gboolean
daemon_on_hangup (gpointer data)
{
  g_auto (GStrv) problems = NULL;

  daemon_reload (data, &problems);
  return G_SOURCE_CONTINUE;
}

static void
daemon_on_not_left (gpointer data)
{
  g_main_loop_quit (((DetourDaemon *) data)->loop);
}

/* Whether the unit is stopped or started anew is not told: the manager drops what is left in its
 * store when no program comes. Whoever asks twice does not want to wait. */
static gboolean
daemon_on_terminate (gpointer data)
{
  DetourDaemon *self = data;

  if (self->store < 0 || self->is_leaving || !detour_store_is_kept (self->store)
      || detour_server_draining (self->server) != NULL)
    {
      if (self->upgrade != NULL)
        detour_upgrade_end (self->upgrade);
      g_main_loop_quit (self->loop);
      return G_SOURCE_CONTINUE;
    }
  self->is_leaving = TRUE;
  detour_upgrade_leave (self->upgrade, self->store, daemon_on_not_left, self);
  return G_SOURCE_CONTINUE;
}

static gboolean
daemon_on_upgrade (gpointer data)
{
  DetourDaemon *self = data;

  if (self->upgrade != NULL)
    detour_upgrade_begin (self->upgrade, NULL, NULL, FALSE, NULL, NULL);
  return G_SOURCE_CONTINUE;
}

/* Before anything is there that a signal could find half made: they are dispatched by the loop, not
 * earlier. */
static void
daemon_watch_signals (DetourDaemon *self)
{
  g_unix_signal_add (SIGHUP, daemon_on_hangup, self);
  g_unix_signal_add (SIGTERM, daemon_on_terminate, self);
  g_unix_signal_add (SIGINT, daemon_on_terminate, self);
  g_unix_signal_add (SIGUSR1, detour_daemon_on_drain, self);
  g_unix_signal_add (SIGUSR2, daemon_on_upgrade, self);
  detour_program_let_signals_in ();
}

static void
daemon_warn_without_cert (DetourDaemon *self)
{
  const GPtrArray *listeners = detour_server_listeners (self->server);
  DetourCert *cert = detour_cert_store_find (detour_roster_certs (self->roster), NULL, NULL, NULL);

  for (guint i = 0; cert == NULL && i < listeners->len; i++)
    {
      const DetourListener *listener = listeners->pdata[i];

      if ((listener->flags & DETOUR_LISTENER_SECURE) == 0)
        continue;
      if (detour_cert_store_is_expected (detour_roster_certs (self->roster), NULL))
        g_message ("%s has no certificate yet; whoever comes before it is there has to wait",
                   listener->instance);
      else
        g_warning ("%s has no certificate and turns everyone away until a [cert NAME] has one",
                   listener->instance);
    }
  g_clear_pointer (&cert, detour_cert_unref);
}

/* NULL: it is the first program, or could not read the record. */
static DetourHandover *
daemon_open_handover (DetourProgram *program)
{
  g_autoptr (GError) error = NULL;
  DetourHandover *handover;

  if (program->handover < 0)
    return NULL;
  detour_notify_watchdog ();
  detour_program_end_children ();
  handover = detour_handover_open (program->handover, &error);
  program->handover = -1;
  if (handover == NULL)
    {
      g_warning ("all clients of the program before are lost: %s", error->message);
      detour_log_flush ();
      detour_program_begin_again (program);
    }
  return handover;
}

static void
daemon_note_start (DetourDaemon *self, const DetourHandover *handover)
{
  const DetourHandoverAbout *before = handover != NULL ? detour_handover_about (handover) : NULL;

  self->about = (DetourHandoverAbout) {
    .version = (char *) DETOUR_VERSION,
    .start_us = before != NULL ? before->start_us : g_get_monotonic_time (),
    .start_real_us = before != NULL ? before->start_real_us : g_get_real_time (),
    .n_upgrades = before != NULL ? before->n_upgrades : 0,
  };
}

/* "3 clients kept and 1 link of the mesh" */
static char *
daemon_describe_kept (const DetourTakeover *result)
{
  g_autofree char *clients = g_strdup_printf (
      result->n_kept == 1 ? "%u client kept" : "%u clients kept", result->n_kept);

  if (result->n_links == 0)
    return g_steal_pointer (&clients);
  return g_strdup_printf (result->n_links == 1 ? "%s and %u link of the mesh"
                                               : "%s and %u links of the mesh",
                          clients, result->n_links);
}

static void
daemon_take_over (DetourDaemon *self, DetourProgram *program, DetourHandover *handover,
                  const DetourByHand *by_hand)
{
  g_autofree char *kept = NULL;
  DetourTakeover result;

  if (!detour_server_take_over (self->server, handover, detour_daemon_commit, program, &result))
    return;
  detour_program_end_secrecy ();
  detour_daemon_finish (self, program);
  detour_upgrade_note_takeover (self->upgrade, detour_handover_about (handover), &result);
  kept = daemon_describe_kept (&result);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "upgraded",
                    "upgraded from %s to %s: %s, %u asked to reconnect, paused for "
                    "%" G_GINT64_FORMAT " ms",
                    detour_handover_about (handover)->version, DETOUR_VERSION, kept, result.n_lost,
                    result.paused_us / 1000);
  if (result.n_unfinished > 0)
    g_message ("connections that had not logged in before the upgrade, and are closed: %u",
               result.n_unfinished);
  detour_daemon_drain_on (self, by_hand);
}

/* A relay that was being drained goes on with that. */
static void
daemon_tell_ready (DetourDaemon *self)
{
  g_autofree char *listeners = NULL;

  if (detour_server_draining (self->server) != NULL)
    detour_notify_status ("draining");
  else
    {
      listeners = detour_daemon_describe_listeners (self);
      detour_roster_set_ready (self->roster, TRUE);
      detour_log_event (G_LOG_LEVEL_MESSAGE, "ready", "ready: %s", listeners);
      detour_notify_status ("ready: %s", listeners);
    }
  detour_notify_ready ();
}

static void
daemon_run_loop (DetourDaemon *self, gboolean dev)
{
  daemon_warn_without_cert (self);
  self->control = detour_control_new (&(DetourControlParts) {
      self->server, self->roster, self->plugins, self->key, self->sources, self->descriptors,
      &control_funcs, self, self->about.start_us, self->about.start_real_us });
  detour_daemon_remember (self);
  self->map_file = detour_map_file_new (self->control, self->roster);
  detour_roster_set_lacks_cert (self->roster, daemon_lacks_cert (self));
  if (!dev)
    self->store = detour_store_open ();
  daemon_tell_ready (self);
  self->watchdog = detour_watchdog_new (self->server);
  if (dev)
    detour_dev_print (self->roster, detour_control_socket (self->control));

  g_main_loop_run (self->loop);

  g_clear_pointer (&self->upgrade, detour_upgrade_free);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "stopping", "stopping");
  detour_notify_stopping ();
  if (self->store >= 0)
    detour_store_close (self->store);
  detour_roster_set_ready (self->roster, FALSE);
  g_clear_pointer (&self->map_file, detour_map_file_free);
  g_clear_pointer (&self->control, detour_control_free);
  detour_watchdog_stop (self->watchdog);
}

DetourExit
detour_daemon_run (DetourConfig *config, const DetourConfigSources *sources, DetourPlugins *plugins,
                   DetourProgram *program, const DetourConfigErrors *refused, gboolean dev)
{
  g_autoptr (DetourHandover) handover = daemon_open_handover (program);
  g_autofree char *state = detour_config_state_directory (config);
  const DetourCoreOptions *core = &config->options.core;
  DetourDaemon self = { .sources = sources, .plugins = plugins, .store = -1, .state_lock = -1 };
  g_autoptr (DetourEventFile) events = NULL;
  g_auto (DetourByHand) by_hand;
  g_autoptr (GError) error = NULL;
  gboolean good;

  detour_by_hand_init (&by_hand);
  daemon_raise_descriptor_limit ();
  if (!detour_daemon_make_state (state, &error))
    {
      g_warning ("%s", error->message);
      return DETOUR_EXIT_FAILED;
    }
  self.key = detour_daemon_open_key (config, state);
  if (self.key == NULL)
    return DETOUR_EXIT_FAILED;
  if (!dev)
    self.state_lock = detour_state_lock_take (state);

  detour_log_memory_set_size ((gsize) core->log_memory);
  detour_events_init ((gsize) core->events_memory);
  if (core->events_file != NULL)
    events = detour_event_file_new (core->events_file, core->events_file_size,
                                    (DetourLogPrivacy) core->events_privacy);
  self.events = events;
  self.server = detour_server_new (config, self.key, &error);
  if (self.server == NULL)
    {
      g_warning ("%s", error->message);
      detour_server_key_free (self.key);
      return DETOUR_EXIT_FAILED;
    }

  /* A start that failed up to here leaves the clients that the manager keeps to the next one, and
   * those of a program in another process to that. */
  if (program->before >= 0)
    handover = detour_daemon_receive (program);
  else if (handover == NULL)
    handover = detour_store_take ();
  self.begin_real_us = g_get_real_time ();
  daemon_note_start (&self, handover);
  if (handover != NULL)
    detour_server_expect (self.server, handover);
  detour_server_open_bans (self.server, state);
  self.descriptors = detour_descriptors_new (KEPT_DESCRIPTORS);
  self.loop = g_main_loop_new (NULL, FALSE);
  daemon_watch_signals (&self);
  self.roster = detour_roster_new (config, state, detour_server_key_public (self.key)->bytes,
                                   &detour_server_hooks, self.server);
  detour_server_set_roster (self.server, self.roster);
  detour_server_open_budgets (self.server, state);
  if (handover != NULL)
    detour_daemon_expect (&self, handover, &by_hand);
  self.upgrade = detour_upgrade_new (&(DetourUpgradeParts) {
      program, self.server, self.roster, self.key, state, &self.about, detour_daemon_write_down,
      detour_daemon_write_rest, detour_daemon_wait, &self });
  if (program->before >= 0)
    {
      detour_server_hold_off (self.server);
      detour_roster_let_services_wait (self.roster);
    }
  good = detour_roster_start (self.roster);
  if (refused != NULL)
    daemon_log_refused (refused);
  if (!good && program->before >= 0)
    detour_daemon_decline (program, "not everything could start");
  if (!good && handover != NULL)
    {
      g_warning ("not everything could start; going on for the clients that are here");
      good = TRUE;
    }
  if (good)
    {
      detour_server_open_verdicts (self.server, state, self.key);
      if (handover != NULL)
        daemon_take_over (&self, program, handover, &by_hand);
      g_clear_pointer (&handover, detour_handover_free);
      daemon_run_loop (&self, dev);
    }
  else
    g_warning ("not everything could start; giving up");
  g_clear_pointer (&self.upgrade, detour_upgrade_free);

  /* Connections first: an instance stops when no call of it is in flight any more. */
  detour_server_stop (self.server);
  detour_roster_free (self.roster);
  detour_server_set_roster (self.server, NULL);
  detour_server_free (self.server);
  detour_record_clear (&self.memories);
  detour_watchdog_free (self.watchdog);
  detour_descriptors_free (self.descriptors);
  detour_server_key_free (self.key);
  /* The sources of signals stay: the loop dispatches none any more, and to remove one would bring
   * back the signal's default, which kills who is asked twice to stop. */
  g_main_loop_unref (self.loop);
  if (self.state_lock >= 0)
    close (self.state_lock);
  detour_log_flush ();
  return good ? DETOUR_EXIT_GOOD : DETOUR_EXIT_FAILED;
}
