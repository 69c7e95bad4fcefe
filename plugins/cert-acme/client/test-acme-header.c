/* test-acme-header.c: addresses, links and times that a CA puts into its headers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-header.h"

#include <string.h>

/* 1994-11-06 08:49:37 UTC, the example of RFC 9110. */
#define THEN_S 784111777

static void
test_retry_after (void)
{
  static const struct {
    const char *value;
    gint64 now_s, wanted_s;
  } cases[] = {
    { "120", 0, 120 },
    { "0", 0, 0 },
    { " 7 ", 0, 7 },
    { "99999999999999999999999", 0, 365 * 86400 },
    { "Sun, 06 Nov 1994 08:49:37 GMT", THEN_S - 60, 60 },
    { "Sunday, 06-Nov-94 08:49:37 GMT", THEN_S - 60, 60 },
    { "Sun Nov  6 08:49:37 1994", THEN_S - 60, 60 },
    { "Sun, 06 Nov 1994 08:49:37 GMT", THEN_S, 0 },
    { "Sun, 06 Nov 1994 08:49:37 GMT", THEN_S + 60, 0 },
    { "Sat, 28 Nov 2026 23:59:60 GMT", 1795910340, 59 },
    { "Sun, 06 Nov 9999 08:49:37 GMT", THEN_S, 365 * 86400 },
    { "Sun, 06 Foo 1994 08:49:37 GMT", 0, 0 },
    { "Sun, 06 anF 1994 08:49:37 GMT", 0, 0 },
    { "Sun, 32 Nov 1994 08:49:37 GMT", 0, 0 },
    { "Sun, 06 Nov 1994 28:49:37 GMT", 0, 0 },
    { "-5", 0, 0 },
    { "5 minutes", 0, 0 },
    { "soon", 0, 0 },
    { "", 0, 0 },
    { ",", 0, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s", cases[i].value);
      g_assert_cmpint (acme_header_retry_after (cases[i].value, cases[i].now_s), ==,
                       cases[i].wanted_s);
    }
}

static void
test_retry_after_words (void)
{
  static const struct {
    const char *words;
    gint64 wanted_s;
  } cases[] = {
    { "too many certificates (5) already issued for \"w.test\" in the last 168h0m0s, retry after "
      "2026-11-28 22:57:11 UTC: see https://letsencrypt.org/docs/rate-limits/",
      60 },
    { "retry after 2026-11-28 22:56:11 UTC", 0 },
    { "retry after 2026-13-28 22:57:11 UTC", 0 },
    { "retry after lunch", 0 },
    { "", 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (acme_header_retry_after_words (cases[i].words, 1795906571), ==,
                     cases[i].wanted_s);
}

static void
test_times (void)
{
  static const struct {
    const char *text;
    gint64 wanted_s;
  } cases[] = {
    { "2026-11-28T22:56:11Z", 1795906571 },
    { "2026-11-28T22:56:11.123456789Z", 1795906571 },
    { "2026-11-28T23:56:11+01:00", 1795906571 },
    { "2026-11-28t22:56:11z", -1 },
    { "2026-11-28T17:26:11.5-05:30", 1795906571 },
    { "2026-11-28T22:56:11", -1 },
    { "2026-11-28", -1 },
    { "yesterday", -1 },
    { "2026-13-28T22:56:11Z", -1 },
    { "", -1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GDateTime) time = acme_header_parse_time (cases[i].text);

      g_test_message ("%s", cases[i].text);
      if (time == NULL)
        g_assert_cmpint (cases[i].wanted_s, ==, -1);
      else
        g_assert_cmpint (g_date_time_to_unix (time), ==, cases[i].wanted_s);
    }
}

static void
test_urls (void)
{
  static const struct {
    const char *url;
    gboolean wanted;
  } cases[] = {
    { "https://ca.example/dir", TRUE },
    { "https://[::1]:14000/dir?a=b", TRUE },
    { "http://ca.example/dir", FALSE },
    { "https://", FALSE },
    { "https:///dir", FALSE },
    { "https://me@ca.example/", FALSE },
    { "https://ca.example/#part", FALSE },
    { "/dir", FALSE },
    { "https://ca.example/a b", FALSE },
    { "https://ca.example/\n", FALSE },
    { "file:///etc/passwd", FALSE },
    { "", FALSE },
    { "https://ca.example/\xc3\xa4", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s", cases[i].url);
      g_assert_cmpint (acme_header_is_url (cases[i].url), ==, cases[i].wanted);
    }
}

static void
test_resolve (void)
{
  static const struct {
    const char *target, *wanted;
  } cases[] = {
    { "https://other/x%2fy", "https://other/x%2fy" },
    { "/order/1", "https://ca:444/order/1" },
    { "2", "https://ca:444/a/2" },
    { "//other/x", "https://other/x" },
    { "http://other/x", NULL },
    { "javascript:x", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *url = acme_header_resolve ("https://ca:444/a/b", cases[i].target);

      g_assert_cmpstr (url, ==, cases[i].wanted);
    }
}

static void
test_links (void)
{
  static const struct {
    const char *value, *wanted;
  } cases[] = {
    { "<https://ca/1>;rel=\"alternate\"", "https://ca/1" },
    { "<https://ca/1>; rel=alternate, <https://ca/2>;rel=\"up\",</3>;rel=\"x alternate\"",
      "https://ca/1 https://ca/3" },
    { "<https://ca/1>;title=\"a, b;rel=alternate\";rel=up", "" },
    { "<https://ca/a,b>;REL=Alternate", "https://ca/a,b" },
    { "<https://ca/1>", "" },
    { "<https://ca/1", "" },
    { "<http://ca/1>;rel=alternate", "" },
    { "", "" },
    { "<></>,<<;rel=alternate", "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
      g_autofree char *all = NULL;

      acme_header_add_links (cases[i].value, "https://ca/x", "alternate", found, 8);
      g_ptr_array_add (found, NULL);
      all = g_strjoinv (" ", (char **) found->pdata);
      g_assert_cmpstr (all, ==, cases[i].wanted);
    }
}

static void
test_links_limited (void)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < 10; i++)
    acme_header_add_links ("</1>;rel=alternate,</2>;rel=alternate", "https://ca/x", "alternate",
                           found, 5);
  g_assert_cmpuint (found->len, ==, 5);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/acme-header/retry-after", test_retry_after);
  g_test_add_func ("/acme-header/retry-after-words", test_retry_after_words);
  g_test_add_func ("/acme-header/times", test_times);
  g_test_add_func ("/acme-header/urls", test_urls);
  g_test_add_func ("/acme-header/resolve", test_resolve);
  g_test_add_func ("/acme-header/links", test_links);
  g_test_add_func ("/acme-header/links-limited", test_links_limited);
  return g_test_run ();
}
