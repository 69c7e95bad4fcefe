/* detour-descriptors.c: descriptors of the process: how many are left, a few that are kept, and
 * whether another program gets one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct _DetourDescriptors {
  guint n, size;
  int fds[];
};

DetourDescriptors *
detour_descriptors_new (guint n)
{
  DetourDescriptors *self = g_malloc (sizeof *self + n * sizeof self->fds[0]);

  self->n = 0;
  self->size = n;
  detour_descriptors_refill (self);
  return self;
}

void
detour_descriptors_free (DetourDescriptors *self)
{
  detour_descriptors_lend (self, self->n);
  g_free (self);
}

void
detour_descriptors_lend (DetourDescriptors *self, guint n)
{
  for (; n > 0 && self->n > 0; n--)
    close (self->fds[--self->n]);
}

gboolean
detour_descriptors_refill (DetourDescriptors *self)
{
  while (self->n < self->size)
    {
      int fd = eventfd (0, EFD_CLOEXEC);

      if (fd < 0)
        return FALSE;
      self->fds[self->n++] = fd;
    }
  return TRUE;
}

static guint64
descriptors_count_used (void)
{
  struct stat st;
  DIR *directory;
  guint64 n = 0;

  /* Linux 6.2 and later say it at once. */
  if (stat ("/proc/self/fd", &st) == 0 && st.st_size > 0)
    return (guint64) st.st_size;
  directory = opendir ("/proc/self/fd");
  if (directory == NULL)
    return G_MAXUINT64;
  while (readdir (directory) != NULL)
    n++;
  closedir (directory);
  return n > 3 ? n - 3 : 0; /* itself, and two names that are no descriptors */
}

guint64
detour_descriptors_left (void)
{
  static guint64 left;
  static gint64 next_us;
  gint64 now_us = g_get_monotonic_time ();

  if (now_us >= next_us)
    {
      guint64 used = descriptors_count_used (), max = detour_descriptors_max ();
      gint64 took_us = g_get_monotonic_time () - now_us;

      left = used < max ? max - used : 0;
      /* Where it takes long, with 100,000 clients on an old kernel, it is done less often. */
      next_us = now_us + MAX (G_USEC_PER_SEC, 100 * took_us);
    }
  return left;
}

guint64
detour_descriptors_max (void)
{
  struct rlimit limit;

  return getrlimit (RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

void
detour_descriptors_inherit (int fd, gboolean inherit)
{
  fcntl (fd, F_SETFD, inherit ? 0 : FD_CLOEXEC); /* there is no other flag */
}
