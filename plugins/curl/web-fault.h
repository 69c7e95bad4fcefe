/* web-fault.h: says in the words of an operator why there was no answer.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "web-client.h"

#include <curl/curl.h>

G_BEGIN_DECLS

/* What is known of a transfer that failed. */
typedef struct {
  CURL *easy;
  CURLcode code;
  const char *words; /* of libcurl; may be empty */
  const char *host;  /* with port */
  const char *proxy; /* NULL: none that we know of */
  const char *ca_name;
  guint timeout_ms, connect_ms;
  gsize answer_max;
  gboolean is_too_long, is_head_too_long, is_length_broken;
} WebFailure;

/* @trouble: free with g_free() */
WebFault web_fault_explain (const WebFailure *failure, char **trouble);

G_END_DECLS
