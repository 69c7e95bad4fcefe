/* detour-memory.c: how much memory the process may have, and what it gives back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-memory.h"

#include <malloc.h>
#include <string.h>
#include <unistd.h>

#include "detour-file.h"

#define SHARE_PART  8
#define SHARE_LEAST (G_GUINT64_CONSTANT (64) << 20)
/* SHARE_LEAST is never more than this part of the memory. */
#define SHARE_LEAST_PART 4

#define TABLE_MAX ((gsize) 1 << 20)
#define VALUE_MAX ((gsize) 64)

/* A hierarchy of control groups, as it is mounted here. */
typedef struct {
  char *root;  /* the group that the mount shows as its root */
  char *point; /* where it is mounted */
} Mount;

static void
memory_clear_mount (Mount *self)
{
  g_free (self->root);
  g_free (self->point);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Mount, memory_clear_mount)

static char *
memory_read_text (const char *path, gsize max)
{
  g_auto (DetourFile) file = { NULL };

  if (!detour_file_read (path, max, (DetourFileFlags) 0, &file, NULL))
    return NULL;
  return g_strdup (file.data);
}

static gboolean
memory_has_word (const char *list, const char *word)
{
  g_auto (GStrv) words = g_strsplit (list, ",", -1);

  return g_strv_contains ((const char *const *) words, word);
}

/* G_MAXUINT64: none, or "max". */
static guint64
memory_read_limit (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *text = memory_read_text (path, VALUE_MAX);
  guint64 value;

  if (text == NULL)
    return G_MAXUINT64;
  return g_ascii_string_to_unsigned (g_strstrip (text), 10, 0, G_MAXUINT64, &value, NULL)
           ? value
           : G_MAXUINT64;
}

/* A line is: id, parent, device, root, mount point, options, some more, "-", type, source, options
 * of the type. */
static gboolean
memory_parse_mount (const char *line, gboolean is_v2, Mount *out)
{
  const char *end = strstr (line, " - ");
  g_auto (GStrv) fields = NULL;
  g_auto (GStrv) type = NULL;

  if (end == NULL)
    return FALSE;
  fields = g_strsplit (line, " ", 6);
  type = g_strsplit (end + strlen (" - "), " ", 3);
  if (g_strv_length (fields) < 6 || g_strv_length (type) < 3
      || strcmp (type[0], is_v2 ? "cgroup2" : "cgroup") != 0
      || (!is_v2 && !memory_has_word (type[2], "memory")))
    return FALSE;
  /* Blanks and the like are written as octal numbers. */
  out->root = g_strcompress (fields[3]);
  out->point = g_strcompress (fields[4]);
  return TRUE;
}

static gboolean
memory_find_mount (const char *mounts, gboolean is_v2, Mount *out)
{
  g_auto (GStrv) lines = g_strsplit (mounts, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    if (memory_parse_mount (lines[i], is_v2, out))
      return TRUE;
  return FALSE;
}

/* The group below the mount point; what the mount does not show is left out. */
static const char *
memory_group_below (const Mount *mount, const char *group)
{
  gsize len = strcmp (mount->root, "/") == 0 ? 0 : strlen (mount->root);

  if (strncmp (group, mount->root, len) != 0 || (group[len] != '/' && group[len] != '\0'))
    return "";
  return group + len;
}

static guint64
memory_lower_limit (guint64 limit, const char *folder, const char *name)
{
  guint64 found = memory_read_limit (folder, name);

  return MIN (limit, found);
}

/* Limits hold for everything below, so those of all groups above count, too. */
static guint64
memory_limit_upwards (const Mount *mount, const char *group, gboolean is_v2)
{
  g_autofree char *folder = g_build_filename (mount->point, memory_group_below (mount, group),
                                              NULL);
  guint64 limit = G_MAXUINT64;

  while (strlen (folder) >= strlen (mount->point))
    {
      char *parent;

      if (is_v2)
        {
          limit = memory_lower_limit (limit, folder, "memory.max");
          limit = memory_lower_limit (limit, folder, "memory.high");
        }
      else
        limit = memory_lower_limit (limit, folder, "memory.limit_in_bytes");
      parent = g_path_get_dirname (folder);
      if (strcmp (parent, folder) == 0)
        {
          g_free (parent);
          break;
        }
      g_free (folder);
      folder = parent;
    }
  return limit;
}

/* A line is: number, controllers, group. Version 2 has no controllers here. */
static guint64
memory_limit_of_line (const char *line, const char *mounts)
{
  g_auto (GStrv) fields = g_strsplit (line, ":", 3);
  g_auto (Mount) mount = { NULL };
  gboolean is_v2;

  if (g_strv_length (fields) < 3)
    return G_MAXUINT64;
  is_v2 = *fields[1] == '\0';
  if ((!is_v2 && !memory_has_word (fields[1], "memory"))
      || !memory_find_mount (mounts, is_v2, &mount))
    return G_MAXUINT64;
  return memory_limit_upwards (&mount, fields[2], is_v2);
}

guint64
detour_memory_group_limit (const char *cgroup, const char *mountinfo)
{
  g_autofree char *groups = memory_read_text (cgroup, TABLE_MAX);
  g_autofree char *mounts = memory_read_text (mountinfo, TABLE_MAX);
  g_auto (GStrv) lines = NULL;
  guint64 limit = G_MAXUINT64;

  if (groups == NULL || mounts == NULL)
    return limit;
  lines = g_strsplit (groups, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      guint64 found = memory_limit_of_line (lines[i], mounts);

      limit = MIN (limit, found);
    }
  return limit;
}

guint64
detour_memory_share (void)
{
  glong n_pages = sysconf (_SC_PHYS_PAGES), page_size = sysconf (_SC_PAGESIZE);
  guint64 usable = detour_memory_group_limit ("/proc/self/cgroup", "/proc/self/mountinfo");

  if (n_pages > 0 && page_size > 0)
    usable = MIN (usable, (guint64) n_pages * (guint64) page_size);
  return MAX (usable / SHARE_PART, MIN (SHARE_LEAST, usable / SHARE_LEAST_PART));
}

void
detour_memory_trim (void)
{
#ifdef __GLIBC__
  malloc_trim (0);
#endif
}
