/* test-format.c: tests of numbers, times and texts as people read them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-format.h"

#define SECOND G_GUINT64_CONSTANT (1000000)

static void
check (char *text, const char *expected)
{
  g_assert_cmpstr (text, ==, expected);
  g_free (text);
}

static void
test_counts (void)
{
  check (detourctl_format_count (0), "0");
  check (detourctl_format_count (999), "999");
  check (detourctl_format_count (1000), "1,000");
  check (detourctl_format_count (1234567), "1,234,567");
  check (detourctl_format_count (G_MAXUINT64), "18,446,744,073,709,551,615");
}

static void
test_middle (void)
{
  check (detourctl_format_middle ("", 8), "");
  check (detourctl_format_middle ("relay.io", 8), "relay.io");
  check (detourctl_format_middle ("relay.example", 8), "rela…ple");
  check (detourctl_format_middle ("日本語日本語", 8), "日本…語");
  check (detourctl_format_middle ("日本語日本語", 3), "日…");
}

static void
test_rates (void)
{
  check (detourctl_format_rate (0, SECOND), "0 bit/s");
  check (detourctl_format_rate (100, SECOND), "800 bit/s");
  check (detourctl_format_rate (125, SECOND), "1 kbit/s");
  check (detourctl_format_rate (26500000, SECOND), "212 Mbit/s");
  check (detourctl_format_rate (26500000, 10 * SECOND), "21.2 Mbit/s");
  check (detourctl_format_rate (156250, SECOND), "1.25 Mbit/s");
  check (detourctl_format_rate (124999999, SECOND), "1 Gbit/s");
  check (detourctl_format_rate (G_MAXUINT64 / 16, SECOND), "9,223,372 Tbit/s");
  check (detourctl_format_rate (1, 0), "8 Mbit/s");
}

static void
test_sizes (void)
{
  check (detourctl_format_size (0), "0 B");
  check (detourctl_format_size (1000), "1,000 B");
  check (detourctl_format_size (1024), "1 KiB");
  check (detourctl_format_size (1536), "1.5 KiB");
  check (detourctl_format_size (195 * 1024 + 300), "195 KiB");
  check (detourctl_format_size (1024 * 1024 - 1), "1 MiB");
  check (detourctl_format_size (G_MAXUINT64), "16,384 PiB");
}

static void
test_shares (void)
{
  check (detourctl_format_share (0, 0), "0 %");
  check (detourctl_format_share (0, 1000), "0 %");
  check (detourctl_format_share (2, 10000), "0.02 %");
  check (detourctl_format_share (1, 1000000), "< 0.01 %");
  check (detourctl_format_share (1, 8), "12 %");
  check (detourctl_format_share (5, 5), "100 %");
}

static void
test_per_second (void)
{
  check (detourctl_format_per_second (0, SECOND), "0");
  check (detourctl_format_per_second (264000, 10 * SECOND), "26,400");
  check (detourctl_format_per_second (3, 10 * SECOND), "0.3");
  check (detourctl_format_per_second (1, 100 * SECOND), "0");
}

static void
test_durations (void)
{
  check (detourctl_format_duration (0), "0 seconds");
  check (detourctl_format_duration (SECOND), "1 second");
  check (detourctl_format_duration (119 * SECOND), "119 seconds");
  check (detourctl_format_duration (120 * SECOND), "2 minutes");
  check (detourctl_format_duration (47 * 3600 * SECOND), "47 hours");
  check (detourctl_format_duration (48 * 3600 * SECOND), "2 days");
  check (detourctl_format_duration (3650 * 86400 * SECOND), "3,650 days");
  check (detourctl_format_age (59 * SECOND), "59s");
  check (detourctl_format_age (61 * SECOND), "1m 1s");
  check (detourctl_format_age (3661 * SECOND), "1h 1m");
  check (detourctl_format_age (100 * 86400 * SECOND), "100d 0h");
  check (detourctl_format_latency (800), "0.8 ms");
  check (detourctl_format_latency (12345), "12.3 ms");
  check (detourctl_format_latency (123456), "123 ms");
  check (detourctl_format_latency (1250000), "1.2 s");
}

static void
test_times (void)
{
  check (detourctl_format_time (0), "1970-01-01T00:00:00Z");
  check (detourctl_format_time (G_GUINT64_CONSTANT (1795566503739878)), "2026-11-25T00:28:23Z");
  check (detourctl_format_time (G_MAXUINT64), "");
}

static void
test_wrapping (void)
{
  check (detourctl_format_wrap ("one two three", 0, 2, 80), "one two three");
  check (detourctl_format_wrap ("one two three", 5, 2, 12), "one two\n  three");
  check (detourctl_format_wrap ("one two three", 5, 2, 5), "one\n  two\n  three");
  check (detourctl_format_wrap ("", 5, 2, 5), "");
  check (detourctl_format_wrap ("überlang ist dies", 0, 0, 8), "überlang\nist dies");
  check (detourctl_format_wrap ("a  b  c", 0, 0, 80), "a  b  c");
  check (detourctl_format_wrap ("aaa  bbb", 0, 1, 6), "aaa\n bbb");
  check (detourctl_format_wrap ("a b\302\240c", 0, 0, 4), "a\nb c");
}

static void
test_word (void)
{
  static const struct {
    const char *text, *word;
  } cases[] = {
    { "/etc/detour/a_b-c+d.keys", "/etc/detour/a_b-c+d.keys" },
    { "https://a:1/x?y=1", "'https://a:1/x?y=1'" },
    { "friends of mine", "'friends of mine'" },
    { "it's", "'it'\\''s'" },
    { "\303\266", "'\303\266'" },
    { "", "''" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *word = detourctl_format_word (cases[i].text);

      g_assert_cmpstr (word, ==, cases[i].word);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/format/counts", test_counts);
  g_test_add_func ("/format/middle-left-out", test_middle);
  g_test_add_func ("/format/rates", test_rates);
  g_test_add_func ("/format/sizes", test_sizes);
  g_test_add_func ("/format/shares", test_shares);
  g_test_add_func ("/format/per-second", test_per_second);
  g_test_add_func ("/format/durations", test_durations);
  g_test_add_func ("/format/times", test_times);
  g_test_add_func ("/format/wrapping", test_wrapping);
  g_test_add_func ("/format/word", test_word);
  return g_test_run ();
}
