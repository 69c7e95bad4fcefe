/* test-web-client.c: the client of plugins against servers that are well, slow, silent, lying or
 * dead.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-program.h"
#include "test-web-server.h"
#include "web-client.h"

#include <glib/gstdio.h>
#include <string.h>

#define WAIT_MOST_US (60 * G_TIME_SPAN_SECOND)
/* As long as can be, for a slow machine: time that is not what a test is about. */
#define AMPLE_MS 600000

/* What became of one request. */
typedef struct {
  guint n_done;
  WebFault fault;
  guint status;
  char *trouble, *body, *header;
  gint64 retry_after_s;
  WebClient *frees; /* freed when it is done */
} Outcome;

static void
outcome_clear (Outcome *self)
{
  g_free (self->trouble);
  g_free (self->body);
  g_free (self->header);
  *self = (Outcome) { 0 };
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Outcome, outcome_clear)

static void
on_done (const WebAnswer *answer, gpointer user)
{
  Outcome *out = user;

  out->n_done++;
  out->fault = answer->fault;
  out->status = answer->status;
  out->trouble = g_strdup (answer->trouble);
  out->body = g_strndup (answer->body, answer->body_len);
  out->header = g_strdup (web_answer_header (answer, "x-colour"));
  out->retry_after_s = web_answer_retry_after_s (answer);
  g_test_message ("%u %s", answer->status, answer->trouble != NULL ? answer->trouble : "");
  g_clear_pointer (&out->frees, web_client_free);
}

static gboolean
wake (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static void
run_until (const guint *number, guint value)
{
  gint64 end_us = g_get_monotonic_time () + WAIT_MOST_US;
  guint source = g_timeout_add (20, wake, NULL);

  while (*number < value)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end_us);
      g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (source);
}

static WebClient *
client_new (guint requests_max)
{
  g_autoptr (GError) error = NULL;
  const WebClientSetup setup = { .proxy = "none", .requests_max = requests_max };
  WebClient *client = web_client_new (&setup, NULL, &error);

  g_assert_no_error (error);
  return client;
}

static WebRequest *
get (WebClient *client, const char *url, guint timeout_ms, Outcome *out)
{
  const WebAsk ask = { .method = "GET", .url = url, .answer_max = 1000, .timeout_ms = timeout_ms };

  return web_client_send (client, &ask, on_done, out);
}

static void
get_now (WebClient *client, WebServer *server, Outcome *out)
{
  g_autofree char *url = web_server_url (server, "/");

  outcome_clear (out);
  get (client, url, AMPLE_MS, out);
  g_assert_cmpuint (out->n_done, ==, 0);
  run_until (&out->n_done, 1);
}

/* What is sent, and what comes back ------------------------------------------------------------ */

static void
test_post (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (4);
  g_autofree char *url = web_server_url (server, "/verify?a=b");
  g_autofree char *expected = NULL;
  g_autofree char *sent = NULL;
  const char *const headers[] = { "Content-Type: application/json", "Accept:", NULL };
  const WebAsk ask = { .method = "POST",
                       .url = url,
                       .headers = headers,
                       .bearer = "secret-token",
                       .body = "{\"a\":1}",
                       .body_len = 7,
                       .answer_max = 1000,
                       .timeout_ms = AMPLE_MS };
  g_auto (Outcome) out = { 0 };

  web_server_set (server, WEB_SERVER_ANSWERS, 429, "X-Colour:  blue \r\nRetry-After: 17\r\n", "hm");
  web_client_send (client, &ask, on_done, &out);
  run_until (&out.n_done, 1);
  sent = web_server_last (server, FALSE);
  expected = g_strdup_printf ("POST /verify?a=b HTTP/1.1\r\n"
                              "Host: 127.0.0.1:%u\r\n"
                              "Authorization: Bearer secret-token\r\n"
                              "User-Agent: detour/" DETOUR_VERSION "\r\n"
                              "Content-Type: application/json\r\n"
                              "Content-Length: 7\r\n"
                              "\r\n"
                              "{\"a\":1}",
                              web_server_port (server));
  g_assert_cmpstr (sent, ==, expected);
  g_assert_cmpint (out.fault, ==, WEB_OK);
  g_assert_cmpuint (out.status, ==, 429);
  g_assert_cmpstr (out.body, ==, "hm");
  g_assert_cmpstr (out.header, ==, "blue");
  g_assert_cmpint (out.retry_after_s, ==, 17);
}

static void
test_basic_and_head (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (4);
  g_autofree char *url = web_server_url (server, "/");
  g_autofree char *sent = NULL;
  const WebAsk ask = { .method = "HEAD",
                       .url = url,
                       .user_password = "tskey-api-x:",
                       .answer_max = 0,
                       .timeout_ms = AMPLE_MS };
  g_auto (Outcome) out = { 0 };

  web_client_send (client, &ask, on_done, &out);
  run_until (&out.n_done, 1);
  sent = web_server_last (server, TRUE);
  g_assert_true (g_str_has_prefix (sent, "HEAD / HTTP/1.1\r\n"));
  g_assert_nonnull (strstr (sent, "Authorization: Basic dHNrZXktYXBpLXg6\r\n"));
  g_assert_cmpuint (out.status, ==, 200);
  g_assert_cmpstr (out.body, ==, "");
}

static const struct {
  const char *path;
  WebServerManner manner;
  guint status;
  const char *headers, *body;
  WebFault fault;
  const char *part; /* of the trouble */
} cases[] = {
  { "no-content", WEB_SERVER_ANSWERS, 204, "", "", WEB_OK, NULL },
  { "redirect", WEB_SERVER_ANSWERS, 307, "Location: /elsewhere\r\n", "", WEB_OK, NULL },
  { "server-error", WEB_SERVER_ANSWERS, 503, "", "oops", WEB_OK, NULL },
  { "silent", WEB_SERVER_SILENT, 200, "", "", WEB_TIMEOUT, "no answer from 127.0.0.1:" },
  { "hangs-halfway", WEB_SERVER_HANGS_HALFWAY, 200, "", "{", WEB_TIMEOUT, "within 300 ms" },
  { "closes", WEB_SERVER_CLOSES, 200, "", "", WEB_PROTOCOL, "closed the connection" },
  { "stops-halfway", WEB_SERVER_STOPS_HALFWAY, 200, "", "{", WEB_PROTOCOL,
    "closed the connection" },
  { "no-http", WEB_SERVER_NO_HTTP, 200, "", "", WEB_PROTOCOL, "does not speak HTTP" },
  { "endless", WEB_SERVER_ENDLESS, 200, "", "", WEB_TOO_LONG, "longer than 1000 bytes" },
  { "endless-head", WEB_SERVER_ENDLESS_HEAD, 200, "", "", WEB_TOO_LONG, "head of an answer" },
  { "length-that-is-no-number", WEB_SERVER_BREAKS_LENGTH, 200, "", "{}", WEB_PROTOCOL,
    "Content-Length that is no number" },
};

static void
test_case (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  gboolean is_late = cases[i].fault == WEB_TIMEOUT;
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (4);
  g_autofree char *url = web_server_url (server, "/");
  g_auto (Outcome) out = { 0 };

  web_server_set (server, cases[i].manner, cases[i].status, cases[i].headers, cases[i].body);
  get (client, url, is_late ? 300 : AMPLE_MS, &out);
  run_until (&out.n_done, 1);
  g_assert_cmpint (out.fault, ==, cases[i].fault);
  g_assert_cmpuint (out.status, ==, cases[i].fault == WEB_OK ? cases[i].status : 0);
  if (cases[i].part != NULL)
    g_assert_nonnull (strstr (out.trouble, cases[i].part));
  else
    g_assert_null (out.trouble);
  g_assert_cmpuint (web_server_n_requests (server), ==, 1);
}

/* A length of exactly the limit is taken. */
static void
test_limit (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (4);
  g_autofree char *body = g_strnfill (1000, 'x');
  g_autofree char *longer = g_strnfill (1001, 'x');
  g_auto (Outcome) out = { 0 };

  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", body);
  get_now (client, server, &out);
  g_assert_cmpint (out.fault, ==, WEB_OK);
  g_assert_cmpstr (out.body, ==, body);
  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", longer);
  get_now (client, server, &out);
  g_assert_cmpint (out.fault, ==, WEB_TOO_LONG);
}

/* Servers that are not there ------------------------------------------------------------------- */

static void
test_refused (void)
{
  g_autoptr (WebClient) client = client_new (4);
  g_autofree char *url = NULL;
  g_auto (Outcome) out = { 0 };
  WebServer *server = web_server_new (0);

  url = web_server_url (server, "/");
  web_server_free (server);
  get (client, url, AMPLE_MS, &out);
  run_until (&out.n_done, 1);
  g_assert_cmpint (out.fault, ==, WEB_CONNECT);
  g_assert_nonnull (strstr (out.trouble, "cannot connect to 127.0.0.1:"));
  g_assert_nonnull (strstr (out.trouble, "Connection refused"));
}

static void
test_no_name (void)
{
  g_autoptr (WebClient) client = client_new (4);
  g_auto (Outcome) out = { 0 };

  get (client, "https://host.invalid/", 60000, &out);
  run_until (&out.n_done, 1);
  /* A resolver may take longer than the time there is, and says nothing else. */
  g_assert_true (out.fault == WEB_RESOLVE || out.fault == WEB_TIMEOUT);
  g_assert_nonnull (strstr (out.trouble, "the name of host.invalid:443"));
}

/* What listens there waits for a head of HTTP that never comes. */
static void
test_no_tls (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (4);
  g_autofree char *url = g_strdup_printf ("https://127.0.0.1:%u/", web_server_port (server));
  const WebAsk ask = {
    .method = "GET", .url = url, .answer_max = 1000, .timeout_ms = AMPLE_MS, .connect_ms = 200
  };
  g_auto (Outcome) out = { 0 };

  web_client_send (client, &ask, on_done, &out);
  run_until (&out.n_done, 1);
  g_assert_cmpint (out.fault, ==, WEB_TIMEOUT);
  g_assert_nonnull (strstr (out.trouble, "no connection with TLS to 127.0.0.1:"));
}

/* Connections ---------------------------------------------------------------------------------- */

static void
test_reuse (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (4);
  g_auto (Outcome) out = { 0 };

  for (guint i = 0; i < 20; i++)
    get_now (client, server, &out);
  g_assert_cmpuint (web_server_n_requests (server), ==, 20);
  g_assert_cmpuint (web_server_n_connections (server), ==, 1);
}

/* The server ends a kept connection without a word; nobody notices. */
static void
test_kept_and_closed (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (4);
  g_auto (Outcome) out = { 0 };

  web_server_set (server, WEB_SERVER_HANGS_UP, 200, "", "{}");
  for (guint i = 0; i < 50; i++)
    {
      get_now (client, server, &out);
      g_assert_cmpint (out.fault, ==, WEB_OK);
    }
}

static void
test_restart (void)
{
  g_autoptr (WebClient) client = client_new (4);
  g_auto (Outcome) out = { 0 };
  WebServer *server = web_server_new (0);
  guint16 port = web_server_port (server);

  get_now (client, server, &out);
  g_assert_cmpint (out.fault, ==, WEB_OK);
  web_server_free (server);
  server = web_server_new (port);
  get_now (client, server, &out);
  g_assert_cmpint (out.fault, ==, WEB_OK);
  web_server_free (server);
}

/* Many at once --------------------------------------------------------------------------------- */

static void
test_bound (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (4);
  g_autofree char *url = web_server_url (server, "/");
  g_autofree Outcome *outs = g_new0 (Outcome, 5000);

  for (guint i = 0; i < 5000; i++)
    get (client, url, AMPLE_MS, &outs[i]);
  g_assert_cmpuint (web_client_n_out (client), ==, 4);
  g_assert_cmpuint (web_client_n_waiting (client), ==, 4996);
  for (guint i = 0; i < 5000; i++)
    {
      run_until (&outs[i].n_done, 1);
      g_assert_cmpint (outs[i].fault, ==, WEB_OK);
    }
  g_assert_cmpuint (web_server_n_connections (server), <=, 4);
  g_assert_cmpuint (web_server_n_at_once (server), <=, 4);
  for (guint i = 0; i < 5000; i++)
    {
      g_assert_cmpuint (outs[i].n_done, ==, 1);
      outcome_clear (&outs[i]);
    }
}

/* While the server is silent, those that wait for a turn are told in time. */
static void
test_waiting_counts (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (1);
  g_autofree char *url = web_server_url (server, "/");
  g_auto (Outcome) first = { 0 };
  g_auto (Outcome) second = { 0 };
  g_auto (Outcome) third = { 0 };

  web_server_set (server, WEB_SERVER_SILENT, 200, "", "");
  get (client, url, AMPLE_MS, &first);
  get (client, url, 200, &second);
  get (client, url, 100, &third);
  run_until (&third.n_done, 1);
  run_until (&second.n_done, 1);
  g_assert_cmpuint (first.n_done, ==, 0);
  g_assert_cmpint (second.fault, ==, WEB_CROWDED);
  g_assert_nonnull (strstr (second.trouble, "within 200 ms"));
  g_assert_cmpint (third.fault, ==, WEB_CROWDED);
  g_assert_cmpuint (web_client_n_waiting (client), ==, 0);
}

static void
test_crowd (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (GError) error = NULL;
  const WebClientSetup setup = { .proxy = "none", .requests_max = 1, .waiting_max = 1 };
  g_autoptr (WebClient) client = web_client_new (&setup, NULL, &error);
  g_autofree char *url = web_server_url (server, "/");
  g_auto (Outcome) first = { 0 };
  g_auto (Outcome) second = { 0 };
  g_auto (Outcome) third = { 0 };

  web_server_set (server, WEB_SERVER_SILENT, 200, "", "");
  get (client, url, AMPLE_MS, &first);
  get (client, url, AMPLE_MS, &second);
  get (client, url, AMPLE_MS, &third);
  run_until (&third.n_done, 1);
  g_assert_cmpint (third.fault, ==, WEB_CROWDED);
  g_assert_cmpuint (first.n_done + second.n_done, ==, 0);
}

/* Ends ----------------------------------------------------------------------------------------- */

static void
test_cancel (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autoptr (WebClient) client = client_new (1);
  g_autofree char *url = web_server_url (server, "/");
  g_auto (Outcome) first = { 0 };
  g_auto (Outcome) second = { 0 };
  WebRequest *request;

  web_server_set (server, WEB_SERVER_SILENT, 200, "", "");
  request = get (client, url, AMPLE_MS, &first);
  while (web_server_n_requests (server) == 0)
    g_main_context_iteration (NULL, FALSE);
  web_server_set (server, WEB_SERVER_ANSWERS, 200, "", "{}");
  get (client, url, AMPLE_MS, &second);
  g_assert_cmpuint (web_client_n_waiting (client), ==, 1);
  web_request_cancel (request);
  run_until (&second.n_done, 1);
  g_assert_cmpint (second.fault, ==, WEB_OK);
  g_assert_cmpuint (first.n_done, ==, 0);
}

static void
test_free_in_done (void)
{
  g_autoptr (WebServer) server = web_server_new (0);
  g_autofree char *url = web_server_url (server, "/");
  g_auto (Outcome) out = { 0 };
  Outcome others[3] = { { 0 }, { 0 }, { 0 } };
  WebClient *client = client_new (2);

  out.frees = client;
  get (client, url, AMPLE_MS, &out);
  for (guint i = 0; i < 3; i++)
    get (client, url, AMPLE_MS, &others[i]);
  run_until (&out.n_done, 1);
  outcome_clear (&others[0]);
  outcome_clear (&others[1]);
  outcome_clear (&others[2]);
}

/* Files ---------------------------------------------------------------------------------------- */

static void
test_files (void)
{
  g_autofree char *directory = g_dir_make_tmp ("detour-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "x.pem", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (WebClient) client = NULL;
  WebClientSetup setup = { .proxy = "none", .requests_max = 1 };
  const char *key = NULL;
  gboolean changed = FALSE;

  setup.files.ca_file = path;
  g_assert_null (web_client_new (&setup, &key, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_cmpstr (key, ==, "ca-file");
  g_clear_error (&error);

  g_file_set_contents (path, "hello\n", -1, NULL);
  g_assert_null (web_client_new (&setup, &key, &error));
  g_assert_nonnull (strstr (error->message, "nothing in it is in PEM"));
  g_clear_error (&error);

  g_file_set_contents (path, "-----BEGIN CERTIFICATE-----\n", -1, NULL);
  client = web_client_new (&setup, &key, &error);
  g_assert_no_error (error);
  g_assert_true (web_client_reload (client, &changed, &error));
  g_assert_false (changed);
  g_file_set_contents (path, "-----BEGIN CERTIFICATE-----\nA\n", -1, NULL);
  g_assert_true (web_client_reload (client, &changed, &error));
  g_assert_true (changed);
  g_remove (path);
  g_assert_false (web_client_reload (client, &changed, &error));
  g_assert_false (changed);
  g_assert_nonnull (error);
  g_clear_error (&error);

  /* Whoever has the key can show the certificate. */
  g_file_set_contents (path, "-----BEGIN CERTIFICATE-----\n", -1, NULL);
  g_chmod (path, 0644);
  setup.files.ca_file = NULL;
  setup.files.client_cert_file = path;
  g_assert_null (web_client_new (&setup, &key, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_PERM);
  g_assert_cmpstr (key, ==, "client-cert-file");
  g_remove (path);
  g_remove (directory);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/web-client/post", test_post);
  g_test_add_func ("/web-client/basic-and-head", test_basic_and_head);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/web-client/", cases[i].path, NULL);

      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_case);
    }
  g_test_add_func ("/web-client/limit", test_limit);
  g_test_add_func ("/web-client/refused", test_refused);
  g_test_add_func ("/web-client/no-name", test_no_name);
  g_test_add_func ("/web-client/no-tls", test_no_tls);
  g_test_add_func ("/web-client/reuse", test_reuse);
  g_test_add_func ("/web-client/kept-and-closed", test_kept_and_closed);
  g_test_add_func ("/web-client/restart", test_restart);
  g_test_add_func ("/web-client/bound", test_bound);
  g_test_add_func ("/web-client/waiting-counts", test_waiting_counts);
  g_test_add_func ("/web-client/crowd", test_crowd);
  g_test_add_func ("/web-client/cancel", test_cancel);
  g_test_add_func ("/web-client/free-in-done", test_free_in_done);
  g_test_add_func ("/web-client/files", test_files);
  return g_test_run ();
}
