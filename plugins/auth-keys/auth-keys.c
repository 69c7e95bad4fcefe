/* auth-keys.c: admits the node keys that are listed in files.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <gio/gio.h>

#include "key-list.h"

/* Files are read when they have not changed for a while, but not put off for ever. */
#define SETTLE_MS      500
#define SETTLE_MOST_US (5 * G_TIME_SPAN_SECOND)
/* Errors of a refused list that are given in full. */
#define ERRORS_SHOWN 20

/* Main thread. */
typedef struct {
  DetourHost *host;
  DetourSettings *settings;
  const char *place; /* of the settings: the file or directory */
  KeyList *list;
  char *last_errors; /* of the last reading; NULL: it went well */
  char *blindness;   /* why changes of the list are not seen; NULL: they are */
  GFileMonitor *monitor;
  guint settle_source;
  gint64 unsettled_since_us;
  DetourGauge *keys;
  DetourCounter *allowed;
  DetourCounter *denied;
  DetourCounter *reload_errors;
} AuthKeys;

static const DetourConfigKey auth_keys_config[] = {
  { "file", DETOUR_CONFIG_PATH, NULL, 0, 0, "list of node keys, one a line" },
  { "directory", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "instead of file: every list in it whose name ends with .keys" },
  { "max-entries", DETOUR_CONFIG_UINT, "4096", 1, 1 << 20, "refuse more keys than that" },
  { NULL },
};

static KeyList *
auth_keys_read_list (const DetourSettings *settings)
{
  KeyList *list = key_list_new ((guint) detour_settings_uint (settings, "max-entries"));

  if (detour_settings_has (settings, "file"))
    key_list_add_file (list, detour_settings_string (settings, "file"));
  else
    key_list_add_directory (list, detour_settings_string (settings, "directory"));
  return list;
}

/* NULL: @error is set. */
static KeyList *
auth_keys_load_list (const DetourSettings *settings, GError **error)
{
  gboolean file = detour_settings_has (settings, "file");
  g_autoptr (KeyList) list = NULL;
  g_autofree char *errors = NULL;

  if (file == detour_settings_has (settings, "directory"))
    {
      detour_settings_error (settings, file ? "directory" : "file", error, "%s",
                             file ? "file is set too; keep one of them"
                                  : "not set; name a file or a directory with node keys");
      return NULL;
    }
  list = auth_keys_read_list (settings);
  errors = key_list_errors (list, "; ", ERRORS_SHOWN);
  if (errors == NULL)
    return g_steal_pointer (&list);
  detour_settings_error (settings, file ? "file" : "directory", error, "%s", errors);
  return NULL;
}

static gboolean
auth_keys_check (const DetourSettings *settings, GError **error)
{
  g_autoptr (KeyList) list = auth_keys_load_list (settings, error);

  return list != NULL;
}

static const char *
auth_keys_plural (const KeyList *list)
{
  return key_list_size (list) == 1 ? "" : "s";
}

/* What an operator should look at, the gravest only. */
static void
auth_keys_show_trouble (AuthKeys *self)
{
  if (self->last_errors != NULL)
    detour_host_set_trouble (self->host, "the list before it is in force: %s", self->last_errors);
  else if (key_list_size (self->list) == 0)
    detour_host_set_trouble (self->host, "there is no key in %s, so it lets nobody in",
                             self->place);
  else if (self->blindness != NULL)
    detour_host_set_trouble (self->host, "changes are seen on reload only: %s", self->blindness);
  else
    detour_host_set_trouble (self->host, NULL);
}

static void
auth_keys_use_list (AuthKeys *self, KeyList *list)
{
  g_clear_pointer (&self->list, key_list_free);
  self->list = list;
  detour_gauge_set (self->keys, key_list_size (list));
  detour_host_set_summary (self->host, "%u key%s from %s", key_list_size (list),
                           auth_keys_plural (list), self->place);
  if (key_list_size (list) == 0)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "instance-trouble",
                      DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                      "%s: there is no key in %s, so it lets nobody in",
                      detour_host_instance (self->host), self->place);
}

static void
auth_keys_on_gone (const guint8 *key, gpointer user)
{
  detour_host_auth_revoked (((AuthKeys *) user)->host, key);
}

/* The old list stays in force while the new one has errors; the same errors are logged once. */
static void
auth_keys_reload (gpointer data)
{
  AuthKeys *self = data;
  g_autoptr (KeyList) list = auth_keys_read_list (self->settings);
  g_autofree char *errors = key_list_errors (list, "; ", 1);

  if (errors != NULL)
    {
      detour_counter_add (self->reload_errors, 1);
      if (g_strcmp0 (errors, self->last_errors) != 0)
        g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "instance-trouble",
                          DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                          "%s: the list before it is in force: %s",
                          detour_host_instance (self->host), errors);
      g_free (self->last_errors);
      self->last_errors = g_steal_pointer (&errors);
      auth_keys_show_trouble (self);
      return;
    }
  g_clear_pointer (&self->last_errors, g_free);
  if (key_list_equal (list, self->list))
    {
      auth_keys_show_trouble (self);
      return;
    }
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "keys-changed",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                    "%u key%s from %s, %u before", key_list_size (list), auth_keys_plural (list),
                    self->place, key_list_size (self->list));
  key_list_each_gone (self->list, list, auth_keys_on_gone, self);
  auth_keys_use_list (self, g_steal_pointer (&list));
  auth_keys_show_trouble (self);
  detour_host_auth_changed (self->host);
}

static gboolean
auth_keys_settled (gpointer data)
{
  AuthKeys *self = data;

  self->settle_source = 0;
  auth_keys_reload (self);
  return G_SOURCE_REMOVE;
}

/* The directory is watched, not the file: editors and tools put a new file in the place of the old
 * one. */
static void
auth_keys_directory_changed (GFileMonitor *monitor, GFile *file, GFile *other,
                             GFileMonitorEvent event, gpointer data)
{
  AuthKeys *self = data;
  gint64 now_us = g_get_monotonic_time ();

  if (self->settle_source == 0)
    self->unsettled_since_us = now_us;
  else if (now_us - self->unsettled_since_us > SETTLE_MOST_US)
    return;
  g_clear_handle_id (&self->settle_source, g_source_remove);
  self->settle_source = g_timeout_add (SETTLE_MS, auth_keys_settled, self);
}

static void
auth_keys_stop (gpointer data)
{
  AuthKeys *self = data;

  if (self->monitor != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->monitor, self);
      g_file_monitor_cancel (self->monitor);
    }
  g_clear_object (&self->monitor);
  g_clear_handle_id (&self->settle_source, g_source_remove);
  g_clear_pointer (&self->list, key_list_free);
  g_free (self->last_errors);
  g_free (self->blindness);
  detour_settings_unref (self->settings);
  g_free (self);
}

static void
auth_keys_watch (AuthKeys *self)
{
  g_autofree char *directory = detour_settings_has (self->settings, "file")
                                 ? g_path_get_dirname (self->place)
                                 : g_strdup (self->place);
  g_autoptr (GFile) file = g_file_new_for_path (directory);
  g_autoptr (GError) error = NULL;

  self->monitor = g_file_monitor_directory (file, G_FILE_MONITOR_WATCH_MOVES, NULL, &error);
  if (self->monitor != NULL)
    g_signal_connect (self->monitor, "changed", G_CALLBACK (auth_keys_directory_changed), self);
  else
    self->blindness = g_strdup_printf ("cannot watch %s: %s", directory, error->message);
}

static gpointer
auth_keys_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  AuthKeys *self = g_new0 (AuthKeys, 1);
  KeyList *list;

  self->host = host;
  self->settings = detour_settings_ref (settings);
  self->place = detour_settings_string (
      settings, detour_settings_has (settings, "file") ? "file" : "directory");
  self->keys = detour_host_gauge_with (
      host, &(DetourMetric) { .name = "keys", .help = "keys on the lists in force" });
  self->allowed = detour_host_counter (host, "allowed", "requests answered with allow");
  self->denied = detour_host_counter (host, "denied", "requests answered with deny");
  self->reload_errors = detour_host_counter (host, "reload_errors",
                                             "readings after a change that had errors");
  /* First the watch, then the reading: no change falls between them. */
  if (self->place != NULL)
    auth_keys_watch (self);
  list = auth_keys_load_list (settings, error);
  if (list == NULL)
    {
      auth_keys_stop (self);
      return NULL;
    }
  auth_keys_use_list (self, list);
  auth_keys_show_trouble (self);
  return self;
}

static void
auth_keys_verify (gpointer data, const DetourAuthRequest *request, DetourAuthCall *call)
{
  AuthKeys *self = data;
  DetourAuthVerdict verdict = { .result = DETOUR_AUTH_ALLOW };
  g_autofree char *reason = NULL;

  if (key_list_find (self->list, request->key, &verdict.label, &verdict.class_))
    {
      detour_counter_add (self->allowed, 1);
      detour_auth_answer (call, &verdict);
      return;
    }
  reason = g_strdup_printf ("not in %s", self->place);
  verdict.result = DETOUR_AUTH_DENY;
  verdict.reason = reason;
  detour_counter_add (self->denied, 1);
  detour_auth_answer (call, &verdict);
}

static const DetourAuthFuncs auth_keys_funcs = { .verify = auth_keys_verify };

DETOUR_PLUGIN_DEFINE (.name = "auth-keys", .kind = DETOUR_KIND_AUTH,
                      .summary = "admits the node keys listed in files", .config = auth_keys_config,
                      .check = auth_keys_check, .start = auth_keys_start,
                      .reload = auth_keys_reload, .stop = auth_keys_stop,
                      .funcs.auth = &auth_keys_funcs);
