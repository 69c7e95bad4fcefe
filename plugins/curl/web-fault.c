/* web-fault.c: says in the words of an operator why there was no answer.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "web-fault.h"

#include <string.h>

static gint64
web_fault_time (const WebFailure *failure, CURLINFO info)
{
  curl_off_t time_us = 0;

  curl_easy_getinfo (failure->easy, info, &time_us);
  return time_us;
}

static long
web_fault_number (const WebFailure *failure, CURLINFO info)
{
  long number = 0;

  curl_easy_getinfo (failure->easy, info, &number);
  return number;
}

/* How far it came within the time. */
static char *
web_fault_late (const WebFailure *failure)
{
  const char *host = failure->host;
  guint connect_ms = failure->connect_ms > 0 ? failure->connect_ms : failure->timeout_ms;

  if (web_fault_time (failure, CURLINFO_NAMELOOKUP_TIME_T) == 0)
    return g_strdup_printf ("the name of %s was not resolved within %u ms",
                            failure->proxy != NULL ? failure->proxy : host, connect_ms);
  /* With TLS this is only known when all of it stands. */
  if (web_fault_time (failure, CURLINFO_PRETRANSFER_TIME_T) == 0)
    {
      char *url = NULL;

      curl_easy_getinfo (failure->easy, CURLINFO_EFFECTIVE_URL, &url);
      return g_strdup_printf (
          "no connection%s to %s%s%s within %u ms",
          url != NULL && g_ascii_strncasecmp (url, "https", 5) == 0 ? " with TLS" : "", host,
          failure->proxy != NULL ? " through the proxy " : "",
          failure->proxy != NULL ? failure->proxy : "", connect_ms);
    }
  return g_strdup_printf ("no answer from %s within %u ms", host, failure->timeout_ms);
}

static char *
web_fault_connect (const WebFailure *failure)
{
  long number = web_fault_number (failure, CURLINFO_OS_ERRNO);
  g_autofree char *to = failure->proxy != NULL ? g_strdup_printf ("the proxy %s", failure->proxy)
                                               : g_strdup (failure->host);

  return number != 0 ? g_strdup_printf ("cannot connect to %s: %s", to, g_strerror ((int) number))
                     : g_strdup_printf ("cannot connect to %s", to);
}

/* libcurl names the place where it was given the CAs, which says nothing to an operator. */
static char *
web_fault_tls (const WebFailure *failure)
{
  const char *words = *failure->words != '\0' ? failure->words : curl_easy_strerror (failure->code);

  if (strstr (words, "CAfile") != NULL)
    return failure->ca_name != NULL
             ? g_strdup_printf ("the certificate of %s is not from a CA of %s", failure->host,
                                failure->ca_name)
             : g_strdup_printf ("the certificate of %s is not from a CA that this system trusts; "
                                "ca-file names others",
                                failure->host);
  return g_strdup_printf ("no TLS with %s: %s", failure->host, words);
}

static char *
web_fault_too_long (const WebFailure *failure)
{
  if (failure->is_head_too_long)
    return g_strdup_printf ("the head of an answer from %s is too long", failure->host);
  return g_strdup_printf ("an answer from %s is longer than %" G_GSIZE_FORMAT " bytes",
                          failure->host, failure->answer_max);
}

/* 0: the proxy let us through, or there is none. */
static long
web_fault_proxy_status (const WebFailure *failure)
{
  long status = web_fault_number (failure, CURLINFO_HTTP_CONNECTCODE);

  return status / 100 == 2 ? 0 : status;
}

WebFault
web_fault_explain (const WebFailure *failure, char **trouble)
{
  const char *host = failure->host;
  long proxy_status = web_fault_proxy_status (failure);

  if (failure->is_too_long || failure->is_head_too_long)
    {
      *trouble = web_fault_too_long (failure);
      return WEB_TOO_LONG;
    }
  if (failure->is_length_broken)
    {
      *trouble = g_strdup_printf ("an answer from %s has a Content-Length that is no number", host);
      return WEB_PROTOCOL;
    }
  if (proxy_status != 0 && failure->code != CURLE_OPERATION_TIMEDOUT)
    {
      *trouble = g_strdup_printf ("the proxy %s does not let us through to %s (status %ld)",
                                  failure->proxy != NULL ? failure->proxy : "of the environment",
                                  host, proxy_status);
      return WEB_PROXY;
    }
  switch (failure->code)
    {
    case CURLE_COULDNT_RESOLVE_HOST:
      *trouble = g_strdup_printf ("the name of %s has no address", host);
      return WEB_RESOLVE;
    case CURLE_COULDNT_RESOLVE_PROXY:
      *trouble = g_strdup_printf ("the name of the proxy %s has no address",
                                  failure->proxy != NULL ? failure->proxy : "of the environment");
      return WEB_PROXY;
    case CURLE_COULDNT_CONNECT:
      *trouble = web_fault_connect (failure);
      return failure->proxy != NULL ? WEB_PROXY : WEB_CONNECT;
    case CURLE_PROXY:
      *trouble = g_strdup_printf ("the proxy %s does not let us through to %s: %s",
                                  failure->proxy != NULL ? failure->proxy : "of the environment",
                                  host, failure->words);
      return WEB_PROXY;
    case CURLE_OPERATION_TIMEDOUT:
      *trouble = web_fault_late (failure);
      return WEB_TIMEOUT;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
      *trouble = g_strdup_printf ("%s closed the connection before it had answered", host);
      return WEB_PROTOCOL;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      *trouble = g_strdup_printf ("what answers at %s does not speak HTTP", host);
      return WEB_PROTOCOL;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
      *trouble = web_fault_tls (failure);
      return WEB_TLS;
    default:
      *trouble = g_strdup_printf ("%s: %s", host,
                                  *failure->words != '\0' ? failure->words
                                                          : curl_easy_strerror (failure->code));
      return WEB_PROTOCOL;
    }
}
