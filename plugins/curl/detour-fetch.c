/* detour-fetch.c: asks servers for detourctl, so that its other commands need no library for HTTP.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `detour-fetch URL BYTES MILLISECONDS` writes what it gets to standard output. On failure it
 * writes one line to standard error and ends with 1. `detour-fetch --request BYTES MILLISECONDS
 * [CA-FILE]` is in fetch-request.h. */
#include "config.h"

#include <curl/curl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "fetch-request.h"

#define REDIRECTS_MAX 5L

typedef struct {
  gsize left; /* bytes that may still come */
  gboolean is_too_long;
} Fetch;

static size_t
fetch_on_data (char *data, size_t size, size_t n, void *user)
{
  Fetch *self = user;

  if (n > self->left)
    {
      self->is_too_long = TRUE;
      return 0;
    }
  self->left -= n;
  return fwrite (data, 1, n, stdout);
}

static int
fetch_run (const char *url, gsize max, long limit_ms)
{
  char reason[CURL_ERROR_SIZE] = "";
  Fetch self = { .left = max };
  CURL *curl = curl_easy_init ();
  long status = 0;
  CURLcode code;

  if (curl == NULL)
    return 1;
  curl_easy_setopt (curl, CURLOPT_URL, url);
  curl_easy_setopt (curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt (curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
  curl_easy_setopt (curl, CURLOPT_TIMEOUT_MS, limit_ms);
  curl_easy_setopt (curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (curl, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt (curl, CURLOPT_USERAGENT, "detourctl/" DETOUR_VERSION);
  curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, fetch_on_data);
  curl_easy_setopt (curl, CURLOPT_WRITEDATA, &self);
  code = curl_easy_perform (curl);
  curl_easy_getinfo (curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup (curl);
  if (self.is_too_long)
    fprintf (stderr, "longer than %" G_GSIZE_FORMAT " bytes\n", max);
  else if (code != CURLE_OK)
    fprintf (stderr, "%s\n", *reason != '\0' ? reason : curl_easy_strerror (code));
  else if (status != 200)
    fprintf (stderr, "the server answers with status %ld, expected 200\n", status);
  else
    return fflush (stdout) == 0 ? 0 : 1;
  return 1;
}

int
main (int argc, char **argv)
{
  guint64 max, limit_ms;
  int status;

  if (argc < 4 || argc > 5 || (argc == 5 && strcmp (argv[1], "--request") != 0)
      || !g_ascii_string_to_unsigned (argv[2], 10, 1, G_MAXINT32, &max, NULL)
      || !g_ascii_string_to_unsigned (argv[3], 10, 0, G_MAXINT32, &limit_ms, NULL))
    {
      fputs ("usage: detour-fetch URL BYTES MILLISECONDS\n"
             "       detour-fetch --request BYTES MILLISECONDS [CA-FILE]\n",
             stderr);
      return 2;
    }
  if (curl_global_init (CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return 1;
  if (strcmp (argv[1], "--request") == 0)
    status = fetch_request_run ((gsize) max, (long) limit_ms, argv[4]);
  else
    status = fetch_run (argv[1], (gsize) max, (long) limit_ms);
  curl_global_cleanup ();
  return status;
}
