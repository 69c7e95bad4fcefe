/* fetch-request.c: one request of detourctl with headers and a body, and all of its answer.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fetch-request.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  char *method, *url; /* borrowed from the question */
  struct curl_slist *headers;
  const char *body;
  gsize body_len;
} Question;

typedef struct {
  gsize max;
  gboolean is_too_long;
  GString *headers, *body;
} Answer;

static GString *
fetch_request_read (gsize max)
{
  GString *text = g_string_new (NULL);
  char buffer[16384];
  size_t n;

  while (text->len <= max && (n = fread (buffer, 1, sizeof buffer, stdin)) > 0)
    g_string_append_len (text, buffer, (gssize) n);
  return text;
}

/* Takes the question apart in place. FALSE: it is none. */
static gboolean
fetch_request_take (GString *text, Question *out)
{
  char *line = text->str;
  char *end = strstr (text->str, "\n\n");
  char *blank = strchr (text->str, ' ');

  if (end == NULL || blank == NULL || blank > end)
    return FALSE;
  *end = '\0';
  out->body = end + 2;
  out->body_len = text->len - (gsize) (out->body - text->str);
  for (guint i = 0; line != NULL; i++)
    {
      char *next = strchr (line, '\n');

      if (next != NULL)
        *next++ = '\0';
      if (i > 0)
        out->headers = curl_slist_append (out->headers, line);
      line = next;
    }
  *blank = '\0';
  out->method = text->str;
  out->url = blank + 1;
  return TRUE;
}

static size_t
fetch_request_on_data (char *data, size_t size, size_t n, void *user)
{
  Answer *answer = user;

  if (n > answer->max - answer->body->len)
    {
      answer->is_too_long = TRUE;
      return 0;
    }
  g_string_append_len (answer->body, data, (gssize) n);
  return n;
}

/* An answer may come after others, each with its status: the last one counts. */
static size_t
fetch_request_on_header (char *data, size_t size, size_t n, void *user)
{
  Answer *answer = user;
  gsize len = n;

  while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
    len--;
  if (n > answer->max - answer->headers->len)
    return 0;
  if (len >= strlen ("HTTP/") && memcmp (data, "HTTP/", strlen ("HTTP/")) == 0)
    g_string_truncate (answer->headers, 0);
  else if (len > 0)
    g_string_append_printf (answer->headers, "%.*s\n", (int) len, data);
  return n;
}

static void
fetch_request_set_up (CURL *curl, const Question *question, Answer *answer, long limit_ms,
                      const char *ca_file, char *reason)
{
  curl_easy_setopt (curl, CURLOPT_URL, question->url);
  curl_easy_setopt (curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (curl, CURLOPT_TIMEOUT_MS, limit_ms);
  curl_easy_setopt (curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (curl, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt (curl, CURLOPT_USERAGENT, "detourctl/" DETOUR_VERSION);
  curl_easy_setopt (curl, CURLOPT_HTTPHEADER, question->headers);
  curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, fetch_request_on_data);
  curl_easy_setopt (curl, CURLOPT_WRITEDATA, answer);
  curl_easy_setopt (curl, CURLOPT_HEADERFUNCTION, fetch_request_on_header);
  curl_easy_setopt (curl, CURLOPT_HEADERDATA, answer);
  if (ca_file != NULL)
    {
      curl_easy_setopt (curl, CURLOPT_CAINFO, ca_file);
      curl_easy_setopt (curl, CURLOPT_CAPATH, NULL);
    }
  if (strcmp (question->method, "GET") == 0)
    return;
  curl_easy_setopt (curl, CURLOPT_POSTFIELDS, question->body);
  curl_easy_setopt (curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) question->body_len);
  curl_easy_setopt (curl, CURLOPT_CUSTOMREQUEST, question->method);
}

static int
fetch_request_ask (const Question *question, gsize max, long limit_ms, const char *ca_file)
{
  char reason[CURL_ERROR_SIZE] = "";
  g_autoptr (GString) headers = g_string_new (NULL);
  g_autoptr (GString) body = g_string_new (NULL);
  Answer answer = { max, FALSE, headers, body };
  CURL *curl = curl_easy_init ();
  CURLcode code;
  long status = 0;

  if (curl == NULL)
    return 1;
  fetch_request_set_up (curl, question, &answer, limit_ms, ca_file, reason);
  code = curl_easy_perform (curl);
  curl_easy_getinfo (curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup (curl);
  if (answer.is_too_long)
    fprintf (stderr, "longer than %" G_GSIZE_FORMAT " bytes\n", max);
  else if (code != CURLE_OK)
    fprintf (stderr, "%s\n", *reason != '\0' ? reason : curl_easy_strerror (code));
  if (answer.is_too_long || code != CURLE_OK)
    return 1;
  printf ("%ld\n%s\n", status, headers->str);
  fwrite (body->str, 1, body->len, stdout);
  return fflush (stdout) == 0 ? 0 : 1;
}

int
fetch_request_run (gsize max, long limit_ms, const char *ca_file)
{
  g_autoptr (GString) text = fetch_request_read (max);
  Question question = { 0 };
  int status = 2;

  if (text->len <= max && fetch_request_take (text, &question))
    status = fetch_request_ask (&question, max, limit_ms, ca_file);
  else
    fputs ("expected METHOD URL, headers, an empty line and a body\n", stderr);
  curl_slist_free_all (question.headers);
  explicit_bzero (text->str, text->len);
  return status;
}
