/* detourctl-setup-file.c: writes the files of a first configuration, and keeps what was there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-setup.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-file.h"

#define SAMPLE_MAX (64 * 1024) /* bytes; a longer file says something */

gboolean
detourctl_setup_says_nothing (const char *path)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  DetourFile file;

  if (!detour_file_read (path, SAMPLE_MAX, 0, &file, NULL))
    return FALSE;
  text = g_strndup (file.data, file.len);
  detour_file_clear (&file);
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      const char *line = g_strchug (lines[i]);

      if (*line != '\0' && *line != '#')
        return FALSE;
    }
  return TRUE;
}

gboolean
detourctl_setup_make_way (const char *path, char **kept)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *stamp = g_date_time_format (now, "%Y%m%d-%H%M%S");

  *kept = NULL;
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  for (guint n = 0; *kept == NULL; n++)
    {
      g_autofree char *name = n == 0 ? g_strdup_printf ("%s.%s.bak", path, stamp)
                                     : g_strdup_printf ("%s.%s.%u.bak", path, stamp, n);

      /* A hard link never replaces a file, and leaves the old one in its place until the new one is
       * complete. */
      if (link (path, name) == 0)
        *kept = g_steal_pointer (&name);
      else if (errno != EEXIST)
        {
          detourctl_complain (_ ("%s cannot be kept as %s: %s"), path, name, g_strerror (errno));
          return FALSE;
        }
    }
  return TRUE;
}

gboolean
detourctl_setup_write_file (const char *path, const char *text)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;
  /* An administrator's mask may close new files to the daemon's user, who has to read this one. */
  mode_t mask = umask (022);
  gboolean is_written;

  if (g_mkdir_with_parents (folder, 0755) < 0)
    {
      detourctl_complain (_ ("%s cannot be made: %s"), folder, g_strerror (errno));
      umask (mask);
      return FALSE;
    }
  /* There is no secret in it. */
  is_written = g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644,
                                         &error);
  umask (mask);
  if (is_written)
    return TRUE;
  detourctl_complain ("%s", error->message);
  if (g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_ACCES)
      || g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_PERM))
    g_printerr (_ ("Try it with sudo, or write another file with --output\n"));
  return FALSE;
}

gboolean
detourctl_setup_write_keys (const DetourctlSetup *setup)
{
  const char *text;

  if (setup->admission != DETOURCTL_SETUP_KEYS
      || g_file_test (setup->keys_file, G_FILE_TEST_EXISTS))
    return TRUE;
  text = "# Node keys that may use the relay, one a line, as \"tailscale status --json\" shows "
         "them:\n"
         "# nodekey:3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29 laptop\n";
  return detourctl_setup_write_file (setup->keys_file, text);
}
