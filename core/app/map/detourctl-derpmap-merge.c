/* detourctl-derpmap-merge.c: the command that makes one DERP map of several.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-derpmap.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "detour-file-write.h"
#include "detour-file.h"
#include "detourctl-region.h"

char *detourctl_derpmap_format, *detourctl_derpmap_output;

static const GOptionEntry options[] = {
  DETOURCTL_DERPMAP_OPTIONS,
  { NULL },
};

gboolean
detourctl_derpmap_read_format (const char *name, DetourctlRegionFormat *out)
{
  if (name == NULL || detourctl_region_format_from_name (name, out))
    return TRUE;
  detourctl_complain (_ ("--format=%s: write tailscale, headscale or json"), name);
  return FALSE;
}

gboolean
detourctl_derpmap_has (const char *path, const char *text)
{
  g_auto (DetourFile) file = { 0 };

  return detour_file_read (path, DETOURCTL_DOCUMENT_BYTES_MAX, 0, &file, NULL)
      && file.len == strlen (text) && memcmp (file.data, text, file.len) == 0;
}

gboolean
detourctl_derpmap_write (const char *path, const char *text)
{
  g_autoptr (GError) error = NULL;

  if (path == NULL)
    g_print ("%s", text);
  if (path == NULL || detourctl_derpmap_has (path, text)
      || detour_file_write (path, text, strlen (text), 0644, &error))
    return TRUE;
  detourctl_complain ("%s", error->message);
  return FALSE;
}

/* Not every file system over a network has such locks. */
static gboolean
ctl_derpmap_merge_has_locks (int number)
{
  return number != EBADF && number != EINVAL && number != ENOLCK && number != EOPNOTSUPP;
}

int
detourctl_derpmap_lock (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  int lock = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int result = -1;

  if (lock >= 0)
    result = flock (lock, LOCK_EX | LOCK_NB);
  if (lock >= 0 && result != 0 && errno == EWOULDBLOCK)
    {
      detourctl_complain (_ ("%s: waiting for another command that writes there"), folder);
      do
        result = flock (lock, LOCK_EX);
      while (result != 0 && errno == EINTR);
    }
  if (result == 0 || (lock >= 0 && !ctl_derpmap_merge_has_locks (errno)))
    return lock;
  detourctl_complain ("%s: %s", path, g_strerror (errno));
  if (lock >= 0)
    close (lock);
  return -1;
}

gboolean
detourctl_derpmap_lock_output (int *lock)
{
  *lock = detourctl_derpmap_output != NULL ? detourctl_derpmap_lock (detourctl_derpmap_output) : -1;
  return detourctl_derpmap_output == NULL || *lock >= 0;
}

gboolean
detourctl_derpmap_read_options (DetourctlRegionFormat *form)
{
  *form = DETOURCTL_REGION_JSON;
  return detourctl_derpmap_read_format (detourctl_derpmap_format, form);
}

DetourctlExit
detourctl_derpmap_put (DetourctlMap *map, DetourctlRegionFormat form)
{
  const char *path = detourctl_derpmap_output;
  g_autofree char *text = detourctl_map_format (map, form);
  g_autofree char *size = detourctl_derpmap_describe (map);
  gboolean has_it = path != NULL && detourctl_derpmap_has (path, text);

  if (!has_it && !detourctl_derpmap_write (path, text))
    return DETOURCTL_FAILED;
  if (has_it)
    /* TRANSLATORS: a file; "2 regions, 3 nodes". */
    g_print (_ ("%s: has this map already: %s\n"), path, size);
  else if (path != NULL)
    /* TRANSLATORS: a file; "2 regions, 3 nodes". */
    g_print (_ ("%s: written: %s\n"), path, size);
  return DETOURCTL_GOOD;
}

static DetourctlExit
ctl_derpmap_merge_make (const Detourctl *self, char **arguments, DetourctlRegionFormat form)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GPtrArray) maps = detourctl_derpmap_load (self, arguments, &exit);
  g_autoptr (DetourctlMap) sum = detourctl_map_new ();

  if (maps == NULL)
    return exit;
  for (guint i = 0; i < maps->len; i++)
    {
      detourctl_derpmap_print_findings (arguments[i], maps->pdata[i]);
      if (detourctl_map_count (maps->pdata[i], TRUE) > 0)
        exit = DETOURCTL_FAILED;
      detourctl_map_merge (sum, maps->pdata[i]);
    }
  if (exit != DETOURCTL_GOOD)
    {
      detourctl_complain (_ ("nothing is written while there are errors"));
      return exit;
    }
  return detourctl_derpmap_put (sum, form);
}

static DetourctlExit
ctl_derpmap_merge_run (Detourctl *self, char **arguments)
{
  DetourctlRegionFormat form;
  DetourctlExit exit;
  int lock;

  if (!detourctl_derpmap_read_options (&form))
    return DETOURCTL_USAGE;
  if (!detourctl_derpmap_lock_output (&lock))
    return DETOURCTL_FAILED;
  exit = ctl_derpmap_merge_make (self, arguments, form);
  if (lock >= 0)
    close (lock);
  return exit;
}

const DetourctlCommand detourctl_derpmap_merge_commands[] = {
  { .name = "derpmap merge",
    .arguments = N_ ("FILE|URL…"),
    .summary = N_ ("Make one DERP map of several"),
    .details = N_ ("A region takes the place of an earlier one with its number. Nothing is written "
                   "while one of the maps\nhas an error. No daemon is needed."),
    .options = options,
    .run = ctl_derpmap_merge_run,
    .n_min = 1,
    .n_max = G_MAXUINT },
  { NULL },
};
