/* test-http-message.c: requests and responses as handlers see them and as they go on the wire.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

#include "detour-http-message.h"
#include "test-program.h"

#include <netinet/in.h>
#include <string.h>

#define HOST "Host: h\r\n"
/* 6 November 1994, 08:49:37. */
#define WHEN ((gint64) 784111777 * G_USEC_PER_SEC)
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static DetourHttpRequest *
request_of (const char *text, DetourListenerFlags flags)
{
  g_autofree guint8 *copy = g_memdup2 (text, strlen (text));
  struct sockaddr_storage peer = { 0 };
  DetourHttpHead head;

  ((struct sockaddr_in *) &peer)->sin_family = AF_INET;
  ((struct sockaddr_in *) &peer)->sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, copy, strlen (text)), ==, DETOUR_HTTP_HEAD_OK);
  return detour_http_request_new (&head, &peer, flags);
}

static void
assert_bytes (const DetourHttpResponse *response, const DetourHttpRequest *request,
              const char *expected)
{
  g_autoptr (GByteArray) bytes = detour_http_response_to_bytes (response, request, WHEN);
  g_autofree char *text = g_strndup ((const char *) bytes->data, bytes->len);

  g_assert_cmpstr (text, ==, expected);
  g_assert_cmpuint (bytes->len, ==, strlen (expected));
}

/* The request outlives the buffer it was parsed from. */
static void
test_request (void)
{
  g_autoptr (DetourHttpRequest)
      request = request_of ("POST /a/b?c=d HTTP/1.1\r\nHost:  relay.example.com:81 "
                            "\r\nX-Empty:\r\nX-One: 1\r\nx-one: 2\r\n\r\n",
                            DETOUR_LISTENER_SECURE);
  const struct sockaddr_in *peer;

  g_assert_cmpstr (detour_http_request_method (request), ==, "POST");
  g_assert_cmpstr (detour_http_request_path (request), ==, "/a/b");
  g_assert_cmpstr (detour_http_request_query (request), ==, "c=d");
  g_assert_cmpstr (detour_http_request_header (request, "host"), ==, "relay.example.com:81");
  g_assert_cmpstr (detour_http_request_header (request, "X-ONE"), ==, "1");
  g_assert_cmpstr (detour_http_request_header (request, "X-Empty"), ==, "");
  g_assert_null (detour_http_request_header (request, "X"));
  g_assert_cmpstr (detour_http_request_host (request), ==, "relay.example.com:81");
  g_assert_true (detour_http_request_secure (request));
  g_assert_false (detour_http_request_derp (request));
  peer = (gconstpointer) detour_http_request_peer (request);
  g_assert_cmpint (peer->sin_family, ==, AF_INET);
  g_assert_cmphex (peer->sin_addr.s_addr, ==, htonl (INADDR_LOOPBACK));
}

static const struct {
  const char *name, *line;
  const char *path, *query, *host;
} lines[] = {
  { "root", "GET / HTTP/1.1", "/", "", "h" },
  { "empty-query", "GET /a? HTTP/1.1", "/a", "", "h" },
  { "absolute", "GET http://x/p?q HTTP/1.1", "/p", "q", "x" },
  { "absolute-bare", "GET http://x HTTP/1.1", "/", "", "x" },
  { "absolute-query", "GET http://x?q HTTP/1.1", "/", "q", "x" },
  { "connect", "CONNECT x:443 HTTP/1.1", "x:443", "", "h" },
};

static void
test_request_line (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autofree char *text = g_strconcat (lines[i].line, "\r\n" HOST "\r\n", NULL);
  g_autoptr (DetourHttpRequest) request = request_of (text, DETOUR_LISTENER_DERP);

  g_assert_cmpstr (detour_http_request_path (request), ==, lines[i].path);
  g_assert_cmpstr (detour_http_request_query (request), ==, lines[i].query);
  g_assert_cmpstr (detour_http_request_host (request), ==, lines[i].host);
  g_assert_true (detour_http_request_derp (request));
  g_assert_false (detour_http_request_secure (request));
}

static void
test_no_host (void)
{
  g_autoptr (DetourHttpRequest) request = request_of ("GET / HTTP/1.0\r\n\r\n", 0);

  g_assert_cmpstr (detour_http_request_host (request), ==, "");
}

static void
test_empty_response (void)
{
  g_autoptr (DetourHttpRequest) request = request_of ("GET / HTTP/1.1\r\n" HOST "\r\n", 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

  g_assert_true (detour_http_response_keeps_alive (response, request));
  assert_bytes (response, request, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\n\r\n");
}

static void
test_body (void)
{
  g_autoptr (DetourHttpRequest) get = request_of ("GET / HTTP/1.1\r\n" HOST "\r\n", 0);
  g_autoptr (DetourHttpRequest) head = request_of ("HEAD / HTTP/1.1\r\n" HOST "\r\n", 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

  detour_http_response_add_header (response, "Allow", "GET");
  detour_http_response_set_body (response, "text/plain", "hello", -1);
#define FRONT \
  "HTTP/1.1 200 OK\r\n" DATE "Allow: GET\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
  assert_bytes (response, get, FRONT "hello");
  assert_bytes (response, head, FRONT);
#undef FRONT
}

static void
test_no_body (gconstpointer data)
{
  guint status = GPOINTER_TO_UINT (data);
  g_autoptr (DetourHttpRequest) request = request_of ("GET / HTTP/1.1\r\n" HOST "\r\n", 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();
  g_autofree char *expected = g_strdup_printf (
      "HTTP/1.1 %s\r\n" DATE "\r\n", status == 204 ? "204 No Content" : "304 Not Modified");

  detour_http_response_set_status (response, status);
  assert_bytes (response, request, expected);
}

static void
test_old_version (void)
{
  g_autoptr (DetourHttpRequest) old = request_of ("GET / HTTP/1.0\r\n\r\n", 0);
  g_autoptr (DetourHttpRequest)
      keep = request_of ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

  g_assert_false (detour_http_response_keeps_alive (response, old));
  assert_bytes (response, old,
                "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\nConnection: close\r\n\r\n");
  assert_bytes (response, keep,
                "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

static void
test_handler_closes (void)
{
  g_autoptr (DetourHttpRequest) request = request_of ("GET / HTTP/1.1\r\n" HOST "\r\n", 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

  detour_http_response_add_header (response, "connection", "Close");
  g_assert_false (detour_http_response_keeps_alive (response, request));
  assert_bytes (response, request,
                "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\nConnection: close\r\n\r\n");
}

static void
test_error (void)
{
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

  detour_http_response_add_header (response, "Access-Control-Allow-Origin", "*");
  detour_http_response_set_body (response, "text/html", "gone", -1);
  detour_http_response_set_error (response, 431, "too long");
  assert_bytes (response, NULL,
                "HTTP/1.1 431 Request Header Fields Too Large\r\n" DATE
                "X-Content-Type-Options: nosniff\r\n"
                "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\nConnection: "
                "close\r\n\r\ntoo long\n");
}

/* Of a handler that says nothing of sniffing, and of one that does: it is said once. */
static void
test_error_of_handler (void)
{
  for (guint said = 0; said < 2; said++)
    {
      g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

      detour_http_response_set_status (response, 403);
      detour_http_response_set_body (response, "text/plain", "no\n", -1);
      if (said != 0)
        detour_http_response_add_header (response, "x-content-type-options", "nosniff");
      assert_bytes (response, NULL,
                    said != 0 ? "HTTP/1.1 403 Forbidden\r\n" DATE "Content-Type: text/plain\r\n"
                                "x-content-type-options: nosniff\r\nContent-Length: 3\r\n"
                                "Connection: close\r\n\r\nno\n"
                              : "HTTP/1.1 403 Forbidden\r\n" DATE "Content-Type: text/plain\r\n"
                                "X-Content-Type-Options: nosniff\r\nContent-Length: 3\r\n"
                                "Connection: close\r\n\r\nno\n");
    }
}

/* Strict-Transport-Security is for encrypted connections only. */
static void
test_browser_headers (void)
{
  static const char strict[] = "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n";

  for (guint secure = 0; secure < 2; secure++)
    {
      g_autoptr (DetourHttpRequest) request = request_of ("GET / HTTP/1.1\r\n" HOST "\r\n",
                                                          secure != 0 ? DETOUR_LISTENER_SECURE : 0);
      g_autoptr (DetourHttpResponse) response = detour_http_response_new ();
      g_autofree char *expected = g_strconcat (
          "HTTP/1.1 200 OK\r\n" DATE
          "Content-Security-Policy: default-src 'self'; frame-ancestors 'none'; form-action "
          "'self'; base-uri 'self'; block-all-mixed-content; object-src 'none'\r\n"
          "X-Frame-Options: DENY\r\nX-Content-Type-Options: nosniff\r\n",
          secure != 0 ? strict : "", "Content-Length: 0\r\n\r\n", NULL);

      detour_http_response_add_browser_headers (response);
      assert_bytes (response, request, expected);
    }
}

static const struct {
  const char *name, *header, *value, *warning;
} wrong[] = {
  { "line-in-value", "X", "a\r\nSet-Cookie: b", "*X: a\\r\\nSet-Cookie: b*" },
  { "cr-in-value", "X", "a\rb", "*may not stand there*" },
  { "lf-in-value", "X", "a\nb", "*may not stand there*" },
  { "control-in-value", "X", "\x01", "*may not stand there*" },
  { "delete-in-value", "X", "\x7f", "*may not stand there*" },
  { "line-in-name", "X\r\nY", "a", "*may not stand there*" },
  { "colon-in-name", "X:", "a", "*may not stand there*" },
  { "blank-in-name", "X Y", "a", "*may not stand there*" },
  { "empty-name", "", "a", "*may not stand there*" },
  { "length", "content-length", "5", "*Content-Length is not a handler's*" },
  { "encoding", "Transfer-Encoding", "chunked", "*Transfer-Encoding is not a handler's*" },
  { "date", "Date", "now", "*Date is not a handler's*" },
  { "connection", "Connection", "upgrade", "*Connection is not a handler's*" },
};

static const char
    broken_text[] = "HTTP/1.1 500 Internal Server Error\r\n" DATE
                    "X-Content-Type-Options: nosniff\r\n"
                    "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 29\r\n\r\n"
                    "The answer could not be made\n";

static void
test_wrong_header (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (DetourHttpRequest) request = request_of ("GET / HTTP/1.1\r\n" HOST "\r\n", 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

  g_test_expect_message ("detour", G_LOG_LEVEL_WARNING, wrong[i].warning);
  detour_http_response_add_header (response, wrong[i].header, wrong[i].value);
  g_test_assert_expected_messages ();
  /* What comes later does not mend it. */
  detour_http_response_set_body (response, "text/plain", "secret", -1);
  g_assert_cmpuint (detour_http_response_status (response), ==, 500);
  assert_bytes (response, request, broken_text);
}

static void
test_wrong_type (void)
{
  g_autoptr (DetourHttpRequest) request = request_of ("GET / HTTP/1.1\r\n" HOST "\r\n", 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

  g_test_expect_message ("detour", G_LOG_LEVEL_WARNING, "*may not stand there*");
  detour_http_response_set_body (response, "text/plain\r\nX: y", "body", -1);
  g_test_assert_expected_messages ();
  assert_bytes (response, request, broken_text);
}

static void
test_wrong_status (gconstpointer data)
{
  g_autoptr (DetourHttpRequest) request = request_of ("GET / HTTP/1.1\r\n" HOST "\r\n", 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

  g_test_expect_message ("detour", G_LOG_LEVEL_WARNING, "*not in 200 to 599*");
  detour_http_response_set_status (response, GPOINTER_TO_UINT (data));
  g_test_assert_expected_messages ();
  assert_bytes (response, request, broken_text);
}

static void
test_two_bodies (void)
{
  g_autoptr (DetourHttpRequest) request = request_of ("GET / HTTP/1.1\r\n" HOST "\r\n", 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

  detour_http_response_set_body (response, "text/plain", NULL, 0);
  g_test_expect_message ("detour", G_LOG_LEVEL_WARNING, "*two bodies*");
  detour_http_response_set_body (response, "text/plain", "b", 1);
  g_test_assert_expected_messages ();
  assert_bytes (response, request, broken_text);
}

static void
count_end (gpointer user)
{
  ++*(guint *) user;
}

/* A tunnel that nobody takes ends with its response. */
static void
test_tunnel (void)
{
  DetourHttpTunnel tunnel = { .ended = count_end }, taken;
  guint n = 0;
  int fds[2];

  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  tunnel.user = &n;
  tunnel.fd = fds[1];
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (DetourHttpResponse) response = detour_http_response_new ();

      g_assert_false (detour_http_response_take_tunnel (response, &taken));
      detour_http_response_begin_tunnel (response, &tunnel);
      if (i == 0)
        g_assert_true (detour_http_response_take_tunnel (response, &taken));
    }
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpint (fcntl (fds[1], F_GETFD), ==, -1);
  close (fds[0]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-request/parts", test_request);
  TEST_ADD_ROWS ("/http-request/line/", lines, test_request_line);
  g_test_add_func ("/http-request/no-host", test_no_host);
  g_test_add_func ("/http-response/empty", test_empty_response);
  g_test_add_func ("/http-response/body-not-for-head", test_body);
  g_test_add_data_func ("/http-response/no-body-with-204", GUINT_TO_POINTER (204), test_no_body);
  g_test_add_data_func ("/http-response/no-body-with-304", GUINT_TO_POINTER (304), test_no_body);
  g_test_add_func ("/http-response/old-version", test_old_version);
  g_test_add_func ("/http-response/handler-closes", test_handler_closes);
  g_test_add_func ("/http-response/error-forgets-the-rest", test_error);
  g_test_add_func ("/http-response/error-of-a-handler", test_error_of_handler);
  g_test_add_func ("/http-response/browser-headers", test_browser_headers);
  TEST_ADD_ROWS ("/http-response/wrong-header/", wrong, test_wrong_header);
  g_test_add_func ("/http-response/wrong-content-type", test_wrong_type);
  g_test_add_data_func ("/http-response/status-too-small", GUINT_TO_POINTER (101),
                        test_wrong_status);
  g_test_add_data_func ("/http-response/status-too-large", GUINT_TO_POINTER (600),
                        test_wrong_status);
  g_test_add_func ("/http-response/two-bodies", test_two_bodies);
  g_test_add_func ("/http-response/tunnel-that-nobody-takes", test_tunnel);
  return g_test_run ();
}
