/* test-json.c: tests that JSON is taken as the standard has it and no other way.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-json.h"

static const char *const good[] = {
  "null",
  "true",
  " false\t\r\n",
  "0",
  "-0",
  "10.50e+3",
  "1E5",
  "-0.0e-0",
  "123456789012345678901234567890",
  "\"\"",
  "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83d\\ude00 \xc3\xbc\x7f\"",
  "[]",
  "[ ]",
  "{}",
  "{ }",
  "[1,[2,{\"a\":[]}],\"]\"]",
  " { \"a\" : 1 , \"a\" : { \"b\" : [ 1 , 2 ] } , \"\" : null } ",
  "[[],[[]],{},[{}]]",
};

static const struct {
  const char *text;
  gssize offset; /* of the fault */
} bad[] = {
  { "", 0 },
  { " ", 1 },
  { "nul", 0 },
  { "nullx", 4 },
  { "True", 0 },
  { "NaN", 0 },
  { "01", 1 },
  { "+1", 0 },
  { ".5", 0 },
  { "1.", 2 },
  { "1.e5", 2 },
  { "1e", 2 },
  { "-", 1 },
  { "0x10", 1 },
  { "\"", 1 },
  { "\"abc", 4 },
  { "\"\\", 1 },
  { "\"\\\"", 3 },
  { "\"\\x41\"", 1 },
  { "\"\\u12\"", 1 },
  { "\"\\u12g4\"", 1 },
  { "\"\\u0000\"", 1 },
  { "\"\\ud800\"", 1 },
  { "\"\\ud800\\u0041\"", 1 },
  { "\"\\udc00\\ud800\"", 1 },
  { "\"\\ud800\\udbff\"", 1 },
  { "\"a\nb\"", 2 },
  { "'a'", 0 },
  { "\xef\xbb\xbf{}", 0 },
  { "[1,]", 3 },
  { "[,1]", 1 },
  { "[1 2]", 3 },
  { "[1}", 2 },
  { "[", 1 },
  { "[[]", 3 },
  { "]", 0 },
  { "{\"a\"}", 4 },
  { "{\"a\":}", 5 },
  { "{\"a\":1,}", 7 },
  { "{\"a\":1 \"b\":2}", 7 },
  { "{a:1}", 1 },
  { "{1:1}", 1 },
  { "{\"a\":1]", 6 },
  { "{\"a\":1", 6 },
  { "{}{}", 2 },
  { "{} x", 3 },
  { "// c\n{}", 0 },
  { "{}/* c */", 2 },
  { "var x = {}", 0 },
  { "\"\xc3\"", 1 },
  { "\"\xed\xa0\x80\"", 1 },
  { "\"\xf8\x88\x80\x80\x80\"", 1 },
};

static gboolean
scan (const char *text, gsize len, guint depth_max, gsize *offset)
{
  DetourJsonValue root;
  const char *reason;
  gboolean is_good = detour_json_scan (text, len, depth_max, &root, NULL, NULL, &reason, offset);

  g_assert_cmpint (reason == NULL, ==, is_good);
  if (is_good)
    g_assert_true (root.text >= text && root.text + root.len <= text + len);
  return is_good;
}

static void
test_good (void)
{
  gsize offset;

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autofree char *shown = g_strescape (good[i], NULL);

      g_test_message ("%s", shown);
      g_assert_true (scan (good[i], strlen (good[i]), 32, &offset));
      g_assert_cmpuint (offset, ==, strlen (good[i]));
    }
}

static void
test_bad (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *copy = g_memdup2 (bad[i].text, strlen (bad[i].text));
      g_autofree char *shown = g_strescape (bad[i].text, NULL);
      gsize offset;

      g_test_message ("%s", shown);
      g_assert_false (scan (copy, strlen (bad[i].text), 32, &offset));
      g_assert_cmpint ((gssize) offset, ==, bad[i].offset);
    }
  g_assert_false (scan ("1\0", 2, 32, NULL));
  g_assert_false (scan ("\"\0\"", 3, 32, NULL));
  g_assert_false (scan (NULL, 0, 32, NULL));
}

/* No prefix of an object is well-formed, and none is read past its end. */
static void
test_prefixes (void)
{
  static const char
      text[] = "{\"a\":[1.5e-3,\"\\u00e9\\ud83d\\ude00\\n\"],\"b\":{\"c\":true,\"d\":[null,{}]}}";

  for (gsize n = 0; n < sizeof text - 1; n++)
    {
      g_autofree char *copy = g_memdup2 (text, n);

      g_assert_false (scan (copy, n, 32, NULL));
    }
  g_assert_true (scan (text, sizeof text - 1, 32, NULL));
}

static void
test_depth (void)
{
  g_autofree char *open = g_strnfill (100000, '[');
  GString *text = g_string_new (NULL);

  g_assert_true (scan ("1", 1, 0, NULL));
  g_assert_false (scan ("[]", 2, 0, NULL));
  for (guint depth = 1; depth <= 64; depth++)
    {
      g_string_truncate (text, 0);
      for (guint i = 0; i < depth; i++)
        g_string_append (text, i % 3 == 0 ? "[" : "{\"a\":");
      g_string_append_c (text, '1');
      for (guint i = depth; i-- > 0;)
        g_string_append_c (text, i % 3 == 0 ? ']' : '}');
      g_assert_true (scan (text->str, text->len, depth, NULL));
      g_assert_false (scan (text->str, text->len, depth - 1, NULL));
    }
  g_string_free (text, TRUE);
  g_assert_false (scan (open, 100000, 64, NULL));
}

static gboolean
note_member (const DetourJsonValue *name, const DetourJsonValue *value, gpointer user)
{
  g_assert_cmpint (name->type, ==, DETOUR_JSON_STRING);
  g_string_append_printf (user, "%.*s %d %.*s;", (int) name->len, name->text, (int) value->type,
                          (int) value->len, value->text);
  return value->type != DETOUR_JSON_FALSE;
}

static void
test_members (void)
{
  static const char
      text[] = " {\"a\" : 1 ,\"b\":{\"a\":[2,{}]} , \"a\":[\"x\"],\"\":{}, \"n\": null} ";
  g_autoptr (GString) members = g_string_new (NULL);
  DetourJsonValue root;
  const char *reason;

  g_assert_true (
      detour_json_scan (text, strlen (text), 8, &root, note_member, members, &reason, NULL));
  g_assert_cmpstr (members->str, ==,
                   "\"a\" 3 1;\"b\" 6 {\"a\":[2,{}]};\"a\" 5 [\"x\"];\"\" 6 {};\"n\" 0 null;");
  g_assert_cmpint (root.type, ==, DETOUR_JSON_OBJECT);
  g_assert_cmpuint (root.len, ==, strlen (text) - 2);

  /* Not those of an array's objects. */
  g_string_truncate (members, 0);
  g_assert_true (
      detour_json_scan ("[{\"a\":1}]", 9, 8, &root, note_member, members, &reason, NULL));
  g_assert_cmpstr (members->str, ==, "");

  g_assert_false (detour_json_scan ("{\"a\":false,\"b\":1}", 17, 8, &root, note_member, members,
                                    &reason, NULL));
  g_assert_null (reason);
  g_assert_cmpstr (members->str, ==, "\"a\" 1 false;");
}

static void
test_strings (void)
{
  static const struct {
    const char *text, *decoded;
  } cases[] = { { "\"\"", "" },
                { "\"abc\"", "abc" },
                { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
                { "\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"",
                  "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      DetourJsonValue root;
      const char *reason;
      char out[64];
      gsize size = strlen (cases[i].decoded) + 1;

      g_assert_true (detour_json_scan (cases[i].text, strlen (cases[i].text), 0, &root, NULL, NULL,
                                       &reason, NULL));
      g_assert_true (detour_json_get_string (&root, out, sizeof out));
      g_assert_cmpstr (out, ==, cases[i].decoded);
      out[size] = 'x';
      g_assert_true (detour_json_get_string (&root, out, size));
      g_assert_cmpint (out[size], ==, 'x');
      if (size > 1)
        g_assert_false (detour_json_get_string (&root, out, size - 1));
    }
}

static void
test_integers (void)
{
  static const struct {
    const char *text;
    gboolean is_good;
    gint64 value;
  } cases[] = { { "0", TRUE, 0 },
                { "-0", TRUE, 0 },
                { "2", TRUE, 2 },
                { "9223372036854775807", TRUE, G_MAXINT64 },
                { "9223372036854775808", FALSE, 0 },
                { "-9223372036854775808", TRUE, G_MININT64 },
                { "-9223372036854775809", FALSE, 0 },
                { "123456789012345678901234567890", FALSE, 0 },
                { "2.0", FALSE, 0 },
                { "1e1", FALSE, 0 } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      DetourJsonValue root;
      const char *reason;
      gint64 value = 0;

      g_assert_true (detour_json_scan (cases[i].text, strlen (cases[i].text), 0, &root, NULL, NULL,
                                       &reason, NULL));
      g_assert_cmpint (detour_json_get_integer (&root, &value), ==, cases[i].is_good);
      if (cases[i].is_good)
        g_assert_cmpint (value, ==, cases[i].value);
    }
}

static void
test_check (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (detour_json_check ("{\"a\":1}", 7, 7, &error));
  g_assert_no_error (error);
  g_assert_false (detour_json_check ("{\"a\":1}", 7, 6, &error));
  g_assert_cmpstr (error->message, ==, "JSON of 7 bytes, expected at most 6");
  g_clear_error (&error);
  g_assert_false (detour_json_check ("{'a':1}", 7, 100, &error));
  g_assert_cmpstr (error->message, ==, "not JSON at byte 1: expected a string");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/well-formed", test_good);
  g_test_add_func ("/json/malformed", test_bad);
  g_test_add_func ("/json/no-prefix-is-enough", test_prefixes);
  g_test_add_func ("/json/depth", test_depth);
  g_test_add_func ("/json/members-of-the-outermost-object", test_members);
  g_test_add_func ("/json/strings-decoded", test_strings);
  g_test_add_func ("/json/integers", test_integers);
  g_test_add_func ("/json/check-says-where", test_check);
  return g_test_run ();
}
