/* test-poll-schedule.c: when an API is asked: regularly, for strangers, after failures.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "poll-schedule.h"
#include "test-program.h"

#define S G_TIME_SPAN_SECOND
#define M G_TIME_SPAN_MINUTE

static void
test_regular (void)
{
  PollSchedule schedule;

  poll_schedule_init (&schedule, M, 1000 * S);
  g_assert_cmpint (schedule.due_us, ==, 1000 * S);
  poll_schedule_begin (&schedule, 1000 * S);
  poll_schedule_good (&schedule, 1001 * S, S, 0, 0, 0.0);
  g_assert_cmpint (schedule.due_us, ==, 1001 * S + 54 * S);
  poll_schedule_good (&schedule, 1001 * S, S, 0, 0, 1.0);
  g_assert_cmpint (schedule.due_us, ==, 1001 * S + 66 * S);
}

/* Clients with keys that nobody has. */
static void
test_strangers (void)
{
  PollSchedule schedule;
  gint64 now_us = 1000 * S;
  guint n = 0;

  poll_schedule_init (&schedule, M, now_us);
  poll_schedule_begin (&schedule, now_us);
  poll_schedule_good (&schedule, now_us, 0, 0, 0, 0.5);
  g_assert_cmpint (poll_schedule_miss_us (&schedule), ==, now_us + 2 * S);
  /* One new stranger a moment, for ten minutes. */
  while (now_us < 1600 * S)
    {
      now_us = MAX (now_us, poll_schedule_miss_us (&schedule));
      poll_schedule_begin (&schedule, now_us);
      poll_schedule_good (&schedule, now_us, 0, 1, 0, 0.5);
      n++;
    }
  g_assert_cmpuint (n, <=, 25);
  /* A device among them. */
  poll_schedule_good (&schedule, now_us, 0, 5, 1, 0.5);
  g_assert_cmpint (poll_schedule_miss_us (&schedule), ==, now_us + 2 * S);
}

/* A key that the API shows late is looked for once more, soon. */
static void
test_late_key (void)
{
  PollSchedule schedule;

  poll_schedule_init (&schedule, M, 1000 * S);
  poll_schedule_begin (&schedule, 1000 * S);
  poll_schedule_good (&schedule, 1000 * S, 0, 1, 0, 0.5);
  g_assert_cmpint (schedule.due_us, ==, 1004 * S);
  poll_schedule_begin (&schedule, 1004 * S);
  poll_schedule_good (&schedule, 1004 * S, 0, 0, 0, 0.5);
  g_assert_cmpint (schedule.due_us, ==, 1064 * S);
  g_assert_cmpint (poll_schedule_miss_us (&schedule), ==, 1006 * S);
}

/* A list that takes four seconds is not fetched again at once. */
static void
test_long_list (void)
{
  PollSchedule schedule;

  poll_schedule_init (&schedule, M, 1000 * S);
  poll_schedule_begin (&schedule, 1000 * S);
  poll_schedule_good (&schedule, 1004 * S, 4 * S, 0, 0, 0.5);
  g_assert_cmpint (poll_schedule_miss_us (&schedule), ==, 1016 * S);
  poll_schedule_good (&schedule, 1025 * S, 25 * S, 0, 0, 0.5);
  g_assert_cmpint (poll_schedule_miss_us (&schedule), ==, 1030 * S);
}

static void
test_failures (void)
{
  static const gint64 delays[] = { 5, 10, 20, 40, 60, 60 };
  PollSchedule schedule;

  poll_schedule_init (&schedule, M, 1000 * S);
  poll_schedule_begin (&schedule, 1000 * S);
  for (guint i = 0; i < G_N_ELEMENTS (delays); i++)
    {
      poll_schedule_bad (&schedule, 1000 * S, 0, FALSE, 0.0);
      g_assert_cmpint (schedule.due_us, ==, (1000 + delays[i]) * S);
      g_assert_cmpint (poll_schedule_miss_us (&schedule), ==, (1000 + delays[i]) * S);
    }
  /* It stays so, however long it lasts. */
  for (guint i = 0; i < 100; i++)
    poll_schedule_bad (&schedule, 1000 * S, 0, FALSE, 1.0);
  g_assert_cmpint (schedule.due_us, ==, 1072 * S);
  poll_schedule_good (&schedule, 1000 * S, 0, 0, 0, 0.5);
  poll_schedule_bad (&schedule, 1000 * S, 0, FALSE, 0.0);
  g_assert_cmpint (schedule.due_us, ==, 1005 * S);
}

static void
test_refusals_and_wishes (void)
{
  PollSchedule schedule;

  poll_schedule_init (&schedule, M, 1000 * S);
  poll_schedule_bad (&schedule, 1000 * S, 0, TRUE, 0.0);
  g_assert_cmpint (schedule.due_us, ==, 1060 * S);
  for (guint i = 0; i < 10; i++)
    poll_schedule_bad (&schedule, 1000 * S, 0, TRUE, 0.0);
  g_assert_cmpint (schedule.due_us, ==, 1600 * S);
  /* What the API asks for holds, within reason. */
  poll_schedule_bad (&schedule, 1000 * S, 7 * S, FALSE, 0.0);
  g_assert_cmpint (schedule.due_us, ==, 1007 * S);
  poll_schedule_bad (&schedule, 1000 * S, 100 * G_TIME_SPAN_HOUR, FALSE, 0.0);
  g_assert_cmpint (schedule.due_us, ==, 1000 * S + G_TIME_SPAN_HOUR);
  /* An operator does not wait. */
  poll_schedule_hurry (&schedule, 1001 * S);
  g_assert_cmpint (schedule.due_us, ==, 1001 * S);
}

static void
test_wanted_too_early (void)
{
  PollSchedule schedule;

  poll_schedule_init (&schedule, G_TIME_SPAN_HOUR, 1000 * S);
  poll_schedule_begin (&schedule, 1000 * S);
  /* A list that takes 2 seconds. */
  poll_schedule_good (&schedule, 1002 * S, 2 * S, 0, 0, 0.5);
  g_assert_cmpint (schedule.due_us, ==, 1002 * S + G_TIME_SPAN_HOUR);
  poll_schedule_want (&schedule);
  g_assert_cmpint (schedule.due_us, ==, 1008 * S);
  /* What is due before that stays so, and so does what the API asked for. */
  poll_schedule_hurry (&schedule, 1003 * S);
  poll_schedule_want (&schedule);
  g_assert_cmpint (schedule.due_us, ==, 1003 * S);
  poll_schedule_bad (&schedule, 1004 * S, 600 * S, FALSE, 0.0);
  poll_schedule_want (&schedule);
  g_assert_cmpint (schedule.due_us, ==, 1604 * S);
}

/* With a long interval, failures are met sooner than that. */
static void
test_long_interval (void)
{
  PollSchedule schedule;

  poll_schedule_init (&schedule, G_TIME_SPAN_DAY, 1000 * S);
  for (guint i = 0; i < 20; i++)
    poll_schedule_bad (&schedule, 1000 * S, 0, FALSE, 0.0);
  g_assert_cmpint (schedule.due_us, ==, 1300 * S);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/poll-schedule/regular", test_regular);
  g_test_add_func ("/poll-schedule/strangers", test_strangers);
  g_test_add_func ("/poll-schedule/late-key", test_late_key);
  g_test_add_func ("/poll-schedule/long-list", test_long_list);
  g_test_add_func ("/poll-schedule/failures", test_failures);
  g_test_add_func ("/poll-schedule/refusals-and-wishes", test_refusals_and_wishes);
  g_test_add_func ("/poll-schedule/long-interval", test_long_interval);
  g_test_add_func ("/poll-schedule/wanted-too-early", test_wanted_too_early);
  return g_test_run ();
}
