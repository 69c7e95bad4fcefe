/* web-files.c: certificates and keys of files, read once by the rules of the project, for libcurl,
 * which wants to open files by itself.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libcurl with GnuTLS takes no bytes of memory, only a path, which it opens for each connection. So
 * that neither a named pipe nor a half-written file comes in its way, it gets the path of a memory
 * file with what was read and checked. */
#include "config.h"

#include "web-files.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* All CAs of a system have some 220 KB. */
#define FILE_MAX_BYTES (4u << 20)

#define SECRET (DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED)

typedef struct {
  int fd;       /* -1: there is no such file */
  char *path;   /* of the memory file */
  char *digest; /* of what is in it */
} MemoryFile;

typedef enum {
  WEB_CA,
  WEB_CLIENT_CERT,
  WEB_CLIENT_KEY,
  WEB_N_FILES,
} WebFile;

struct _WebFiles {
  guint n_refs;
  char *ca_name;
  MemoryFile files[WEB_N_FILES];
};

static const char *const keys[WEB_N_FILES] = { "ca-file", "client-cert-file", "client-key-file" };

static gboolean
web_files_write (MemoryFile *file, const DetourFile *from, GError **error)
{
  gsize done = 0;

  file->fd = memfd_create ("detour-web", MFD_CLOEXEC);
  while (file->fd >= 0 && done < from->len)
    {
      ssize_t n = write (file->fd, from->data + done, from->len - done);

      if (n < 0 && errno != EINTR)
        break;
      done += n > 0 ? (gsize) n : 0;
    }
  if (file->fd < 0 || done < from->len)
    {
      int number = errno;

      g_set_error (error, G_FILE_ERROR, (int) g_file_error_from_errno (number),
                   "cannot make a memory file: %s", g_strerror (number));
      return FALSE;
    }
  file->path = g_strdup_printf ("/proc/self/fd/%d", file->fd);
  file->digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) from->data,
                                              from->len);
  return TRUE;
}

static gboolean
web_files_read (MemoryFile *file, const char *path, DetourFileFlags flags, GError **error)
{
  g_auto (DetourFile) from = { 0 };

  if (path == NULL)
    return TRUE;
  if (!detour_file_read (path, FILE_MAX_BYTES, flags, &from, error))
    return FALSE;
  if (strstr (from.data, "-----BEGIN ") == NULL)
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                   "%s: nothing in it is in PEM; expected a line that begins with \"-----BEGIN\"",
                   path);
      return FALSE;
    }
  return web_files_write (file, &from, error);
}

WebFiles *
web_files_new (const WebFileNames *names, const char **key, GError **error)
{
  g_autoptr (WebFiles) self = g_new0 (WebFiles, 1);
  const char *paths[WEB_N_FILES] = { names->ca_file, names->client_cert_file,
                                     names->client_key_file };
  /* A certificate may have its key in the same file. */
  gboolean is_pair = names->client_cert_file != NULL && names->client_key_file == NULL;
  const DetourFileFlags flags[WEB_N_FILES] = { DETOUR_FILE_PROTECTED, is_pair ? SECRET : 0,
                                               SECRET };

  self->n_refs = 1;
  self->ca_name = g_strdup (names->ca_file);
  for (guint i = 0; i < WEB_N_FILES; i++)
    self->files[i].fd = -1;
  for (guint i = 0; i < WEB_N_FILES; i++)
    if (!web_files_read (&self->files[i], paths[i], flags[i], error))
      {
        if (key != NULL)
          *key = keys[i];
        return NULL;
      }
  return g_steal_pointer (&self);
}

WebFiles *
web_files_ref (WebFiles *self)
{
  self->n_refs++;
  return self;
}

void
web_files_unref (WebFiles *self)
{
  if (--self->n_refs > 0)
    return;
  for (guint i = 0; i < WEB_N_FILES; i++)
    {
      if (self->files[i].fd >= 0)
        close (self->files[i].fd);
      g_free (self->files[i].path);
      g_free (self->files[i].digest);
    }
  g_free (self->ca_name);
  g_free (self);
}

gboolean
web_files_equal (const WebFiles *a, const WebFiles *b)
{
  for (guint i = 0; i < WEB_N_FILES; i++)
    if (g_strcmp0 (a->files[i].digest, b->files[i].digest) != 0)
      return FALSE;
  return TRUE;
}

const char *
web_files_ca (const WebFiles *self)
{
  return self->files[WEB_CA].path;
}

const char *
web_files_client_cert (const WebFiles *self)
{
  return self->files[WEB_CLIENT_CERT].path;
}

const char *
web_files_client_key (const WebFiles *self)
{
  return self->files[WEB_CLIENT_KEY].path != NULL ? self->files[WEB_CLIENT_KEY].path
                                                  : self->files[WEB_CLIENT_CERT].path;
}

const char *
web_files_ca_name (const WebFiles *self)
{
  return self->ca_name;
}
