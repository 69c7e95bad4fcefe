/* detourctl-key-places.c: which files the configuration names as lists of node keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-key-places.h"

#include <string.h>

#include "detour-config-credentials.h"
#include "detour-config-view.h"
#include "detour-paths.h"

#define PLUGIN "auth-keys"
#define SUFFIX ".keys"

static void
ctl_key_places_free (gpointer data)
{
  DetourctlKeyPlace *place = data;

  g_free (place->instance);
  g_free (place->path);
  g_free (place);
}

/* @keys: a(ssssss) as DescribeConfig() gives it: the keys of a group lie together. */
static GPtrArray *
ctl_key_places_read (GVariant *keys)
{
  GPtrArray *places = g_ptr_array_new_with_free_func (ctl_key_places_free);
  g_autofree char *plugin_group = NULL;
  const char *group, *key, *value;
  GVariantIter iter;

  g_variant_iter_init (&iter, keys);
  while (g_variant_iter_next (&iter, "(&s&s&s&s&s&s)", &group, &key, NULL, &value, NULL, NULL))
    {
      gboolean is_directory = strcmp (key, "directory") == 0;
      g_autofree char *path = NULL;
      DetourctlKeyPlace *place;

      if (strcmp (key, "plugin") == 0 && strcmp (value, PLUGIN) == 0)
        {
          g_free (plugin_group);
          plugin_group = g_strdup (group);
        }
      if (g_strcmp0 (plugin_group, group) != 0 || *value == '\0'
          || (!is_directory && strcmp (key, "file") != 0))
        continue;
      /* What it stands for may be known to the daemon alone; then the path is not there. */
      path = g_strdup (value);
      detour_config_credentials_expand (&path, NULL);
      place = g_new0 (DetourctlKeyPlace, 1);
      place->instance = g_strdelimit (g_strdup (group), " ", '/');
      place->path = g_canonicalize_filename (path, NULL);
      place->is_directory = is_directory;
      g_ptr_array_add (places, place);
    }
  return places;
}

static GVariant *
ctl_key_places_ask (Detourctl *self, DetourctlExit *exit)
{
  g_autoptr (GVariant) reply = NULL;

  self->is_quiet = TRUE;
  reply = detourctl_call (self, "", "Manager", "DescribeConfig", NULL, "(a(ssssss))", exit);
  self->is_quiet = FALSE;
  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

/* a(ssssss) of the files. */
static GVariant *
ctl_key_places_load (const char *config_file, gboolean is_needed, DetourctlExit *exit)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autofree char *directory = detour_paths_plugins ();
  const char *directories[] = { directory, NULL };
  g_autofree char *vendor = detour_paths_vendor_file ();
  g_autofree char *file = config_file != NULL ? g_canonicalize_filename (config_file, NULL)
                                              : detour_paths_main_file ();
  g_auto (GStrv) environment = g_get_environ ();
  DetourPlugins *plugins = detour_plugins_new (directories);
  const DetourConfigSources sources = { .vendor_file = vendor,
                                        .main_file = file,
                                        .main_file_optional = config_file == NULL,
                                        .environment = (const char *const *) environment };
  g_autoptr (DetourConfig) config = detour_config_load (&sources, plugins, errors);
  GVariant *keys = NULL;

  if (config != NULL)
    keys = g_variant_ref_sink (detour_config_view_describe (config, NULL));
  else if (is_needed)
    {
      g_auto (GStrv) lines = detour_config_errors_lines (errors);

      for (guint i = 0; lines[i] != NULL; i++)
        g_printerr ("%s\n", lines[i]);
      *exit = DETOURCTL_FAILED;
    }
  detour_plugins_free (plugins);
  return keys;
}

GPtrArray *
detourctl_key_places_find (Detourctl *self, const char *config, gboolean is_needed,
                           DetourctlExit *exit)
{
  g_autoptr (GVariant) keys = NULL;

  *exit = DETOURCTL_NO_DAEMON;
  if (config == NULL)
    keys = ctl_key_places_ask (self, exit);
  if (keys == NULL && *exit == DETOURCTL_NO_DAEMON)
    keys = ctl_key_places_load (config, is_needed, exit);
  if (keys == NULL && !is_needed && *exit == DETOURCTL_NO_DAEMON)
    keys = g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE ("(ssssss)"), NULL, 0));
  return keys != NULL ? ctl_key_places_read (keys) : NULL;
}

static gboolean
ctl_key_places_is_list (const char *name)
{
  return *name != '.' && g_str_has_suffix (name, SUFFIX);
}

const DetourctlKeyPlace *
detourctl_key_places_of_file (const GPtrArray *places, const char *path)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);

  for (guint i = 0; i < places->len; i++)
    {
      const DetourctlKeyPlace *place = places->pdata[i];

      if (place->is_directory
              ? strcmp (place->path, directory) == 0 && ctl_key_places_is_list (name)
              : strcmp (place->path, path) == 0)
        return place;
    }
  return NULL;
}

static int
ctl_key_places_compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *
detourctl_key_places_files (const DetourctlKeyPlace *place)
{
  GPtrArray *files = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) directory = NULL;
  const char *name;

  if (!place->is_directory)
    {
      g_ptr_array_add (files, g_strdup (place->path));
      return files;
    }
  directory = g_dir_open (place->path, 0, NULL);
  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL)
    if (ctl_key_places_is_list (name))
      g_ptr_array_add (files, g_build_filename (place->path, name, NULL));
  g_ptr_array_sort (files, ctl_key_places_compare);
  return files;
}

GPtrArray *
detourctl_key_places_all_files (const GPtrArray *places)
{
  GPtrArray *all = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < places->len; i++)
    {
      g_autoptr (GPtrArray) files = detourctl_key_places_files (places->pdata[i]);

      for (guint k = 0; k < files->len; k++)
        if (!g_ptr_array_find_with_equal_func (all, files->pdata[k], g_str_equal, NULL))
          g_ptr_array_add (all, g_strdup (files->pdata[k]));
    }
  return all;
}
