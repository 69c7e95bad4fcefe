/* test-http-head.c: heads of requests, right ones, wrong ones and unfinished ones.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-head.h"
#include "test-program.h"

#include <string.h>

/* What an official client sends, in its order. */
static const char derp_head[] = "GET /derp HTTP/1.1\r\n"
                                "Host: relay.example.com\r\n"
                                "User-Agent: Go-http-client/1.1\r\n"
                                "Connection: Upgrade\r\n"
                                "Derp-Fast-Start: 1\r\n"
                                "Upgrade: DERP\r\n"
                                "\r\n";

static DetourHttpHeadResult
parse (DetourHttpHead *head, const char *text, gsize len)
{
  detour_http_head_init (head);
  return detour_http_head_parse (head, (const guint8 *) text, len);
}

static char *
dup_span (const DetourHttpHead *head, DetourHttpSpan part)
{
  return g_strndup ((const char *) head->data + part.start, part.len);
}

static void
assert_span (const DetourHttpHead *head, DetourHttpSpan part, const char *expected)
{
  g_autofree char *text = dup_span (head, part);

  g_assert_cmpstr (text, ==, expected);
}

static void
assert_header (const DetourHttpHead *head, const char *name, const char *expected)
{
  const DetourHttpHeader *header = detour_http_head_find (head, name);

  g_assert_nonnull (header);
  assert_span (head, header->value, expected);
}

static void
test_upgrade (void)
{
  DetourHttpHead head;

  g_assert_cmpint (parse (&head, derp_head, sizeof derp_head - 1), ==, DETOUR_HTTP_HEAD_OK);
  g_assert_cmpuint (head.len, ==, sizeof derp_head - 1);
  g_assert_cmpuint (head.minor, ==, 1);
  g_assert_cmpuint (head.n_headers, ==, 5);
  g_assert_cmpint (head.form, ==, DETOUR_HTTP_TARGET_ORIGIN);
  g_assert_false (head.has_content_length);
  assert_span (&head, head.method, "GET");
  assert_span (&head, head.target, "/derp");
  assert_span (&head, head.path, "/derp");
  assert_span (&head, head.query, "");
  assert_span (&head, head.host, "relay.example.com");
  assert_header (&head, "upgrade", "DERP");
  assert_header (&head, "DERP-FAST-START", "1");
  g_assert_null (detour_http_head_find (&head, "Derp-Fast"));
  g_assert_true (detour_http_head_is (&head, head.method, "GET"));
  g_assert_false (detour_http_head_is (&head, head.method, "get"));
  g_assert_false (detour_http_head_is (&head, head.method, "GETS"));
}

/* The bytes behind the head are another protocol's and are not looked at. */
static void
test_bytes_behind (void)
{
  static const char more[] = "\x02\x00\x00\x00\x28\0\r\n\n";
  guint8 all[sizeof derp_head - 1 + sizeof more];
  DetourHttpHead head;

  memcpy (all, derp_head, sizeof derp_head - 1);
  memcpy (all + sizeof derp_head - 1, more, sizeof more);
  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, all, sizeof all), ==, DETOUR_HTTP_HEAD_OK);
  g_assert_cmpuint (head.len, ==, sizeof derp_head - 1);
  g_assert_cmpint (detour_http_head_parse (&head, all, sizeof all), ==, DETOUR_HTTP_HEAD_OK);
}

/* In a block of exactly that size, so that a sanitizer sees a read one byte too far. */
static void
test_every_prefix (void)
{
  for (gsize n = 0; n < sizeof derp_head - 1; n++)
    {
      g_autofree guint8 *prefix = g_memdup2 (derp_head, n);
      DetourHttpHead head;

      detour_http_head_init (&head);
      g_assert_cmpint (detour_http_head_parse (&head, prefix, n), ==, DETOUR_HTTP_HEAD_MORE);
    }
}

/* A slow sender: one byte more each time, and the buffer moves under the parser. */
static void
test_byte_by_byte (void)
{
  DetourHttpHead head;

  detour_http_head_init (&head);
  for (gsize n = 0; n < sizeof derp_head - 1; n++)
    {
      g_autofree guint8 *prefix = g_memdup2 (derp_head, n);

      g_assert_cmpint (detour_http_head_parse (&head, prefix, n), ==, DETOUR_HTTP_HEAD_MORE);
    }
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) derp_head, sizeof derp_head - 1),
                   ==, DETOUR_HTTP_HEAD_OK);
  assert_header (&head, "Upgrade", "DERP");
}

/* A finished line is not parsed again: here the request line changes without being noticed. */
static void
test_no_second_look (void)
{
  g_autofree char *text = g_strdup (derp_head);
  DetourHttpHead head;

  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, 25), ==,
                   DETOUR_HTTP_HEAD_MORE);
  memset (text, '\n', strlen ("GET /derp HTTP/1.1"));
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, sizeof derp_head - 1), ==,
                   DETOUR_HTTP_HEAD_OK);
}

static const struct {
  const char *name, *target;
  const char *method;
  DetourHttpTargetForm form;
  const char *path, *query, *host;
} targets[] = {
  { "root", "/", "GET", DETOUR_HTTP_TARGET_ORIGIN, "/", "", "h" },
  { "query", "/a?b=c?d", "GET", DETOUR_HTTP_TARGET_ORIGIN, "/a", "b=c?d", "h" },
  { "empty-query", "/a?", "GET", DETOUR_HTTP_TARGET_ORIGIN, "/a", "", "h" },
  { "unclean", "//a/../b", "GET", DETOUR_HTTP_TARGET_ORIGIN, "//a/../b", "", "h" },
  { "percent-stays", "/%64erp", "GET", DETOUR_HTTP_TARGET_ORIGIN, "/%64erp", "", "h" },
  { "absolute", "http://x.example:8080/p?q", "GET", DETOUR_HTTP_TARGET_ABSOLUTE, "/p", "q",
    "x.example:8080" },
  { "absolute-no-path", "HTTPS://x.example", "GET", DETOUR_HTTP_TARGET_ABSOLUTE, "", "",
    "x.example" },
  { "absolute-only-query", "http://x?q", "GET", DETOUR_HTTP_TARGET_ABSOLUTE, "", "q", "x" },
  { "absolute-v6", "http://[2001:db8::1]:80/", "GET", DETOUR_HTTP_TARGET_ABSOLUTE, "/", "",
    "[2001:db8::1]:80" },
  { "connect", "control.example.com:443", "CONNECT", DETOUR_HTTP_TARGET_AUTHORITY, "", "", "h" },
  { "connect-v6", "[2001:db8::1]:443", "CONNECT", DETOUR_HTTP_TARGET_AUTHORITY, "", "", "h" },
};

static void
test_target (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autofree char *text = g_strdup_printf ("%s %s HTTP/1.1\r\nHost: h\r\n\r\n", targets[i].method,
                                           targets[i].target);
  DetourHttpHead head;

  g_assert_cmpint (parse (&head, text, strlen (text)), ==, DETOUR_HTTP_HEAD_OK);
  g_assert_cmpint (head.form, ==, targets[i].form);
  assert_span (&head, head.method, targets[i].method);
  assert_span (&head, head.target, targets[i].target);
  assert_span (&head, head.path, targets[i].path);
  assert_span (&head, head.query, targets[i].query);
  assert_span (&head, head.host, targets[i].host);
}

#define HOST       "Host: h\r\n"
#define GET        "GET / HTTP/1.1\r\n"
#define TEXT(text) text, sizeof text - 1

static const struct {
  const char *name, *text;
  gsize len;
} good[] = {
  { "old-version-without-host", TEXT ("GET / HTTP/1.0\r\n\r\n") },
  { "later-minor", TEXT ("GET / HTTP/1.7\r\n" HOST "\r\n") },
  { "other-method", TEXT ("M-SEARCH / HTTP/1.1\r\n" HOST "\r\n") },
  { "longest-method", TEXT ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST "\r\n") },
  { "no-blank-behind-colon", TEXT (GET "Host:h\r\n\r\n") },
  { "blanks-around-value", TEXT (GET "Host: \t h \t \r\n\r\n") },
  { "empty-host", TEXT (GET "Host:\r\n\r\n") },
  { "empty-value", TEXT (GET HOST "X: \r\nY:\r\n\r\n") },
  { "tab-in-value", TEXT (GET HOST "X: a\tb\r\n\r\n") },
  { "high-bytes-in-value", TEXT (GET HOST "X: \x80\xff\xc3\xa4\r\n\r\n") },
  { "host-port", TEXT (GET "Host: relay.example.com:8443\r\n\r\n") },
  { "host-empty-port", TEXT (GET "Host: relay.example.com:\r\n\r\n") },
  { "host-v6", TEXT (GET "Host: [::ffff:192.0.2.1]:443\r\n\r\n") },
  { "host-in-other-case", TEXT (GET "hOST: h\r\n\r\n") },
  { "content-length", TEXT (GET HOST "Content-Length: 0\r\n\r\n") },
  { "largest-content-length", TEXT (GET HOST "Content-Length: 999999999999999999\r\n\r\n") },
  { "host-in-name", TEXT (GET HOST "X-Host: h\r\nHost-X: h\r\n\r\n") },
};

static void
test_good (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  DetourHttpHead head;

  g_assert_cmpint (parse (&head, good[i].text, good[i].len), ==, DETOUR_HTTP_HEAD_OK);
  g_assert_cmpuint (head.len, ==, good[i].len);
  for (gsize n = 0; n < good[i].len; n++)
    {
      g_autofree guint8 *prefix = g_memdup2 (good[i].text, n);

      detour_http_head_init (&head);
      g_assert_cmpint (detour_http_head_parse (&head, prefix, n), ==, DETOUR_HTTP_HEAD_MORE);
    }
}

/* Each ends with the byte that makes it wrong. */
static const struct {
  const char *name, *text;
  gsize len;
  guint status;
} bad[] = {
  { "empty-line-first", TEXT ("\r"), 400 },
  { "tls-hello", TEXT ("\x16"), 400 },
  { "blank-first", TEXT (" "), 400 },
  { "nul-in-method", TEXT ("G\0"), 400 },
  { "method-too-long", TEXT ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"), 400 },
  { "two-blanks-behind-method", TEXT ("GET  "), 400 },
  { "control-in-target", TEXT ("GET /\x01"), 400 },
  { "nul-in-target", TEXT ("GET /\0"), 400 },
  { "high-byte-in-target", TEXT ("GET /\x80"), 400 },
  { "delete-in-target", TEXT ("GET /\x7f"), 400 },
  { "fragment", TEXT ("GET /#"), 400 },
  { "tab-behind-target", TEXT ("GET /\t"), 400 },
  { "no-version", TEXT ("GET /\r"), 400 },
  { "two-blanks-before-version", TEXT ("GET /  "), 400 },
  { "version-in-lower-case", TEXT ("GET / h"), 400 },
  { "version-cut", TEXT ("GET / HTTP/1.\r"), 400 },
  { "version-too-long", TEXT ("GET / HTTP/1.11"), 400 },
  { "blank-behind-version", TEXT ("GET / HTTP/1.1 "), 400 },
  { "major-0", TEXT ("GET / HTTP/0.9\r"), 505 },
  { "major-2", TEXT ("PRI * HTTP/2.0\r"), 505 },
  { "asterisk", TEXT ("OPTIONS * HTTP/1.1\r"), 400 },
  { "relative-target", TEXT ("GET derp HTTP/1.1\r"), 400 },
  { "other-scheme", TEXT ("GET ftp://h/ HTTP/1.1\r"), 400 },
  { "absolute-without-host", TEXT ("GET http:///p HTTP/1.1\r"), 400 },
  { "absolute-with-user", TEXT ("GET http://u@h/ HTTP/1.1\r"), 400 },
  { "authority-without-connect", TEXT ("GET h:443 HTTP/1.1\r"), 400 },
  { "connect-path", TEXT ("CONNECT /derp HTTP/1.1\r"), 400 },
  { "connect-without-port", TEXT ("CONNECT h HTTP/1.1\r"), 400 },
  { "connect-empty-port", TEXT ("CONNECT h: HTTP/1.1\r"), 400 },
  { "connect-long-port", TEXT ("CONNECT h:123456 HTTP/1.1\r"), 400 },
  { "connect-only-port", TEXT ("CONNECT :443 HTTP/1.1\r"), 400 },
  { "bare-lf-behind-version", TEXT ("GET / HTTP/1.1\n"), 400 },
  { "bare-cr-behind-version", TEXT ("GET / HTTP/1.1\rH"), 400 },
  { "two-cr-behind-version", TEXT ("GET / HTTP/1.1\r\r"), 400 },
  { "bare-lf-behind-value", TEXT (GET "Host: h\n"), 400 },
  { "bare-cr-in-value", TEXT (GET "Host: h\rx"), 400 },
  { "bare-lf-at-end", TEXT (GET HOST "\n"), 400 },
  { "bare-cr-at-end", TEXT (GET HOST "\rx"), 400 },
  { "folded-blank", TEXT (GET HOST "X: a\r\n "), 400 },
  { "folded-tab", TEXT (GET HOST "X: a\r\n\t"), 400 },
  { "folded-first-header", TEXT (GET " "), 400 },
  { "blank-before-colon", TEXT (GET "Host "), 400 },
  { "tab-before-colon", TEXT (GET "Host\t"), 400 },
  { "header-without-colon", TEXT (GET "Host\r"), 400 },
  { "header-without-name", TEXT (GET ":"), 400 },
  { "slash-in-name", TEXT (GET "A/"), 400 },
  { "high-byte-in-name", TEXT (GET "A\xff"), 400 },
  { "nul-in-name", TEXT (GET "A\0"), 400 },
  { "nul-in-value", TEXT (GET HOST "X: a\0"), 400 },
  { "control-in-value", TEXT (GET HOST "X: a\x1b"), 400 },
  { "delete-in-value", TEXT (GET HOST "X: a\x7f"), 400 },
  { "vertical-tab-before-value", TEXT (GET HOST "X:\v"), 400 },
  { "no-host", TEXT (GET "\r\n"), 400 },
  { "no-host-absolute", TEXT ("GET http://h/ HTTP/1.1\r\n\r\n"), 400 },
  { "two-hosts", TEXT (GET HOST "Host: h\r"), 400 },
  { "two-hosts-old-version", TEXT ("GET / HTTP/1.0\r\n" HOST "host: h\r"), 400 },
  { "host-with-blank", TEXT (GET "Host: a b\r"), 400 },
  { "host-with-slash", TEXT (GET "Host: a/b\r"), 400 },
  { "host-with-user", TEXT (GET "Host: u@h\r"), 400 },
  { "host-only-port", TEXT (GET "Host: :80\r"), 400 },
  { "host-port-name", TEXT (GET "Host: h:http\r"), 400 },
  { "host-two-ports", TEXT (GET "Host: h:1:2\r"), 400 },
  { "host-v6-without-brackets", TEXT (GET "Host: 2001:db8::1\r"), 400 },
  { "host-v6-open", TEXT (GET "Host: [::1\r"), 400 },
  { "host-v6-empty", TEXT (GET "Host: []\r"), 400 },
  { "host-v6-and-name", TEXT (GET "Host: [::1]x\r"), 400 },
  { "host-high-byte", TEXT (GET "Host: h\xc3\xa4\r"), 400 },
  { "host-quote", TEXT (GET "Host: h\"\r"), 400 },
  { "content-length-empty", TEXT (GET "Content-Length:\r"), 400 },
  { "content-length-sign", TEXT (GET "Content-Length: +1\r"), 400 },
  { "content-length-hex", TEXT (GET "Content-Length: 0x1\r"), 400 },
  { "content-length-list", TEXT (GET "Content-Length: 1, 1\r"), 400 },
  { "content-length-too-long", TEXT (GET "Content-Length: 1000000000000000000\r"), 400 },
  { "content-length-differs", TEXT (GET "Content-Length: 1\r\nContent-Length: 2\r"), 400 },
  { "content-length-twice", TEXT (GET "Content-Length: 1\r\ncontent-length: 1\r"), 400 },
  { "transfer-encoding", TEXT (GET "Transfer-Encoding: chunked\r"), 501 },
  { "transfer-encoding-identity", TEXT (GET "transfer-encoding: identity\r"), 501 },
};

/* Refused neither later nor sooner; and for good. */
static void
test_bad (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  gsize len = bad[i].len;
  g_autofree guint8 *text = g_memdup2 (bad[i].text, len);
  DetourHttpHead head;

  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, text, len), ==, DETOUR_HTTP_HEAD_BAD);
  g_assert_cmpuint (head.status, ==, bad[i].status);
  g_assert_nonnull (head.reason);
  g_assert_null (strchr (head.reason, '\n'));
  g_assert_cmpint (detour_http_head_parse (&head, text, len), ==, DETOUR_HTTP_HEAD_BAD);

  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, text, len - 1), ==, DETOUR_HTTP_HEAD_MORE);
}

static GString *
head_of_length (gsize len)
{
  GString *text = g_string_new (GET HOST);

  while (len - text->len > 4 + 4000)
    {
      g_string_append (text, "X: ");
      for (guint i = 0; i < 3000; i++)
        g_string_append_c (text, 'x');
      g_string_append (text, "\r\n");
    }
  g_string_append (text, "X:");
  while (text->len < len - 4)
    g_string_append_c (text, 'x');
  g_string_append (text, "\r\n\r\n");
  g_assert_cmpuint (text->len, ==, len);
  return text;
}

static void
test_longest_head (void)
{
  GString *text = head_of_length (DETOUR_HTTP_HEAD_MAX);
  DetourHttpHead head;

  g_assert_cmpint (parse (&head, text->str, text->len), ==, DETOUR_HTTP_HEAD_OK);
  g_assert_cmpuint (head.len, ==, DETOUR_HTTP_HEAD_MAX);
  g_string_append (text, "behind");
  g_assert_cmpint (parse (&head, text->str, text->len), ==, DETOUR_HTTP_HEAD_OK);
  g_string_free (text, TRUE);
}

static void
test_head_too_long (void)
{
  GString *text = head_of_length (DETOUR_HTTP_HEAD_MAX + 1);
  DetourHttpHead head;

  g_assert_cmpint (parse (&head, text->str, DETOUR_HTTP_HEAD_MAX - 1), ==, DETOUR_HTTP_HEAD_MORE);
  /* Full without an end: no need to wait for one more byte. */
  g_assert_cmpint (parse (&head, text->str, DETOUR_HTTP_HEAD_MAX), ==, DETOUR_HTTP_HEAD_BAD);
  g_assert_cmpuint (head.status, ==, 431);
  g_assert_cmpint (parse (&head, text->str, text->len), ==, DETOUR_HTTP_HEAD_BAD);
  g_assert_cmpuint (head.status, ==, 431);
  g_string_free (text, TRUE);
}

static void
test_target_length (void)
{
  GString *text = g_string_new ("GET /");
  DetourHttpHead head;

  while (text->len < 4 + DETOUR_HTTP_HEAD_TARGET_MAX)
    g_string_append_c (text, 'x');
  g_string_append (text, " HTTP/1.1\r\n" HOST "\r\n");
  g_assert_cmpint (parse (&head, text->str, text->len), ==, DETOUR_HTTP_HEAD_OK);
  g_assert_cmpuint (head.target.len, ==, DETOUR_HTTP_HEAD_TARGET_MAX);

  g_string_insert_c (text, 5, 'x');
  g_assert_cmpint (parse (&head, text->str, text->len), ==, DETOUR_HTTP_HEAD_BAD);
  g_assert_cmpuint (head.status, ==, 414);
  g_assert_cmpint (parse (&head, text->str, 4 + DETOUR_HTTP_HEAD_TARGET_MAX + 1), ==,
                   DETOUR_HTTP_HEAD_BAD);
  g_assert_cmpint (parse (&head, text->str, 4 + DETOUR_HTTP_HEAD_TARGET_MAX), ==,
                   DETOUR_HTTP_HEAD_MORE);
  g_string_free (text, TRUE);
}

static void
test_header_count (void)
{
  GString *text = g_string_new (GET HOST);
  DetourHttpHead head;

  for (guint i = 1; i < DETOUR_HTTP_HEAD_HEADERS_MAX; i++)
    g_string_append (text, "a:\r\n");
  g_string_append (text, "\r\n");
  g_assert_cmpint (parse (&head, text->str, text->len), ==, DETOUR_HTTP_HEAD_OK);
  g_assert_cmpuint (head.n_headers, ==, DETOUR_HTTP_HEAD_HEADERS_MAX);

  g_string_truncate (text, text->len - 2);
  g_string_append (text, "b");
  g_assert_cmpint (parse (&head, text->str, text->len), ==, DETOUR_HTTP_HEAD_BAD);
  g_assert_cmpuint (head.status, ==, 431);
  g_string_free (text, TRUE);
}

static const struct {
  const char *name, *headers;
  gboolean upgrade;
} token_lists[] = {
  { "alone", "Connection: Upgrade\r\n", TRUE },
  { "other-case", "cONNECTION: uPGRADE\r\n", TRUE },
  { "in-list", "Connection: keep-alive, \tUpgrade\t ,x\r\n", TRUE },
  { "in-second-header", "Connection: keep-alive\r\nConnection: upgrade\r\n", TRUE },
  { "empty-elements", "Connection: , ,,upgrade,\r\n", TRUE },
  { "part-of-token", "Connection: upgrades, xupgrade, up grade\r\n", FALSE },
  { "other-header", "Connections: upgrade\r\n", FALSE },
  { "empty", "Connection:\r\n", FALSE },
  { "only-commas", "Connection: ,,\r\n", FALSE },
  { "absent", "", FALSE },
};

static void
test_token (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autofree char *text = g_strdup_printf (GET HOST "%s\r\n", token_lists[i].headers);
  DetourHttpHead head;

  g_assert_cmpint (parse (&head, text, strlen (text)), ==, DETOUR_HTTP_HEAD_OK);
  g_assert_cmpint (detour_http_head_has_token (&head, "Connection", "upgrade"), ==,
                   token_lists[i].upgrade);
}

static const struct {
  const char *name;
  guint minor;
  const char *headers;
  gboolean keep;
} keeps[] = {
  { "new", 1, "", TRUE },
  { "new-close", 1, "Connection: Close\r\n", FALSE },
  { "new-close-in-list", 1, "Connection: foo, close\r\n", FALSE },
  { "new-upgrade", 1, "Connection: Upgrade\r\n", TRUE },
  { "old", 0, "", FALSE },
  { "old-keep-alive", 0, "Connection: Keep-Alive\r\n", TRUE },
  { "old-both", 0, "Connection: keep-alive, close\r\n", FALSE },
  { "body", 1, "Content-Length: 1\r\n", FALSE },
  { "empty-body", 1, "Content-Length: 0\r\n", TRUE },
};

static void
test_keep_alive (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autofree char *text = g_strdup_printf ("GET / HTTP/1.%u\r\n" HOST "%s\r\n", keeps[i].minor,
                                           keeps[i].headers);
  DetourHttpHead head;

  g_assert_cmpint (parse (&head, text, strlen (text)), ==, DETOUR_HTTP_HEAD_OK);
  g_assert_cmpint (detour_http_head_keep_alive (&head), ==, keeps[i].keep);
}

static void
test_first_header_counts (void)
{
  static const char text[] = GET HOST "A: 1\r\na: 2\r\n\r\n";
  DetourHttpHead head;

  g_assert_cmpint (parse (&head, text, sizeof text - 1), ==, DETOUR_HTTP_HEAD_OK);
  assert_header (&head, "a", "1");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-head/upgrade-of-a-client", test_upgrade);
  g_test_add_func ("/http-head/bytes-behind-the-head-are-left", test_bytes_behind);
  g_test_add_func ("/http-head/every-prefix-wants-more", test_every_prefix);
  g_test_add_func ("/http-head/byte-by-byte", test_byte_by_byte);
  g_test_add_func ("/http-head/finished-lines-are-not-parsed-again", test_no_second_look);
  g_test_add_func ("/http-head/longest-head", test_longest_head);
  g_test_add_func ("/http-head/head-longer-than-limit", test_head_too_long);
  g_test_add_func ("/http-head/target-longer-than-limit", test_target_length);
  g_test_add_func ("/http-head/more-headers-than-limit", test_header_count);
  g_test_add_func ("/http-head/first-header-of-a-name-counts", test_first_header_counts);
  TEST_ADD_ROWS ("/http-head/target/", targets, test_target);
  TEST_ADD_ROWS ("/http-head/good/", good, test_good);
  TEST_ADD_ROWS ("/http-head/bad/", bad, test_bad);
  TEST_ADD_ROWS ("/http-head/token/", token_lists, test_token);
  TEST_ADD_ROWS ("/http-head/keep-alive/", keeps, test_keep_alive);
  return g_test_run ();
}
