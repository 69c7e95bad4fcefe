/* test-log-limit.c: tests that a flood of lines leaves its number in the log.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-log-limit.h"

#define NOW_US (100 * G_USEC_PER_SEC)

static void
test_flood (void)
{
  DetourLogLimit limit;
  guint shown = 0;

  detour_log_limit_init (&limit, NOW_US);
  for (guint i = 0; i < 20; i++)
    shown += detour_log_limit_level (&limit, NOW_US) == G_LOG_LEVEL_MESSAGE;
  g_assert_cmpuint (shown, ==, 5);

  g_test_expect_message ("detour", G_LOG_LEVEL_MESSAGE,
                         "15 more like the next one were not logged");
  g_assert_cmpint (detour_log_limit_level (&limit, NOW_US + G_USEC_PER_SEC), ==,
                   G_LOG_LEVEL_MESSAGE);
  g_test_assert_expected_messages ();
  g_assert_cmpint (detour_log_limit_level (&limit, NOW_US + G_USEC_PER_SEC), ==, G_LOG_LEVEL_DEBUG);
}

static void
test_trickle (void)
{
  DetourLogLimit limit;

  /* Nothing is left out, so nothing is said: any message fails the test. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_MESSAGE);
  detour_log_limit_init (&limit, NOW_US);
  for (guint i = 0; i < 20; i++)
    g_assert_cmpint (detour_log_limit_level (&limit, NOW_US + i * G_USEC_PER_SEC), ==,
                     G_LOG_LEVEL_MESSAGE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/log-limit/flood-leaves-its-number", test_flood);
  g_test_add_func ("/log-limit/trickle-is-shown", test_trickle);
  return g_test_run ();
}
