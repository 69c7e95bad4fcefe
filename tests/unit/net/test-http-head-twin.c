/* test-http-head-twin.c: what our parser of request heads accepts, a second implementation reads
 * in the same way.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two readings of one request are how requests are smuggled. The second opinion is Node's former
 * http-parser, which Debian has. It takes more than we do (bare line feeds, folded lines,
 * Transfer-Encoding), so only one direction is compared, and what it refuses although we do not
 * must be on a short list. */
#include "config.h"

#include "detour-http-head.h"

#include <string.h>

#ifdef HAVE_HTTP_PARSER
#include <http_parser.h>

typedef struct {
  GString *target;
  GPtrArray *names, *values; /* of GString */
  gboolean in_value, complete;
} Twin;

static void
free_string (gpointer data)
{
  g_string_free (data, TRUE);
}

static int
on_url (http_parser *parser, const char *at, size_t len)
{
  Twin *twin = parser->data;

  g_string_append_len (twin->target, at, (gssize) len);
  return 0;
}

static int
on_name (http_parser *parser, const char *at, size_t len)
{
  Twin *twin = parser->data;

  if (twin->names->len == 0 || twin->in_value)
    {
      g_ptr_array_add (twin->names, g_string_new (NULL));
      g_ptr_array_add (twin->values, g_string_new (NULL));
    }
  twin->in_value = FALSE;
  g_string_append_len (twin->names->pdata[twin->names->len - 1], at, (gssize) len);
  return 0;
}

static int
on_value (http_parser *parser, const char *at, size_t len)
{
  Twin *twin = parser->data;

  twin->in_value = TRUE;
  g_string_append_len (twin->values->pdata[twin->values->len - 1], at, (gssize) len);
  return 0;
}

static int
on_end (http_parser *parser)
{
  Twin *twin = parser->data;

  twin->complete = TRUE;
  http_parser_pause (parser, 1);
  return 0;
}

static void
assert_same (const DetourHttpHead *head, DetourHttpSpan part, GString *text)
{
  /* It leaves blanks behind values where they are. */
  while (text->len > 0 && (text->str[text->len - 1] == ' ' || text->str[text->len - 1] == '\t'))
    g_string_truncate (text, text->len - 1);
  g_assert_cmpmem (head->data + part.start, part.len, text->str, text->len);
}

/* It knows the methods that Node serves and no others. */
static gboolean
is_known_method (const DetourHttpHead *head)
{
  static const char *const known[] = {
#define XX(num, name, string) #string,
    HTTP_METHOD_MAP (XX)
#undef XX
  };

  for (gsize i = 0; i < G_N_ELEMENTS (known); i++)
    {
      if (detour_http_head_is (head, head->method, known[i]))
        return TRUE;
    }
  return FALSE;
}

/* TRUE when both read @data as a head, and then in the same way. */
static gboolean
compare (const guint8 *data, gsize len)
{
  Twin twin = { g_string_new (NULL), g_ptr_array_new_with_free_func (free_string),
                g_ptr_array_new_with_free_func (free_string), FALSE, FALSE };
  http_parser_settings settings;
  http_parser parser;
  DetourHttpHead head;
  gboolean ours;
  gsize used;

  detour_http_head_init (&head);
  ours = detour_http_head_parse (&head, data, len) == DETOUR_HTTP_HEAD_OK
      && is_known_method (&head);
  if (ours)
    {
      http_parser_settings_init (&settings);
      settings.on_url = on_url;
      settings.on_header_field = on_name;
      settings.on_header_value = on_value;
      settings.on_headers_complete = on_end;
      http_parser_init (&parser, HTTP_REQUEST);
      parser.data = &twin;
      used = http_parser_execute (&parser, &settings, (const char *) data, len);

      if (!twin.complete && HTTP_PARSER_ERRNO (&parser) == HPE_INVALID_CONTENT_LENGTH)
        {
          /* It takes a blank behind the number but no tab, which RFC 9110, 5.6.3 allows as well. */
          const DetourHttpHeader *length = detour_http_head_find (&head, "Content-Length");
          const guint8 *behind = data + length->value.start + length->value.len;

          g_assert_nonnull (memchr (behind, '\t', strcspn ((const char *) behind, "\r")));
          ours = FALSE;
        }
      else if (!twin.complete)
        {
          g_autofree char *text = g_strescape ((const char *) data, NULL);

          g_test_message ("refused by the twin: %s: \"%s\"",
                          http_errno_name (HTTP_PARSER_ERRNO (&parser)), text);
          g_test_fail ();
        }
      else
        {
          /* It pauses on the last byte of the head. */
          g_assert_cmpuint (used + 1, ==, head.len);
          g_assert_cmpstr (http_method_str (parser.method), !=, "<unknown>");
          g_assert_true (detour_http_head_is (&head, head.method, http_method_str (parser.method)));
          g_assert_cmpuint (parser.http_major, ==, 1);
          g_assert_cmpuint (MIN (parser.http_minor, 1), ==, head.minor);
          assert_same (&head, head.target, twin.target);
          g_assert_cmpuint (head.n_headers, ==, twin.names->len);
          for (guint i = 0; i < head.n_headers; i++)
            {
              assert_same (&head, head.headers[i].name, twin.names->pdata[i]);
              assert_same (&head, head.headers[i].value, twin.values->pdata[i]);
            }
          if (head.has_content_length)
            g_assert_cmpuint (head.content_length, ==, parser.content_length);
        }
    }
  g_string_free (twin.target, TRUE);
  g_ptr_array_unref (twin.names);
  g_ptr_array_unref (twin.values);
  return ours;
}

static const char *
pick (GRand *rand, const char *const *words, gsize n)
{
  return words[g_rand_int_range (rand, 0, (gint32) n)];
}
#define PICK(rand, words) pick (rand, words, G_N_ELEMENTS (words))

/* A head that may well be right. */
static GString *
make_head (GRand *rand)
{
  static const char *const methods[] = { "GET", "HEAD", "POST", "CONNECT", "OPTIONS", "M-SEARCH" };
  static const char *const targets[] = {
    "/",    "/derp", "/generate_204?t=1", "http://h/p?q",   "http://h:80", "h:443", "//a/..",
    "/%64", "/?",    "[::1]:443",         "https://[::1]?x"
  };
  static const char *const versions[] = { "HTTP/1.1", "HTTP/1.0", "HTTP/1.9" };
  static const char *const names[] = {
    "Connection", "Upgrade",         "Content-Length",         "X-A",        "x_b",
    "a",          "Derp-Fast-Start", "Sec-WebSocket-Protocol", "Ideal-Node", "Proxy-Connection",
    "Expect"
  };
  static const char *const values[] = {
    "",   "1",         "0",        "close", "Upgrade", "keep-alive, Upgrade", "DERP", "a b",
    "\t", "websocket", "\xc3\xa4", ",",     "close, ", "upgradeclose",        "12345"
  };
  static const char *const blanks[] = { "", " ", "\t", "  \t" };
  GString *text = g_string_new (NULL);
  guint n = (guint) g_rand_int_range (rand, 0, 6);

  g_string_printf (text, "%s %s %s\r\n", PICK (rand, methods), PICK (rand, targets),
                   PICK (rand, versions));
  g_string_append (text, g_rand_boolean (rand) ? "Host: h\r\n" : "host:[::1]:80 \r\n");
  for (guint i = 0; i < n; i++)
    g_string_append_printf (text, "%s:%s%s%s\r\n", PICK (rand, names), PICK (rand, blanks),
                            PICK (rand, values), PICK (rand, blanks));
  g_string_append (text, "\r\nbehind");
  return text;
}

/* A few bytes exchanged, taken out or put in, mostly such as have a meaning. */
static void
spoil (GRand *rand, GString *text)
{
  static const char special[] = "\r\n :\t,/?#[]@\0\x7f\x80%0";
  guint n = (guint) g_rand_int_range (rand, 1, 4);

  for (guint i = 0; i < n && text->len > 0; i++)
    {
      gsize at = (gsize) g_rand_int_range (rand, 0, (gint32) text->len);
      char c = g_rand_boolean (rand) ? special[g_rand_int_range (rand, 0, sizeof special - 1)]
                                     : (char) g_rand_int_range (rand, 0, 256);

      switch (g_rand_int_range (rand, 0, 3))
        {
        case 0:
          text->str[at] = c;
          break;
        case 1:
          g_string_erase (text, (gssize) at, 1);
          break;
        default:
          g_string_insert_c (text, (gssize) at, c);
          break;
        }
    }
}

static void
test_generated (gconstpointer data)
{
  gboolean spoiled = GPOINTER_TO_INT (data);
  /* The same heads in each run. */
  GRand *rand = g_rand_new_with_seed (1);
  guint n_same = 0;

  for (guint i = 0; i < 20000; i++)
    {
      GString *text = make_head (rand);

      if (spoiled)
        spoil (rand, text);
      n_same += compare ((const guint8 *) text->str, text->len);
      g_string_free (text, TRUE);
    }
  g_test_message ("%u of 20000 heads were accepted by both", n_same);
  g_assert_cmpuint (n_same, >, 1000);
  g_rand_free (rand);
}

#else

static void
test_generated (gconstpointer data)
{
  g_test_skip ("built without http-parser (Debian: libhttp-parser-dev)");
}

#endif

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/http-head-twin/right-heads", GINT_TO_POINTER (FALSE), test_generated);
  g_test_add_data_func ("/http-head-twin/spoiled-heads", GINT_TO_POINTER (TRUE), test_generated);
  return g_test_run ();
}
