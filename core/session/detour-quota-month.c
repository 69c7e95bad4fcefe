/* detour-quota-month.c: the months by which quotas are counted, from one day of the month to the
 * next such day.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-quota-month.h"

/* Years that GDateTime can count in, with room for the next month. */
#define EARLIEST_S G_GINT64_CONSTANT (0)
#define LATEST_S   G_GINT64_CONSTANT (253370764800) /* 9999-01-01 */

/* The day on which the quota begins anew in a month. @month: 0 to 13: those of the years before
 * and after included */
static gint64
quota_month_at (int year, int month, guint day)
{
  g_autoptr (GDateTime) date = NULL;

  if (month < 1)
    {
      year--;
      month += 12;
    }
  else if (month > 12)
    {
      year++;
      month -= 12;
    }
  day = MIN (day, g_date_get_days_in_month ((GDateMonth) month, (GDateYear) year));
  date = g_date_time_new_utc (year, month, (int) day, 0, 0, 0);
  return g_date_time_to_unix (date);
}

/* @steps: months from the one that holds @now_s */
static gint64
quota_month_step (gint64 now_s, guint day, int steps)
{
  g_autoptr (GDateTime) now = NULL;
  int year, month;

  now_s = CLAMP (now_s, EARLIEST_S, LATEST_S);
  now = g_date_time_new_from_unix_utc (now_s);
  g_date_time_get_ymd (now, &year, &month, NULL);
  if (quota_month_at (year, month, day) > now_s)
    steps--;
  return quota_month_at (year, month + steps, day);
}

gint64
detour_quota_month_begin (gint64 now_s, guint day)
{
  return quota_month_step (now_s, day, 0);
}

gint64
detour_quota_month_end (gint64 now_s, guint day)
{
  return quota_month_step (now_s, day, 1);
}
