/* test-config-file.c: the syntax of configuration files, and what is said of a bad one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-file.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All of a file in one line: `group@line{key@line=value;…}`. */
static char *
describe (const DetourConfigFile *file)
{
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < file->groups->len; i++)
    {
      const DetourConfigGroup *group = file->groups->pdata[i];

      g_string_append_printf (out, "%s@%u{", group->name, group->line);
      for (guint j = 0; j < group->entries->len; j++)
        {
          const DetourConfigEntry *entry = &g_array_index (group->entries, DetourConfigEntry, j);

          g_string_append_printf (out, "%s@%u=%s|", entry->key, entry->line, entry->value);
        }
      g_string_append_c (out, '}');
    }
  return g_string_free (out, FALSE);
}

static void
good (void)
{
  static const struct {
    const char *text, *expected;
  } cases[] = {
    { "", "" },
    { "\n\n# a\n; b\n", "" },
    { "[core]", "core@1{}" },
    { "[core]\nhostname=a\n", "core@1{hostname@2=a|}" },
    { "[core]\n  hostname  =  a b  \n", "core@1{hostname@2=a b|}" },
    { "[core]\r\nhostname=a\r\n", "core@1{hostname@2=a|}" },
    { "[core]\nhostname=", "core@1{hostname@2=|}" },
    { "[core]\nx==a=b", "core@1{x@2==a=b|}" },
    { "[core]\nx=1 # 2; 3", "core@1{x@2=1 # 2; 3|}" },
    { "# c\n\n[ transport \t https ]\nlisten=:1;:2\n\n[auth friends]\nfile=/a\n",
      "transport https@3{listen@4=:1;:2|}auth friends@6{file@7=/a|}" },
    { "[a]\nx=1\n[b]\nx=2\n", "a@1{x@2=1|}b@3{x@4=2|}" },
    { "[a]\nx=\\s\\;\\\\", "a@1{x@2=\\s\\;\\\\|}" },
    { "\xef\xbb\xbf[a]\nx=1", "a@1{x@2=1|}" },
    { "[a]\nx=größer", "a@1{x@2=größer|}" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
      g_autoptr (DetourConfigFile)
          file = detour_config_file_parse ("f", cases[i].text, strlen (cases[i].text), errors);
      g_autofree char *found = describe (file);

      g_assert_cmpuint (detour_config_errors_count (errors), ==, 0);
      g_assert_cmpstr (found, ==, cases[i].expected);
    }
}

/* The lines of errors without the last, joined by line feeds. */
static char *
texts (DetourConfigErrors *errors)
{
  g_auto (GStrv) lines = detour_config_errors_lines (errors);
  guint n = g_strv_length (lines);

  g_assert_cmpuint (n, >, 0);
  g_clear_pointer (&lines[n - 1], g_free);
  return g_strjoinv ("\n", lines);
}

static void
bad (void)
{
  static const struct {
    const char *text;
    gssize len;
    const char *expected;
  } cases[] = {
    { "x=1\ny=2\n[a]\n", -1, "f:1: text before the first [group]" },
    { "[a]\nx\n", -1,
      "f:2: [a]: \"x\" has no \"=\"; write key = value, or begin a comment with #" },
    { "[a]\nx=re\u202elay\n", -1,
      "f:2: [a] x: here is a character that is not seen or turns the direction of writing, U+202E; "
      "type it anew" },
    { "[a]\nx\u200b=1\n", -1,
      "f:2: [a]: here is a character that is not seen or turns the direction of writing, U+200B; "
      "type it anew" },
    { "[a\u00ad]\n", -1,
      "f:1: here is a character that is not seen or turns the direction of writing, U+00AD; type "
      "it "
      "anew" },
    { "[a]\n=1\n", -1, "f:2: [a]: \"\" cannot be a key; keys are letters, digits and \"-\"" },
    { "[a]\nx y=1\n", -1, "f:2: [a]: \"x y\" cannot be a key; keys are letters, digits and \"-\"" },
    { "[a]\nx[de]=1\n", -1,
      "f:2: [a]: \"x[de]\" cannot be a key; keys are letters, digits and \"-\"" },
    { "[a]\nx=1\n\nx=2\n", -1, "f:4: [a] x: already set on line 2; only one of them can count" },
    { "[a]\nx=1\n[b]\n[a]\ny=1\nz\n", -1,
      "f:4: [a]: this group is already on line 1; a file has it once" },
    { "[a]\n[ a ]\n", -1, "f:2: [a]: this group is already on line 1; a file has it once" },
    { "[a\nx=1\n", -1, "f:1: a group has the form [NAME] and nothing behind it" },
    { "[a] # b\nx=1\n", -1, "f:1: a group has the form [NAME] and nothing behind it" },
    { "[]\n", -1, "f:1: between the brackets there must be the name of a group" },
    { "[  ]\n", -1, "f:1: between the brackets there must be the name of a group" },
    { "[a[b]\n", -1, "f:1: between the brackets there must be the name of a group" },
    { "[a\001b]\n", -1,
      "f:1: here is a character that is not seen or turns the direction of writing, U+0001; type "
      "it "
      "anew" },
    { "[\n", -1, "f:1: a group has the form [NAME] and nothing behind it" },
    { "[a]\nx=\xff\n", -1, "f:2: [a]: this line is not UTF-8" },
    { "[a]\n# \xc3\n", -1, "f:2: [a]: this line is not UTF-8" },
    { "[a]\nx=1\0\ny=2", 12, "f:2: [a]: there is a NUL byte in this line; is this a text file?" },
    { "\xef\xbb[a]\n", -1, "f:1: this line is not UTF-8" },
    { "[a]\n\x1b[31m\n", -1,
      "f:2: [a]: \"\\x1b[31m\" has no \"=\"; write key = value, or begin a comment with #" },
    { "y\n[a]\nx\nx=1\nx=1", -1,
      "f:1: text before the first [group]\n"
      "f:3: [a]: \"x\" has no \"=\"; write key = value, or begin a comment with #\n"
      "f:5: [a] x: already set on line 4; only one of them can count" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      gsize len = cases[i].len < 0 ? strlen (cases[i].text) : (gsize) cases[i].len;
      g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
      g_autoptr (DetourConfigFile)
          file = detour_config_file_parse ("f", cases[i].text, len, errors);
      g_autofree char *found = texts (errors);

      g_assert_nonnull (file);
      g_assert_cmpstr (found, ==, cases[i].expected);
    }
}

static void
limits (void)
{
  static const struct {
    gsize line;
    gboolean good;
  } cases[] = { { DETOUR_CONFIG_LINE_MAX, TRUE }, { DETOUR_CONFIG_LINE_MAX + 1, FALSE } };
  g_autofree char *big = g_strnfill (DETOUR_CONFIG_FILE_MAX + 1, '\n');

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strnfill (4 + cases[i].line, 'x');
      g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
      g_autoptr (DetourConfigFile) file = NULL;

      memcpy (text, "[a]\nx=", 6);
      file = detour_config_file_parse ("f", text, strlen (text), errors);
      g_assert_cmpint (detour_config_errors_count (errors) == 0, ==, cases[i].good);
    }
  for (guint extra = 0; extra < 2; extra++)
    {
      g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
      g_autoptr (DetourConfigFile)
          file = detour_config_file_parse ("f", big, DETOUR_CONFIG_FILE_MAX + extra, errors);

      g_assert_cmpuint (detour_config_errors_count (errors), ==, extra);
    }
}

static void
rubbish_is_cut_short (void)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  GString *text = g_string_new ("[a]\n");
  g_autoptr (DetourConfigFile) file = NULL;
  g_auto (GStrv) lines = NULL;
  guint n;

  for (guint i = 0; i < 1000; i++)
    g_string_append (text, "rubbish\n");
  file = detour_config_file_parse ("f", text->str, text->len, errors);
  g_string_free (text, TRUE);
  lines = detour_config_errors_lines (errors);
  n = g_strv_length (lines);
  g_assert_cmpuint (n, ==, 202);
  g_assert_cmpstr (lines[n - 2], ==, "and 800 more");
  g_assert_cmpstr (lines[n - 1], ==, "1000 errors; the configuration was not used");
}

/* Says so of itself, and has nothing. */
static void
expect_unread (const char *path, DetourConfigErrors *errors)
{
  g_autoptr (DetourConfigFile) file = detour_config_file_load (path, errors);

  g_assert_true (file->is_unread);
  g_assert_cmpuint (file->groups->len, ==, 0);
}

static void
unreadable (void)
{
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *missing = g_build_filename (dir, "missing", NULL);
  g_autofree char *pipe = g_build_filename (dir, "pipe", NULL);
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_auto (GStrv) lines = NULL;

  expect_unread (missing, errors);
  expect_unread (dir, errors);
  expect_unread ("/dev/zero", errors);
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  expect_unread (pipe, errors);
  g_unlink (pipe);
  lines = detour_config_errors_lines (errors);
  g_assert_true (
      g_str_has_suffix (lines[0], "/missing: cannot be read: No such file or directory"));
  g_assert_true (
      g_str_has_suffix (lines[1], ": cannot be read: it is a directory; expected a regular file"));
  g_assert_cmpstr (lines[2], ==,
                   "/dev/zero: cannot be read: it is a device; expected a regular file");
  g_assert_true (g_str_has_suffix (
      lines[3], "/pipe: cannot be read: it is a named pipe; expected a regular file"));
  g_assert_cmpstr (lines[4], ==, "4 errors; the configuration was not used");
  g_rmdir (dir);
}

static void
errors_are_sorted (void)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_auto (GStrv) lines = NULL;

  detour_config_errors_add_file (errors, "one");
  detour_config_errors_add (errors, "two", 1, "g", "k", "%s", "d");
  detour_config_errors_add (errors, "one", 0, "g", "k", "last");
  detour_config_errors_add (errors, "one", 9, "g", NULL, "c");
  detour_config_errors_add (errors, "one", 2, NULL, NULL, "a");
  detour_config_errors_add (errors, "one", 2, NULL, NULL, "b\n\x1b[2J");
  lines = detour_config_errors_lines (errors);
  g_assert_cmpstr (lines[0], ==, "one:2: a");
  g_assert_cmpstr (lines[1], ==, "one:2: b\\x0a\\x1b[2J");
  g_assert_cmpstr (lines[2], ==, "one:9: [g]: c");
  g_assert_cmpstr (lines[3], ==, "two:1: [g] k: d");
  g_assert_cmpstr (lines[4], ==, "one: [g] k: last");
  g_assert_cmpstr (lines[5], ==, "5 errors; the configuration was not used");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config-file/groups-keys-and-lines", good);
  g_test_add_func ("/config-file/what-is-wrong-and-where", bad);
  g_test_add_func ("/config-file/longest-line-and-file", limits);
  g_test_add_func ("/config-file/rubbish-is-cut-short", rubbish_is_cut_short);
  g_test_add_func ("/config-file/cannot-be-read", unreadable);
  g_test_add_func ("/config-errors/sorted-by-file-and-line", errors_are_sorted);
  return g_test_run ();
}
