/* test-prober-report.c: tests of the reader of what the program saw.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prober-page.h"
#include "prober-report.h"

#include <string.h>

#define CHECK(node, check, status, more)                                                   \
  "{\"region\":900,\"region_code\":\"own\",\"node\":\"" node "\",\"check\":\"" check "\"," \
  "\"status\":\"" status "\",\"code\":\"some_code\",\"text\":\"a text\"" more "}"

static ProberReport *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  ProberReport *report = prober_report_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  return report;
}

static void
test_whole (void)
{
  g_autoptr (ProberReport) report = parse (
      "{\"map\":null,\"map_errors\":2,\"checks\":[" CHECK ("900a", "stun4", "good", ",\"microseconds\":350") "," CHECK (
          "900a", "tls4", "warning",
          ",\"certificate_seconds\":60") "," CHECK ("900a", "login", "failed",
                                                    "") "," CHECK ("900a", "packet", "skipped",
                                                                   ",\"to\":\"900b\"") "," CHECK ("900a",
                                                                                                  "bandwidth",
                                                                                                  "good",
                                                                                                  ",\"bytes_per_second\":1000") "],\"client\":[{\"code\":\"only_ipv4\",\"text\":\"no\"},"
                                                                                                                                "{\"region\":900,\"code\":\"home\",\"text\":\"A client would.\"}],\"good\":2}");
  const ProberCheck *first = prober_report_first_failed (report);
  g_autofree char *name = prober_check_name (first);

  g_assert_cmpuint (report->checks->len, ==, 5);
  g_assert_cmpuint (report->n[PROBER_GOOD], ==, 2);
  g_assert_cmpuint (report->n[PROBER_WARNING], ==, 1);
  g_assert_cmpuint (report->n[PROBER_FAILED], ==, 1);
  g_assert_cmpuint (report->n[PROBER_SKIPPED], ==, 1);
  g_assert_cmpuint (report->n_map_errors, ==, 2);
  g_assert_cmpstr (report->home, ==, "A client would.");
  g_assert_cmpuint (report->advice->len, ==, 2);
  g_assert_cmpstr (name, ==, "900a login");
  g_assert_cmpint (((ProberCheck *) report->checks->pdata[0])->took_us, ==, 350);
  g_assert_cmpint (((ProberCheck *) report->checks->pdata[0])->certificate_us, ==, -1);
  g_assert_cmpint (((ProberCheck *) report->checks->pdata[1])->certificate_us, ==, 60000000);
  g_assert_cmpint (((ProberCheck *) report->checks->pdata[1])->took_us, ==, -1);
  g_assert_cmpstr (((ProberCheck *) report->checks->pdata[3])->node, ==, "900a>900b");
  g_assert_cmpuint (((ProberCheck *) report->checks->pdata[4])->rate, ==, 1000);
}

static void
test_page (void)
{
  g_autoptr (ProberReport) report = parse (
      "{\"checks\":[{\"region\":900,\"node\":\"<b>\",\"check\":\"tls4\",\"status\":\"failed\","
      "\"code\":\"x\",\"text\":\"a & b\",\"microseconds\":1500}],"
      "\"client\":[{\"code\":\"home\",\"text\":\"<i>\"}]}");
  g_autoptr (PageWords) words = page_words_new ("/nowhere");
  g_autofree char *page = prober_page_write (report, "noon", page_words_choose (words, "en"),
                                             "debugkey=a&b=\"");

  g_assert_nonnull (strstr (page, "<dt>Seen at</dt><dd>noon</dd>"));
  g_assert_nonnull (strstr (page, "<dt>Failed</dt><dd>1</dd>"));
  g_assert_nonnull (strstr (page, "href=\"/debug/?debugkey=a&amp;b=&quot;\""));
  g_assert_nonnull (strstr (page,
                            "<td>900</td><td>&lt;b&gt;</td><td>tls4</td>"
                            "<td class=\"bad\">failed</td><td>1.5 ms</td><td>a &amp; b</td>"));
  g_assert_nonnull (strstr (page, "<p>&lt;i&gt;</p>"));
  g_assert_null (strstr (page, "<b>"));
}

static void
test_nothing_failed (void)
{
  g_autoptr (ProberReport) report = parse ("{\"checks\":[]}");

  g_assert_null (prober_report_first_failed (report));
  g_assert_null (report->home);
}

/* A map may be somebody else's: its names are shown, but do nothing. */
static void
test_names_are_tidy (void)
{
  g_autofree char *name = g_strnfill (5000, 'x');
  g_autofree char *text = g_strconcat (
      "{\"checks\":[{\"region\":900,\"node\":\"a\\u001b[2J\\nb", name,
      "\",\"check\":\"tls4\",\"status\":\"failed\",\"code\":\"x\",\"text\":\"\\r", name, "\"}]}",
      NULL);
  g_autoptr (ProberReport) report = parse (text);
  const ProberCheck *check = report->checks->pdata[0];

  g_assert_true (g_str_has_prefix (check->node, "a?[2J?bxxx"));
  g_assert_cmpuint (strlen (check->node), ==, 64);
  g_assert_cmpuint (strlen (check->text), ==, 300);
  g_assert_cmpint (check->text[0], ==, '?');
}

static void
test_bad (void)
{
  static const char *const texts[] = {
    "",
    "[]",
    "{",
    "{}",
    "{\"checks\":{}}",
    "{\"checks\":[1]}",
    "{\"checks\":[{}]}",
    "{\"checks\":[" CHECK ("900a", "tls4", "splendid", "") "]}",
    "{\"checks\":[{\"region\":900,\"node\":1,\"check\":\"a\",\"status\":\"good\",\"code\":\"a\","
    "\"text\":\"a\"}]}",
    "{\"checks\":[{\"region\":900,\"node\":\"a\",\"check\":\"a\",\"status\":\"good\",\"code\":"
    "\"a\"}]}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (prober_report_parse (texts[i], strlen (texts[i]), &error));
      g_assert_nonnull (error);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prober-report/whole", test_whole);
  g_test_add_func ("/prober-report/page", test_page);
  g_test_add_func ("/prober-report/nothing-failed", test_nothing_failed);
  g_test_add_func ("/prober-report/names-are-tidy", test_names_are_tidy);
  g_test_add_func ("/prober-report/bad", test_bad);
  return g_test_run ();
}
