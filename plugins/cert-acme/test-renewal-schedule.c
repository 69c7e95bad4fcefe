/* test-renewal-schedule.c: when an order is due, in single cases and in random histories.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-schedule.h"

#define MINUTE 60
#define HOUR   3600
#define DAY    86400
#define NOW    G_GINT64_CONSTANT (1800000000)

static gint64
due (const RenewalSchedule *schedule, gint64 now)
{
  return renewal_schedule_due (schedule, now, NULL);
}

static void
first_one_at_once (void)
{
  RenewalSchedule schedule = { 0 };

  g_assert_cmpint (due (&schedule, NOW), <=, NOW);
  g_assert_true (renewal_schedule_is_late (&schedule, NOW));
}

static void
share_of_the_life (void)
{
  static const struct {
    gint64 life, least, most;
  } cases[] = {
    { 90 * DAY, 90 * DAY * 2 / 3 - 90 * DAY / 50, 90 * DAY * 2 / 3 },
    { 10 * DAY, 10 * DAY * 2 / 3 - 10 * DAY / 50, 10 * DAY * 2 / 3 },
    { 160 * HOUR, 80 * HOUR - 160 * HOUR / 50, 80 * HOUR },
  };
  static const guint32 randoms[] = { 0, G_MAXUINT32 / 2, G_MAXUINT32 };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint j = 0; j < G_N_ELEMENTS (randoms); j++)
      {
        RenewalSchedule schedule = { 0 };
        RenewalDecider by;

        renewal_schedule_set_certificate (&schedule, NOW, NOW + cases[i].life, randoms[j]);
        g_assert_cmpint (renewal_schedule_due (&schedule, NOW, &by), >=, NOW + cases[i].least - 3);
        g_assert_cmpint (due (&schedule, NOW), <=, NOW + cases[i].most);
        g_assert_cmpint (by, ==, RENEWAL_BY_LIFETIME);
        g_assert_false (renewal_schedule_is_late (&schedule, NOW));
        g_assert_true (renewal_schedule_is_late (&schedule, NOW + cases[i].life * 2 / 3));
      }
}

static void
window_of_the_authority (void)
{
  RenewalSchedule schedule = { 0 };
  RenewalDecider by;
  gint64 moment;

  renewal_schedule_set_certificate (&schedule, NOW, NOW + 90 * DAY, 0);
  renewal_schedule_set_window (&schedule, NOW + DAY, NOW + 3 * DAY, 0, NOW, G_MAXUINT32 / 2);
  moment = renewal_schedule_due (&schedule, NOW, &by);
  g_assert_cmpint (by, ==, RENEWAL_BY_AUTHORITY);
  g_assert_cmpint (ABS (moment - (NOW + 2 * DAY)), <=, 1);
  g_assert_cmpint (schedule.look, ==, NOW + 6 * HOUR);
  /* The same window: the moment stays. */
  renewal_schedule_set_window (&schedule, NOW + DAY, NOW + 3 * DAY, 1, NOW + HOUR, 0);
  g_assert_cmpint (due (&schedule, NOW), ==, moment);
  g_assert_cmpint (schedule.look, ==, NOW + HOUR + MINUTE);
  /* Another one: it is drawn again. */
  renewal_schedule_set_window (&schedule, NOW - DAY, NOW - HOUR, 30 * DAY, NOW + HOUR, 0);
  g_assert_cmpint (due (&schedule, NOW), <=, NOW);
  g_assert_cmpint (schedule.look, ==, NOW + HOUR + DAY);
  /* One that comes too late does not count for more than the end of the certificate. */
  renewal_schedule_set_window (&schedule, NOW + 100 * DAY, NOW + 101 * DAY, 0, NOW, 0);
  g_assert_cmpint (renewal_schedule_due (&schedule, NOW, &by), ==, NOW + 81 * DAY);
  g_assert_cmpint (by, ==, RENEWAL_BY_LIFETIME);
  /* A new certificate has no window yet, and is asked about at once. */
  renewal_schedule_set_certificate (&schedule, NOW, NOW + 90 * DAY, 0);
  g_assert_cmpint (schedule.moment, ==, 0);
  g_assert_cmpint (schedule.look, ==, 0);
}

static void
looks_that_fail (void)
{
  RenewalSchedule schedule = { 0 };
  gint64 now = NOW;

  renewal_schedule_window_failed (&schedule, TRUE, now);
  g_assert_cmpint (schedule.look, ==, now + 6 * HOUR);
  for (guint i = 0; i < 20; i++)
    {
      renewal_schedule_window_failed (&schedule, FALSE, now);
      g_assert_cmpint (schedule.look - now, ==, MIN (MINUTE << MIN (i, 20u), 6 * HOUR));
      now = schedule.look;
    }
}

static void
retries_double (void)
{
  static const gint64 minutes[] = { 1, 2, 4, 8, 16, 30, 30 };
  RenewalSchedule schedule = { 0 };
  gint64 now = NOW;

  for (guint i = 0; i < G_N_ELEMENTS (minutes); i++)
    {
      renewal_schedule_begin_try (&schedule, now, 0);
      /* It counts as failed before it has ended. */
      g_assert_cmpint (due (&schedule, now) - now, ==, minutes[i] * MINUTE);
      now += 10;
      renewal_schedule_try_failed (&schedule, 0, now);
      g_assert_cmpint (due (&schedule, now) - now, ==, minutes[i] * MINUTE);
      now = due (&schedule, now);
    }
  renewal_schedule_begin_try (&schedule, now, 0);
  renewal_schedule_try_failed (&schedule, 2 * DAY, now);
  g_assert_cmpint (due (&schedule, now) - now, ==, 2 * DAY);
  /* Other settings do not lift what the authority said. */
  renewal_schedule_start_over (&schedule);
  g_assert_cmpint (due (&schedule, now) - now, ==, 2 * DAY);
  renewal_schedule_try_failed (&schedule, 365 * DAY, now);
  g_assert_cmpint (due (&schedule, now) - now, ==, 8 * DAY);
}

static void
clock_goes_back (void)
{
  RenewalSchedule schedule = { 0 };
  gint64 wait;

  renewal_schedule_begin_try (&schedule, NOW, 0);
  renewal_schedule_try_failed (&schedule, DAY, NOW);
  wait = due (&schedule, NOW) - NOW;
  renewal_schedule_follow_clock (&schedule, NOW - 1000 * DAY);
  g_assert_cmpint (due (&schedule, NOW - 1000 * DAY) - (NOW - 1000 * DAY), ==, wait);
  /* Forward: it has passed. */
  renewal_schedule_follow_clock (&schedule, NOW + 1000 * DAY);
  g_assert_cmpint (due (&schedule, NOW + 1000 * DAY), <=, NOW + 1000 * DAY);
}

/* An authority that wants every new certificate renewed at once. */
static void
endless_windows (void)
{
  RenewalSchedule schedule = { 0 };
  gint64 now = NOW;
  guint n = 0;

  while (now < NOW + 7 * DAY)
    {
      gint64 next = due (&schedule, now);

      if (next > now)
        {
          now = next;
          continue;
        }
      renewal_schedule_begin_try (&schedule, now, 0);
      now += 5;
      renewal_schedule_try_succeeded (&schedule, now);
      renewal_schedule_set_certificate (&schedule, now, now + 90 * DAY, 0);
      renewal_schedule_set_window (&schedule, now - 2 * HOUR, now - HOUR, 0, now, 0);
      n++;
    }
  /* Five, and one more every 34 hours: at most nine in the first week. */
  g_assert_cmpuint (n, >=, 4);
  g_assert_cmpuint (n, <=, 9);
}

/* A bucket of an authority's limit. */
typedef struct {
  double tokens, most, each_s;
  gint64 at;
} Bucket;

static void
bucket_take (Bucket *self, gint64 real)
{
  self->tokens = MIN (self->tokens + (double) (real - self->at) / self->each_s, self->most);
  self->at = real;
  g_assert_cmpfloat (self->tokens, >=, 1.0);
  self->tokens -= 1;
}

/* Months of good and bad days, windows, restarts in the middle of a try, and a clock that is set. A
 * failed order never spends the limit of failed authorizations (five an hour), there is never a
 * wait without an end, and with an authority that answers no certificate ends before its successor.
 */
static void
history (guint32 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  RenewalSchedule schedule = { 0 };
  gboolean clock_is_set = g_rand_boolean (rand);
  gint64 life = g_rand_boolean (rand) ? 90 * DAY : 160 * HOUR;
  gint64 real = 0, offset = NOW;
  gint64 bad_until = 0;
  Bucket failures = { 5, 5, 12 * MINUTE, 0 };

  for (guint i = 0; i < 3000; i++)
    {
      gint64 now = real + offset;
      gint64 next;

      renewal_schedule_follow_clock (&schedule, now);
      next = due (&schedule, now);
      g_assert_cmpint (next - now, <=, MAX (life, 8 * DAY) + 8 * DAY);
      if (next > now)
        {
          gint64 wait = g_rand_int_range (rand, 1, HOUR * 12);

          wait = MIN (wait, next - now);
          real += wait;
          if (clock_is_set && g_rand_int_range (rand, 0, 200) == 0)
            offset -= g_rand_int_range (rand, 0, DAY);
          if (g_rand_int_range (rand, 0, 100) == 0)
            bad_until = real + g_rand_int_range (rand, HOUR, 2 * DAY);
          if (schedule.not_after != 0 && g_rand_int_range (rand, 0, 50) == 0)
            renewal_schedule_set_window (&schedule, schedule.not_after - life / 3 - DAY,
                                         schedule.not_after - life / 3 + DAY, 0, real + offset,
                                         g_rand_int (rand));
          continue;
        }
      if (!clock_is_set && schedule.not_after != 0 && bad_until == 0)
        g_assert_cmpint (now, <, schedule.not_after);
      renewal_schedule_begin_try (&schedule, now, g_rand_int (rand));
      real += g_rand_int_range (rand, 1, 30);
      now = real + offset;
      if (real < bad_until)
        {
          bucket_take (&failures, real);
          /* Sometimes the daemon dies and nobody tells of the failure. */
          if (g_rand_boolean (rand))
            renewal_schedule_try_failed (&schedule, g_rand_int_range (rand, 0, 4) == 0 ? HOUR : 0,
                                         now);
          continue;
        }
      renewal_schedule_try_succeeded (&schedule, now);
      renewal_schedule_set_certificate (&schedule, now - HOUR, now - HOUR + life,
                                        g_rand_int (rand));
    }
}

static void
histories (void)
{
  for (guint32 seed = 1; seed <= 200; seed++)
    history (seed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/renewal-schedule/first-one-at-once", first_one_at_once);
  g_test_add_func ("/renewal-schedule/share-of-the-life", share_of_the_life);
  g_test_add_func ("/renewal-schedule/window-of-the-authority", window_of_the_authority);
  g_test_add_func ("/renewal-schedule/looks-that-fail", looks_that_fail);
  g_test_add_func ("/renewal-schedule/retries-double", retries_double);
  g_test_add_func ("/renewal-schedule/clock-goes-back", clock_goes_back);
  g_test_add_func ("/renewal-schedule/endless-windows", endless_windows);
  g_test_add_func ("/renewal-schedule/histories", histories);
  return g_test_run ();
}
