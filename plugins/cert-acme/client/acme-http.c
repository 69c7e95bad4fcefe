/* acme-http.c: one request to a CA at a time, over HTTPS, with limits for all that comes back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-http.h"

#include "acme-header.h"

#include <curl/curl.h>
#include <string.h>

#define CONNECT_LIMIT_MS 20000
/* For one answer; an endless body that comes slowly ends here. */
#define REQUEST_LIMIT_MS 60000

struct _AcmeHttp {
  CURL *curl;
  struct curl_slist *post_headers;
  char *ca_file; /* NULL: the system's */
  gint64 deadline_us;
  char error[CURL_ERROR_SIZE];

  /* Of the request that is running. */
  AcmeAnswer *answer;
  gsize head_len;
  gboolean is_too_large;
};

void
acme_answer_clear (AcmeAnswer *self)
{
  if (self->body != NULL)
    g_string_free (self->body, TRUE);
  g_clear_pointer (&self->alternates, g_ptr_array_unref);
  g_free (self->url);
  g_free (self->nonce);
  g_free (self->location);
  g_free (self->content_type);
  g_free (self->help);
  g_free (self->terms);
  *self = (AcmeAnswer) { 0 };
}

static void
acme_answer_reset (AcmeAnswer *self, const char *url)
{
  acme_answer_clear (self);
  self->body = g_string_new (NULL);
  self->alternates = g_ptr_array_new_with_free_func (g_free);
  self->url = g_strdup (url);
}

/* What comes in ------------------------------------------------------------------------------- */

static gsize
acme_http_on_body (char *data, gsize size, gsize n, void *user_data)
{
  AcmeHttp *self = user_data;
  gsize len = size * n;

  if (len > ACME_HTTP_BODY_MAX - self->answer->body->len)
    {
      self->is_too_large = TRUE;
      return 0;
    }
  g_string_append_len (self->answer->body, data, (gssize) len);
  return len;
}

static void
acme_http_set_first (char **place, const char *value)
{
  if (*place == NULL && *value != '\0' && g_utf8_validate (value, -1, NULL))
    *place = g_strdup (value);
}

static void
acme_http_set_link (AcmeAnswer *answer, const char *value)
{
  g_autoptr (GPtrArray) help = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) terms = g_ptr_array_new_with_free_func (g_free);

  acme_header_add_links (value, answer->url, "alternate", answer->alternates, ACME_HTTP_LINKS_MAX);
  acme_header_add_links (value, answer->url, "help", help, 1);
  acme_header_add_links (value, answer->url, "terms-of-service", terms, 1);
  if (help->len > 0)
    acme_http_set_first (&answer->help, help->pdata[0]);
  if (terms->len > 0)
    acme_http_set_first (&answer->terms, terms->pdata[0]);
}

static gsize
acme_http_on_header (char *data, gsize size, gsize n, void *user_data)
{
  AcmeHttp *self = user_data;
  AcmeAnswer *answer = self->answer;
  gsize len = size * n;
  g_autofree char *line = g_strndup (data, len);
  char *value;

  if (len > ACME_HTTP_HEAD_MAX - self->head_len)
    {
      self->is_too_large = TRUE;
      return 0;
    }
  self->head_len += len;
  value = strchr (line, ':');
  if (value == NULL)
    return len;
  *value++ = '\0';
  value = g_strstrip (value);
  if (g_ascii_strcasecmp (line, "replay-nonce") == 0)
    acme_http_set_first (&answer->nonce, value);
  else if (g_ascii_strcasecmp (line, "location") == 0)
    acme_http_set_first (&answer->location, value);
  else if (g_ascii_strcasecmp (line, "content-type") == 0)
    acme_http_set_first (&answer->content_type, value);
  else if (g_ascii_strcasecmp (line, "link") == 0)
    acme_http_set_link (answer, value);
  else if (g_ascii_strcasecmp (line, "retry-after") == 0)
    answer->retry_after_s = acme_header_retry_after (value, g_get_real_time () / G_USEC_PER_SEC);
  return len;
}

/* The other way ------------------------------------------------------------------------------- */

AcmeHttp *
acme_http_new (const char *ca_file, gint64 deadline_us)
{
  AcmeHttp *self = g_new0 (AcmeHttp, 1);

  self->deadline_us = deadline_us;
  self->curl = curl_easy_init ();
  g_assert (self->curl != NULL); /* memory; GLib would end the process as well */
  self->post_headers = curl_slist_append (NULL, "Content-Type: application/jose+json");
  curl_easy_setopt (self->curl, CURLOPT_ERRORBUFFER, self->error);
  curl_easy_setopt (self->curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (self->curl, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt (self->curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
  curl_easy_setopt (self->curl, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt (self->curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt (self->curl, CURLOPT_USERAGENT, "detour-acme/" DETOUR_VERSION);
  curl_easy_setopt (self->curl, CURLOPT_WRITEFUNCTION, acme_http_on_body);
  curl_easy_setopt (self->curl, CURLOPT_WRITEDATA, self);
  curl_easy_setopt (self->curl, CURLOPT_HEADERFUNCTION, acme_http_on_header);
  curl_easy_setopt (self->curl, CURLOPT_HEADERDATA, self);
  /* The headers of a proxy are not the CA's. */
  curl_easy_setopt (self->curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt (self->curl, CURLOPT_CONNECTTIMEOUT_MS, (long) CONNECT_LIMIT_MS);
#if LIBCURL_VERSION_NUM >= 0x075700
  /* A name server that does not answer must not hold the end up. */
  curl_easy_setopt (self->curl, CURLOPT_QUICK_EXIT, 1L);
#endif
  self->ca_file = g_strdup (ca_file);
  if (ca_file != NULL)
    {
      curl_easy_setopt (self->curl, CURLOPT_CAINFO, ca_file);
      curl_easy_setopt (self->curl, CURLOPT_CAPATH, NULL);
    }
  return self;
}

void
acme_http_free (AcmeHttp *self)
{
  curl_easy_cleanup (self->curl);
  curl_slist_free_all (self->post_headers);
  g_free (self->ca_file);
  g_free (self);
}

/* The library's words do not name the file. */
static gboolean
acme_http_set_bad_file (AcmeHttp *self, const char *words, AcmeProblem *problem)
{
  if (self->ca_file == NULL)
    return acme_problem_set (problem, "tls", "the CAs of the system cannot be read: %s", words);
  acme_problem_set (problem, "tls", "ca-file %s cannot be read: %s", self->ca_file, words);
  problem->remedy = g_strdup_printf ("See whether %s is there, holds certificates in PEM and can "
                                     "be read by the user that the relay runs as; or take ca-file "
                                     "out.",
                                     self->ca_file);
  return FALSE;
}

static gboolean
acme_http_set_problem (AcmeHttp *self, CURLcode rc, const char *url, AcmeProblem *problem)
{
  const char *words = *self->error != '\0' ? self->error : curl_easy_strerror (rc);

  if (self->is_too_large)
    return acme_problem_set (problem, "protocol", "%s: the answer is longer than %d bytes", url,
                             ACME_HTTP_BODY_MAX);
  switch (rc)
    {
    case CURLE_OPERATION_TIMEDOUT:
      return acme_problem_set (problem, "timeout", "%s: %s", url, words);
    case CURLE_SSL_CACERT_BADFILE:
      return acme_http_set_bad_file (self, words, problem);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
      return acme_problem_set (problem, "tls", "%s: %s", url, words);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return acme_problem_set (problem, "protocol", "%s: %s", url, words);
    default:
      return acme_problem_set (problem, "network", "%s: %s", url, words);
    }
}

static gboolean
acme_http_once (AcmeHttp *self, const char *method, const char *url, const char *body,
                AcmeAnswer *out, AcmeProblem *problem)
{
  gint64 left_ms = (self->deadline_us - g_get_monotonic_time ()) / 1000;
  long status = 0;
  CURLcode rc;

  if (left_ms <= 0)
    return acme_problem_set (problem, "timeout", "the time for the whole run is over");
  acme_answer_reset (out, url);
  self->answer = out;
  self->head_len = 0;
  self->is_too_large = FALSE;
  *self->error = '\0';
  curl_easy_setopt (self->curl, CURLOPT_URL, url);
  curl_easy_setopt (self->curl, CURLOPT_TIMEOUT_MS, (long) MIN (left_ms, REQUEST_LIMIT_MS));
  curl_easy_setopt (self->curl, CURLOPT_HTTPHEADER, NULL);
  curl_easy_setopt (self->curl, CURLOPT_NOBODY, 0L);
  curl_easy_setopt (self->curl, CURLOPT_HTTPGET, 1L);
  if (strcmp (method, "HEAD") == 0)
    curl_easy_setopt (self->curl, CURLOPT_NOBODY, 1L);
  if (body != NULL)
    {
      curl_easy_setopt (self->curl, CURLOPT_POST, 1L);
      curl_easy_setopt (self->curl, CURLOPT_HTTPHEADER, self->post_headers);
      curl_easy_setopt (self->curl, CURLOPT_POSTFIELDSIZE, (long) strlen (body));
      curl_easy_setopt (self->curl, CURLOPT_POSTFIELDS, body);
    }
  rc = curl_easy_perform (self->curl);
  self->answer = NULL;
  if (rc != CURLE_OK)
    return acme_http_set_problem (self, rc, url, problem);
  curl_easy_getinfo (self->curl, CURLINFO_RESPONSE_CODE, &status);
  out->status = (guint) status;
  return TRUE;
}

static gboolean
acme_http_is_redirect (guint status)
{
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

gboolean
acme_http_request (AcmeHttp *self, const char *method, const char *url, const char *body,
                   AcmeAnswer *out, AcmeProblem *problem)
{
  g_autofree char *here = g_strdup (url);

  for (guint n = 0;; n++)
    {
      char *next;

      if (!acme_header_is_url (here))
        return acme_problem_set (problem, "protocol", "%s: it is not an https address", here);
      if (!acme_http_once (self, method, here, body, out, problem))
        return FALSE;
      if (!acme_http_is_redirect (out->status))
        return TRUE;
      if (body != NULL)
        return acme_problem_set (problem, "protocol",
                                 "%s: the CA redirects a signed request (status %u)", here,
                                 out->status);
      if (n == ACME_HTTP_REDIRECTS)
        return acme_problem_set (problem, "protocol", "%s: more than %d redirects", url,
                                 ACME_HTTP_REDIRECTS);
      next = out->location != NULL ? acme_header_resolve (here, out->location) : NULL;
      if (next == NULL)
        return acme_problem_set (problem, "protocol",
                                 "%s: it redirects to %s, which is not an https address", here,
                                 out->location != NULL ? out->location : "nowhere");
      g_free (here);
      here = next;
    }
}
