/* detour-thread-time.c: how long this thread ran, and how long it could have run and did not.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-thread-time.h"

#include <time.h>

#include "detour-file.h"

/* "ran waited slices", in nanoseconds. */
static guint64
thread_time_read_wait (void)
{
  DetourFile file;
  guint64 wait_us;
  char *end;

  if (!detour_file_read ("/proc/thread-self/schedstat", 128, 0, &file, NULL))
    return 0;
  g_ascii_strtoull (file.data, &end, 10);
  wait_us = g_ascii_strtoull (end, NULL, 10) / 1000;
  detour_file_clear (&file);
  return wait_us;
}

void
detour_thread_time_read (DetourThreadTime *out)
{
  struct timespec ran = { 0, 0 };

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &ran);
  out->cpu_us = (guint64) ran.tv_sec * G_USEC_PER_SEC + (guint64) ran.tv_nsec / 1000;
  out->wait_us = thread_time_read_wait ();
}
