/* detour-instance.c: one instance of a plugin and its life.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-instance-private.h"

#include "detour-log.h"

void
detour_instance_changed (DetourInstance *self, gboolean gone)
{
  const DetourHostHooks *hooks = self->context->hooks;

  if (hooks->instance_changed != NULL)
    hooks->instance_changed (self->context->hooks_data, self, gone);
}

static void
instance_set_state (DetourInstance *self, DetourInstanceState state, const char *error)
{
  char *copy = g_strdup (error);

  g_free (self->error);
  self->error = copy;
  self->state = state;
  self->since_us = g_get_real_time ();
  detour_instance_changed (self, FALSE);
}

DetourInstance *
detour_instance_new (DetourHostContext *context, const DetourConfigInstance *config)
{
  DetourInstance *self = g_new0 (DetourInstance, 1);

  g_mutex_init (&self->lock);
  self->context = context;
  self->id = g_strdup (config->id);
  self->name = g_strdup (config->name);
  self->kind = config->kind;
  self->metrics = g_ptr_array_new_with_free_func (g_free);
  self->auth_calls = g_ptr_array_new ();
  self->cert_reports = detour_cert_reports_new ();
  self->mesh_reports = detour_mesh_reports_new ();
  self->mesh_carried = detour_mesh_reports_new ();
  self->cert_renewals = g_ptr_array_new ();
  detour_holdings_init (&self->holdings);
  self->mailbox = detour_mailbox_new ();
  detour_mailbox_close (self->mailbox);
  self->state = DETOUR_INSTANCE_STOPPED;
  self->since_us = g_get_real_time ();
  detour_instance_configure (self, config);
  detour_instance_set_enabled (self, config->enabled);
  return self;
}

void
detour_instance_free (DetourInstance *self)
{
  g_assert (self->self == NULL);
  detour_holdings_release_all (&self->holdings, FALSE);
  detour_holdings_clear (&self->holdings);
  detour_mailbox_free (self->mailbox);
  detour_auth_call_abandon_all (self);
  detour_cert_renewal_abandon_all (self);
  detour_instance_changed (self, TRUE);
  g_ptr_array_unref (self->auth_calls);
  g_ptr_array_unref (self->cert_reports);
  g_ptr_array_unref (self->mesh_reports);
  g_ptr_array_unref (self->mesh_carried);
  g_ptr_array_unref (self->cert_renewals);
  g_ptr_array_unref (self->metrics);
  g_clear_pointer (&self->frozen, g_bytes_unref);
  detour_settings_unref (self->settings);
  g_free (self->id);
  g_free (self->name);
  g_free (self->plugin_name);
  g_free (self->problem);
  g_free (self->error);
  g_free (self->summary);
  g_free (self->trouble);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
detour_instance_configure (DetourInstance *self, const DetourConfigInstance *config)
{
  g_assert (self->self == NULL);
  g_clear_pointer (&self->settings, detour_settings_unref);
  self->settings = detour_settings_ref (config->settings);
  if (g_strcmp0 (self->plugin_name, config->plugin_name) != 0)
    g_clear_pointer (&self->frozen, g_bytes_unref);
  g_free (self->plugin_name);
  self->plugin_name = g_strdup (config->plugin_name);
  g_free (self->problem);
  self->problem = g_strdup (config->problem);
  self->plugin = config->plugin;
}

void
detour_instance_set_enabled (DetourInstance *self, gboolean enabled)
{
  self->enabled = enabled;
  self->starts = enabled;
  if (self->state == DETOUR_INSTANCE_STOPPED && !enabled)
    instance_set_state (self, DETOUR_INSTANCE_DISABLED, NULL);
  else if (self->state == DETOUR_INSTANCE_DISABLED && enabled)
    instance_set_state (self, DETOUR_INSTANCE_STOPPED, NULL);
}

static void
instance_clear_words (DetourInstance *self)
{
  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->summary, g_free);
  g_clear_pointer (&self->trouble, g_free);
  g_mutex_unlock (&self->lock);
}

/* Every sink has the keys `level` and `privacy`; one of a stranger may not, and gets everything. */
static gboolean
instance_has_word (const DetourSettings *settings, const char *name)
{
  const DetourConfigKey *key = detour_settings_find_key (settings, name);

  return key != NULL && key->type == DETOUR_CONFIG_ENUM && detour_settings_has (settings, name);
}

static DetourLogStyle
instance_log_style (const DetourSettings *settings)
{
  DetourLogStyle style;

  detour_log_style_init (
      &style,
      instance_has_word (settings, "level") ? detour_settings_string (settings, "level") : "debug",
      instance_has_word (settings, "privacy") ? detour_settings_string (settings, "privacy")
                                              : "full",
      NULL);
  return style;
}

/* ---- what a run is given without asking for it ----------------------------------------------- */

static void
instance_release_mailbox (gpointer owner, gpointer thing)
{
  detour_mailbox_close (thing);
}

static void
instance_release_auth_calls (gpointer owner, gpointer thing)
{
  detour_auth_call_abandon_all (thing);
}

static void
instance_release_cert_renewals (gpointer owner, gpointer thing)
{
  detour_cert_renewal_abandon_all (thing);
}

static void
instance_release_sink (gpointer owner, gpointer thing)
{
  detour_log_remove_sink (thing);
}

static gboolean
instance_begin_log (DetourInstance *self, GError **error)
{
  const DetourLogStyle style = instance_log_style (self->settings);

  detour_log_add_sink (self->plugin->funcs.log, self->self, style.level, style.privacy);
  detour_instance_hold (self, DETOUR_HOLD_FOR_RUN, instance_release_sink, self, self->self);
  return TRUE;
}

gboolean
detour_instance_add_routes (DetourInstance *self, const DetourHttpRoute *routes, gpointer user,
                            GError **error)
{
  const DetourHostHooks *hooks = self->context->hooks;

  if (hooks->add_routes == NULL)
    {
      g_set_error (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_BROKEN,
                   "there is no HTTP to add routes to");
      return FALSE;
    }
  return hooks->add_routes (self->context->hooks_data, self, routes, user, error);
}

static gboolean
instance_begin_http (DetourInstance *self, GError **error)
{
  return detour_instance_add_routes (self, self->plugin->funcs.http->routes, self->self, error);
}

static gboolean (*const begin_funcs[DETOUR_N_KINDS]) (DetourInstance *self, GError **error) = {
  [DETOUR_KIND_HTTP] = instance_begin_http,
  [DETOUR_KIND_LOG] = instance_begin_log,
};

/* ---- start and stop -------------------------------------------------------------------------- */

void
detour_instance_hold (DetourInstance *self, DetourHoldMode mode, DetourHoldingFunc release,
                      gpointer owner, gpointer thing)
{
  detour_holdings_add (&self->holdings, mode, release, owner, thing);
}

gboolean
detour_instance_let_go (DetourInstance *self, DetourHoldingFunc release, gpointer owner,
                        gpointer thing)
{
  return detour_holdings_release (&self->holdings, release, owner, thing);
}

static void
instance_tell_auth (DetourInstance *self)
{
  const DetourHostHooks *hooks = self->context->hooks;

  if (self->kind == DETOUR_KIND_AUTH && hooks->auth_changed != NULL)
    hooks->auth_changed (self->context->hooks_data, self);
}

/* Nobody calls into the plugin any more when its stop() is called, and nobody new comes in. */
static void
instance_end_run (DetourInstance *self, gboolean is_restart)
{
  detour_holdings_release_all (&self->holdings, is_restart);
  if (self->self != NULL)
    self->plugin->stop (g_steal_pointer (&self->self));
}

/* FALSE with @error set: something may be held all the same. */
static gboolean
instance_begin_run (DetourInstance *self, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (self->plugin == NULL)
    {
      g_set_error_literal (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_BROKEN, self->problem);
      return FALSE;
    }
  detour_mailbox_open (self->mailbox);
  detour_instance_hold (self, DETOUR_HOLD_FOR_RUN, instance_release_mailbox, self, self->mailbox);
  detour_instance_hold (self, DETOUR_HOLD_FOR_RUN, instance_release_auth_calls, self, self);
  detour_instance_hold (self, DETOUR_HOLD_FOR_RUN, instance_release_cert_renewals, self, self);
  self->self = self->plugin->start (self, self->settings, &local);
  if (self->self == NULL)
    {
      if (local == NULL)
        g_set_error (&local, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_BROKEN,
                     "start() failed and gave no reason");
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return begin_funcs[self->kind] == NULL || begin_funcs[self->kind](self, error);
}

static void
instance_tell_peers (DetourInstance *self)
{
  g_autoptr (GPtrArray) peers = NULL;

  if (self->plugin->peers == NULL || self->context->peers == NULL)
    return;
  peers = detour_mesh_peers (self->context->peers);
  self->plugin->peers (self->self, (const DetourMeshPeer *const *) peers->pdata, peers->len);
}

gboolean
detour_instance_start (DetourInstance *self, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (self->self != NULL)
    return TRUE;
  instance_set_state (self, DETOUR_INSTANCE_STARTING, NULL);
  instance_clear_words (self);
  if (!instance_begin_run (self, &local))
    {
      instance_end_run (self, FALSE);
      instance_set_state (self, DETOUR_INSTANCE_FAILED, local->message);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  detour_instance_thaw (self);
  instance_tell_peers (self);
  instance_set_state (self, DETOUR_INSTANCE_RUNNING, NULL);
  instance_tell_auth (self);
  return TRUE;
}

static void
instance_stop (DetourInstance *self, gboolean is_restart)
{
  instance_end_run (self, is_restart);
  instance_clear_words (self);
  instance_set_state (self, self->enabled ? DETOUR_INSTANCE_STOPPED : DETOUR_INSTANCE_DISABLED,
                      NULL);
}

void
detour_instance_stop (DetourInstance *self)
{
  gboolean ran = self->self != NULL;

  if (!ran && self->state != DETOUR_INSTANCE_FAILED)
    return;
  instance_stop (self, FALSE);
  if (ran)
    instance_tell_auth (self);
}

gboolean
detour_instance_restart (DetourInstance *self, GError **error)
{
  instance_stop (self, TRUE);
  return detour_instance_start (self, error);
}

void
detour_instance_reload (DetourInstance *self)
{
  if (self->self == NULL)
    return;
  if (self->plugin->reload != NULL)
    self->plugin->reload (self->self);
  instance_tell_peers (self);
}

/* ---- what others may know -------------------------------------------------------------------- */

const char *
detour_instance_id (const DetourInstance *self)
{
  return self->id;
}

DetourKind
detour_instance_kind (const DetourInstance *self)
{
  return self->kind;
}

const char *
detour_instance_plugin_name (const DetourInstance *self)
{
  return self->plugin_name;
}

const char *
detour_instance_about (const DetourInstance *self)
{
  return self->plugin != NULL ? self->plugin->summary : "";
}

DetourInstanceState
detour_instance_state (const DetourInstance *self)
{
  return self->state;
}

gboolean
detour_instance_is_enabled (const DetourInstance *self)
{
  return self->enabled;
}

const char *
detour_instance_state_name (const DetourInstance *self)
{
  static const char *const names[] = {
    [DETOUR_INSTANCE_DISABLED] = "disabled", [DETOUR_INSTANCE_STARTING] = "starting",
    [DETOUR_INSTANCE_RUNNING] = "running",   [DETOUR_INSTANCE_FAILED] = "failed",
    [DETOUR_INSTANCE_STOPPED] = "stopped",
  };

  return names[self->state];
}

gint64
detour_instance_since_us (const DetourInstance *self)
{
  return self->since_us;
}

const char *
detour_instance_error (const DetourInstance *self)
{
  return self->error;
}

DetourSettings *
detour_instance_settings (const DetourInstance *self)
{
  return self->settings;
}

gboolean
detour_instance_module_is_broken (const DetourInstance *self)
{
  return self->plugin == NULL;
}

static char *
instance_dup_words (DetourInstance *self, char *const *words)
{
  char *copy;

  g_mutex_lock (&self->lock);
  copy = g_strdup (*words);
  g_mutex_unlock (&self->lock);
  return copy;
}

char *
detour_instance_dup_summary (DetourInstance *self)
{
  return instance_dup_words (self, &self->summary);
}

char *
detour_instance_dup_trouble (DetourInstance *self)
{
  return instance_dup_words (self, &self->trouble);
}

const char *const *
detour_instance_sockets (const DetourInstance *self, const char **protocol)
{
  static const char *const none[] = { NULL };

  *protocol = self->socket_protocol;
  return self->socket_addresses != NULL ? (const char *const *) self->socket_addresses : none;
}

void
detour_instance_foreach_metric (DetourInstance *self, DetourMetricFunc func, gpointer user)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->metrics->len; i++)
    {
      const DetourInstanceMetric *entry = self->metrics->pdata[i];
      DetourMetric metric = entry->metric;

      metric.plugin = self->plugin_name;
      metric.value = detour_counter_get (&entry->number);
      if (entry->is_shown)
        func (&metric, user);
    }
  g_mutex_unlock (&self->lock);
}
