/* fuzz-http-head.c: the parser of request heads gives one answer however its input is cut, and all
 * it says lies inside.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "detour-http-head.h"
#include "detour-http-message.h"
#include "detour-http-upgrade.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
check_span (const DetourHttpHead *head, DetourHttpSpan part)
{
  g_assert_cmpuint (part.start + part.len, <=, head->len);
  for (guint i = 0; i < part.len; i++)
    {
      guint8 c = head->data[part.start + i];

      g_assert_true (c == '\t' || (c >= ' ' && c != 0x7f));
    }
}

static void
check_head (const DetourHttpHead *head)
{
  g_assert_cmpuint (head->len, <=, DETOUR_HTTP_HEAD_MAX);
  g_assert_cmpuint (head->minor, <=, 1);
  g_assert_true (memcmp (head->data + head->len - 4, "\r\n\r\n", 4) == 0);
  check_span (head, head->method);
  check_span (head, head->target);
  check_span (head, head->path);
  check_span (head, head->query);
  check_span (head, head->host);
  for (guint i = 0; i < head->n_headers; i++)
    {
      check_span (head, head->headers[i].name);
      check_span (head, head->headers[i].value);
    }
}

/* What a handler could see and say. */
static void
check_message (const DetourHttpHead *head)
{
  struct sockaddr_storage peer = { 0 };
  g_autoptr (DetourHttpRequest) request = detour_http_request_new (head, &peer, 0);
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();
  g_autoptr (GByteArray) bytes = NULL;

  g_assert_cmpuint (strlen (detour_http_request_method (request)), ==, head->method.len);
  g_assert_cmpuint (strlen (detour_http_request_query (request)), ==, head->query.len);
  g_assert_cmpuint (strlen (detour_http_request_host (request)), ==, head->host.len);
  detour_http_response_add_header (response, "X-Path", detour_http_request_path (request));
  detour_http_response_add_header (response, "X-Host", detour_http_request_host (request));
  bytes = detour_http_response_to_bytes (response, request, 0);
  g_assert_cmpuint (detour_http_response_status (response), ==, 200);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  DetourHttpHead whole, cut;
  DetourHttpHeadResult all;
  DetourHttpHeadResult result = DETOUR_HTTP_HEAD_MORE;

  detour_http_head_init (&whole);
  all = detour_http_head_parse (&whole, data, size);
  if (all == DETOUR_HTTP_HEAD_OK)
    {
      check_head (&whole);
      check_message (&whole);
      (void) detour_http_upgrade_of (&whole);
      (void) detour_http_head_keep_alive (&whole);
    }

  detour_http_head_init (&cut);
  for (gsize n = 0; n <= size && result == DETOUR_HTTP_HEAD_MORE; n++)
    result = detour_http_head_parse (&cut, data, n);
  g_assert_cmpint (result, ==, all);
  g_assert_true (memcmp (&whole, &cut, sizeof whole) == 0);
  return 0;
}
