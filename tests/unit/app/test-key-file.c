/* test-key-file.c: lists of node keys, changed line by line.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-key-file.h"

#include <string.h>

#define HEX_A "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
#define HEX_B "00000000000000000000000000000000000000000000000000000000000000ff"
#define KEY_A "nodekey:" HEX_A
#define KEY_B "nodekey:" HEX_B

static DetourKey
key_of (const char *text)
{
  DetourKey key;

  g_assert_true (detour_key_parse (&key, text, "nodekey:"));
  return key;
}

static void
test_parse (void)
{
  static const struct {
    const char *text;
    guint n, wrong;
  } rows[] = {
    { "", 0, 0 },
    { "# " KEY_A "\n\n  \t\n", 0, 0 },
    { KEY_A, 1, 0 },
    { "\xef\xbb\xbf" KEY_A "\r\n" KEY_B " a label\r\n", 2, 0 },
    { "  " KEY_A "\tclass=family Anna \n", 1, 0 },
    { KEY_A " class= x\n", 0, 1 },
    { KEY_A " class=Big\n", 0, 1 },
    { "#\n" KEY_A "x\n" KEY_B "\n", 1, 2 },
    { HEX_A "\n", 0, 1 },
    { KEY_A "\nNodekey:" HEX_B "\n", 1, 2 },
    { KEY_A " \xff\n", 0, 1 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      gsize len = strlen (rows[i].text);
      g_autofree char *exact = g_memdup2 (rows[i].text, len);
      g_autoptr (DetourctlKeyFile) file = detourctl_key_file_parse ("x", exact, len);

      g_assert_cmpuint (file->keys->len, ==, rows[i].n);
      g_assert_cmpuint (file->wrong, ==, rows[i].wrong);
    }
}

static void
test_fields (void)
{
  const char *text = "# x\n" KEY_A "  class=family  Anna's  laptop \n" KEY_B "\n";
  g_autoptr (DetourctlKeyFile) file = detourctl_key_file_parse ("x", text, strlen (text));
  DetourKey a = key_of (KEY_A), b = key_of (KEY_B);
  const DetourctlKeyLine *line = detourctl_key_file_find (file, &a);

  g_assert_cmpuint (line->line, ==, 2);
  g_assert_cmpstr (line->class_, ==, "family");
  g_assert_cmpstr (line->label, ==, "Anna's  laptop");
  line = detourctl_key_file_find (file, &b);
  g_assert_cmpstr (line->class_, ==, "");
  g_assert_cmpstr (line->label, ==, "");
}

static void
test_add (void)
{
  static const struct {
    const char *before, *class_, *label, *after;
  } rows[] = {
    { "", "", "", KEY_A "\n" },
    { "# x\n\n", "family", "Anna", "# x\n\n" KEY_A " class=family Anna\n" },
    { "# no end", "", "Anna", "# no end\n" KEY_A " Anna\n" },
    { KEY_B "\r\n", "", "", KEY_B "\r\n" KEY_A "\r\n" },
  };
  DetourKey key = key_of (KEY_A);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DetourctlKeyFile)
          file = detourctl_key_file_parse ("x", rows[i].before, strlen (rows[i].before));

      detourctl_key_file_add (file, &key, rows[i].class_, rows[i].label);
      g_assert_cmpstr (file->text->str, ==, rows[i].after);
      g_assert_nonnull (detourctl_key_file_find (file, &key));
    }
}

static void
test_remove (void)
{
  static const struct {
    const char *before, *after;
  } rows[] = {
    { KEY_A "\n", "" },
    { "# about A\n" KEY_A " x\n# about B\n" KEY_B "\n", "# about A\n# about B\n" KEY_B "\n" },
    { KEY_A "\n" KEY_B "\n" KEY_A, KEY_B "\n" },
    { "#" KEY_A "\nrubbish\n" KEY_A "\n", "#" KEY_A "\nrubbish\n" },
    { KEY_B "\n", KEY_B "\n" },
  };
  DetourKey key = key_of (KEY_A);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DetourctlKeyFile)
          file = detourctl_key_file_parse ("x", rows[i].before, strlen (rows[i].before));

      detourctl_key_file_remove (file, &key);
      g_assert_cmpstr (file->text->str, ==, rows[i].after);
    }
}

static void
test_pasted (void)
{
  static const struct {
    const char *text;
    gboolean good;
  } rows[] = {
    { KEY_A, TRUE },
    { "  " KEY_A "\n", TRUE },
    { "\"" KEY_A "\"", TRUE },
    { "'" KEY_A "',", TRUE },
    { "\"PublicKey\": \"" KEY_A "\",", TRUE },
    { "PublicKey: " KEY_A, TRUE },
    { "{\"PublicKey\":\"" KEY_A "\"}", TRUE },
    { HEX_A, FALSE },
    { "nodekey:" HEX_A "0", FALSE },
    { KEY_A " " KEY_B, FALSE },
    { KEY_A " Anna", FALSE },
    { "privkey:" HEX_A, FALSE },
    { "discokey:" HEX_A, FALSE },
    { "tskey-auth-abc", FALSE },
    { "", FALSE },
    { "\"\"", FALSE },
  };
  DetourKey wanted = key_of (KEY_A);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      DetourKey key;

      if (detourctl_key_file_read_key (rows[i].text, &key, &error) != rows[i].good)
        g_error ("%s", rows[i].text);
      if (rows[i].good)
        g_assert_true (detour_key_equal (&key, &wanted));
      else
        g_assert_null (strstr (error->message, HEX_A));
    }
}

static void
test_words (void)
{
  g_assert_null (detourctl_key_file_check_label ("Anna's laptop"));
  g_assert_nonnull (detourctl_key_file_check_label ("a\nnodekey:"));
  g_assert_nonnull (detourctl_key_file_check_label ("class=x"));
  g_assert_nonnull (detourctl_key_file_check_label ("\xff"));
  g_assert_null (detourctl_key_file_check_class ("family-2"));
  g_assert_nonnull (detourctl_key_file_check_class (""));
  g_assert_nonnull (detourctl_key_file_check_class ("Family"));
  g_assert_nonnull (detourctl_key_file_check_class ("a b"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/key-file/parse", test_parse);
  g_test_add_func ("/key-file/fields", test_fields);
  g_test_add_func ("/key-file/add", test_add);
  g_test_add_func ("/key-file/remove", test_remove);
  g_test_add_func ("/key-file/pasted", test_pasted);
  g_test_add_func ("/key-file/words", test_words);
  return g_test_run ();
}
