/* detour-roster.c: all instances of a daemon, started, stopped and changed together.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-roster.h"

#include <string.h>

#include "detour-instance-private.h"
#include "detour-paths.h"
#include "detour-schema.h"

struct _DetourRoster {
  DetourHostContext context;
  DetourConfig *config; /* read last */
  DetourConfig *first;  /* of the start; what needs a restart is in force as it was there */
  GPtrArray *instances; /* DetourInstance, in the order of the files */
  gboolean services_wait;
};

/* A kind that needs another one comes after it. Listeners are last, when everything they lead to is
 * there. */
static const DetourKind start_order[DETOUR_N_KINDS] = {
  DETOUR_KIND_LOG,  DETOUR_KIND_CERT,    DETOUR_KIND_AUTH,
  DETOUR_KIND_HTTP, DETOUR_KIND_SERVICE, DETOUR_KIND_TRANSPORT,
};

static const DetourHostHooks no_hooks;

static DetourInstance *
roster_find_id (const DetourRoster *self, const char *id)
{
  for (guint i = 0; i < self->instances->len; i++)
    if (strcmp (detour_instance_id (self->instances->pdata[i]), id) == 0)
      return self->instances->pdata[i];
  return NULL;
}

DetourRoster *
detour_roster_new (DetourConfig *config, const char *state_directory, const guint8 *server_key,
                   const DetourHostHooks *hooks, gpointer hooks_data)
{
  DetourRoster *self = g_new0 (DetourRoster, 1);

  self->config = detour_config_ref (config);
  self->first = detour_config_ref (config);
  self->context.hostname = g_strdup (config->options.core.hostname);
  self->context.state_directory = g_strdup (state_directory);
  self->context.locale_directory = detour_paths_locale ();
  memcpy (self->context.server_key, server_key, DETOUR_KEY_SIZE);
  self->context.certs = detour_cert_store_new ();
  self->context.challenges = detour_challenges_new ();
  self->context.channels = detour_channel_table_new ();
  self->context.peers = config->peers;
  self->context.hooks = hooks != NULL ? hooks : &no_hooks;
  self->context.hooks_data = hooks_data;
  self->instances = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_instance_free);
  for (guint i = 0; i < config->instances->len; i++)
    g_ptr_array_add (self->instances,
                     detour_instance_new (&self->context, config->instances->pdata[i]));
  return self;
}

void
detour_roster_free (DetourRoster *self)
{
  detour_roster_stop (self);
  g_ptr_array_unref (self->instances);
  detour_cert_store_free (self->context.certs);
  detour_challenges_free (self->context.challenges);
  detour_channel_table_free (self->context.channels);
  detour_config_unref (self->config);
  detour_config_unref (self->first);
  g_free (self->context.hostname);
  g_free (self->context.state_directory);
  g_free (self->context.locale_directory);
  g_free (self);
}

static void
roster_apply_fixed (DetourRoster *self)
{
  const DetourHostHooks *hooks = self->context.hooks;

  if (hooks->apply_limits != NULL)
    hooks->apply_limits (self->context.hooks_data, self->config->limits);
  if (hooks->apply_terms != NULL)
    hooks->apply_terms (self->context.hooks_data, self->config);
  if (hooks->apply_admission != NULL)
    hooks->apply_admission (self->context.hooks_data, self->config->admission);
}

static void roster_tell (const DetourInstance *instance, GLogLevelFlags level, const char *format,
                         ...) G_GNUC_PRINTF (3, 4);

static void
roster_tell (const DetourInstance *instance, GLogLevelFlags level, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  if (level == G_LOG_LEVEL_MESSAGE)
    g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "instance-changed",
                      DETOUR_LOG_INSTANCE, instance->id, "MESSAGE", "%s", text);
  else
    g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "instance-failed", DETOUR_LOG_INSTANCE,
                      instance->id, "MESSAGE", "%s", text);
}

static gboolean
roster_start_one (DetourInstance *instance, gboolean may_wait)
{
  g_autoptr (GError) error = NULL;

  if (detour_instance_start (instance, &error))
    return TRUE;
  if (may_wait && instance->kind == DETOUR_KIND_SERVICE)
    {
      roster_tell (instance, G_LOG_LEVEL_MESSAGE,
                   "%s is tried again when the program before has ended: %s", instance->id,
                   error->message);
      return TRUE;
    }
  roster_tell (instance, G_LOG_LEVEL_WARNING, "%s did not start: %s", instance->id, error->message);
  return FALSE;
}

void
detour_roster_switch (DetourRoster *self, const char *id, gboolean runs)
{
  DetourInstance *instance = roster_find_id (self, id);

  if (instance != NULL)
    instance->starts = runs;
}

gboolean
detour_roster_start (DetourRoster *self)
{
  gboolean good = TRUE;
  guint n_transports = 0;

  roster_apply_fixed (self);
  for (guint i = 0; i < DETOUR_N_KINDS; i++)
    for (guint j = 0; j < self->instances->len; j++)
      {
        DetourInstance *instance = self->instances->pdata[j];

        if (instance->kind != start_order[i] || !instance->starts)
          continue;
        /* A relay without one of its logs still relays; status and the other logs say so. */
        if (!roster_start_one (instance, self->services_wait))
          good = good && (instance->plugin == NULL || instance->kind == DETOUR_KIND_LOG);
        else if (instance->kind == DETOUR_KIND_TRANSPORT)
          n_transports++;
      }
  if (n_transports == 0)
    g_warning ("no transport runs, so nobody could connect");
  return good && n_transports > 0;
}

void
detour_roster_let_services_wait (DetourRoster *self)
{
  self->services_wait = TRUE;
}

void
detour_roster_start_rest (DetourRoster *self)
{
  self->services_wait = FALSE;
  for (guint i = 0; i < self->instances->len; i++)
    {
      DetourInstance *instance = self->instances->pdata[i];

      if (instance->kind == DETOUR_KIND_SERVICE && instance->starts
          && detour_instance_state (instance) == DETOUR_INSTANCE_FAILED)
        roster_start_one (instance, FALSE);
    }
}

void
detour_roster_write_memories (const DetourRoster *self, DetourRecord *out, guint16 tag)
{
  for (guint i = 0; i < self->instances->len; i++)
    detour_instance_write_memory (self->instances->pdata[i], out, tag);
}

void
detour_roster_write_counters (const DetourRoster *self, DetourRecord *out, guint16 tag)
{
  for (guint i = 0; i < self->instances->len; i++)
    detour_instance_write_counters (self->instances->pdata[i], out, tag);
}

gboolean
detour_roster_read (DetourRoster *self, const DetourRecordItem *item)
{
  g_autofree char *id = detour_instance_read_id (item);
  DetourInstance *instance = id != NULL ? roster_find_id (self, id) : NULL;

  return id != NULL && (instance == NULL || detour_instance_read (instance, item));
}

void
detour_roster_stop (DetourRoster *self)
{
  for (guint i = DETOUR_N_KINDS; i-- > 0;)
    for (guint j = self->instances->len; j-- > 0;)
      {
        DetourInstance *instance = self->instances->pdata[j];

        if (instance->kind == start_order[i])
          detour_instance_stop (instance);
      }
}

/* ---- going over to another configuration ----------------------------------------------------- */

gboolean
detour_roster_key_waits (const DetourSettings *in_force, const DetourSettings *read,
                         const DetourConfigKey *key)
{
  return (key->flags & DETOUR_CONFIG_RESTART) != 0 && in_force != NULL && read != in_force
      && detour_settings_table (in_force) == detour_settings_table (read)
      && !detour_settings_same_value (in_force, read, key->key);
}

const DetourSettings *
detour_roster_in_force (const DetourRoster *self, const DetourSettings *read)
{
  if (read == self->config->core)
    return self->first->core;
  if (read == self->config->limits)
    return self->first->limits;
  if (read == self->config->admission)
    return self->first->admission;
  for (guint i = 0; i < self->config->instances->len; i++)
    {
      const DetourConfigInstance *configured = self->config->instances->pdata[i];

      if (configured->settings == read)
        {
          const DetourInstance *instance = roster_find_id (self, configured->id);

          return instance != NULL ? instance->settings : NULL;
        }
    }
  return NULL;
}

static void
roster_report_waiting (const DetourSettings *in_force, const DetourSettings *read,
                       const DetourConfigKey *key)
{
  const char *old = detour_settings_text (in_force, key->key);
  const char *new = detour_settings_text (read, key->key);
  gboolean secret = (key->flags & DETOUR_CONFIG_SECRET) != 0;

  g_warning ("[%s] %s: changed to %s, which counts after a restart of the daemon; %s is in force",
             detour_settings_group (read), key->key,
             new == NULL ? "its fallback"
             : secret    ? "another value"
                         : new,
             old == NULL ? "its fallback"
             : secret    ? "the old one"
                         : old);
}

/* Names the keys that changed but only count after a restart of the daemon. TRUE when there are
 * others that changed as well. */
static gboolean
roster_report_restart_keys (const DetourSettings *old, const DetourSettings *new)
{
  gboolean others = FALSE;

  for (const DetourConfigKey *key = detour_settings_table (new); key->key != NULL; key++)
    {
      if (detour_settings_same_value (old, new, key->key))
        continue;
      if ((key->flags & DETOUR_CONFIG_RESTART) != 0)
        roster_report_waiting (old, new, key);
      else
        others = TRUE;
    }
  return others;
}

/* Tells whether the instance has to be started anew to follow @new. */
static gboolean
roster_needs_restart (const DetourInstance *self, const DetourConfigInstance *new)
{
  if (self->plugin != new->plugin || g_strcmp0 (self->plugin_name, new->plugin_name) != 0)
    return TRUE;
  return !detour_settings_equal (self->settings, new->settings)
      && roster_report_restart_keys (self->settings, new->settings);
}

/* With its new settings, or else with those it had. */
static gboolean
roster_change_one (DetourInstance *instance, const DetourConfigInstance *new)
{
  g_autofree char *plugin_name = g_strdup (instance->plugin_name);
  g_autofree char *problem = g_strdup (instance->problem);
  g_autoptr (DetourSettings) settings = detour_settings_ref (instance->settings);
  DetourConfigInstance old = {
    .plugin = instance->plugin,
    .plugin_name = plugin_name,
    .problem = problem,
    .settings = settings,
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) again = NULL;

  detour_instance_configure (instance, new);
  if (detour_instance_start (instance, &error))
    {
      roster_tell (instance, G_LOG_LEVEL_MESSAGE, "%s runs with its new settings", instance->id);
      return TRUE;
    }
  detour_instance_configure (instance, &old);
  if (detour_instance_start (instance, &again))
    roster_tell (instance, G_LOG_LEVEL_WARNING, "%s goes on with its old settings: %s",
                 instance->id, error->message);
  else
    roster_tell (instance, G_LOG_LEVEL_WARNING,
                 "%s does not run any more: %s; nor with its old settings: %s", instance->id,
                 error->message, again->message);
  return FALSE;
}

/* What is to become of an instance. */
typedef enum {
  STEP_NONE,
  STEP_START,  /* with its settings as they are */
  STEP_CHANGE, /* stopped; start with new settings */
  STEP_RELOAD,
} Step;

/* Decides, and stops what has to stop: all of that comes before anything starts, because a socket
 * may move from one instance to another. */
static Step
roster_prepare (DetourInstance *instance, const DetourConfigInstance *new)
{
  gboolean was_enabled = instance->enabled;
  gboolean by_hand = was_enabled && instance->state == DETOUR_INSTANCE_STOPPED;
  gboolean runs = instance->self != NULL;
  gboolean restart = roster_needs_restart (instance, new);

  instance->enabled = new->enabled;
  if (!new->enabled && was_enabled)
    {
      detour_instance_stop (instance);
      detour_instance_configure (instance, new);
      detour_instance_set_enabled (instance, FALSE);
      return STEP_NONE;
    }
  if (!restart && runs)
    return STEP_RELOAD;
  if (runs)
    {
      detour_instance_stop (instance);
      return STEP_CHANGE;
    }
  detour_instance_configure (instance, new);
  detour_instance_set_enabled (instance, new->enabled);
  return new->enabled && !by_hand ? STEP_START : STEP_NONE;
}

static gboolean
roster_take_step (DetourInstance *instance, Step step, const DetourConfigInstance *new)
{
  switch (step)
    {
    case STEP_START:
      return roster_start_one (instance, FALSE);
    case STEP_CHANGE:
      return roster_change_one (instance, new);
    case STEP_RELOAD:
      detour_instance_reload (instance);
      return TRUE;
    default:
      return TRUE;
    }
}

gboolean
detour_roster_apply (DetourRoster *self, DetourConfig *config)
{
  g_autoptr (GPtrArray)
      gone = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_instance_free);
  g_autofree Step *steps = g_new0 (Step, config->instances->len + 1);
  GPtrArray *instances = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_instance_free);
  gboolean good = TRUE;

  self->context.peers = config->peers;
  roster_report_restart_keys (self->first->core, config->core);
  roster_report_restart_keys (self->first->limits, config->limits);
  roster_report_restart_keys (self->first->admission, config->admission);
  for (guint i = self->instances->len; i-- > 0;)
    {
      DetourInstance *instance = self->instances->pdata[i];

      if (detour_config_find (config, instance->id) == NULL)
        {
          detour_instance_stop (instance);
          g_ptr_array_add (gone, g_ptr_array_steal_index (self->instances, i));
        }
    }
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *new = config->instances->pdata[i];
      DetourInstance *instance = roster_find_id (self, new->id);
      guint at;

      if (instance == NULL)
        {
          instance = detour_instance_new (&self->context, new);
          steps[i] = new->enabled ? STEP_START : STEP_NONE;
        }
      else
        {
          g_ptr_array_find (self->instances, instance, &at);
          g_ptr_array_steal_index (self->instances, at);
          steps[i] = roster_prepare (instance, new);
        }
      g_ptr_array_add (instances, instance);
    }
  g_ptr_array_unref (self->instances);
  self->instances = instances;

  for (guint i = 0; i < DETOUR_N_KINDS; i++)
    for (guint j = 0; j < instances->len; j++)
      {
        DetourInstance *instance = instances->pdata[j];

        if (instance->kind == start_order[i])
          good = roster_take_step (instance, steps[j], config->instances->pdata[j]) && good;
      }

  detour_config_ref (config); /* it may be the one in force */
  detour_config_unref (self->config);
  self->config = config;
  roster_apply_fixed (self);
  return good;
}

/* ---------------------------------------------------------------------------------------------- */

void
detour_roster_set_ready (DetourRoster *self, gboolean ready)
{
  g_atomic_int_set (&self->context.ready, ready);
}

gboolean
detour_roster_is_ready (const DetourRoster *self)
{
  return g_atomic_int_get (&self->context.ready) && !g_atomic_int_get (&self->context.lacks_cert);
}

void
detour_roster_set_lacks_cert (DetourRoster *self, gboolean lacks)
{
  g_atomic_int_set (&self->context.lacks_cert, lacks);
}

DetourConfig *
detour_roster_config (DetourRoster *self)
{
  return self->config;
}

DetourChannelTable *
detour_roster_channels (DetourRoster *self)
{
  return self->context.channels;
}

DetourCertStore *
detour_roster_certs (DetourRoster *self)
{
  return self->context.certs;
}

DetourChallenges *
detour_roster_challenges (DetourRoster *self)
{
  return self->context.challenges;
}

guint
detour_roster_count (const DetourRoster *self)
{
  return self->instances->len;
}

DetourInstance *
detour_roster_nth (const DetourRoster *self, guint n)
{
  return self->instances->pdata[n];
}

DetourInstance *
detour_roster_find (const DetourRoster *self, const char *id)
{
  DetourInstance *found = NULL;

  if (strchr (id, '/') != NULL)
    return roster_find_id (self, id);
  for (guint i = 0; i < self->instances->len; i++)
    {
      DetourInstance *instance = self->instances->pdata[i];

      if (strcmp (instance->name, id) != 0)
        continue;
      if (found != NULL)
        return NULL;
      found = instance;
    }
  return found;
}
