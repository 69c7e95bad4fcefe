/* web-client.c: asks servers over HTTP and HTTPS from the main loop, for plugins.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "web-client.h"

#include <string.h>

#include "web-address.h"
#include "web-fault.h"
#include "web-loop.h"

/* Of an answer: all lines together. */
#define HEAD_MAX_BYTES (64u << 10)

struct _WebClient {
  char *proxy;        /* "": none; NULL: of the environment */
  WebFileNames names; /* owned */
  WebFiles *files;
  WebLoop *loop;
  guint requests_max, waiting_max;
  GQueue out;     /* of WebRequest */
  GQueue waiting; /* of WebRequest, the oldest first */
  GQueue lost;    /* of WebRequest, to be told that their turn does not come */
  GSource *clock; /* ends those that wait */
};

struct _WebRequest {
  WebClient *client;
  WebDone done;
  gpointer user;
  GQueue *queue; /* the one of the client that it is in */
  GList link;
  CURL *easy;
  struct curl_slist *headers;
  char *host;
  char *proxy; /* NULL: none, or of the environment */
  guint timeout_ms, connect_ms;
  gsize answer_max;
  gint64 deadline_us; /* for all of it */

  /* Once it is out. */
  WebFiles *files;
  WebLoop *loop;
  gint64 sent_us;
  GString *body;
  GPtrArray *head; /* of char *: "name", "value", … */
  gsize head_len;
  char *length; /* as Content-Length has it; NULL: not there */
  gboolean is_too_long, is_head_too_long, is_length_broken;
  char words[CURL_ERROR_SIZE];
};

/* What comes in -------------------------------------------------------------------------------- */

static size_t
web_client_on_body (char *data, size_t size, size_t n, void *user)
{
  WebRequest *request = user;

  if (n > request->answer_max - request->body->len)
    {
      request->is_too_long = TRUE;
      return 0;
    }
  g_string_append_len (request->body, data, (gssize) n);
  return n;
}

/* libcurl takes the digits at the start of a length for the whole of it. An answer with such a
 * length is no answer, whatever its status. */
static gboolean
web_client_judge_length (WebRequest *request, const char *value)
{
  if (*value == '\0' || value[strspn (value, "0123456789")] != '\0'
      || (request->length != NULL && !g_str_equal (request->length, value)))
    {
      request->is_length_broken = TRUE;
      return FALSE;
    }
  g_free (request->length);
  request->length = g_strdup (value);
  return TRUE;
}

static size_t
web_client_on_header (char *line, size_t size, size_t n, void *user)
{
  WebRequest *request = user;
  char *colon = memchr (line, ':', n);

  if (n > HEAD_MAX_BYTES - request->head_len)
    {
      request->is_head_too_long = TRUE;
      return 0;
    }
  request->head_len += n;
  if (n >= 5 && memcmp (line, "HTTP/", 5) == 0)
    {
      /* The head before it was a provisional one. */
      g_ptr_array_set_size (request->head, 0);
      g_clear_pointer (&request->length, g_free);
      return n;
    }
  if (colon == NULL)
    return n;
  g_ptr_array_add (request->head, g_strndup (line, (gsize) (colon - line)));
  g_ptr_array_add (request->head,
                   g_strstrip (g_strndup (colon + 1, n - (gsize) (colon + 1 - line))));
  if (g_ascii_strcasecmp (request->head->pdata[request->head->len - 2], "Content-Length") == 0
      && !web_client_judge_length (request, request->head->pdata[request->head->len - 1]))
    return 0;
  return n;
}

const char *
web_answer_header (const WebAnswer *self, const char *name)
{
  for (guint i = 0; self->head != NULL && i + 1 < self->head->len; i += 2)
    if (g_ascii_strcasecmp (self->head->pdata[i], name) == 0)
      return self->head->pdata[i + 1];
  return NULL;
}

gint64
web_answer_retry_after_s (const WebAnswer *self)
{
  const char *value = web_answer_header (self, "Retry-After");
  guint64 seconds;
  gint64 left;
  time_t then;

  if (value == NULL)
    return -1;
  if (g_ascii_string_to_unsigned (value, 10, 0, G_MAXINT32, &seconds, NULL))
    return (gint64) seconds;
  then = curl_getdate (value, NULL);
  left = (gint64) then - g_get_real_time () / G_USEC_PER_SEC;
  return then == (time_t) -1 ? -1 : MAX (left, 0);
}

/* Requests ------------------------------------------------------------------------------------- */

static void
web_client_move (WebRequest *request, GQueue *queue)
{
  if (request->queue != NULL)
    g_queue_unlink (request->queue, &request->link);
  request->queue = queue;
  if (queue != NULL)
    g_queue_push_tail_link (queue, &request->link);
}

static void
web_request_free (WebRequest *self)
{
  web_client_move (self, NULL);
  if (self->loop != NULL)
    web_loop_remove (self->loop, self->easy);
  curl_easy_cleanup (self->easy);
  g_clear_pointer (&self->loop, web_loop_unref);
  g_clear_pointer (&self->files, web_files_unref);
  curl_slist_free_all (self->headers);
  g_string_free (self->body, TRUE);
  g_ptr_array_unref (self->head);
  g_free (self->length);
  g_free (self->host);
  g_free (self->proxy);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WebRequest, web_request_free)

/* Some libraries read the system's CAs twice for each connection, on the main thread: out of one
 * file, and out of a directory with a file for each of them. Where the file is there, it is enough.
 */
static gboolean
web_client_has_bundle (void)
{
  const curl_version_info_data *info = curl_version_info (CURLVERSION_NOW);

  return info->age >= CURLVERSION_SEVENTH && info->cainfo != NULL
      && g_file_test (info->cainfo, G_FILE_TEST_IS_REGULAR);
}

static void
web_client_use_files (WebRequest *request)
{
  const WebFiles *files = request->files;

  if (web_files_ca (files) != NULL)
    {
      curl_easy_setopt (request->easy, CURLOPT_CAINFO, web_files_ca (files));
      curl_easy_setopt (request->easy, CURLOPT_CAPATH, NULL);
    }
  else if (web_client_has_bundle ())
    curl_easy_setopt (request->easy, CURLOPT_CAPATH, NULL);
  if (web_files_client_cert (files) != NULL)
    {
      curl_easy_setopt (request->easy, CURLOPT_SSLCERT, web_files_client_cert (files));
      curl_easy_setopt (request->easy, CURLOPT_SSLKEY, web_files_client_key (files));
    }
}

static void
web_client_begin (WebRequest *request)
{
  WebClient *self = request->client;
  gint64 now_us = g_get_monotonic_time ();
  /* 0 would be no limit. */
  long left_ms = (long) MAX ((request->deadline_us - now_us) / G_TIME_SPAN_MILLISECOND, 1);

  web_client_move (request, &self->out);
  request->sent_us = now_us;
  request->files = web_files_ref (self->files);
  request->loop = web_loop_ref (self->loop);
  web_client_use_files (request);
  curl_easy_setopt (request->easy, CURLOPT_TIMEOUT_MS, left_ms);
  curl_easy_setopt (request->easy, CURLOPT_CONNECTTIMEOUT_MS,
                    request->connect_ms > 0 ? MIN (left_ms, (long) request->connect_ms) : left_ms);
  web_loop_add (request->loop, request->easy);
}

static void
web_client_go_on (WebClient *self)
{
  while (self->waiting.length > 0 && self->out.length < self->requests_max)
    web_client_begin (self->waiting.head->data);
}

/* The answer is given and the request is over; the client may be gone as well. */
static void
web_client_finish (WebRequest *request, const WebAnswer *answer)
{
  g_autoptr (WebRequest) owned = request;

  /* Whoever is told may free the client, so nothing is done for it afterwards. */
  web_client_move (request, NULL);
  web_client_go_on (request->client);
  request->done (answer, request->user);
}

static void
web_client_on_done (CURL *easy, CURLcode code)
{
  WebRequest *request = NULL;
  g_autofree char *trouble = NULL;
  WebAnswer answer = { WEB_OK };
  long status = 0;

  curl_easy_getinfo (easy, CURLINFO_PRIVATE, (char **) &request);
  curl_easy_getinfo (easy, CURLINFO_RESPONSE_CODE, &status);
  answer.elapsed_us = g_get_monotonic_time () - request->sent_us;
  answer.elapsed_us = MAX (answer.elapsed_us, 1);
  answer.body = request->body->str;
  answer.body_len = request->body->len;
  answer.head = request->head;
  answer.status = (guint) status;
  if (code != CURLE_OK)
    {
      const WebFailure failure = {
        .easy = easy,
        .code = code,
        .words = request->words,
        .host = request->host,
        .proxy = request->proxy,
        .ca_name = web_files_ca_name (request->files),
        .timeout_ms = request->timeout_ms,
        .connect_ms = request->connect_ms,
        .answer_max = request->answer_max,
        .is_too_long = request->is_too_long,
        .is_head_too_long = request->is_head_too_long,
        .is_length_broken = request->is_length_broken,
      };

      answer.fault = web_fault_explain (&failure, &trouble);
      answer.trouble = trouble;
      answer.status = 0;
    }
  web_client_finish (request, &answer);
}

/* Those that wait ------------------------------------------------------------------------------ */

static void
web_client_wind (WebClient *self, gint64 at_us)
{
  gint64 set_us = g_source_get_ready_time (self->clock);

  if (set_us < 0 || at_us < set_us)
    g_source_set_ready_time (self->clock, at_us);
}

static void
web_client_collect_late (WebClient *self)
{
  gint64 now_us = g_get_monotonic_time ();
  GList *next;

  for (GList *link = self->waiting.head; link != NULL; link = next)
    {
      WebRequest *request = link->data;

      next = link->next;
      if (request->deadline_us <= now_us)
        web_client_move (request, &self->lost);
      else
        web_client_wind (self, request->deadline_us);
    }
}

static gboolean
web_client_on_clock (gpointer user)
{
  WebClient *self = user;
  WebRequest *request;

  web_client_collect_late (self);
  request = g_queue_peek_head (&self->lost);
  if (request != NULL)
    {
      gboolean is_late = request->deadline_us <= g_get_monotonic_time ();
      g_autofree char *late = g_strdup_printf (" within %u ms", request->timeout_ms);
      g_autofree char *trouble = g_strdup_printf (
          "no turn for a request to %s%s: %u are out and %u wait", request->host,
          is_late ? late : "", self->out.length, self->waiting.length);
      const WebAnswer answer = { .fault = WEB_CROWDED, .trouble = trouble, .body = "" };

      if (self->lost.length > 1)
        g_source_set_ready_time (self->clock, 0);
      /* The client may be gone afterwards: one at a time. */
      web_client_finish (request, &answer);
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
web_client_dispatch_clock (GSource *source, GSourceFunc func, gpointer user)
{
  g_source_set_ready_time (source, -1);
  return func (user);
}

/* Asking --------------------------------------------------------------------------------------- */

static void
web_client_set_proxy (WebRequest *request, const char *url)
{
  const char *proxy = request->client->proxy;

  if (proxy == NULL && web_address_is_local (url))
    proxy = "";
  if (proxy == NULL)
    return;
  curl_easy_setopt (request->easy, CURLOPT_PROXY, proxy);
  /* The one of the configuration has no exceptions. */
  curl_easy_setopt (request->easy, CURLOPT_NOPROXY, "");
  if (*proxy != '\0')
    request->proxy = web_address_host (proxy);
}

static void
web_client_set_auth (CURL *easy, const WebAsk *ask)
{
  if (ask->bearer != NULL)
    {
      curl_easy_setopt (easy, CURLOPT_HTTPAUTH, (long) CURLAUTH_BEARER);
      curl_easy_setopt (easy, CURLOPT_XOAUTH2_BEARER, ask->bearer);
    }
  else if (ask->user_password != NULL)
    {
      curl_easy_setopt (easy, CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
      curl_easy_setopt (easy, CURLOPT_USERPWD, ask->user_password);
    }
}

static void
web_client_set_method (CURL *easy, const WebAsk *ask)
{
  if (ask->body != NULL)
    {
      curl_easy_setopt (easy, CURLOPT_POST, 1L);
      curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) ask->body_len);
      curl_easy_setopt (easy, CURLOPT_COPYPOSTFIELDS, ask->body);
    }
  if (g_str_equal (ask->method, "HEAD"))
    curl_easy_setopt (easy, CURLOPT_NOBODY, 1L);
  else if (!g_str_equal (ask->method, ask->body != NULL ? "POST" : "GET"))
    curl_easy_setopt (easy, CURLOPT_CUSTOMREQUEST, ask->method);
}

static void
web_client_set_common (WebRequest *request, const WebAsk *ask)
{
  CURL *easy = request->easy;

  curl_easy_setopt (easy, CURLOPT_PRIVATE, request);
  curl_easy_setopt (easy, CURLOPT_URL, ask->url);
  curl_easy_setopt (easy, CURLOPT_ERRORBUFFER, request->words);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, web_client_on_body);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, request);
  curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, web_client_on_header);
  curl_easy_setopt (easy, CURLOPT_HEADERDATA, request);
  curl_easy_setopt (easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt (easy, CURLOPT_HTTPHEADER, request->headers);
  curl_easy_setopt (easy, CURLOPT_USERAGENT, "detour/" DETOUR_VERSION);
  curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
  curl_easy_setopt (easy, CURLOPT_HTTP09_ALLOWED, 0L);
  curl_easy_setopt (easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
  /* The end of a request must not wait for a name server. */
  curl_easy_setopt (easy, CURLOPT_QUICK_EXIT, 1L);
}

WebRequest *
web_client_send (WebClient *self, const WebAsk *ask, WebDone done, gpointer user)
{
  WebRequest *request = g_new0 (WebRequest, 1);

  request->client = self;
  request->link.data = request;
  request->done = done;
  request->user = user;
  request->host = web_address_host (ask->url);
  request->timeout_ms = ask->timeout_ms;
  request->connect_ms = ask->connect_ms;
  request->answer_max = ask->answer_max;
  request->deadline_us = g_get_monotonic_time () + ask->timeout_ms * G_TIME_SPAN_MILLISECOND;
  request->body = g_string_new (NULL);
  request->head = g_ptr_array_new_with_free_func (g_free);
  for (const char *const *line = ask->headers; line != NULL && *line != NULL; line++)
    request->headers = curl_slist_append (request->headers, *line);
  request->easy = curl_easy_init ();
  g_assert (request->easy != NULL); /* memory; GLib would end the process as well */
  web_client_set_common (request, ask);
  web_client_set_method (request->easy, ask);
  web_client_set_auth (request->easy, ask);
  web_client_set_proxy (request, ask->url);

  if (self->waiting_max > 0 && self->waiting.length >= self->waiting_max)
    {
      web_client_move (request, &self->lost);
      g_source_set_ready_time (self->clock, 0);
      return request;
    }
  web_client_move (request, &self->waiting);
  web_client_go_on (self);
  if (request->queue == &self->waiting)
    web_client_wind (self, request->deadline_us);
  return request;
}

void
web_request_cancel (WebRequest *self)
{
  WebClient *client = self->client;

  web_request_free (self);
  web_client_go_on (client);
}

guint
web_client_n_out (const WebClient *self)
{
  return self->out.length;
}

guint
web_client_n_waiting (const WebClient *self)
{
  return self->waiting.length;
}

/* Life ----------------------------------------------------------------------------------------- */

void
web_client_setup_from (WebClientSetup *self, const DetourSettings *settings)
{
  self->proxy = detour_settings_string (settings, "proxy");
  self->files.ca_file = detour_settings_string (settings, "ca-file");
  self->files.client_cert_file = detour_settings_string (settings, "client-cert-file");
  self->files.client_key_file = detour_settings_string (settings, "client-key-file");
}

gboolean
web_client_check (const DetourSettings *settings, GError **error)
{
  g_autoptr (WebFiles) files = NULL;
  g_autoptr (GError) local_error = NULL;
  g_autofree char *fault = NULL;
  WebClientSetup setup = { 0 };
  const char *key = NULL;

  web_client_setup_from (&setup, settings);
  if (setup.proxy != NULL && (fault = web_address_check_proxy (setup.proxy)) != NULL)
    {
      detour_settings_error (settings, "proxy", error, "%s", fault);
      return FALSE;
    }
  if (setup.files.client_key_file != NULL && setup.files.client_cert_file == NULL)
    {
      detour_settings_error (settings, "client-key-file", error,
                             "there is no client-cert-file that it belongs to");
      return FALSE;
    }
  files = web_files_new (&setup.files, &key, &local_error);
  if (files != NULL)
    return TRUE;
  detour_settings_error (settings, key, error, "%s", local_error->message);
  return FALSE;
}

WebClient *
web_client_new (const WebClientSetup *setup, const char **key, GError **error)
{
  static GSourceFuncs clock_funcs = { NULL, NULL, web_client_dispatch_clock, NULL, NULL, NULL };
  WebFiles *files = web_files_new (&setup->files, key, error);
  g_autoptr (GMainContext) context = NULL;
  WebClient *self;

  if (files == NULL)
    return NULL;
  self = g_new0 (WebClient, 1);
  self->files = files;
  self->names.ca_file = g_strdup (setup->files.ca_file);
  self->names.client_cert_file = g_strdup (setup->files.client_cert_file);
  self->names.client_key_file = g_strdup (setup->files.client_key_file);
  self->proxy = g_strcmp0 (setup->proxy, "none") == 0 ? g_strdup ("") : g_strdup (setup->proxy);
  self->requests_max = MAX (setup->requests_max, 1);
  self->waiting_max = setup->waiting_max;
  self->loop = web_loop_new (self->requests_max, web_client_on_done);
  context = g_main_context_ref_thread_default ();
  self->clock = g_source_new (&clock_funcs, sizeof (GSource));
  g_source_set_callback (self->clock, web_client_on_clock, self, NULL);
  g_source_attach (self->clock, context);
  return self;
}

void
web_client_free (WebClient *self)
{
  GQueue *const queues[] = { &self->out, &self->waiting, &self->lost };

  for (guint i = 0; i < G_N_ELEMENTS (queues); i++)
    while (queues[i]->length > 0)
      web_request_free (queues[i]->head->data);
  g_source_destroy (self->clock);
  g_source_unref (self->clock);
  web_loop_unref (self->loop);
  web_files_unref (self->files);
  g_free ((char *) self->names.ca_file);
  g_free ((char *) self->names.client_cert_file);
  g_free ((char *) self->names.client_key_file);
  g_free (self->proxy);
  g_free (self);
}

gboolean
web_client_reload (WebClient *self, gboolean *changed, GError **error)
{
  g_autoptr (WebFiles) files = web_files_new (&self->names, NULL, error);

  *changed = FALSE;
  if (files == NULL)
    return FALSE;
  if (web_files_equal (files, self->files))
    return TRUE;
  *changed = TRUE;
  web_files_unref (self->files);
  self->files = g_steal_pointer (&files);
  /* Connections that the old files vouched for are not used any more. */
  web_loop_unref (self->loop);
  self->loop = web_loop_new (self->requests_max, web_client_on_done);
  return TRUE;
}
