/* metrics-process.c: what the kernel knows of this process, under the names that every client
 * library of Prometheus uses.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "metrics-process.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX 8192u
/* Field of /proc/self/stat, counted behind the name of the program. */
#define STAT_START 19u

/* Ticks between the boot of the host and the start of the process; 0: unknown. */
static guint64
metrics_process_start_ticks (void)
{
  g_auto (DetourFile) file = { 0 };
  g_auto (GStrv) fields = NULL;
  const char *behind_name;
  guint64 ticks = 0;

  if (!detour_file_read ("/proc/self/stat", FILE_MAX, 0, &file, NULL))
    return 0;
  /* The name may have blanks and parentheses. */
  behind_name = strrchr (file.data, ')');
  if (behind_name == NULL || behind_name[1] != ' ')
    return 0;
  fields = g_strsplit (behind_name + 2, " ", -1);
  if (g_strv_length (fields) <= STAT_START
      || !g_ascii_string_to_unsigned (fields[STAT_START], 10, 0, G_MAXUINT64, &ticks, NULL))
    return 0;
  return ticks;
}

void
metrics_process_init (MetricsProcess *self)
{
  guint64 ticks = metrics_process_start_ticks ();
  long ticks_a_second = sysconf (_SC_CLK_TCK);
  struct timespec since_boot = { 0 };

  clock_gettime (CLOCK_BOOTTIME, &since_boot);
  self->boot_us = g_get_real_time () - (gint64) since_boot.tv_sec * G_USEC_PER_SEC
                - since_boot.tv_nsec / 1000;
  self->start_us = ticks > 0 && ticks_a_second > 0
                     ? self->boot_us + (gint64) (ticks * G_USEC_PER_SEC / (guint64) ticks_a_second)
                     : 0;
}

guint64
metrics_process_uptime_s (const MetricsProcess *self)
{
  gint64 up_us = g_get_real_time () - self->start_us;

  return (guint64) MAX (up_us, 0) / G_USEC_PER_SEC;
}

static void
metrics_process_tell (DetourMetricFunc func, gpointer user, DetourMetricType type, const char *name,
                      const char *unit, const char *help, guint64 value)
{
  const DetourMetric metric = {
    .name = name,
    .unit = unit,
    .help = help,
    .plugin = "",
    .type = type,
    .value = value,
  };

  func (&metric, user);
}

static void
metrics_process_each_of_memory (DetourMetricFunc func, gpointer user)
{
  g_auto (DetourFile) file = { 0 };
  guint64 page = (guint64) sysconf (_SC_PAGESIZE), size = 0, resident = 0;

  if (!detour_file_read ("/proc/self/statm", FILE_MAX, 0, &file, NULL)
      || sscanf (file.data, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, &size, &resident) != 2)
    size = resident = 0;
  metrics_process_tell (func, user, DETOUR_METRIC_GAUGE, "process_virtual_memory_bytes", "bytes",
                        "memory of the address space", size * page);
  metrics_process_tell (func, user, DETOUR_METRIC_GAUGE, "process_resident_memory_bytes", "bytes",
                        "memory that is not swapped out", resident * page);
}

void
metrics_process_each (const MetricsProcess *self, DetourMetricFunc func, gpointer user)
{
  struct rusage used = { 0 };

  getrusage (RUSAGE_SELF, &used);
  metrics_process_tell (func, user, DETOUR_METRIC_COUNTER, "process_cpu_seconds", "microseconds",
                        "time on processors",
                        (guint64) (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * G_USEC_PER_SEC
                            + (guint64) (used.ru_utime.tv_usec + used.ru_stime.tv_usec));
  metrics_process_each_of_memory (func, user);
  metrics_process_tell (func, user, DETOUR_METRIC_GAUGE, "process_start_time_seconds",
                        "microseconds", "when the process began, Unix time",
                        (guint64) MAX (self->start_us, 0));
}
