/* test-text.c: texts of strangers, made fit to be shown.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-text.h"

static const struct {
  const char *text, *tidy;
} rows[] = {
  { NULL, NULL },
  { "", NULL },
  { " \t\n", NULL },
  { "plain", "plain" },
  { "  2\nrows\r\n", "2 rows" },
  { "a\033[31mb", "a [31mb" },
  { "a\u2028b\u202ec", "a b c" },
  { "a\u3164b\u0378c", "a b c" },
  { "\u0645\u200c\u0645", "\u0645\u200c\u0645" },
  { "a \xff byte", "a \xef\xbf\xbd byte" },
  { "0123456789abcdef", "0123456789" },
  /* Four bytes each, so that the text is cut between two characters. */
  { "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
    "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
    "\xf0\x9f\x98\x80",
    "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
    "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80" },
};

static void
tidy (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *tidy = detour_text_tidy (rows[i].text, 10);

      g_assert_cmpstr (tidy, ==, rows[i].tidy);
    }
}

static void
hidden (void)
{
  static const gunichar seen[] = { 'a',    ' ',    0xa0,   0xfc,   0x0645,
                                   0x200c, 0x200d, 0x3000, 0xfe0f, 0x1f600 };
  static const gunichar unseen[] = { '\n',   '\t',   0x1b,   0x7f,   0x85,   0xad,   0x034f,
                                     0x061c, 0x115f, 0x200b, 0x200e, 0x2028, 0x2029, 0x202e,
                                     0x2060, 0x2066, 0x3164, 0xfeff, 0xe0041 };

  for (guint i = 0; i < G_N_ELEMENTS (seen); i++)
    g_assert_false (detour_text_is_hidden (seen[i]));
  for (guint i = 0; i < G_N_ELEMENTS (unseen); i++)
    g_assert_true (detour_text_is_hidden (unseen[i]));
  g_assert_cmphex (detour_text_find_hidden ("relay.example.com"), ==, 0);
  g_assert_cmphex (detour_text_find_hidden ("relay\u200b.example\u202e"), ==, 0x200b);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/text/tidy", tidy);
  g_test_add_func ("/text/hidden", hidden);
  return g_test_run ();
}
