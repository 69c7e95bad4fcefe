/* test-debug-html.c: texts in pages: escaped, translated, and whatever they are.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "debug-format.h"
#include "debug-html.h"
#include "debug-query.h"

typedef struct {
  const char *name, *text, *expected;
} Text;

static const Text texts[] = {
  { "plain", "relay.example", "relay.example" },
  { "markup", "<script>alert('x')</script>\"&",
    "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;" },
  { "control", "a\001b\033c\177d\302\205e",
    "a\357\277\275b\357\277\275c\357\277\275d\357\277\275e" },
  { "no-character", "\357\267\220\357\277\277\360\237\277\276",
    "\357\277\275\357\277\275\357\277\275" },
  { "direction", "a\u202eb\u202a\u2066c\u2069\u200e\u200f\u061cd",
    "a\uFFFDb\uFFFD\uFFFDc\uFFFD\uFFFD\uFFFD\uFFFDd" },
  { "without-width", "a\u200bb\u00adc\ufeff", "a\uFFFDb\uFFFDc\uFFFD" },
  { "joiner", "a\u200db", "a\u200db" },
  { "no-utf-8", "a\377b", "a\357\277\275b" },
  { "umlaut", "Gr\303\266\303\237e", "Gr\303\266\303\237e" },
};

static DebugHtml
html_new (const PageWords *words, const char *accept)
{
  return (DebugHtml) { g_string_new (NULL), page_words_choose (words, accept), NULL };
}

static void
test_text (gconstpointer data)
{
  const Text *text = data;
  g_autoptr (PageWords) words = page_words_new ("/nonexistent");
  DebugHtml html = html_new (words, "en");

  debug_html_text (&html, text->text);
  g_assert_cmpstr (html.out->str, ==, text->expected);
  g_string_free (html.out, TRUE);
}

static void
test_href (void)
{
  g_autoptr (PageWords) words = page_words_new ("/nonexistent");
  DebugHtml html = html_new (words, "en");
  g_autoptr (GString) query = g_string_new (NULL);

  debug_query_append (query, "search", "a&b=\"<\303\266");
  html.debug_key = "k y";
  debug_html_href (&html, "/debug/", query->str);
  g_assert_cmpstr (html.out->str, ==,
                   " href=\"/debug/?search=a%26b%3D%22%3C%C3%B6&amp;debugkey=k%20y\"");
  g_string_free (html.out, TRUE);
}

static void
test_query (void)
{
  g_autoptr (DebugQuery) query = debug_query_new ("a=1&b=x+y%3d%26&a=2&c&d=%zz&e=%ff&n=70&m=-1&=");

  g_assert_cmpstr (debug_query_get (query, "a"), ==, "1");
  g_assert_cmpstr (debug_query_get (query, "b"), ==, "x y=&");
  g_assert_cmpstr (debug_query_get (query, "c"), ==, "");
  g_assert_null (debug_query_get (query, "d"));
  g_assert_null (debug_query_get (query, "e"));
  g_assert_cmpuint (debug_query_number (query, "n", 100, 5), ==, 70);
  g_assert_cmpuint (debug_query_number (query, "n", 60, 5), ==, 5);
  g_assert_cmpuint (debug_query_number (query, "m", 60, 5), ==, 5);
  g_assert_cmpuint (debug_query_number (query, "none", 60, 5), ==, 5);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void
check (char *text, const char *expected)
{
  g_assert_cmpstr (text, ==, expected);
  g_free (text);
}

static void
test_numbers (void)
{
  g_autoptr (PageWords) words = page_words_new ("/nonexistent");
  const PageLanguage *english = page_words_choose (words, "en");

  check (debug_format_count (0), "0");
  check (debug_format_count (123), "123");
  check (debug_format_count (1234567), "1\342\200\257234\342\200\257567");
  check (debug_format_bytes (0), "0 B");
  check (debug_format_bytes (1536), "1.5 KiB");
  check (debug_format_bytes (150.0 * 1024 * 1024), "150 MiB");
  check (debug_format_rate (125000), "1.0 Mbit/s");
  check (debug_format_per_second (0.25), "0.2/s");
  check (debug_format_date (0), "");
  check (debug_format_date (G_GUINT64_CONSTANT (1700000000000000)), "2023-11-14 22:13:20 UTC");
  check (debug_format_date (G_MAXUINT64), "");
  check (debug_format_span (english, -5), "0 s");
  check (debug_format_span (english, 119 * G_USEC_PER_SEC), "119 s");
  check (debug_format_span (english, 3 * G_TIME_SPAN_DAY), "3 days");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autofree char *path = g_strconcat ("/debug-html/text/", texts[i].name, NULL);

      g_test_add_data_func (path, &texts[i], test_text);
    }
  g_test_add_func ("/debug-html/href", test_href);
  g_test_add_func ("/debug-html/query", test_query);
  g_test_add_func ("/debug-html/numbers", test_numbers);
  return g_test_run ();
}
