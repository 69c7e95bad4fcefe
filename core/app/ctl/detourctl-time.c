/* detourctl-time.c: points in time as people write them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-time.h"

#include <stdio.h>
#include <string.h>

/* `H:MM` or `H:MM:SS`, and nothing else. */
static gboolean
ctl_time_parse_clock (const char *text, int *hour, int *minute, int *second)
{
  int n = 0;

  if (text[strspn (text, "0123456789:")] != '\0')
    return FALSE;
  *second = 0;
  if (sscanf (text, "%2d:%2d%n", hour, minute, &n) == 2 && text[n] == '\0')
    return TRUE;
  n = 0;
  return sscanf (text, "%2d:%2d:%2d%n", hour, minute, second, &n) == 3 && n > 0 && text[n] == '\0';
}

/* That time of the day on which @day is; NULL: there is none. */
static GDateTime *
ctl_time_at (GDateTime *day, const char *clock)
{
  int hour, minute, second;

  if (!ctl_time_parse_clock (clock, &hour, &minute, &second))
    return NULL;
  return g_date_time_new (g_date_time_get_timezone (day), g_date_time_get_year (day),
                          g_date_time_get_month (day), g_date_time_get_day_of_month (day), hour,
                          minute, second);
}

static GDateTime *
ctl_time_parse_clock_only (const char *text, GDateTime *now)
{
  g_autoptr (GDateTime) today = ctl_time_at (now, text);
  g_autoptr (GDateTime) yesterday = g_date_time_add_days (now, -1);

  if (today == NULL || g_date_time_compare (today, now) <= 0)
    return g_steal_pointer (&today);
  return ctl_time_at (yesterday, text);
}

/* A day, a blank or a T, and a time of it. */
static GDateTime *
ctl_time_parse_day (const char *text, GDateTime *now)
{
  g_autoptr (GDateTime) day = NULL;
  int year, month, number, n = 0;

  if (sscanf (text, "%4d-%2d-%2d%n", &year, &month, &number, &n) != 3
      || (text[n] != ' ' && text[n] != 'T'))
    return NULL;
  day = g_date_time_new (g_date_time_get_timezone (now), year, month, number, 0, 0, 0);
  return day != NULL ? ctl_time_at (day, text + n + 1) : NULL;
}

gboolean
detourctl_time_parse (const char *text, GDateTime *now, gint64 *us)
{
  g_autoptr (GDateTime) time = NULL;

  if (g_str_has_prefix (text, "yesterday "))
    {
      g_autoptr (GDateTime) yesterday = g_date_time_add_days (now, -1);

      time = ctl_time_at (yesterday, text + strlen ("yesterday "));
    }
  else
    {
      time = ctl_time_parse_clock_only (text, now);
      if (time == NULL)
        time = ctl_time_parse_day (text, now);
      if (time == NULL)
        time = g_date_time_new_from_iso8601 (text, g_date_time_get_timezone (now));
    }
  if (time == NULL)
    return FALSE;
  *us = g_date_time_to_unix (time) * G_USEC_PER_SEC + g_date_time_get_microsecond (time);
  return TRUE;
}
