/* debug-format.c: numbers and times as people read them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-format.h"

#include <glib/gi18n-lib.h>
#include <string.h>

/* U+202F, which does not end a line. */
#define THIN "\342\200\257"

char *
debug_format_count (guint64 n)
{
  g_autofree char *digits = g_strdup_printf ("%" G_GUINT64_FORMAT, n);
  GString *out = g_string_new (NULL);

  for (const char *p = digits; *p != '\0'; p++)
    {
      gsize rest = strlen (p);

      g_string_append_c (out, *p);
      if (rest > 1 && rest % 3 == 1)
        g_string_append (out, THIN);
    }
  return g_string_free (out, FALSE);
}

/* Three digits or so, and the unit of @units that fits. */
static char *
debug_format_scaled (double n, double step, const char *const *units, guint n_units)
{
  guint unit = 0;

  while (unit + 1 < n_units && n >= step)
    {
      n /= step;
      unit++;
    }
  return g_strdup_printf (unit > 0 && n < 10 ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

char *
debug_format_bytes (double n)
{
  static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };

  return debug_format_scaled (n, 1024, units, G_N_ELEMENTS (units));
}

char *
debug_format_rate (double bytes)
{
  static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s" };

  return debug_format_scaled (bytes * 8, 1000, units, G_N_ELEMENTS (units));
}

char *
debug_format_per_second (double n)
{
  return g_strdup_printf (n < 10 ? "%.1f/s" : "%.0f/s", n);
}

char *
debug_format_date (guint64 real_us)
{
  g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc ((gint64) (real_us / G_USEC_PER_SEC));

  if (real_us == 0 || date == NULL)
    return g_strdup ("");
  return g_date_time_format (date, "%Y-%m-%d %H:%M:%S UTC");
}

char *
debug_format_span (const PageLanguage *language, gint64 us)
{
  static const struct {
    gint64 us;
    const char *unit;
  } units[] = {
    { 2 * G_TIME_SPAN_DAY, N_ ("days") },
    { 2 * G_TIME_SPAN_HOUR, N_ ("h") },
    { 2 * G_TIME_SPAN_MINUTE, N_ ("min") },
    { 0, N_ ("s") },
  };
  static const gint64 sizes[] = { G_TIME_SPAN_DAY, G_TIME_SPAN_HOUR, G_TIME_SPAN_MINUTE,
                                  G_TIME_SPAN_SECOND };
  guint i = 0;

  us = MAX (us, 0);
  while (us < units[i].us)
    i++;
  return g_strdup_printf ("%" G_GINT64_FORMAT " %s", us / sizes[i],
                          page_language_say (language, units[i].unit));
}
