/* test-hujson.c: JSON with comments is edited in place.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-hujson.h"

#include <glib.h>
#include <string.h>

typedef struct {
  const char *name;
  const char *before;
  const char *path;  /* steps with blanks between them */
  const char *json;  /* NULL: remove */
  const char *after; /* NULL: an error */
} Row;

static const Row rows[] = {
  { "same-value-changes-nothing", "{\"a\":  {\"b\" : 1 /* one */, }, }", "a", "{\"b\":1}",
    "{\"a\":  {\"b\" : 1 /* one */, }, }" },
  { "value-is-replaced", "{\n  // first\n  \"a\": 1, // one\n  \"b\": 2,\n}\n", "a", "\"x\"",
    "{\n  // first\n  \"a\": \"x\", // one\n  \"b\": 2,\n}\n" },
  { "case-of-names", "{\"DerpMap\": 1}", "derpMap", "2", "{\"DerpMap\": 2}" },
  { "behind-the-last-with-a-comma", "{\n\t\"a\": 1, // one\n\t// end\n}", "b", "2",
    "{\n\t\"a\": 1, // one\n\t\"b\": 2,\n\t// end\n}" },
  { "behind-the-last-without-a-comma", "{\n\t\"a\": 1 // one\n}", "b", "2",
    "{\n\t\"a\": 1, // one\n\t\"b\": 2\n}" },
  { "comma-behind-a-comment", "{\n  \"a\": 1 /* one */ ,\n}", "b", "2",
    "{\n  \"a\": 1 /* one */ ,\n  \"b\": 2,\n}" },
  { "comment-over-lines-stays-whole", "{\n  \"a\": 1, /* one\n  \"b\": 3 */\n}", "b", "2",
    "{\n  \"a\": 1, /* one\n  \"b\": 3 */\n  \"b\": 2,\n}" },
  { "one-line", "{\"a\": 1}", "b", "2", "{\"a\": 1,\n\t\"b\": 2\n}" },
  { "empty", "{}", "a b", "2", "{\n\t\"a\": {\n\t\t\"b\": 2\n\t}\n}" },
  { "empty-with-a-comment", "{\n  // nothing yet\n}\n", "a", "2",
    "{\n  // nothing yet\n\t\"a\": 2\n}\n" },
  { "comment-before-the-bracket", "{\"a\": {/* none */}}", "a b", "2",
    "{\"a\": {/* none */\n\t\"b\": 2\n}}" },
  { "layout-of-the-document", "{\n    \"a\": {\n        \"b\": 1,\n    },\n}", "a c",
    "{\"d\":[{\"e\":\"f,}\"},[]],\"g\":{}}",
    "{\n    \"a\": {\n        \"b\": 1,\n        \"c\": {\n            \"d\": [\n                "
    "{\n"
    "                    \"e\": \"f,}\"\n                },\n                []\n            ],\n"
    "            \"g\": {}\n        },\n    },\n}" },
  { "element-of-a-list", "{\"a\": [{\"b\": 1}, {\"b\": 2 /* two */}]}", "a #1 b", "3",
    "{\"a\": [{\"b\": 1}, {\"b\": 3 /* two */}]}" },
  { "brackets-in-texts", "{\"a\": \"}//{\\\"\", \"b\": 1}", "b", "2",
    "{\"a\": \"}//{\\\"\", \"b\": 2}" },
  { "removed-with-its-line", "{\n  \"a\": 1,\n  // of b\n  \"b\": 2,\n  \"c\": 3\n}", "b", NULL,
    "{\n  \"a\": 1,\n  // of b\n  \"c\": 3\n}" },
  { "removed-last-of-plain-json", "{\n  \"a\": 1,\n  \"c\": 3\n}", "c", NULL, "{\n  \"a\": 1\n}" },
  { "removed-last-with-a-comma", "{\n  \"a\": 1,\n  \"c\": 3, // three\n}", "c", NULL,
    "{\n  \"a\": 1,\n   // three\n}" },
  { "removed-from-a-line", "{\"a\": 1, \"b\": 2, \"c\": 3}", "b", NULL, "{\"a\": 1,  \"c\": 3}" },
  { "removed-only-one", "{\"a\": {\"b\": 2}}", "a b", NULL, "{\"a\": {}}" },
  { "removed-though-not-there", "{\"a\": 1}", "x y", NULL, "{\"a\": 1}" },
  { "twice", "{\"a\": 1, \"A\": 2}", "a", "3", NULL },
  { "no-object-on-the-way", "{\"a\": 1}", "a b", "3", NULL },
  { "no-such-element", "{\"a\": []}", "a #0", "3", NULL },
  { "not-json", "{\"a\": }", "a", "3", NULL },
  { "comma-without-a-value", "{,}", "a", "3", NULL },
  { "comma-without-a-value-in-a-list", "{\"a\": [,]}", "a", "3", NULL },
  { "two-commas", "{\"a\": 1,,}", "a", "3", NULL },
  { "list-outermost", "[1]", "a", "3", NULL },
  { "open-comment", "{\"a\": 1 /* ", "a", "3", NULL },
};

static void
test_row (gconstpointer data)
{
  const Row *row = data;
  g_auto (GStrv) path = g_strsplit (row->path, " ", -1);
  const char *const *steps = (const char *const *) path;
  g_autoptr (GError) error = NULL;
  g_autofree char *after = row->json != NULL
                             ? detourctl_hujson_set (row->before, strlen (row->before), steps,
                                                     row->json, &error)
                             : detourctl_hujson_remove (row->before, strlen (row->before), steps,
                                                        &error);
  g_autofree char *value = NULL;

  g_assert_cmpstr (after, ==, row->after);
  g_assert_true ((after == NULL) == (error != NULL));
  if (after == NULL)
    return;
  value = detourctl_hujson_get (after, strlen (after), steps);
  g_assert_cmpstr (value, ==, row->json);
}

/* Escapes are what they stand for, and what is no string has no text. */
static void
test_text (void)
{
  static const char text
      [] = "{ // c\n \"a\": \"line 3: \\\"tag:x\\\" is \\u00fcber\\/all\", \"b\": 1, \"c\": \"\",}";
  static const struct {
    const char *name, *text;
  } cases[] = {
    { "a", "line 3: \"tag:x\" is \303\274ber/all" }, { "b", NULL }, { "c", "" }, { "d", NULL }
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *const path[] = { cases[i].name, NULL };
      g_autofree char *found = detourctl_hujson_get_text (text, strlen (text), path);

      g_assert_cmpstr (found, ==, cases[i].text);
    }
}

/* Whatever is behind the text is never read. */
static void
test_every_prefix (void)
{
  static const char text[] = "{\n  // c\n  \"a\": [1, {\"b\": \"x\\\"\"},], /* d */\n}\n";
  const char *const path[] = { "a", "#1", "b", NULL };

  for (gsize len = 0; len < sizeof text; len++)
    {
      g_autofree char *exact = g_memdup2 (text, MAX (len, 1));
      g_autofree char *after = detourctl_hujson_set (exact, len, path, "2", NULL);
      g_autofree char *less = detourctl_hujson_remove (exact, len, path, NULL);

      g_assert_true ((after == NULL) == (less == NULL));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *path = g_strconcat ("/hujson/", rows[i].name, NULL);

      g_test_add_data_func (path, &rows[i], test_row);
    }
  g_test_add_func ("/hujson/text", test_text);
  g_test_add_func ("/hujson/every-prefix", test_every_prefix);
  return g_test_run ();
}
