/* test-bucket.c: tests that token buckets neither lose nor invent tokens.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-bucket.h"

G_STATIC_ASSERT (sizeof (DetourBucket) <= 16);

#define SECOND G_GINT64_CONSTANT (1000000)

static void
test_take (void)
{
  DetourBucket bucket;
  guint given = 0;

  /* The limiter of "not here" notices: three at once, then one a second. */
  detour_bucket_init (&bucket, 3, 5 * SECOND);
  for (guint i = 0; i < 6; i++)
    given += detour_bucket_take (&bucket, 1, 3, 1, 5 * SECOND);
  g_assert_cmpuint (given, ==, 3);
  g_assert_false (detour_bucket_take (&bucket, 1, 3, 1, 6 * SECOND - 1));
  g_assert_true (detour_bucket_take (&bucket, 1, 3, 1, 6 * SECOND));
  g_assert_false (detour_bucket_take (&bucket, 1, 3, 1, 6 * SECOND));
  /* A long pause fills it to the brim and no higher. */
  for (guint i = 0, n = 0; i < 6; i++)
    {
      n += detour_bucket_take (&bucket, 1, 3, 1, G_MAXINT64 / 2);
      g_assert_cmpuint (n, <=, 3);
    }
}

static void
test_asking_often_loses_nothing (void)
{
  static const guint64 rates[] = { 1, 3, 7, 999, 1000001, 1234567891 };

  for (gsize i = 0; i < G_N_ELEMENTS (rates); i++)
    {
      DetourBucket bucket;
      guint64 given = 0;
      gint64 now_us = 0;

      detour_bucket_init (&bucket, 0, now_us);
      for (; now_us <= 3 * SECOND; now_us += 1 + now_us % 7)
        {
          guint32 cost = (guint32) MAX (1, rates[i] / 100000);

          while (detour_bucket_take (&bucket, rates[i], 4 * (guint64) cost, cost, now_us))
            given += cost;
        }
      /* All of three seconds, but for what is left in the bucket. */
      g_assert_cmpuint (given, <=, rates[i] * 3);
      g_assert_cmpuint (given + 2 * MAX (1, rates[i] / 100000), >=, rates[i] * 3 - 1);
    }
}

/* Rate 20000, burst 65568, frames of 60032 bytes: 0.00, 2.72, then every 3.0 s. */
static void
test_wait (void)
{
  static const gint64 waits_us[] = { 2724800, 3001600, 3001600 };
  DetourBucket bucket;
  gint64 now_us = 0;

  detour_bucket_init (&bucket, 65568, now_us);
  g_assert_true (detour_bucket_take (&bucket, 20000, 65568, 60032, now_us));
  for (gsize i = 0; i < G_N_ELEMENTS (waits_us); i++)
    {
      g_assert_false (detour_bucket_take (&bucket, 20000, 65568, 60032, now_us));
      g_assert_cmpint (detour_bucket_wait_us (&bucket, 20000, 60032), ==, waits_us[i]);
      now_us += waits_us[i];
      g_assert_false (detour_bucket_take (&bucket, 20000, 65568, 60032, now_us - 1));
      g_assert_true (detour_bucket_take (&bucket, 20000, 65568, 60032, now_us));
    }
}

/* Spending many times at one moment is the same as asking each time. */
static void
test_spending_at_once (void)
{
  DetourBucket asked, spent;

  detour_bucket_init (&asked, 5000, 0);
  detour_bucket_init (&spent, 5000, 0);
  for (gint64 now_us = 0; now_us < 3000000; now_us += 333333)
    {
      guint64 tokens = detour_bucket_tokens (&spent, 700, 5000, now_us);
      guint64 used = 0;

      while (used + 611 <= tokens)
        {
          g_assert_true (detour_bucket_take (&asked, 700, 5000, 611, now_us));
          used += 611;
        }
      g_assert_false (detour_bucket_take (&asked, 700, 5000, 611, now_us));
      detour_bucket_spend (&spent, used);
      g_assert_cmpint (detour_bucket_wait_us (&spent, 700, 611), ==,
                       detour_bucket_wait_us (&asked, 700, 611));
    }
}

static void
test_limits (void)
{
  DetourBucket bucket;

  detour_bucket_init (&bucket, G_MAXUINT64, 0);
  g_assert_true (detour_bucket_take (&bucket, G_MAXUINT64, G_MAXUINT64, G_MAXUINT32, 0));
  g_assert_true (detour_bucket_take (&bucket, G_MAXUINT64, G_MAXUINT64, G_MAXUINT32, G_MAXINT64));
  detour_bucket_init (&bucket, 0, 0);
  g_assert_false (detour_bucket_take (&bucket, 1, 0, G_MAXUINT32, 0));
  g_assert_cmpint (detour_bucket_wait_us (&bucket, 1, G_MAXUINT32), ==, G_MAXUINT32 * SECOND);

  /* A clock that stands or steps back gives nothing. */
  detour_bucket_init (&bucket, 1, 100);
  g_assert_true (detour_bucket_take (&bucket, 1000, 1, 1, 50));
  g_assert_false (detour_bucket_take (&bucket, 1000, 1, 1, 100));

  /* A rate of 0 means none. */
  g_assert_true (detour_bucket_take (&bucket, 0, 0, 1000, 100));

  /* A smaller size takes effect at once. */
  detour_bucket_init (&bucket, 1000, 0);
  g_assert_false (detour_bucket_take (&bucket, 1, 10, 11, 1));
  g_assert_true (detour_bucket_take (&bucket, 1, 10, 10, 1));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bucket/burst-then-rate", test_take);
  g_test_add_func ("/bucket/asking-often-loses-nothing", test_asking_often_loses_nothing);
  g_test_add_func ("/bucket/how-long-to-wait", test_wait);
  g_test_add_func ("/bucket/spending-at-once", test_spending_at_once);
  g_test_add_func ("/bucket/extreme-values", test_limits);
  return g_test_run ();
}
