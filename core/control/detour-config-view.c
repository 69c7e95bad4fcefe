/* detour-config-view.c: describes a configuration to operators and programs, key by key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-view.h"

#include <string.h>

#include "detour-config-environment.h"
#include "detour-config-value.h"
#include "detour-control-error.h"
#include "detour-nearest.h"
#include "detour-schema.h"

/* One key with its group. */
typedef struct {
  const char *group;
  const DetourConfigKey *key;
  const DetourSettings *settings;       /* NULL for `plugin` and `enabled` of an instance */
  const DetourSettings *in_force;       /* NULL: no running daemon uses the key */
  const DetourConfigInstance *instance; /* NULL in a fixed group */
} Item;

/* Returns: FALSE to stop. */
typedef gboolean (*ItemFunc) (const Item *item, gpointer user);

static gboolean
config_view_each_of_group (const DetourRoster *roster, const DetourSettings *settings,
                           const DetourConfigInstance *instance, ItemFunc func, gpointer user)
{
  const DetourSettings *in_force = roster != NULL ? detour_roster_in_force (roster, settings)
                                                  : NULL;

  for (const DetourConfigKey *key = detour_settings_table (settings); key->key != NULL; key++)
    {
      Item item = { detour_settings_group (settings), key, settings, in_force, instance };

      if (!func (&item, user))
        return FALSE;
    }
  return TRUE;
}

static void
config_view_each_key (const DetourConfig *config, const DetourRoster *roster, ItemFunc func,
                      gpointer user)
{
  if (!config_view_each_of_group (roster, config->core, NULL, func, user)
      || !config_view_each_of_group (roster, config->limits, NULL, func, user)
      || !config_view_each_of_group (roster, config->admission, NULL, func, user)
      || !config_view_each_of_group (roster, config->derpmap, NULL, func, user))
    return;
  for (guint i = 0; i < config->classes->len; i++)
    {
      const DetourClass *class_ = config->classes->pdata[i];

      if (!config_view_each_of_group (roster, class_->settings, NULL, func, user))
        return;
    }
  for (guint i = 0; i < config->peers->len; i++)
    {
      const DetourMeshPeerGroup *peer = config->peers->pdata[i];

      if (!config_view_each_of_group (roster, peer->settings, NULL, func, user))
        return;
    }
  for (guint i = 0; i < config->tenants->len; i++)
    {
      const DetourTenantGroup *tenant = config->tenants->pdata[i];

      if (!config_view_each_of_group (roster, tenant->settings, NULL, func, user))
        return;
    }
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      for (const DetourConfigKey *key = detour_schema_instance; key->key != NULL; key++)
        {
          Item item = { detour_settings_group (instance->settings), key, NULL, NULL, instance };

          if (!func (&item, user))
            return;
        }
      if (!config_view_each_of_group (roster, instance->settings, instance, func, user))
        return;
    }
}

static gboolean
config_view_waits (const Item *item)
{
  return item->settings != NULL
      && detour_roster_key_waits (item->in_force, item->settings, item->key);
}

/* The settings whose value is in force now. */
static const DetourSettings *
config_view_counting (const Item *item)
{
  return config_view_waits (item) ? item->in_force : item->settings;
}

static const char *
config_view_text_in (const Item *item, const DetourSettings *settings)
{
  if ((item->key->flags & DETOUR_CONFIG_SECRET) != 0
      && detour_settings_is_written (settings, item->key->key))
    return "********";
  return detour_settings_text (settings, item->key->key);
}

static const char *
config_view_text_of (const Item *item)
{
  if (item->settings == NULL)
    {
      if (strcmp (item->key->key, "plugin") == 0)
        return item->instance->plugin_name;
      return item->instance->enabled ? "true" : "false";
    }
  return config_view_text_in (item, config_view_counting (item));
}

static char *
config_view_type_of (const DetourConfigKey *key)
{
  const char *name = detour_config_type_name (key->type);

  return (key->flags & DETOUR_CONFIG_LIST) != 0 ? g_strconcat ("list of ", name, NULL)
                                                : g_strdup (name);
}

static gboolean
config_view_describe_one (const Item *item, gpointer user)
{
  const char *text = config_view_text_of (item);
  g_autofree char *type = config_view_type_of (item->key);

  g_variant_builder_add (
      user, "(ssssss)", item->group, item->key->key, type, text != NULL ? text : "",
      item->key->fallback != NULL ? item->key->fallback : "", item->key->summary);
  return TRUE;
}

GVariant *
detour_config_view_describe (const DetourConfig *config, const DetourRoster *roster)
{
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("a(ssssss)"));
  config_view_each_key (config, roster, config_view_describe_one, &out);
  return g_variant_builder_end (&out);
}

/* One key in full ------------------------------------------------------------------------------ */

typedef struct {
  const char *group, *key;
  Item found;    /* its key is NULL: none */
  guint n_named; /* groups with the key that have @group as their name only */
} Search;

/* "stun" stands for "service stun", as it does for an instance, where no other group has that
 * name. */
static gboolean
config_view_is_it (const Item *item, gpointer user)
{
  Search *search = user;
  const char *blank = strchr (item->group, ' ');
  gboolean is_whole = strcmp (item->group, search->group) == 0;

  if (strcmp (item->key->key, search->key) != 0
      || (!is_whole && (blank == NULL || strcmp (blank + 1, search->group) != 0)))
    return TRUE;
  search->found = *item;
  search->n_named = is_whole ? 1 : search->n_named + 1;
  return !is_whole;
}

static gboolean
config_view_collect_name (const Item *item, gpointer user)
{
  char *name = g_strconcat (item->group, ".", item->key->key, NULL);

  g_ptr_array_add (user, g_strdelimit (name, " ", '/'));
  return TRUE;
}

static void
config_view_refuse (const DetourConfig *config, const char *name, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *nearest;

  config_view_each_key (config, NULL, config_view_collect_name, names);
  g_ptr_array_add (names, NULL);
  nearest = detour_nearest (name, (const char *const *) names->pdata);
  if (nearest != NULL)
    g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NO_SUCH_KEY,
                 "there is no key \"%s\"; did you mean \"%s\"?", name, nearest);
  else
    g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NO_SUCH_KEY,
                 "there is no key \"%s\"; write GROUP.KEY, as in limits.write-timeout or "
                 "service/stun.listen",
                 name);
}

static void
config_view_add_text (GVariantBuilder *out, const char *name, const char *text)
{
  if (text != NULL)
    g_variant_builder_add (out, "{sv}", name, g_variant_new_string (text));
}

static void
config_view_add_flag (GVariantBuilder *out, const char *name, const Item *item,
                      DetourConfigFlags flag)
{
  g_variant_builder_add (out, "{sv}", name, g_variant_new_boolean ((item->key->flags & flag) != 0));
}

static void
config_view_add_origin (GVariantBuilder *out, const char *name, const Item *item,
                        const DetourSettings *settings)
{
  g_autofree char *origin = NULL;
  const char *file;
  guint line;

  if (!detour_settings_origin (settings, item->key->key, &file, &line))
    return;
  origin = detour_config_environment_origin (file, line);
  config_view_add_text (out, name, origin);
}

static GVariant *
config_view_facts_of (const Item *item)
{
  g_autofree char *type = config_view_type_of (item->key);
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  config_view_add_text (&out, "group", item->group);
  config_view_add_text (&out, "key", item->key->key);
  config_view_add_text (&out, "type", type);
  config_view_add_text (&out, "summary", item->key->summary);
  config_view_add_text (&out, "value", config_view_text_of (item));
  config_view_add_text (&out, "fallback", item->key->fallback);
  if (item->settings != NULL)
    config_view_add_origin (&out, "origin", item, config_view_counting (item));
  if (config_view_waits (item))
    {
      const char *waiting = config_view_text_in (item, item->settings);

      config_view_add_text (&out, "waiting", waiting != NULL ? waiting : "");
      config_view_add_origin (&out, "waiting_origin", item, item->settings);
    }
  if (item->key->words != NULL)
    {
      g_auto (GStrv) words = g_strsplit (item->key->words, "|", -1);

      g_variant_builder_add (&out, "{sv}", "words",
                             g_variant_new_strv ((const char *const *) words, -1));
    }
  if (item->key->min != 0 || item->key->max != 0)
    {
      g_autofree char *min = detour_config_format_number (item->key->type, item->key->min);
      g_autofree char *max = detour_config_format_number (item->key->type, item->key->max);

      config_view_add_text (&out, "minimum", min);
      config_view_add_text (&out, "maximum", max);
    }
  config_view_add_flag (&out, "required", item, DETOUR_CONFIG_REQUIRED);
  config_view_add_flag (&out, "restart", item, DETOUR_CONFIG_RESTART);
  config_view_add_flag (&out, "secret", item, DETOUR_CONFIG_SECRET);
  return g_variant_builder_end (&out);
}

GVariant *
detour_config_view_explain (const DetourConfig *config, const DetourRoster *roster,
                            const char *name, GError **error)
{
  g_autofree char *group = g_strdup (name);
  char *dot = strrchr (group, '.');
  Search search = { 0 };

  if (dot != NULL)
    {
      *dot = '\0';
      g_strdelimit (group, "/", ' ');
      search.group = group;
      search.key = dot + 1;
      config_view_each_key (config, roster, config_view_is_it, &search);
    }
  if (search.n_named > 1)
    g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NO_SUCH_KEY,
                 "\"%s\" is the name of several groups; write KIND/NAME.KEY", group);
  else if (search.found.key == NULL)
    config_view_refuse (config, name, error);
  return search.n_named == 1 ? config_view_facts_of (&search.found) : NULL;
}

/* Waiting for a restart ------------------------------------------------------------------------ */

static gboolean
config_view_add_waiting (const Item *item, gpointer user)
{
  g_autofree char *name = g_strconcat (item->group, ".", item->key->key, NULL);
  const char *old;
  const char *new;

  if (!config_view_waits (item))
    return TRUE;
  old = config_view_text_in (item, item->in_force);
  new = config_view_text_in (item, item->settings);
  g_variant_builder_add (user, "(sss)", name, old != NULL ? old : "", new != NULL ? new : "");
  return TRUE;
}

GVariant *
detour_config_view_waiting (const DetourConfig *config, const DetourRoster *roster)
{
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("a(sss)"));
  config_view_each_key (config, roster, config_view_add_waiting, &out);
  return g_variant_builder_end (&out);
}

/* Checking ------------------------------------------------------------------------------------- */

GStrv
detour_config_view_check (const DetourConfigSources *sources, DetourPlugins *plugins)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourPlugins) fork = detour_plugins_fork (plugins);
  g_autoptr (DetourConfig) config = detour_config_load (sources, fork, errors);

  if (config != NULL)
    return g_new0 (char *, 1);
  return detour_config_errors_lines (errors);
}
