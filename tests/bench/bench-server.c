/* bench-server.c: what the kernel says of the server process: processor time, memory, wake-ups.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-server.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char *
bench_server_read (int pid, const char *task, const char *file)
{
  g_autofree char *path = task != NULL ? g_strdup_printf ("/proc/%d/task/%s/%s", pid, task, file)
                                       : g_strdup_printf ("/proc/%d/%s", pid, file);
  char *text = NULL;

  /* A thread may end between two looks. */
  return g_file_get_contents (path, &text, NULL, NULL) ? text : NULL;
}

/* The number behind @name in a file of lines `name: number`. */
static guint64
bench_server_field (const char *text, const char *name)
{
  const char *found;

  if (text == NULL || (found = strstr (text, name)) == NULL)
    return 0;
  return g_ascii_strtoull (found + strlen (name), NULL, 10);
}

static void
bench_server_add_thread (int pid, const char *task, BenchServer *sample)
{
  g_autofree char *schedule = bench_server_read (pid, task, "schedstat");
  g_autofree char *status = bench_server_read (pid, task, "status");

  if (schedule != NULL)
    {
      char *rest = NULL;

      sample->cpu_ns += g_ascii_strtoull (schedule, &rest, 10);
      sample->waiting_ns += g_ascii_strtoull (rest, NULL, 10);
    }
  sample->wakeups += bench_server_field (status, "\nvoluntary_ctxt_switches:");
  sample->n_threads++;
}

static guint64
bench_server_kernel_bytes (void)
{
  g_autofree char *text = NULL;
  const char *tcp;

  if (!g_file_get_contents ("/proc/net/sockstat", &text, NULL, NULL)
      || (tcp = strstr (text, "TCP:")) == NULL)
    return 0;
  return bench_server_field (tcp, " mem ") * (guint64) sysconf (_SC_PAGESIZE);
}

static void
bench_server_times (int pid, BenchServer *sample)
{
  g_autofree char *stat = bench_server_read (pid, NULL, "stat");
  guint64 tick_us = G_USEC_PER_SEC / (guint64) MAX (sysconf (_SC_CLK_TCK), 1);
  unsigned long user = 0, kernel = 0;
  const char *at = stat != NULL ? strrchr (stat, ')') : NULL;

  if (at != NULL
      && sscanf (at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) == 2)
    {
      sample->user_us = user * tick_us;
      sample->system_us = kernel * tick_us;
    }
}

gboolean
bench_server_sample (int pid, BenchServer *sample)
{
  g_autofree char *tasks = g_strdup_printf ("/proc/%d/task", pid);
  g_autofree char *status = NULL;
  g_autoptr (GDir) dir = NULL;
  const char *task;

  *sample = (BenchServer) { .at_us = g_get_monotonic_time () };
  if (pid <= 0 || (dir = g_dir_open (tasks, 0, NULL)) == NULL)
    return FALSE;
  while ((task = g_dir_read_name (dir)) != NULL)
    bench_server_add_thread (pid, task, sample);
  bench_server_times (pid, sample);
  sample->kernel_bytes = bench_server_kernel_bytes ();
  status = bench_server_read (pid, NULL, "status");
  sample->rss_bytes = bench_server_field (status, "\nVmRSS:") * 1024;
  sample->anon_bytes = bench_server_field (status, "\nRssAnon:") * 1024;
  sample->peak_bytes = bench_server_field (status, "\nVmHWM:") * 1024;
  return TRUE;
}

guint64
bench_server_own_cpu_ns (void)
{
  struct timespec used;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &used);
  return (guint64) used.tv_sec * 1000000000u + (guint64) used.tv_nsec;
}
