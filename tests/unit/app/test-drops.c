/* test-drops.c: tests of what status says about packets that were not relayed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-drops.h"

static char *
describe (const char *counters_text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) counters = g_variant_parse (G_VARIANT_TYPE ("a(sa{ss}ts)"), counters_text,
                                                   NULL, NULL, &error);
  g_autoptr (GPtrArray) drops = NULL;

  g_assert_no_error (error);
  drops = detourctl_drops (counters);
  return detourctl_drops_describe (drops);
}

static void
check (const char *counters, const char *expected)
{
  g_autofree char *text = describe (counters);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_nothing_dropped (void)
{
  check ("[]", "");
  check ("[('packets_dropped', {'reason': 'gone', 'kind': 'data'}, 0, '')]", "");
  check ("[('packets_received', {'kind': 'data'}, 7, '')]", "");
}

static void
test_kinds_are_added_up_and_the_most_frequent_comes_first (void)
{
  check ("[('packets_dropped', {'reason': 'gone', 'kind': 'data'}, 5, ''),"
         " ('packets_dropped', {'reason': 'queue_head', 'kind': 'data'}, 1200, ''),"
         " ('packets_dropped', {'reason': 'queue_head', 'kind': 'disco'}, 4, ''),"
         " ('bytes_dropped', {'reason': 'gone', 'kind': 'data'}, 99999, '')]",
         "1,204 to slow readers, 5 to clients that left");
}

static void
test_reasons_of_a_newer_daemon_are_shown_as_they_are (void)
{
  check ("[('packets_dropped', {'reason': 'over_quota'}, 3, '')]", "3 over_quota");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/drops/nothing-dropped", test_nothing_dropped);
  g_test_add_func ("/drops/kinds-are-added-up-and-the-most-frequent-comes-first",
                   test_kinds_are_added_up_and_the_most_frequent_comes_first);
  g_test_add_func ("/drops/reasons-of-a-newer-daemon-are-shown-as-they-are",
                   test_reasons_of_a_newer_daemon_are_shown_as_they_are);
  return g_test_run ();
}
