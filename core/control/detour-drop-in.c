/* detour-drop-in.c: keeps in a file of conf.d which instances are switched on or off.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-drop-in.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-config-file.h"
#include "detour-file.h"

#define MARK "# Written by \"detourctl plugins\"; removed or changed by it as well.\n"

static char *
drop_in_dup_path (const char *main_file, const char *id)
{
  g_autofree char *directory = g_path_get_dirname (main_file);
  g_autofree char *name = g_strconcat ("90-", id, ".conf", NULL);

  return g_build_filename (directory, "conf.d", g_strdelimit (name, "/", '-'), NULL);
}

static gboolean
drop_in_refuse (GError **error, const char *path, int number)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (number), "%s: %s", path,
               g_strerror (number));
  return FALSE;
}

/* FALSE with @error when the file that is there was not written by the daemon. */
static gboolean
drop_in_is_ours_or_absent (const char *path, gboolean *exists, GError **error)
{
  g_auto (DetourFile) file;
  g_autoptr (GError) local = NULL;

  *exists = detour_file_read (path, DETOUR_CONFIG_FILE_MAX, 0, &file, &local);
  if (*exists && !g_str_has_prefix (file.data, MARK))
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
                   "%s is there already and was not written by detourctl", path);
      return FALSE;
    }
  if (!*exists && !g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return TRUE;
}

/* Whether the configuration already says what is wanted. Errors elsewhere in the files do not
 * matter. */
static gboolean
drop_in_files_agree (const DetourConfigSources *sources, DetourPlugins *plugins, const char *id,
                     gboolean enabled, gboolean when_wrong)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourPlugins) fork = detour_plugins_fork (plugins);
  g_autoptr (DetourConfig) config = detour_config_load (sources, fork, errors);
  const DetourConfigInstance *instance = config != NULL ? detour_config_find (config, id) : NULL;

  return instance != NULL ? instance->enabled == enabled : when_wrong;
}

static gboolean
drop_in_write_file (const char *path, const char *id, gboolean enabled, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *group = g_strdelimit (g_strdup (id), "/", ' ');
  g_autofree char *text = g_strdup_printf (MARK "[%s]\nenabled = %s\n", group,
                                           enabled ? "true" : "false");

  if (g_mkdir_with_parents (directory, 0755) < 0)
    return drop_in_refuse (error, directory, errno);
  if (!g_file_set_contents_full (path, text, -1,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644,
                                 error))
    return FALSE;
  /* As an operator's own file, whatever the mask of the process: another user may run it next. */
  return chmod (path, 0644) == 0 || drop_in_refuse (error, path, errno);
}

gboolean
detour_drop_in_write (const DetourConfigSources *sources, DetourPlugins *plugins, const char *id,
                      gboolean enabled, GError **error)
{
  g_autofree char *path = NULL;
  gboolean exists;

  if (sources->main_file == NULL)
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                   "the daemon runs without a configuration file, so there is "
                   "no conf.d beside it");
      return FALSE;
    }
  path = drop_in_dup_path (sources->main_file, id);
  if (!drop_in_is_ours_or_absent (path, &exists, error))
    return FALSE;

  /* If the configuration says so without our file, the file is removed. */
  if (exists && unlink (path) < 0)
    return drop_in_refuse (error, path, errno);
  if (drop_in_files_agree (sources, plugins, id, enabled, FALSE))
    return TRUE;
  if (!drop_in_write_file (path, id, enabled, error))
    return FALSE;
  if (drop_in_files_agree (sources, plugins, id, enabled, TRUE))
    return TRUE;
  if (unlink (path) < 0)
    return drop_in_refuse (error, path, errno);
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
               "a file that is read after %s says otherwise", path);
  return FALSE;
}
