/* test-sasl.c: tests of the authentication on the control socket.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-sasl.h"

#include <string.h>

#define GUID "0123456789abcdef0123456789abcdef"

/* The peer has user id 1000, which is 31303030 in hex. */
static const struct {
  const char *name;
  const char *said; /* behind the NUL byte */
  const char *answer;
  DetourSaslResult result;
  guint n_left; /* bytes that are not used */
} cases[] = {
  { "at-once", "AUTH EXTERNAL 31303030\r\nBEGIN\r\n", "OK " GUID "\r\n", DETOUR_SASL_DONE, 0 },
  { "messages-are-left", "AUTH EXTERNAL 31303030\r\nBEGIN\r\nl\1\0\1", "OK " GUID "\r\n",
    DETOUR_SASL_DONE, 2 },
  { "by-the-kernel", "AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", "DATA\r\nOK " GUID "\r\n",
    DETOUR_SASL_DONE, 0 },
  { "name-in-data", "AUTH EXTERNAL\r\nDATA 31303030\r\nBEGIN\r\n", "DATA\r\nOK " GUID "\r\n",
    DETOUR_SASL_DONE, 0 },
  { "asks-for-the-list", "AUTH\r\nAUTH EXTERNAL 31303030\r\nBEGIN\r\n",
    "REJECTED EXTERNAL\r\nOK " GUID "\r\n", DETOUR_SASL_DONE, 0 },
  { "no-descriptors", "AUTH EXTERNAL 31303030\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n",
    "OK " GUID "\r\nERROR\r\n", DETOUR_SASL_DONE, 0 },
  { "somebody-else", "AUTH EXTERNAL 30\r\n", "REJECTED EXTERNAL\r\n", DETOUR_SASL_MORE, 0 },
  { "somebody-else-begins", "AUTH EXTERNAL 30\r\nBEGIN\r\n", "REJECTED EXTERNAL\r\n",
    DETOUR_SASL_BAD, 0 },
  { "beginning-of-the-name", "AUTH EXTERNAL 3130\r\n", "REJECTED EXTERNAL\r\n", DETOUR_SASL_MORE,
    0 },
  { "no-hex", "AUTH EXTERNAL xyzxyzxy\r\n", "REJECTED EXTERNAL\r\n", DETOUR_SASL_MORE, 0 },
  { "anonymous", "AUTH ANONYMOUS\r\n", "REJECTED EXTERNAL\r\n", DETOUR_SASL_MORE, 0 },
  { "cookie", "AUTH DBUS_COOKIE_SHA1 31303030\r\n", "REJECTED EXTERNAL\r\n", DETOUR_SASL_MORE, 0 },
  { "taken-back", "AUTH EXTERNAL 31303030\r\nCANCEL\r\nBEGIN\r\n",
    "OK " GUID "\r\nREJECTED EXTERNAL\r\n", DETOUR_SASL_BAD, 0 },
  { "data-without-auth", "DATA\r\nBEGIN\r\n", "ERROR\r\n", DETOUR_SASL_BAD, 0 },
  { "begin-at-once", "BEGIN\r\n", "", DETOUR_SASL_BAD, 0 },
  { "line-feed-alone", "AUTH\n", "", DETOUR_SASL_BAD, 0 },
  { "http", "GET / HTTP/1.1\r\n", "ERROR\r\n", DETOUR_SASL_MORE, 0 },
};

static void
test_conversation (gconstpointer data)
{
  guint index = GPOINTER_TO_UINT (data);
  g_autoptr (GString) said = g_string_new_len ("", 1);

  g_string_append (said, cases[index].said);
  if (cases[index].n_left > 0) /* strings end at the NUL byte of a message */
    g_assert_true (g_str_has_suffix (cases[index].said, "l\1"));
  /* In pieces of every size: the answer is the same. */
  for (gsize piece = 1; piece <= said->len; piece++)
    {
      g_autoptr (GString) answer = g_string_new (NULL);
      DetourSaslResult result = DETOUR_SASL_MORE;
      DetourSasl sasl;
      gsize at = 0, used = 0;

      detour_sasl_init (&sasl, 1000, GUID);
      while (at < said->len && result == DETOUR_SASL_MORE)
        {
          result = detour_sasl_take (&sasl, (const guint8 *) said->str + at,
                                     MIN (piece, said->len - at), &used, answer);
          at += used;
        }
      g_assert_cmpint (result, ==, cases[index].result);
      g_assert_cmpstr (answer->str, ==, cases[index].answer);
      if (result == DETOUR_SASL_DONE)
        g_assert_cmpuint (said->len - at, ==, cases[index].n_left);
    }
}

static DetourSaslResult
test_take (const char *bytes, gsize len)
{
  g_autoptr (GString) answer = g_string_new (NULL);
  DetourSasl sasl;
  gsize used;

  detour_sasl_init (&sasl, 1000, GUID);
  return detour_sasl_take (&sasl, (const guint8 *) bytes, len, &used, answer);
}

static void
test_no_nul (void)
{
  g_assert_cmpint (test_take ("A", 1), ==, DETOUR_SASL_BAD);
}

static void
test_long_line (void)
{
  char line[DETOUR_SASL_LINE_MAX + 2];

  memset (line, 'A', sizeof line);
  line[0] = '\0';
  g_assert_cmpint (test_take (line, sizeof line - 1), ==, DETOUR_SASL_MORE);
  g_assert_cmpint (test_take (line, sizeof line), ==, DETOUR_SASL_BAD);
}

static void
test_many_lines (void)
{
  g_autoptr (GString) lines = g_string_new_len ("", 1);

  for (guint i = 0; i < DETOUR_SASL_LINES_MAX; i++)
    g_string_append (lines, "AUTH\r\n");
  g_assert_cmpint (test_take (lines->str, lines->len), ==, DETOUR_SASL_MORE);
  g_string_append (lines, "AUTH\r\n");
  g_assert_cmpint (test_take (lines->str, lines->len), ==, DETOUR_SASL_BAD);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *name = g_strconcat ("/sasl/conversation/", cases[i].name, NULL);

      g_test_add_data_func (name, GUINT_TO_POINTER (i), test_conversation);
    }
  g_test_add_func ("/sasl/no-nul-first", test_no_nul);
  g_test_add_func ("/sasl/line-longer-than-limit", test_long_line);
  g_test_add_func ("/sasl/lines-more-than-limit", test_many_lines);
  return g_test_run ();
}
