/* test-health.c: the text for a client's user, with one reason, several or none.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-health.h"

#include <string.h>

static void
test_order (void)
{
  char text[DETOUR_HEALTH_TEXT_MAX + 1];
  const char *last = NULL;

  g_assert_cmpuint (detour_health_format (0, "unused", text), ==, 0);
  g_assert_cmpstr (text, ==, "");
  g_assert_cmpuint (detour_health_format (DETOUR_HEALTH_ANNOUNCED, "back at noon", text), ==, 12);
  g_assert_cmpstr (text, ==, "back at noon");
  detour_health_format (DETOUR_HEALTH_SLOWED | DETOUR_HEALTH_ANNOUNCED, "back at noon", text);
  g_assert_true (g_str_has_prefix (text, "back at noon; this device sends faster"));

  /* All of them: the most important first. */
  detour_health_format (0xf, "back at noon", text);
  for (guint i = 0; i < DETOUR_HEALTH_N_REASONS; i++)
    {
      static const char *const words[] = { "back at noon", "; the traffic budget",
                                           "; another device", "; this device sends" };
      const char *found = strstr (text, words[i]);

      g_assert_nonnull (found);
      g_assert_true (last == NULL || found > last);
      last = found;
    }
}

static void
test_longest (void)
{
  char text[DETOUR_HEALTH_TEXT_MAX + 1];
  g_autofree char *announcement = g_strnfill (DETOUR_HEALTH_ANNOUNCEMENT_MAX, 'x');
  gsize len = detour_health_format (0xf, announcement, text);

  g_assert_cmpuint (len, ==, strlen (text));
  g_assert_true (g_utf8_validate (text, -1, NULL));
  g_assert_true (g_str_has_suffix (text, "is slowed down"));
}

static void
test_names (void)
{
  static const char *const names[] = { "announcement", "budget", "duplicate", "slowed" };

  G_STATIC_ASSERT (G_N_ELEMENTS (names) == DETOUR_HEALTH_N_REASONS);
  for (guint i = 0; i < DETOUR_HEALTH_N_REASONS; i++)
    g_assert_cmpstr (detour_health_reason_name (i), ==, names[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/health/order", test_order);
  g_test_add_func ("/health/longest", test_longest);
  g_test_add_func ("/health/names", test_names);
  return g_test_run ();
}
