/* detour-installed.c: which version is installed where the running program was started.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-installed.h"

#include <string.h>

#include "detour-file.h"

/* A program with all that helps to debug it is a tenth of that. */
#define PROGRAM_MAX ((gsize) 256 << 20)

#define VERSION_MAX 64u

/* Every program has this once, and is looked through for it: to start it for an answer would take
 * longer than an operator's question may. */
#define MARK "the version of this detourd is "
__attribute__ ((used)) static const char installed_mark[] = MARK DETOUR_VERSION;

void
detour_installed_clear (DetourInstalled *self)
{
  g_free (self->version);
  *self = (DetourInstalled) { .version = NULL };
}

static gboolean
installed_is_same (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size
      && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
      && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static gboolean
installed_is_of_version (char c)
{
  return g_ascii_isalnum (c) || strchr (".+-~_", c) != NULL;
}

/* @text ends with a NUL byte. NULL: what is there is no version. */
static char *
installed_dup_version (const char *text)
{
  gsize n = 0;

  while (n <= VERSION_MAX && text[n] != '\0' && installed_is_of_version (text[n]))
    n++;
  return n > 0 && n <= VERSION_MAX && text[n] == '\0' ? g_strndup (text, n) : NULL;
}

static char *
installed_read (const char *path)
{
  g_auto (DetourFile) file = { NULL };
  const char *at, *end;
  char *version = NULL;

  if (!detour_file_read (path, PROGRAM_MAX, 0, &file, NULL))
    return NULL;
  at = file.data;
  end = file.data + file.len;
  while (version == NULL
         && (at = memmem (at, (gsize) (end - at), installed_mark, strlen (MARK))) != NULL)
    {
      at += strlen (MARK);
      version = installed_dup_version (at);
    }
  return version;
}

const char *
detour_installed_version (DetourInstalled *self, const char *path)
{
  struct stat now;

  if (stat (path, &now) < 0)
    {
      detour_installed_clear (self);
      return NULL;
    }
  if (self->file.st_ino == 0 || !installed_is_same (&self->file, &now))
    {
      g_free (self->version);
      self->version = installed_read (path);
      self->file = now;
    }
  return self->version;
}
