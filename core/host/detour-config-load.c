/* detour-config-load.c: builds a configuration from its files and collects all errors in one run.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-load.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-config-check.h"
#include "detour-config-chain.h"
#include "detour-config-environment.h"
#include "detour-config-listeners.h"
#include "detour-config-peers.h"
#include "detour-config-tenants.h"
#include "detour-config-file.h"
#include "detour-config-merge.h"
#include "detour-config-value.h"
#include "detour-config-warnings.h"
#include "detour-derper-flags.h"
#include "detour-nearest.h"
#include "detour-schema.h"

/* State of one load. */
typedef struct {
  DetourConfig *config;
  DetourConfigMerge *merge;
  DetourPlugins *plugins;
  DetourConfigErrors *errors;
  DetourConfigLoadFlags flags;
} Build;

static void
config_load_add_error (Build *build, GError *error, const char *file, guint line)
{
  detour_config_errors_add_line (build->errors, file, line, error->message);
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* The fixed group that has @key; NULL: none. */
static const char *
config_load_group_of (const char *key)
{
  for (guint i = 0; detour_schema_groups[i].name != NULL; i++)
    for (const DetourConfigKey *row = detour_schema_groups[i].table; row->key != NULL; row++)
      /* `file`, `name` and `format` are keys of too many plugins to point to that group. */
      if (detour_schema_groups[i].table != detour_schema_derpmap && strcmp (row->key, key) == 0)
        return detour_schema_groups[i].name;
  return NULL;
}

/* @known: the keys that the group has. */
static void
config_load_refuse_key (Build *build, const DetourMergedGroup *group, const DetourMergedKey *key,
                        const char *const *known)
{
  const char *elsewhere = config_load_group_of (key->key);
  const char *here = detour_derper_flag_here (key->key);
  const char *nearest = detour_nearest_key (key->key, known);

  if (elsewhere != NULL)
    detour_config_errors_add (build->errors, key->file, key->line, group->name, key->key,
                              _ ("no such key in this group; it belongs into [%s]"), elsewhere);
  else if (here != NULL)
    detour_config_errors_add (build->errors, key->file, key->line, group->name, key->key,
                              _ ("no such key; it is a flag of derper, which is here: %s"), here);
  else if (nearest != NULL)
    detour_config_errors_add (build->errors, key->file, key->line, group->name, key->key,
                              _ ("no such key; did you mean \"%s\"?"), nearest);
  else
    detour_config_errors_add (build->errors, key->file, key->line, group->name, key->key,
                              _ ("no such key"));
}

/* The keys of @group into settings; unknown keys and bad values are added to the errors. @core_keys
 * is a second table whose keys are somebody else's business, or NULL. */
static DetourSettings *
config_load_read_settings (Build *build, const DetourMergedGroup *group,
                           const DetourConfigKey *table, const DetourConfigKey *core_keys)
{
  DetourSettings *settings = detour_settings_new (group->name, table, group->file, group->line);
  g_autoptr (DetourSettings)
      others = detour_settings_new (group->name, core_keys, group->file, group->line);
  g_autoptr (GPtrArray) known = g_ptr_array_new ();

  for (guint i = 0; table != NULL && table[i].key != NULL; i++)
    g_ptr_array_add (known, (gpointer) table[i].key);
  for (guint i = 0; core_keys != NULL && core_keys[i].key != NULL; i++)
    g_ptr_array_add (known, (gpointer) core_keys[i].key);
  g_ptr_array_add (known, NULL);

  for (guint i = 0; i < group->keys->len; i++)
    {
      const DetourMergedKey *key = group->keys->pdata[i];
      g_autoptr (GError) error = NULL;

      if (detour_settings_find_key (others, key->key) != NULL)
        continue;
      if (detour_settings_find_key (settings, key->key) == NULL)
        config_load_refuse_key (build, group, key, (const char *const *) known->pdata);
      else if (!detour_settings_set (settings, key->key, key->value, key->file, key->line, &error))
        config_load_add_error (build, error, key->file, key->line);
    }
  return settings;
}

static DetourSettings *
config_load_read_fixed (Build *build, const char *name, const DetourConfigKey *table)
{
  const DetourMergedGroup *group = detour_config_merge_find (build->merge, name);

  if (group == NULL)
    return detour_settings_new (name, table, build->merge->main_name, 0);
  return config_load_read_settings (build, group, table, NULL);
}

static gboolean
config_load_name_is_sane (const char *name)
{
  return *name != '\0'
      && strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
             == strlen (name);
}

/* What is written down for an upgrade has names of any group whole, with the kind before them. */
#define NAME_MAX_LEN 100u

static void
config_load_refuse_group (Build *build, const DetourMergedGroup *group, const char *text)
{
  detour_config_errors_add (build->errors, group->file, group->line, group->name, NULL, "%s", text);
}

/* "class" and its like, of which there may be several groups. */
static gboolean
config_load_is_named_group (const char *word)
{
  for (guint i = 0; detour_schema_named_groups[i].name != NULL; i++)
    if (strcmp (detour_schema_named_groups[i].name, word) == 0)
      return TRUE;
  return FALSE;
}

/* Refuses a group that is neither fixed nor an instance, and suggests the nearest name. */
static void
config_load_refuse_unknown_group (Build *build, const DetourMergedGroup *group)
{
  g_auto (GStrv) words = g_strsplit (group->name, " ", 2);
  g_autoptr (GPtrArray) candidates = g_ptr_array_new ();
  g_autofree char *text = NULL;
  const char *nearest;
  DetourKind kind;

  for (guint i = 0; detour_schema_groups[i].name != NULL; i++)
    g_ptr_array_add (candidates, (gpointer) detour_schema_groups[i].name);
  for (guint i = 0; i < DETOUR_N_KINDS; i++)
    g_ptr_array_add (candidates, (gpointer) detour_kind_names[i]);
  for (guint i = 0; detour_schema_named_groups[i].name != NULL; i++)
    g_ptr_array_add (candidates, (gpointer) detour_schema_named_groups[i].name);
  g_ptr_array_add (candidates, NULL);
  nearest = detour_nearest (words[0], (const char *const *) candidates->pdata);

  if (nearest != NULL
      && (config_load_is_named_group (nearest) || detour_kind_from_name (nearest, &kind)))
    text = g_strdup_printf (_ ("no such group; did you mean [%s %s]?"), nearest,
                            words[1] != NULL ? words[1] : "NAME");
  else if (nearest != NULL)
    text = g_strdup_printf (_ ("no such group; did you mean [%s]?"), nearest);
  else
    text = g_strdup (
        _ ("no such group; there are [core], [limits], [admission], [derpmap], "
           "[class NAME], [tenant NAME], [peer NAME] and [KIND NAME] with a KIND out of "
           "transport, cert, auth, service, http, log"));
  config_load_refuse_group (build, group, text);
}

/* ---- instances ------------------------------------------------------------------------------- */

static void
config_load_refuse_plugin (Build *build, const DetourMergedGroup *group, DetourKind kind,
                           const char *written)
{
  const DetourMergedKey *key = detour_merged_group_find (group, "plugin");
  g_autofree char *text = detour_plugins_explain_missing (build->plugins, kind, written);

  detour_config_errors_add (build->errors, key != NULL ? key->file : group->file,
                            key != NULL ? key->line : group->line, group->name, "plugin", "%s",
                            text);
}

/* Here what is wrong together with the host name counts; the advice itself is asked for again by
 * those who show it. */
static void
config_load_ask_about_hostname (const Build *build, const DetourConfigInstance *instance)
{
  g_autoptr (GPtrArray) advice = g_ptr_array_new_with_free_func (g_free);

  if (instance->plugin->advise != NULL)
    instance->plugin->advise (instance->settings, build->config->options.core.hostname, advice);
}

/* Only the plugin can judge some things; asked when the tables had nothing to say. */
static void
config_load_ask_plugin (Build *build, const DetourConfigInstance *instance,
                        const DetourMergedGroup *group)
{
  const char *missing = detour_settings_missing (instance->settings);
  g_autoptr (GError) error = NULL;

  if (missing != NULL)
    detour_config_errors_add (build->errors, group->file, group->line, group->name, missing,
                              _ ("not set, but needed: %s"),
                              detour_settings_find_key (instance->settings, missing)->summary);
  else
    {
      detour_settings_set_errors (instance->settings, build->errors);
      if (instance->plugin->check == NULL || instance->plugin->check (instance->settings, &error))
        config_load_ask_about_hostname (build, instance);
      else if (error != NULL)
        config_load_add_error (build, error, group->file, group->line);
      detour_settings_set_errors (instance->settings, NULL);
    }
}

/* Whether only the vendor's file mentions the instance. */
static gboolean
config_load_is_only_offered (const Build *build, const DetourMergedGroup *group)
{
  const char *vendor_file = build->merge->vendor_file;

  if (g_strcmp0 (group->file, vendor_file) != 0)
    return FALSE;
  for (guint i = 0; i < group->keys->len; i++)
    if (g_strcmp0 (((const DetourMergedKey *) group->keys->pdata[i])->file, vendor_file) != 0)
      return FALSE;
  return TRUE;
}

static void
config_load_read_instance (Build *build, const DetourMergedGroup *group, DetourKind kind,
                           const char *name)
{
  DetourConfigInstance *instance = g_new0 (DetourConfigInstance, 1);
  g_autoptr (DetourSettings) own = NULL;
  g_autoptr (GError) error = NULL;
  guint n_errors = detour_config_errors_count (build->errors);
  const char *written = name;

  own = detour_settings_new (group->name, detour_schema_instance, group->file, group->line);
  for (guint i = 0; detour_schema_instance[i].key != NULL; i++)
    {
      const DetourMergedKey *key = detour_merged_group_find (group, detour_schema_instance[i].key);
      g_autoptr (GError) bad = NULL;

      if (key != NULL
          && !detour_settings_set (own, key->key, key->value, key->file, key->line, &bad))
        config_load_add_error (build, bad, key->file, key->line);
    }
  if (detour_settings_has (own, "plugin"))
    written = detour_settings_string (own, "plugin");

  instance->kind = kind;
  instance->name = g_strdup (name);
  instance->id = g_strconcat (detour_kind_names[kind], "/", name, NULL);
  instance->enabled = detour_settings_bool (own, "enabled");
  instance->plugin_name = detour_plugins_resolve (build->plugins, kind, written);

  instance->plugin = detour_plugins_load (build->plugins, instance->plugin_name, &error);
  /* A plugin may be left out of an installation; the vendor's file does not insist on it. */
  if (g_error_matches (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_MISSING)
      && config_load_is_only_offered (build, group))
    {
      detour_config_instance_free (instance);
      return;
    }
  g_ptr_array_add (build->config->instances, instance);
  if (instance->plugin == NULL)
    {
      /* A plugin that is there but broken costs its instance, not the relay; one that is not there
       * is a slip, unless it was there before. */
      if (instance->enabled && (build->flags & DETOUR_CONFIG_LOAD_AGAIN) == 0
          && g_error_matches (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_MISSING))
        config_load_refuse_plugin (build, group, kind, written);
      instance->problem = g_strdup (error->message);
      instance->settings = detour_settings_new (group->name, NULL, group->file, group->line);
      return;
    }
  instance->settings = config_load_read_settings (build, group, instance->plugin->config,
                                                  detour_schema_instance);
  if (instance->enabled && detour_config_errors_count (build->errors) == n_errors)
    config_load_ask_plugin (build, instance, group);
}

/* [auth] alone: which instance is meant, nobody can know. */
static void
config_load_refuse_nameless (Build *build, const DetourMergedGroup *group, DetourKind kind)
{
  const char *kind_name = detour_kind_names[kind];
  g_auto (GStrv) names = detour_plugins_names (build->plugins, kind);
  const char *example = names[0] != NULL ? names[0] + strlen (kind_name) + 1 : "main";
  g_autofree char *text = NULL;

  /* TRANSLATORS: a kind of plugin, and the name of one: "auth", "tailscaled". */
  text = g_strdup_printf (_ ("the group needs a name: write [%s NAME], as in [%s %s]"), kind_name,
                          kind_name, example);
  config_load_refuse_group (build, group, text);
}

/* TRUE: what [WORD NAME] needs is there. @form: what is said when it is not. */
static gboolean
config_load_check_name (Build *build, const DetourMergedGroup *group, const char *name,
                        const char *form)
{
  g_autofree char *text = NULL;

  if (name == NULL || !config_load_name_is_sane (name))
    config_load_refuse_group (build, group, form);
  else if (strlen (name) > NAME_MAX_LEN)
    {
      text = g_strdup_printf (_ ("the name has %zu characters; at most %u are allowed"),
                              strlen (name), NAME_MAX_LEN);
      config_load_refuse_group (build, group, text);
    }
  else
    return TRUE;
  return FALSE;
}

static void
config_load_read_class (Build *build, const DetourMergedGroup *group, const char *name)
{
  if (config_load_check_name (build, group, name,
                              _ ("a class is called [class NAME] with a NAME of letters, digits, "
                                 "\"-\", \"_\" and \".\"")))
    g_ptr_array_add (build->config->classes,
                     detour_class_new (name, config_load_read_settings (
                                                 build, group, detour_schema_class, NULL)));
}

static void
config_load_read_peer (Build *build, const DetourMergedGroup *group, const char *name)
{
  if (config_load_check_name (build, group, name,
                              _ ("a peer is called [peer NAME] with a NAME of letters, digits, "
                                 "\"-\", \"_\" and \".\"")))
    g_ptr_array_add (build->config->peers,
                     detour_mesh_peer_group_new (
                         name, config_load_read_settings (build, group, detour_schema_peer, NULL)));
}

/* Before the instances, of which its chain may name some that have no group. */
static void
config_load_read_tenants (Build *build)
{
  for (guint i = 0; i < build->merge->groups->len; i++)
    {
      const DetourMergedGroup *group = build->merge->groups->pdata[i];
      g_auto (GStrv) words = g_strsplit (group->name, " ", 2);

      if (strcmp (words[0], "tenant") != 0)
        continue;
      if (config_load_check_name (build, group, words[1],
                                  _ ("a tenant is called [tenant NAME] with a NAME of letters, "
                                     "digits, \"-\", \"_\" and \".\"")))
        g_ptr_array_add (
            build->config->tenants,
            detour_tenant_group_new (
                words[1], config_load_read_settings (build, group, detour_schema_tenant, NULL)));
    }
}

static void
config_load_read_groups (Build *build)
{
  for (guint i = 0; i < build->merge->groups->len; i++)
    {
      const DetourMergedGroup *group = build->merge->groups->pdata[i];
      g_auto (GStrv) words = g_strsplit (group->name, " ", 2);
      gboolean fixed = FALSE;
      DetourKind kind;

      for (guint j = 0; detour_schema_groups[j].name != NULL; j++)
        fixed = fixed || strcmp (detour_schema_groups[j].name, group->name) == 0;
      if (fixed)
        continue;

      if (strcmp (words[0], "peer") == 0)
        config_load_read_peer (build, group, words[1]);
      else if (strcmp (words[0], "class") == 0)
        config_load_read_class (build, group, words[1]);
      else if (strcmp (words[0], "tenant") == 0)
        continue;
      else if (!detour_kind_from_name (words[0], &kind))
        config_load_refuse_unknown_group (build, group);
      else if (words[1] == NULL)
        config_load_refuse_nameless (build, group, kind);
      else if (config_load_check_name (
                   build, group, words[1],
                   _ ("an instance is called [KIND NAME] with a NAME of letters, digits, "
                      "\"-\", \"_\" and \".\"")))
        config_load_read_instance (build, group, kind, words[1]);
    }
}

/* ---- fixed groups ---------------------------------------------------------------------------- */

/* A name in the chain without a group is the plugin of that name with nothing but its fallbacks. */
static void
config_load_add_instances_of_chain (Build *build, const DetourSettings *settings)
{
  const char *const *chain = detour_settings_list (settings, "chain");
  const char *file;
  guint line;

  if (!detour_settings_origin (settings, "chain", &file, &line))
    return;
  for (; *chain != NULL; chain++)
    {
      g_autofree char *group = g_strconcat ("auth ", *chain, NULL);
      g_autofree char *plugin = g_strconcat ("auth-", *chain, NULL);
      g_auto (GStrv) names = detour_plugins_names (build->plugins, DETOUR_KIND_AUTH);

      if (config_load_name_is_sane (*chain)
          && g_strv_contains ((const char *const *) names, plugin))
        detour_config_merge_group (build->merge, group, file, line);
    }
}

/* Says that [admission] chain is missing, and which plugins it could name. */
static void
config_load_refuse_no_chain (Build *build, const char *file, guint line)
{
  g_auto (GStrv) names = detour_plugins_names (build->plugins, DETOUR_KIND_AUTH);
  g_autoptr (GString) offers = g_string_new (NULL);
  gsize prefix = strlen (detour_kind_names[DETOUR_KIND_AUTH]) + 1;

  for (guint i = 0; names[i] != NULL; i++)
    g_string_append_printf (offers, "\"%s\", ", names[i] + prefix);
  if ((build->flags & DETOUR_CONFIG_LOAD_NO_FILE) != 0)
    detour_config_errors_add (
        build->errors, file, 0, NULL, NULL,
        _ ("there is no such file. It needs at least a line [admission] and a line chain = WORD "
           "that says who may use this relay: %sor \"open\" for everyone. The variable "
           "DETOUR_ADMISSION_CHAIN can say it, too. To try Detour without a file: detourd --dev"),
        offers->str);
  else
    detour_config_errors_add (build->errors, file, line, "admission", "chain",
                              _ ("not set. Say who may use this relay: %sor \"open\" for everyone"),
                              offers->str);
}

static void
config_load_check_admission (Build *build)
{
  DetourSettings *admission = build->config->admission;
  const char *const *chain = build->config->options.admission.chain;
  const char *file = build->merge->main_name;
  guint line = 0;

  if (!detour_settings_origin (admission, "chain", &file, &line) || chain[0] == NULL)
    {
      const DetourMergedGroup *group = detour_config_merge_find (build->merge, "admission");

      /* A value that was refused has an error of its own. */
      if (group == NULL || detour_merged_group_find (group, "chain") == NULL || chain[0] == NULL)
        config_load_refuse_no_chain (build, file, line);
    }
}

/* ---- loading --------------------------------------------------------------------------------- */

DetourConfig *
detour_config_load_merged (DetourConfigMerge *merge, DetourConfigLoadFlags flags,
                           DetourPlugins *plugins, DetourConfigErrors *errors)
{
  g_autoptr (DetourConfig) config = detour_config_new ();
  Build build = { config, merge, plugins, errors, flags };

  config->merge = merge;
  if (merge->is_partial)
    return NULL;

  config->core = config_load_read_fixed (&build, "core", detour_schema_core);
  config->limits = config_load_read_fixed (&build, "limits", detour_schema_limits);
  config->admission = config_load_read_fixed (&build, "admission", detour_schema_admission);
  config->derpmap = config_load_read_fixed (&build, "derpmap", detour_schema_derpmap);
  detour_settings_fill (config->core, &config->options.core);
  detour_settings_fill (config->limits, &config->options.limits);
  detour_settings_fill (config->admission, &config->options.admission);
  detour_settings_fill (config->derpmap, &config->options.derpmap);

  detour_plugins_set_directories (plugins, config->options.core.plugin_path[0] != NULL
                                               ? config->options.core.plugin_path
                                               : NULL);
  config_load_read_tenants (&build);
  config_load_add_instances_of_chain (&build, config->admission);
  for (guint i = 0; i < config->tenants->len; i++)
    config_load_add_instances_of_chain (
        &build, ((const DetourTenantGroup *) config->tenants->pdata[i])->settings);
  config_load_read_groups (&build);
  config_load_check_admission (&build);
  detour_config_set_errors (config, errors);
  if ((flags & DETOUR_CONFIG_LOAD_AGAIN) != 0)
    detour_config_check_forgive (config);
  detour_config_check_chain (config, config->admission);
  detour_config_check (config);
  detour_config_check_listeners (config);
  detour_config_check_tenants (config);
  detour_config_check_peers (config, plugins);
  detour_config_warnings (config);
  detour_config_set_errors (config, NULL);

  return detour_config_errors_count (errors) > 0 ? NULL : g_steal_pointer (&config);
}

DetourConfig *
detour_config_load_text (const char *name, const char *text, gsize len, DetourPlugins *plugins,
                         DetourConfigErrors *errors)
{
  g_autoptr (DetourConfigFile) file = detour_config_file_parse (name, text, len, errors);
  DetourConfigMerge *merge = detour_config_merge_new (NULL, name);

  detour_config_merge_add (merge, file);
  return detour_config_load_merged (merge, 0, plugins, errors);
}

static void
config_load_add_file (DetourConfigMerge *merge, const char *path, DetourConfigErrors *errors)
{
  g_autoptr (DetourConfigFile) file = detour_config_file_load (path, errors);

  detour_config_merge_add (merge, file);
}

static int
config_load_compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
config_load_add_drop_ins (DetourConfigMerge *merge, const char *main_file,
                          DetourConfigErrors *errors)
{
  g_autofree char *beside = g_path_get_dirname (main_file);
  g_autofree char *folder = g_build_filename (beside, "conf.d", NULL);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (name, ".conf") && name[0] != '.')
      g_ptr_array_add (paths, g_build_filename (folder, name, NULL));
  g_ptr_array_sort (paths, config_load_compare_paths);
  for (guint i = 0; i < paths->len; i++)
    config_load_add_file (merge, paths->pdata[i], errors);
}

DetourConfig *
detour_config_load (const DetourConfigSources *sources, DetourPlugins *plugins,
                    DetourConfigErrors *errors)
{
  DetourConfigMerge *merge = detour_config_merge_new (
      sources->vendor_file, sources->main_file != NULL ? sources->main_file : "built-in");
  DetourConfigLoadFlags flags = 0;

  if (sources->vendor_file != NULL)
    config_load_add_file (merge, sources->vendor_file, errors);
  if (sources->built_in != NULL)
    {
      g_autoptr (DetourConfigFile) file = detour_config_file_parse (
          "built-in", sources->built_in, strlen (sources->built_in), errors);

      detour_config_merge_add (merge, file);
    }
  if (sources->main_file != NULL)
    {
      detour_config_errors_add_file (errors, sources->main_file);
      if (sources->main_file_optional && !g_file_test (sources->main_file, G_FILE_TEST_EXISTS))
        flags = DETOUR_CONFIG_LOAD_NO_FILE;
      else
        config_load_add_file (merge, sources->main_file, errors);
      config_load_add_drop_ins (merge, sources->main_file, errors);
    }
  detour_config_environment_add (merge, sources->environment, errors);
  return detour_config_load_merged (merge, flags, plugins, errors);
}
