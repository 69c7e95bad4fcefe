/* detour-file-write.c: puts a file in the place of another, so that a crash leaves one of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-file-write.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Links that are followed; the kernel follows no more either. */
#define LINKS_MAX 40

static gboolean
file_write_fail (GError **error, const char *path, int number)
{
  g_set_error (error, G_FILE_ERROR, (int) g_file_error_from_errno (number), "%s: %s", path,
               g_strerror (number));
  return FALSE;
}

/* Where a link at @path leads in the end, whether a file is there or not. */
static char *
file_write_resolve (const char *path)
{
  g_autofree char *at = g_strdup (path);

  for (int i = 0; i < LINKS_MAX; i++)
    {
      g_autofree char *target = g_file_read_link (at, NULL);
      g_autofree char *folder = NULL;

      if (target == NULL)
        break;
      folder = g_path_get_dirname (at);
      g_free (at);
      at = g_canonicalize_filename (target, folder);
    }
  return g_steal_pointer (&at);
}

gboolean
detour_file_write_bytes (int fd, const char *data, gsize len)
{
  while (len > 0)
    {
      gssize n = write (fd, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

/* As the file that is replaced has it; a new one has @mode, whatever the mask of the process. */
static gboolean
file_write_set_access (int fd, const char *path, guint mode)
{
  struct stat st;

  if (stat (path, &st) < 0)
    return errno == ENOENT && fchmod (fd, (mode_t) mode) == 0;
  if ((st.st_uid != geteuid () || st.st_gid != getegid ()) && fchown (fd, st.st_uid, st.st_gid) < 0)
    return FALSE;
  return fchmod (fd, st.st_mode & 07777) == 0;
}

/* A rename is on the disk when its folder is. Some file systems know no such thing. */
static void
file_write_sync_folder (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    return;
  fsync (fd);
  close (fd);
}

gboolean
detour_file_write (const char *path, gconstpointer data, gsize len, guint mode, GError **error)
{
  g_autofree char *target = file_write_resolve (path);
  g_autofree char *folder = g_path_get_dirname (target);
  g_autofree char *name = g_path_get_basename (target);
  /* The dot keeps it out of directories of which all files are read. */
  g_autofree char *temporary = g_strdup_printf ("%s/.%s.XXXXXX", folder, name);
  int fd = g_mkstemp_full (temporary, O_WRONLY | O_CLOEXEC, 0600);
  int number = 0;

  if (fd < 0)
    return file_write_fail (error, path, errno);
  if (!file_write_set_access (fd, target, mode) || !detour_file_write_bytes (fd, data, len)
      || fsync (fd) < 0)
    number = errno;
  if (close (fd) < 0 && number == 0)
    number = errno;
  if (number == 0 && g_rename (temporary, target) < 0)
    number = errno;
  if (number != 0)
    {
      g_unlink (temporary);
      return file_write_fail (error, path, number);
    }
  file_write_sync_folder (target);
  return TRUE;
}

char *
detour_file_set_aside (const char *path, GError **error)
{
  char *aside = g_strconcat (path, ".broken", NULL);

  if (g_rename (path, aside) == 0)
    return aside;
  file_write_fail (error, path, errno);
  g_free (aside);
  return NULL;
}
