/* test-http-routes.c: which handler answers, which errors and redirections stand in for one, and
 * how handlers end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-routes.h"
#include "test-program.h"

#include <string.h>

#define WHEN ((gint64) 784111777 * G_USEC_PER_SEC)

static DetourHttpRequest *
request_of (const char *method, const char *target, const char *host, DetourListenerFlags flags)
{
  g_autofree char *text = g_strdup_printf ("%s %s HTTP/1.%c\r\n%s%s%s\r\n", method, target,
                                           host != NULL ? '1' : '0', host != NULL ? "Host: " : "",
                                           host != NULL ? host : "", host != NULL ? "\r\n" : "");
  struct sockaddr_storage peer = { 0 };
  DetourHttpHead head;

  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, strlen (text)), ==,
                   DETOUR_HTTP_HEAD_OK);
  return detour_http_request_new (&head, &peer, flags);
}

/* What goes on the wire, without Date. */
static char *
answer (DetourHttpRoutes *routes, const char *method, const char *target, const char *host,
        DetourListenerFlags flags)
{
  g_autoptr (DetourHttpRequest) request = request_of (method, target, host, flags);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();
  g_autoptr (GByteArray) bytes = NULL;
  char *text, *date;

  detour_http_routes_answer (routes, request, response);
  bytes = detour_http_response_to_bytes (response, request, WHEN);
  text = g_strndup ((const char *) bytes->data, bytes->len);
  date = strstr (text, "Date: ");
  memmove (date, strstr (date, "\r\n") + 2, strlen (strstr (date, "\r\n") + 2) + 1);
  return text;
}

static void
name_handle (gpointer self, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  detour_http_response_set_body (response, "text/plain", self, -1);
}

#define BOTH (DETOUR_SITE_CLIENTS | DETOUR_SITE_PLAIN)

static const DetourHttpRoute test_table[] = {
  { "/get", DETOUR_HTTP_GET, 0, name_handle },
  { "/post", DETOUR_HTTP_POST, 0, name_handle },
  { "/both", DETOUR_HTTP_GET | DETOUR_HTTP_POST, 0, name_handle },
  { "/any", DETOUR_HTTP_ANY, BOTH, name_handle },
  { "/plain-get", DETOUR_HTTP_GET, BOTH, name_handle },
  { NULL },
};

#define NOSNIFF  "X-Content-Type-Options: nosniff\r\nContent-Type: text/plain; charset=utf-8\r\n"
#define OK(body) "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n" body
#define NOT_FOUND \
  "HTTP/1.1 404 Not Found\r\n" NOSNIFF "Content-Length: 22\r\n\r\nThere is no such page\n"
#define NOT_ALLOWED(allow)                                      \
  "HTTP/1.1 405 Method Not Allowed\r\n" NOSNIFF "Allow: " allow \
  "\r\nContent-Length: 32\r\n\r\nThis method is not allowed here\n"
#define PROBE "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n"
#define REDIRECT(location) \
  "HTTP/1.1 302 Found\r\nLocation: " location "\r\nContent-Length: 0\r\n\r\n"
#define USE_HTTPS "HTTP/1.1 400 Bad Request\r\n" NOSNIFF "Content-Length: 10\r\n\r\nUse https\n"
#define TO_HTTPS  DETOUR_LISTENER_REDIRECT_HTTPS

static const struct {
  const char *name, *method, *target;
  DetourListenerFlags flags;
  const char *expected;
} cases[] = {
  { "get", "GET", "/get", 0, OK ("p") },
  { "get-with-query", "GET", "/get?x=/post", 0, OK ("p") },
  { "head-of-get", "HEAD", "/get", 0, OK ("") },
  { "absolute", "GET", "http://other/get", 0, OK ("p") },
  { "post", "POST", "/post", 0, OK ("p") },
  { "both-post", "POST", "/both", 0, OK ("p") },
  { "any-delete", "DELETE", "/any", 0, OK ("p") },
  { "get-refuses-post", "POST", "/get", 0, NOT_ALLOWED ("GET, HEAD") },
  { "get-refuses-lower-case", "get", "/get", 0, NOT_ALLOWED ("GET, HEAD") },
  { "post-refuses-get", "GET", "/post", 0, NOT_ALLOWED ("POST") },
  { "both-refuses-put", "PUT", "/both", 0, NOT_ALLOWED ("GET, HEAD, POST") },
  { "unknown-path", "GET", "/nothing", 0, NOT_FOUND },
  { "root-without-home", "GET", "/", 0, NOT_FOUND },
  { "slash-behind", "GET", "/get/", 0, NOT_FOUND },
  { "double-slash", "GET", "//get", 0, NOT_FOUND },
  { "dots", "GET", "/x/../get", 0, NOT_FOUND },
  { "other-case", "GET", "/GET", 0, NOT_FOUND },
  { "percent", "GET", "/%67et", 0, NOT_FOUND },
  { "derp-is-not-here", "GET", "/derp", DETOUR_LISTENER_DERP, NOT_FOUND },
  { "connect", "CONNECT", "h:443", 0, NOT_FOUND },
  { "connect-secure", "CONNECT", "h:443", DETOUR_LISTENER_SECURE,
    "HTTP/1.1 403 Forbidden\r\n" NOSNIFF "Content-Length: 20\r\n\r\nThis is not a proxy\n" },
  { "probe", "GET", "/derp/probe", 0, PROBE },
  { "probe-head", "HEAD", "/derp/probe", 0, PROBE },
  { "probe-options", "OPTIONS", "/derp/probe", 0, NOT_ALLOWED ("GET, HEAD") },
  { "latency-check", "GET", "/derp/latency-check", 0, PROBE },
  { "latency-check-head", "HEAD", "/derp/latency-check", 0, PROBE },
  { "latency-check-post", "POST", "/derp/latency-check", 0, NOT_ALLOWED ("GET, HEAD") },
  { "redirect-serves-plain", "GET", "/any", TO_HTTPS, OK ("p") },
  { "redirect-serves-plain-any-method", "POST", "/any", TO_HTTPS, OK ("p") },
  { "redirect-plain-wrong-method", "POST", "/plain-get", TO_HTTPS, NOT_ALLOWED ("GET, HEAD") },
  { "redirect-known", "GET", "/get", TO_HTTPS, REDIRECT ("https://h/get") },
  { "redirect-unknown", "GET", "/a/b?c=d?", TO_HTTPS, REDIRECT ("https://h/a/b?c=d?") },
  { "redirect-empty-query", "GET", "/a?", TO_HTTPS, REDIRECT ("https://h/a?") },
  { "redirect-root", "HEAD", "/", TO_HTTPS, REDIRECT ("https://h/") },
  { "redirect-derp", "GET", "/derp", TO_HTTPS, REDIRECT ("https://h/derp") },
  { "redirect-probe", "GET", "/derp/probe", TO_HTTPS, REDIRECT ("https://h/derp/probe") },
  { "redirect-absolute", "GET", "http://x/p?q", TO_HTTPS, REDIRECT ("https://x/p?q") },
  { "redirect-absolute-bare", "GET", "http://x", TO_HTTPS, REDIRECT ("https://x/") },
  { "redirect-double-slash", "GET", "//evil.example/", TO_HTTPS,
    REDIRECT ("https://h//evil.example/") },
  { "redirect-post", "POST", "/get", TO_HTTPS, USE_HTTPS },
  { "redirect-probe-options", "OPTIONS", "/derp/probe", TO_HTTPS, USE_HTTPS },
  { "redirect-connect", "CONNECT", "h:443", TO_HTTPS, NOT_FOUND },
};

static void
test_answer (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  g_autofree char *text = NULL;
  GError *error = NULL;

  detour_http_routes_add (routes, "http/p", test_table, (gpointer) "p", &error);
  g_assert_no_error (error);
  text = answer (routes, cases[i].method, cases[i].target, "h:8080", cases[i].flags);
  g_assert_cmpstr (text, ==, cases[i].expected);
}

static void
test_redirect_without_host (void)
{
  static const char *const hosts[] = { NULL, "" };

  for (gsize i = 0; i < G_N_ELEMENTS (hosts); i++)
    {
      g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
      g_autofree char *text = answer (routes, "GET", "/", hosts[i], TO_HTTPS);

      g_assert_true (g_str_has_prefix (text, "HTTP/1.1 400 Bad Request\r\n"));
    }
}

static const DetourHttpRoute other_table[] = {
  { "/other", DETOUR_HTTP_GET, 0, name_handle },
  { "/get", DETOUR_HTTP_GET, 0, name_handle },
  { NULL },
};

static void
test_taken (void)
{
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  DetourHttpRouteSet *set;
  g_autoptr (GError) error = NULL;

  set = detour_http_routes_add (routes, "http/a", test_table, (gpointer) "a", NULL);
  g_assert_nonnull (set);
  g_assert_null (detour_http_routes_add (routes, "http/b", other_table, (gpointer) "b", &error));
  g_assert_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_TAKEN);
  g_assert_nonnull (strstr (error->message, "\"/get\""));
  g_assert_nonnull (strstr (error->message, "http/a"));
  {
    /* All or none. */
    g_autofree char *other = answer (routes, "GET", "/other", "h", 0);
    g_autofree char *get = answer (routes, "GET", "/get", "h", 0);

    g_assert_cmpstr (other, ==, NOT_FOUND);
    g_assert_cmpstr (get, ==, OK ("a"));
  }

  /* Free again once the owner is gone. */
  detour_http_routes_remove (routes, set);
  g_assert_nonnull (detour_http_routes_add (routes, "http/b", other_table, (gpointer) "b", NULL));
  {
    g_autofree char *get = answer (routes, "GET", "/get", "h", 0);
    g_autofree char *post = answer (routes, "POST", "/post", "h", 0);

    g_assert_cmpstr (get, ==, OK ("b"));
    g_assert_cmpstr (post, ==, NOT_FOUND);
  }
}

/* ---- sites and what lies below a path -------------------------------------------------------- */

static const DetourHttpRoute site_table[] = {
  { "/everywhere", DETOUR_HTTP_GET, BOTH, name_handle },
  { "/plain", DETOUR_HTTP_GET, DETOUR_SITE_PLAIN, name_handle },
  { "/secret", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, name_handle },
  { "/below/", DETOUR_HTTP_GET, 0, name_handle, DETOUR_HTTP_BELOW },
  { NULL },
};

/* The same paths and more, of another instance. */
static const DetourHttpRoute second_table[] = {
  { "/everywhere", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, name_handle },
  { "/plain", DETOUR_HTTP_GET, DETOUR_SITE_CLIENTS, name_handle },
  { "/below/", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, name_handle, DETOUR_HTTP_BELOW },
  { "/below/deeper/", DETOUR_HTTP_GET, 0, name_handle, DETOUR_HTTP_BELOW },
  { "/below/exact", DETOUR_HTTP_GET, 0, name_handle },
  { "/below/deeper/", DETOUR_HTTP_GET, 0, name_handle },
  { NULL },
};

#define ADMIN DETOUR_LISTENER_ADMIN

static const struct {
  const char *name, *target;
  DetourListenerFlags flags;
  const char *expected; /* whose answer; NULL: 404 */
} site_cases[] = {
  { "clients", "/everywhere", 0, "1" },
  { "plain", "/everywhere", TO_HTTPS, "1" },
  { "admin", "/everywhere", ADMIN, "2" },
  { "plain-only", "/plain", TO_HTTPS, "1" },
  { "clients-only", "/plain", DETOUR_LISTENER_SECURE, "2" },
  { "not-for-admin", "/plain", ADMIN, NULL },
  { "admin-for-clients", "/secret", DETOUR_LISTENER_DERP | DETOUR_LISTENER_SECURE, NULL },
  { "admin-for-admin", "/secret", ADMIN, "1" },
  { "probe-for-admin", "/derp/probe", ADMIN, NULL },
  { "below-itself", "/below/", 0, "1" },
  { "below-file", "/below/x?y", 0, "1" },
  { "below-far", "/below/a/b/../c//d", 0, "1" },
  { "below-without-slash", "/below", 0, NULL },
  { "below-other", "/belows/x", 0, NULL },
  { "below-deeper", "/below/deeper/x", 0, "2" },
  { "below-deeper-exact", "/below/deeper/", 0, "2" },
  { "below-exact", "/below/exact", 0, "2" },
  { "below-exact-and-more", "/below/exact/", 0, "1" },
  { "below-admin", "/below/exact", ADMIN, "2" },
};

static void
test_site (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  g_autofree char *text = NULL;
  g_autofree char *expected = NULL;

  g_assert_nonnull (detour_http_routes_add (routes, "http/1", site_table, (gpointer) "1", NULL));
  g_assert_nonnull (detour_http_routes_add (routes, "http/2", second_table, (gpointer) "2", NULL));
  text = answer (routes, "GET", site_cases[i].target, "h", site_cases[i].flags);
  expected = site_cases[i].expected != NULL ? g_strconcat (OK (""), site_cases[i].expected, NULL)
                                            : g_strdup (NOT_FOUND);
  g_assert_cmpstr (text, ==, expected);
}

/* ---- the gate of the site for administrators ------------------------------------------------- */

/* @self: how many came by */
static void
admin_gate_handle (gpointer self, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  ++*(guint *) self;
  detour_http_response_add_header (response, "X-Gate", "1");
  if (strcmp (detour_http_request_query (request), "open") == 0)
    return;
  detour_http_response_set_status (response, 403);
  detour_http_response_set_body (response, "text/plain", "no", -1);
}

static const DetourHttpRoute admin_gate_table[] = {
  { DETOUR_HTTP_GATE, DETOUR_HTTP_ANY, DETOUR_SITE_ADMIN, admin_gate_handle },
  { NULL },
};

static void
check_gate (DetourHttpRoutes *routes, const char *method, const char *target,
            DetourListenerFlags flags, const char *status, gboolean has_header)
{
  g_autofree char *text = answer (routes, method, target, "h", flags);

  g_assert_true (g_str_has_prefix (text, status));
  g_assert_cmpint (strstr (text, "X-Gate: 1\r\n") != NULL, ==, has_header);
}

static void
test_gate (void)
{
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  DetourHttpRouteSet *gate;
  guint n = 0;

  g_assert_nonnull (detour_http_routes_add (routes, "http/1", site_table, (gpointer) "1", NULL));
  gate = detour_http_routes_add (routes, "service/gate", admin_gate_table, &n, NULL);
  g_assert_nonnull (gate);
  /* Whichever path and method: nobody learns which there are. */
  check_gate (routes, "GET", "/secret", ADMIN, "HTTP/1.1 403 ", TRUE);
  check_gate (routes, "POST", "/secret", ADMIN, "HTTP/1.1 403 ", TRUE);
  check_gate (routes, "GET", "/nothing", ADMIN, "HTTP/1.1 403 ", TRUE);
  check_gate (routes, "GET", "/secret?open", ADMIN, "HTTP/1.1 200 ", TRUE);
  check_gate (routes, "POST", "/secret?open", ADMIN, "HTTP/1.1 405 ", FALSE);
  check_gate (routes, "GET", "/nothing?open", ADMIN, "HTTP/1.1 404 ", FALSE);
  g_assert_cmpuint (n, ==, 6);
  /* It is none of the other sites' business, and no path. */
  check_gate (routes, "GET", "/everywhere", 0, "HTTP/1.1 200 ", FALSE);
  check_gate (routes, "GET", "/plain", TO_HTTPS, "HTTP/1.1 200 ", FALSE);
  g_assert_cmpuint (n, ==, 6);
  g_assert_null (detour_http_routes_add (routes, "service/other", admin_gate_table, &n, NULL));
  detour_http_routes_remove (routes, gate);
  check_gate (routes, "GET", "/secret", ADMIN, "HTTP/1.1 200 ", FALSE);
}

static void
test_pages (void)
{
  static const DetourHttpRoute pages[] = {
    { "/secret/", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, name_handle,
      DETOUR_HTTP_BELOW | DETOUR_HTTP_PAGE },
    { "/below/page", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, name_handle, DETOUR_HTTP_PAGE },
    { NULL },
  };
  static const struct {
    const char *target;
    DetourListenerFlags flags;
    const char *expected;
  } paths[] = {
    { "/secret/x", ADMIN | DETOUR_LISTENER_PAGES, OK ("3") },
    { "/secret/x", ADMIN, NOT_FOUND },
    { "/below/page", ADMIN | DETOUR_LISTENER_PAGES, OK ("3") },
    { "/below/page", ADMIN, OK ("2") }, /* of the route below which it is */
    { "/secret/x", DETOUR_LISTENER_PAGES, NOT_FOUND },
  };
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();

  g_assert_nonnull (detour_http_routes_add (routes, "http/2", second_table, (gpointer) "2", NULL));
  g_assert_nonnull (detour_http_routes_add (routes, "http/3", pages, (gpointer) "3", NULL));
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autofree char *text = answer (routes, "GET", paths[i].target, "h", paths[i].flags);

      g_assert_cmpstr (text, ==, paths[i].expected);
    }
}

static void
test_admin_on_port_80 (void)
{
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  g_autofree char *text = NULL;

  g_assert_nonnull (detour_http_routes_add (routes, "http/1", site_table, (gpointer) "1", NULL));
  text = answer (routes, "GET", "/secret", "h", TO_HTTPS);
  g_assert_cmpstr (text, ==, REDIRECT ("https://h/secret"));
}

/* ---- CONNECT --------------------------------------------------------------------------------- */

static void
target_handle (gpointer self, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  detour_http_response_set_body (response, "text/plain", detour_http_request_path (request), -1);
}

static const DetourHttpRoute connect_table[] = {
  { DETOUR_HTTP_CONNECT, DETOUR_HTTP_ANY, 0, target_handle },
  { NULL },
};

static void
test_connect (void)
{
  static const struct {
    DetourListenerFlags flags;
    const char *method, *target, *begins;
  } requests[] = {
    { DETOUR_LISTENER_SECURE, "CONNECT", "h:443", "HTTP/1.1 200 OK\r\n" },
    { DETOUR_LISTENER_SECURE | DETOUR_LISTENER_DERP, "CONNECT", "h:443", "HTTP/1.1 200 OK\r\n" },
    { 0, "CONNECT", "h:443", NOT_FOUND },
    { DETOUR_LISTENER_DERP, "CONNECT", "h:443", NOT_FOUND },
    { TO_HTTPS, "CONNECT", "h:443", NOT_FOUND },
    { DETOUR_LISTENER_SECURE | ADMIN, "CONNECT", "h:443", "HTTP/1.1 403 " },
    { DETOUR_LISTENER_SECURE, "GET", "/CONNECT", NOT_FOUND },
    { DETOUR_LISTENER_SECURE, "GET", "http://h:443/", NOT_FOUND },
  };
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();

  g_assert_nonnull (detour_http_routes_add (routes, "http/1", connect_table, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (requests); i++)
    {
      g_autofree char *text = answer (routes, requests[i].method, requests[i].target, "h",
                                      requests[i].flags);

      g_assert_true (g_str_has_prefix (text, requests[i].begins));
      if (strstr (text, "200 OK") != NULL)
        g_assert_true (g_str_has_suffix (text, "\r\n\r\nh:443"));
    }
}

static void
test_bad_connect (void)
{
  static const DetourHttpRoute bad[][2] = {
    { { DETOUR_HTTP_CONNECT, DETOUR_HTTP_GET, 0, target_handle }, { NULL } },
    { { DETOUR_HTTP_CONNECT, DETOUR_HTTP_ANY, BOTH, target_handle }, { NULL } },
    { { DETOUR_HTTP_CONNECT, DETOUR_HTTP_ANY, 0, target_handle, DETOUR_HTTP_BODY }, { NULL } },
    { { DETOUR_HTTP_CONNECT, DETOUR_HTTP_ANY, 0, NULL }, { NULL } },
    { { DETOUR_HTTP_CONNECT, DETOUR_HTTP_ANY, 0, target_handle }, { NULL } }, /* a second one */
  };
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();

  g_assert_nonnull (detour_http_routes_add (routes, "http/1", connect_table, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      gboolean is_last = i + 1 == G_N_ELEMENTS (bad);
      DetourHttpRoutesError code = is_last ? DETOUR_HTTP_ROUTES_ERROR_TAKEN
                                           : DETOUR_HTTP_ROUTES_ERROR_PATH;

      g_assert_null (detour_http_routes_add (routes, "http/2", bad[i], NULL, &error));
      g_assert_error (error, DETOUR_HTTP_ROUTES_ERROR, (gint) code);
    }
}

/* The port is where TLS is, whatever stands in `Host`. */
static void
test_redirect_port (void)
{
  static const struct {
    guint16 port;
    const char *host, *location;
  } redirects[] = {
    { 443, "h", REDIRECT ("https://h/x") },
    { 443, "h:80", REDIRECT ("https://h/x") },
    { 8443, "h:80", REDIRECT ("https://h:8443/x") },
    { 8443, "h", REDIRECT ("https://h:8443/x") },
    { 8443, "[2001:db8::1]", REDIRECT ("https://[2001:db8::1]:8443/x") },
    { 8443, "[2001:db8::1]:80", REDIRECT ("https://[2001:db8::1]:8443/x") },
    { 443, "[2001:db8::1]:80", REDIRECT ("https://[2001:db8::1]/x") },
    { 65535, "192.0.2.1:80", REDIRECT ("https://192.0.2.1:65535/x") },
  };

  for (guint i = 0; i < G_N_ELEMENTS (redirects); i++)
    {
      g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
      g_autofree char *text = NULL;

      detour_http_routes_set_https_port (routes, redirects[i].port);
      text = answer (routes, "GET", "/x", redirects[i].host, TO_HTTPS);
      g_assert_cmpstr (text, ==, redirects[i].location);
    }
}

static const struct {
  const char *name;
  DetourHttpRoute route;
  DetourHttpRoutesError error;
} bad_routes[] = {
  { "admin-and-clients",
    { "/x", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN | DETOUR_SITE_CLIENTS, name_handle },
    DETOUR_HTTP_ROUTES_ERROR_SITES },
  { "below-a-file",
    { "/x", DETOUR_HTTP_GET, 0, name_handle, DETOUR_HTTP_BELOW },
    DETOUR_HTTP_ROUTES_ERROR_PATH },
  { "below-twice",
    { "/below/", DETOUR_HTTP_GET, 0, name_handle, DETOUR_HTTP_BELOW },
    DETOUR_HTTP_ROUTES_ERROR_TAKEN },
  { "gate-of-clients",
    { DETOUR_HTTP_GATE, DETOUR_HTTP_ANY, DETOUR_SITE_CLIENTS, name_handle },
    DETOUR_HTTP_ROUTES_ERROR_PATH },
  { "gate-without-handler",
    { DETOUR_HTTP_GATE, DETOUR_HTTP_ANY, DETOUR_SITE_ADMIN, NULL },
    DETOUR_HTTP_ROUTES_ERROR_PATH },
  { "one-of-two-sites",
    { "/plain", DETOUR_HTTP_GET, BOTH, name_handle },
    DETOUR_HTTP_ROUTES_ERROR_TAKEN },
};

static void
test_bad_route (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  const DetourHttpRoute table[] = { bad_routes[i].route, { NULL } };
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  g_assert_nonnull (detour_http_routes_add (routes, "http/1", site_table, (gpointer) "1", NULL));
  g_assert_null (detour_http_routes_add (routes, "http/2", table, (gpointer) "2", &error));
  g_assert_error (error, DETOUR_HTTP_ROUTES_ERROR, (gint) bad_routes[i].error);
  text = answer (routes, "GET", table[0].path[0] == '/' ? table[0].path : "/x", "h", 0);
  g_assert_null (strstr (text, "\r\n\r\n2"));
}

static const struct {
  const char *name, *path;
} bad_paths[] = {
  { "derp", "/derp" },    { "relative", "get" }, { "empty", "" },    { "query", "/a?b" },
  { "fragment", "/a#b" }, { "blank", "/a b" },   { "line", "/a\n" }, { "high-byte", "/\xc3\xa4" },
};

static void
test_bad_path (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  const DetourHttpRoute table[] = { { bad_paths[i].path, DETOUR_HTTP_GET, 0, name_handle },
                                    { NULL } };
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  g_autoptr (GError) error = NULL;

  g_assert_null (detour_http_routes_add (routes, "http/a", table, NULL, &error));
  g_assert_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_PATH);
}

/* A handler that waits until it is let go. */
typedef struct {
  GMutex lock;
  GCond changed;
  gboolean running, let_go, finished;
  DetourHttpRoutes *routes;
} Gate;

static void
gate_set (Gate *self, gboolean *what)
{
  g_mutex_lock (&self->lock);
  *what = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static void
gate_wait (Gate *self, gboolean *what)
{
  g_mutex_lock (&self->lock);
  while (!*what)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

static void
gate_handle (gpointer self, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  Gate *gate = self;

  gate_set (gate, &gate->running);
  gate_wait (gate, &gate->let_go);
  g_atomic_int_set (&gate->finished, TRUE);
}

static const DetourHttpRoute gate_table[] = {
  { "/gate", DETOUR_HTTP_GET, 0, gate_handle },
  { NULL },
};

static gpointer
ask_gate (gpointer data)
{
  Gate *gate = data;

  return answer (gate->routes, "GET", "/gate", "h", 0);
}

/* Lets the handler go as soon as its route is out of the table, which remove() does before it
 * waits. */
static gpointer
let_go_when_removed (gpointer data)
{
  Gate *gate = data;

  for (;;)
    {
      g_autofree char *text = NULL;
      const DetourHttpRoute table[] = { { "/gate", DETOUR_HTTP_GET, 0, name_handle }, { NULL } };
      DetourHttpRouteSet *set = detour_http_routes_add (gate->routes, "http/next", table,
                                                        (gpointer) "n", NULL);

      /* The path is free again exactly then. */
      if (set != NULL)
        {
          text = answer (gate->routes, "GET", "/gate", "h", 0);
          g_assert_cmpstr (text, ==, OK ("n"));
          detour_http_routes_remove (gate->routes, set);
          break;
        }
      g_thread_yield ();
    }
  g_assert_false (g_atomic_int_get (&gate->finished));
  gate_set (gate, &gate->let_go);
  return NULL;
}

static void
test_remove_waits (void)
{
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  Gate gate = { .routes = routes };
  GThread *asker, *opener;
  DetourHttpRouteSet *set;

  g_mutex_init (&gate.lock);
  g_cond_init (&gate.changed);
  set = detour_http_routes_add (routes, "http/gate", gate_table, &gate, NULL);
  g_assert_nonnull (set);
  asker = g_thread_new ("asker", ask_gate, &gate);
  gate_wait (&gate, &gate.running);
  opener = g_thread_new ("opener", let_go_when_removed, &gate);

  detour_http_routes_remove (routes, set);
  g_assert_true (g_atomic_int_get (&gate.finished));
  g_thread_join (opener);
  {
    g_autofree char *text = g_thread_join (asker);

    g_assert_true (g_str_has_prefix (text, "HTTP/1.1 200 OK\r\n"));
  }
  g_cond_clear (&gate.changed);
  g_mutex_clear (&gate.lock);
}

/* Others go on while a handler takes its time: come, answer and go. */
static void
test_slow_handler_delays_nobody (void)
{
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  Gate gate = { .routes = routes };
  DetourHttpRouteSet *set;
  GThread *asker;

  g_mutex_init (&gate.lock);
  g_cond_init (&gate.changed);
  g_assert_nonnull (detour_http_routes_add (routes, "http/gate", gate_table, &gate, NULL));
  asker = g_thread_new ("asker", ask_gate, &gate);
  gate_wait (&gate, &gate.running);

  set = detour_http_routes_add (routes, "http/a", test_table, (gpointer) "a", NULL);
  g_assert_nonnull (set);
  {
    g_autofree char *text = answer (routes, "GET", "/get", "h", 0);

    g_assert_cmpstr (text, ==, OK ("a"));
  }
  detour_http_routes_remove (routes, set);

  gate_set (&gate, &gate.let_go);
  g_free (g_thread_join (asker));
  g_cond_clear (&gate.changed);
  g_mutex_clear (&gate.lock);
}

/* Routes come and go under several threads that ask: an answer is the handler's or 404, never
 * anything else, and no handler runs after its instance was removed. */
typedef struct {
  DetourHttpRoutes *routes;
  gint stop, alive, late;
} Churn;

static void
churn_handle (gpointer self, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  Churn *churn = self;

  if (!g_atomic_int_get (&churn->alive))
    g_atomic_int_set (&churn->late, 1);
}

static gpointer
churn_ask (gpointer data)
{
  Churn *churn = data;

  while (!g_atomic_int_get (&churn->stop))
    {
      g_autofree char *text = answer (churn->routes, "GET", "/churn", "h", 0);

      g_assert_true (g_str_has_prefix (text, "HTTP/1.1 200 ") || g_str_equal (text, NOT_FOUND));
    }
  return NULL;
}

static void
test_churn (void)
{
  static const DetourHttpRoute table[] = { { "/churn", DETOUR_HTTP_GET, 0, churn_handle },
                                           { NULL } };
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();
  Churn churn = { .routes = routes };
  GThread *threads[3];

  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("asker", churn_ask, &churn);
  for (guint i = 0; i < 2000; i++)
    {
      DetourHttpRouteSet *set;

      g_atomic_int_set (&churn.alive, 1);
      set = detour_http_routes_add (routes, "http/churn", table, &churn, NULL);
      g_assert_nonnull (set);
      detour_http_routes_remove (routes, set);
      g_atomic_int_set (&churn.alive, 0);
    }
  g_atomic_int_set (&churn.stop, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (churn.late, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/http-routes/answer/", cases, test_answer);
  TEST_ADD_ROWS ("/http-routes/bad-path/", bad_paths, test_bad_path);
  TEST_ADD_ROWS ("/http-routes/site/", site_cases, test_site);
  TEST_ADD_ROWS ("/http-routes/bad-route/", bad_routes, test_bad_route);
  g_test_add_func ("/http-routes/redirects-go-to-the-port-of-tls", test_redirect_port);
  g_test_add_func ("/http-routes/admin-is-not-answered-on-port-80", test_admin_on_port_80);
  g_test_add_func ("/http-routes/gate", test_gate);
  g_test_add_func ("/http-routes/pages", test_pages);
  g_test_add_func ("/http-routes/connect-is-for-encrypted-listeners", test_connect);
  g_test_add_func ("/http-routes/connect-of-another-form", test_bad_connect);
  g_test_add_func ("/http-routes/redirect-without-host", test_redirect_without_host);
  g_test_add_func ("/http-routes/second-route-for-a-path", test_taken);
  g_test_add_func ("/http-routes/remove-waits-for-handlers", test_remove_waits);
  g_test_add_func ("/http-routes/slow-handler-delays-nobody-else", test_slow_handler_delays_nobody);
  g_test_add_func ("/http-routes/no-handler-runs-after-remove", test_churn);
  return g_test_run ();
}
