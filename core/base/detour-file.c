/* detour-file.c: reads a whole file that must not be able to stop or fill the process.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What is read at first of a file that does not say how long it is, as those in /proc. */
#define FIRST_READ 4096u

static gboolean file_refuse (GError **error, GFileError code, const char *path, const char *format,
                             ...) G_GNUC_PRINTF (4, 5);

static gboolean
file_refuse (GError **error, GFileError code, const char *path, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list args;

  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, G_FILE_ERROR, (int) code, "%s: %s", path, what);
  return FALSE;
}

/* An empty file for whoever masks one with a link to it, as is done in `conf.d` folders. */
static gboolean
file_is_dev_null (const struct stat *st)
{
  return S_ISCHR (st->st_mode) && st->st_rdev == makedev (1, 3);
}

static gboolean
file_refuse_kind (const char *path, const struct stat *st, GError **error)
{
  const char *found = S_ISDIR (st->st_mode)  ? _ ("a directory")
                    : S_ISFIFO (st->st_mode) ? _ ("a named pipe")
                    : S_ISSOCK (st->st_mode) ? _ ("a socket")
                                             : _ ("a device");

  return file_refuse (error, S_ISDIR (st->st_mode) ? G_FILE_ERROR_ISDIR : G_FILE_ERROR_INVAL, path,
                      _ ("cannot be read: it is %s; expected a regular file"), found);
}

static gboolean
file_refuse_open (const char *path, int number, GError **error)
{
  GFileError code = g_file_error_from_errno (number);
  struct stat st;

  if (stat (path, &st) == 0 && !S_ISREG (st.st_mode) && !file_is_dev_null (&st))
    return file_refuse_kind (path, &st, error);
  if (number == EACCES && stat (path, &st) == 0)
    return file_refuse (
        error, code, path,
        _ ("cannot be read: %s; this process has user %u, the file belongs to user %u, group %u, "
           "and has mode %04o"),
        g_strerror (number), (guint) geteuid (), (guint) st.st_uid, (guint) st.st_gid,
        (guint) st.st_mode & 07777);
  return file_refuse (error, code, path, _ ("cannot be read: %s"), g_strerror (number));
}

static gboolean
file_check_access (const char *path, const struct stat *st, DetourFileFlags flags, GError **error)
{
  guint mode = (guint) st->st_mode & 07777;

  if ((flags & DETOUR_FILE_PRIVATE) != 0 && (mode & S_IRWXO) != 0)
    return file_refuse (error, G_FILE_ERROR_PERM, path,
                        _ ("mode %04o lets everyone on this host use it; run: chmod o= %s"), mode,
                        path);
  if ((flags & DETOUR_FILE_PROTECTED) != 0 && (mode & (S_IWGRP | S_IWOTH)) != 0)
    return file_refuse (error, G_FILE_ERROR_PERM, path,
                        _ ("mode %04o lets others write it; run: chmod go-w %s"), mode, path);
  if ((flags & DETOUR_FILE_OWNED) != 0 && st->st_uid != 0 && st->st_uid != geteuid ())
    return file_refuse (error, G_FILE_ERROR_PERM, path,
                        _ ("it belongs to user %u, who can change it; expected root or user %u, as "
                           "whom this process runs"),
                        (guint) st->st_uid, (guint) geteuid ());
  return TRUE;
}

static void
file_wipe (gpointer data, gsize len)
{
  if (len > 0)
    sodium_memzero (data, len);
}

/* No copy is left in memory that was given back. */
static void
file_grow (DetourFile *self, gsize *cap, gsize wanted)
{
  char *data = g_malloc (wanted + 1);

  if (self->len > 0)
    memcpy (data, self->data, self->len);
  file_wipe (self->data, self->len);
  g_free (self->data);
  self->data = data;
  *cap = wanted;
}

static gboolean
file_read_all (int fd, const char *path, gsize max, gboolean head, DetourFile *self, GError **error)
{
  gsize cap = 0;
  gssize n = 1;

  file_grow (self, &cap, MIN (max, MAX ((gsize) self->size, FIRST_READ)) + 1);
  /* One byte more than allowed, so that a file that grew meanwhile is seen as too long. */
  while (n != 0 && self->len <= max)
    {
      if (self->len == cap)
        file_grow (self, &cap, MIN (max + 1, cap * 2));
      n = read (fd, self->data + self->len, cap - self->len);
      if (n < 0 && errno != EINTR)
        return file_refuse (error, g_file_error_from_errno (errno), path, _ ("cannot be read: %s"),
                            g_strerror (errno));
      self->len += n > 0 ? (gsize) n : 0;
    }
  if (self->len > max && !head)
    return file_refuse (error, G_FILE_ERROR_FAILED, path,
                        _ ("longer than %llu bytes, which is the most that is read"),
                        (unsigned long long) max);
  self->len = MIN (self->len, max);
  self->data[self->len] = '\0';
  return TRUE;
}

static gboolean
file_read_open (int fd, const char *path, gsize max, DetourFileFlags flags, DetourFile *self,
                GError **error)
{
  gboolean head = (flags & DETOUR_FILE_HEAD) != 0;
  struct stat st;

  if (fstat (fd, &st) < 0)
    return file_refuse (error, g_file_error_from_errno (errno), path, _ ("cannot be read: %s"),
                        g_strerror (errno));
  if (!S_ISREG (st.st_mode) && !file_is_dev_null (&st))
    return file_refuse_kind (path, &st, error);
  if (!file_check_access (path, &st, flags, error))
    return FALSE;
  if ((guint64) st.st_size > max && !head)
    return file_refuse (error, G_FILE_ERROR_FAILED, path,
                        _ ("%llu bytes long; at most %llu are read"),
                        (unsigned long long) st.st_size, (unsigned long long) max);
  self->size = (guint64) st.st_size;
  self->mode = (guint) st.st_mode & 07777;
  self->owner = st.st_uid;
  return file_read_all (fd, path, max, head, self, error);
}

gboolean
detour_file_read (const char *path, gsize max, DetourFileFlags flags, DetourFile *out,
                  GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  gboolean good;

  memset (out, 0, sizeof *out);
  if (fd < 0)
    return file_refuse_open (path, errno, error);
  good = file_read_open (fd, path, max, flags, out, error);
  close (fd);
  if (!good)
    detour_file_clear (out);
  return good;
}

void
detour_file_clear (DetourFile *self)
{
  file_wipe (self->data, self->len);
  g_free (self->data);
  memset (self, 0, sizeof *self);
}
