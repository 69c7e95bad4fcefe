/* test-key-list.c: what a list of node keys may hold, and what is said about everything else.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "key-list.h"

#include <glib/gstdio.h>
#include <string.h>

#define HEX(c) c c c c c c c c c c c c c c c c
#define HEX_A  HEX ("0aA9")
#define HEX_B  HEX ("1234")
#define KEY_A  "nodekey:" HEX_A
#define KEY_B  "nodekey:" HEX_B

static const guint8 raw_a[KEY_LIST_KEY_SIZE] = {
  0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9,
  0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9, 0x0a, 0xa9,
};

static void
test_lines (void)
{
  static const struct {
    const char *text;
    guint size;
    const char *label; /* of key A */
    const char *errors;
    const char *class_; /* of key A */
  } cases[] = {
    { "", 0, NULL, NULL },
    { "\n\r\n  \t\n", 0, NULL, NULL },
    { "# nobody yet", 0, NULL, NULL },
    { KEY_A, 1, NULL, NULL },
    { KEY_A "\n", 1, NULL, NULL },
    { "  " KEY_A "\tAnna's laptop \r\n" KEY_B "\n", 2, "Anna's laptop", NULL },
    { "# friends\n\n" KEY_A " J\xc3\xbcrgen # not a comment\n", 1, "J\xc3\xbcrgen # not a comment",
      NULL },
    { "nodekey:abc\n" KEY_A " a\n" HEX_B "\n", 1, "a",
      "f:1: not a node key; nodekey: is followed by exactly 64 hex digits\n"
      "f:3: hex digits alone may be any key; write nodekey: before them if it is a node's public "
      "one" },
    { KEY_A "0\n", 0, NULL, "f:1: not a node key; nodekey: is followed by exactly 64 hex digits" },
    { KEY_A ",Anna\n", 0, NULL,
      "f:1: something sticks to the key; leave a blank before the label" },
    { KEY_A " one\n" KEY_B "\n" KEY_A " two\n", 2, "one",
      "f:3: the same key as in f:1; strike out one of them" },
    { KEY_A " class=staff\n", 1, NULL, NULL, "staff" },
    { KEY_A "\tclass=staff-2 \t Anna's class=laptop\n", 1, "Anna's class=laptop", NULL, "staff-2" },
    { KEY_A " Anna class=staff\n", 1, "Anna class=staff", NULL, NULL },
    { KEY_A " class= Anna\n" KEY_B " class=Staff\n", 0, NULL,
      "f:1: class= is followed by a word of small letters, digits and -, and then a blank\n"
      "f:2: class= is followed by a word of small letters, digits and -, and then a blank" },
    { KEY_A " bad \xff utf-8\n", 0, NULL, "f:1: not plain UTF-8 text" },
    { KEY_A " \x1b[2J\n", 0, NULL,
      "f:1: here is a character that is not seen or turns the direction of writing, U+001B; type "
      "it "
      "anew" },
    { "\n" KEY_A " al\u202eice\n", 0, NULL,
      "f:2: here is a character that is not seen or turns the direction of writing, U+202E; type "
      "it "
      "anew" },
    { KEY_A "\u200b alice\n", 0, NULL,
      "f:1: here is a character that is not seen or turns the direction of writing, U+200B; type "
      "it "
      "anew" },
    { KEY_A " al\u3164ice\n", 0, NULL,
      "f:1: here is a character that is not seen or turns the direction of writing, U+3164; type "
      "it "
      "anew" },
    { KEY_A " \u0645\u06cc\u200c\u0631\n", 1, "\u0645\u06cc\u200c\u0631", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (KeyList) list = key_list_new (10);
      g_autofree char *copy = g_strdup (cases[i].text);
      g_autofree char *errors = NULL;
      const char *label = NULL, *class_ = NULL;

      key_list_add_text (list, "f", copy, strlen (copy));
      errors = key_list_errors (list, "\n", 20);
      g_assert_cmpstr (errors, ==, cases[i].errors);
      g_assert_cmpuint (key_list_size (list), ==, cases[i].size);
      g_assert_true (key_list_find (list, raw_a, &label, &class_) == (cases[i].size > 0));
      g_assert_cmpstr (label, ==, cases[i].label);
      g_assert_cmpstr (class_, ==, cases[i].class_);
    }
}

/* What people take for a node key. No message repeats the line, which may be a secret. */
static void
test_explanations (void)
{
  static const struct {
    const char *line, *explanation;
  } cases[] = {
    { "privkey:" HEX_A, "a private key, which does not belong in this list" },
    { "PrivKey:" HEX_A " anna", "a private key, which does not belong in this list" },
    { "discokey:" HEX_A, "a disco key" },
    { "mkey:" HEX_A, "a machine key" },
    { "nlpub:" HEX_A, "a key of tailnet lock" },
    { "tskey-auth-abcdef", "a key for logging in to Tailscale" },
    { "NodeKey:" HEX_A, "nodekey: is written in small letters" },
    { HEX_A, "hex digits alone may be any key" },
    { "- nodekey:" HEX_A, "not a node key; write nodekey: and 64 hex digits" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (KeyList) list = key_list_new (10);
      g_autofree char *text = g_strconcat ("# friends\n", cases[i].line, "\n", NULL);
      g_autofree char *errors = NULL;

      key_list_add_text (list, "friends.keys", text, strlen (text));
      errors = key_list_errors (list, "\n", 20);
      g_test_message ("%s", errors);
      g_assert_nonnull (strstr (errors, cases[i].explanation));
      g_assert_true (g_str_has_prefix (errors, "friends.keys:2: "));
      g_assert_null (strstr (errors, "0aA90aA9"));
      g_assert_null (strstr (errors, "abcdef"));
      g_assert_cmpuint (key_list_size (list), ==, 0);
    }
}

static void
test_byte_order_mark (void)
{
  static const char text[] = "\xef\xbb\xbf" KEY_A " a\r\n";
  g_autoptr (KeyList) list = key_list_new (10);
  g_autofree char *errors = NULL;

  key_list_add_text (list, "f", text, sizeof text - 1);
  errors = key_list_errors (list, "\n", 20);
  g_assert_cmpstr (errors, ==, NULL);
  g_assert_cmpuint (key_list_size (list), ==, 1);
}

static void
test_nul (void)
{
  static const char text[] = KEY_A " a\0b\n";
  g_autoptr (KeyList) list = key_list_new (10);
  g_autofree char *errors = NULL;

  key_list_add_text (list, "f", text, sizeof text - 1);
  errors = key_list_errors (list, "\n", 20);
  g_assert_cmpstr (errors, ==, "f:1: not plain UTF-8 text");
}

static void
test_limit (void)
{
  static const char text[] = KEY_A "\n" KEY_B "\n"
                                   "nodekey:" HEX ("4321") "\n"
                                                           "nodekey:" HEX ("5432") "\n";
  g_autoptr (KeyList) list = key_list_new (2);
  g_autofree char *errors = NULL;

  key_list_add_text (list, "f", text, sizeof text - 1);
  errors = key_list_errors (list, "\n", 20);
  g_assert_cmpstr (errors, ==, "f:3: more than 2 keys; raise max-entries");
  g_assert_cmpuint (key_list_size (list), ==, 2);
}

static void
test_many_errors (void)
{
  g_autoptr (KeyList) list = key_list_new (2);
  g_autofree char *errors = NULL;

  key_list_add_text (list, "f", "w\nx\ny\nz\n", 8);
  errors = key_list_errors (list, "; ", 1);
  g_assert_true (g_str_has_prefix (errors, "f:1: not a node key"));
  g_assert_true (g_str_has_suffix (errors, "; 3 more"));
}

static char *
make_file (const char *dir, const char *name, const char *text)
{
  char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return path;
}

static void
test_directory (void)
{
  g_autofree char *dir = g_dir_make_tmp ("keys-XXXXXX", NULL);
  g_autofree char *a = make_file (dir, "a.keys", KEY_A " from a\n");
  g_autofree char *b = make_file (dir, "b.keys", KEY_B "\n");
  g_autofree char *hidden = make_file (dir, ".c.keys", "garbage\n");
  g_autofree char *other = make_file (dir, "a.keys~", "garbage\n");
  g_autoptr (KeyList) list = key_list_new (10);
  g_autoptr (KeyList) again = key_list_new (10);
  g_autofree char *errors = NULL;
  g_autofree char *twice = NULL;
  g_autofree char *errors_again = NULL;
  g_autofree char *expected = g_strdup_printf ("%s:2: the same key as in %s:1; strike out one of "
                                               "them",
                                               b, a);

  key_list_add_directory (list, dir);
  errors = key_list_errors (list, "\n", 20);
  g_assert_cmpstr (errors, ==, NULL);
  g_assert_cmpuint (key_list_size (list), ==, 2);

  twice = make_file (dir, "b.keys", KEY_B "\n" KEY_A "\n");
  key_list_add_directory (again, dir);
  errors_again = key_list_errors (again, "\n", 20);
  g_assert_cmpstr (errors_again, ==, expected);

  g_remove (a);
  g_remove (b);
  g_remove (hidden);
  g_remove (other);
  g_rmdir (dir);
}

static void
test_unreadable (void)
{
  g_autoptr (KeyList) list = key_list_new (10);
  g_autofree char *errors = NULL;

  key_list_add_file (list, "/nonexistent/x.keys");
  key_list_add_file (list, "/dev/zero");
  key_list_add_directory (list, "/nonexistent");
  errors = key_list_errors (list, "\n", 20);
  g_assert_nonnull (strstr (errors, "/nonexistent/x.keys: cannot be read: No such file"));
  g_assert_nonnull (
      strstr (errors, "/dev/zero: cannot be read: it is a device; expected a regular file"));
  g_assert_nonnull (strstr (errors, "/nonexistent: cannot read the directory: "));
}

static void
test_equal (void)
{
  static const struct {
    const char *a, *b;
    gboolean equal;
  } cases[] = {
    { KEY_A " x\n" KEY_B "\n", "# comment\n" KEY_B "\n" KEY_A "   x\n", TRUE },
    { KEY_A " x\n", KEY_A " y\n", FALSE },
    { KEY_A "\n", KEY_A " y\n", FALSE },
    { KEY_A " class=x y\n", KEY_A " class=z y\n", FALSE },
    { KEY_A " class=x y\n", KEY_A "  class=x  y\n", TRUE },
    { KEY_A "\n", KEY_B "\n", FALSE },
    { KEY_A "\n" KEY_B "\n", KEY_A "\n", FALSE },
    { "", "", TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (KeyList) a = key_list_new (10);
      g_autoptr (KeyList) b = key_list_new (10);

      key_list_add_text (a, "a", cases[i].a, strlen (cases[i].a));
      key_list_add_text (b, "b", cases[i].b, strlen (cases[i].b));
      g_assert_cmpint (key_list_equal (a, b), ==, cases[i].equal);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/key-list/lines", test_lines);
  g_test_add_func ("/key-list/other-keys-are-explained", test_explanations);
  g_test_add_func ("/key-list/byte-order-mark", test_byte_order_mark);
  g_test_add_func ("/key-list/nul-in-a-line", test_nul);
  g_test_add_func ("/key-list/more-than-the-limit", test_limit);
  g_test_add_func ("/key-list/many-errors-are-counted", test_many_errors);
  g_test_add_func ("/key-list/directory-takes-every-list", test_directory);
  g_test_add_func ("/key-list/what-cannot-be-read-is-an-error", test_unreadable);
  g_test_add_func ("/key-list/equal-lists", test_equal);
  return g_test_run ();
}
