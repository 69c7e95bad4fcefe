/* test-time.c: points in time as people write them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-time.h"

static const struct {
  const char *text;
  const char *expected; /* in UTC; NULL: it is no time */
} cases[] = {
  { "03:10", "2026-11-29T02:10:00Z" },
  { "3:10", "2026-11-29T02:10:00Z" },
  { "03:10:05", "2026-11-29T02:10:05Z" },
  { "12:00", "2026-11-29T11:00:00Z" },
  { "12:01", "2026-11-28T11:01:00Z" },
  { "23:59", "2026-11-28T22:59:00Z" },
  { "yesterday 03:10", "2026-11-28T02:10:00Z" },
  { "yesterday 23:10:05", "2026-11-28T22:10:05Z" },
  { "2026-11-27 03:10", "2026-11-27T02:10:00Z" },
  { "2026-11-27 03:10:05", "2026-11-27T02:10:05Z" },
  { "2026-11-27T03:10", "2026-11-27T02:10:00Z" },
  { "2026-11-27T03:10:00Z", "2026-11-27T03:10:00Z" },
  { "2026-11-27T03:10:00-05:00", "2026-11-27T08:10:00Z" },
  { "", NULL },
  { "now", NULL },
  { "yesterday", NULL },
  { "24:10", NULL },
  { "03:60", NULL },
  { "03:10:", NULL },
  { "03:10 x", NULL },
  { "2026-13-01 03:10", NULL },
  { "2026-11-27", NULL },
};

static void
test_cases (void)
{
  g_autoptr (GTimeZone) zone = g_time_zone_new_offset (3600);
  g_autoptr (GDateTime) now = g_date_time_new (zone, 2026, 11, 29, 12, 0, 0);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      gint64 us = 0;
      gboolean is_time = detourctl_time_parse (cases[i].text, now, &us);

      g_test_message ("%s", cases[i].text);
      g_assert_true (is_time == (cases[i].expected != NULL));
      if (is_time)
        {
          g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC);
          g_autofree char *text = g_date_time_format (time, "%Y-%m-%dT%H:%M:%SZ");

          g_assert_cmpstr (text, ==, cases[i].expected);
        }
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ctl-time/forms", test_cases);
  return g_test_run ();
}
