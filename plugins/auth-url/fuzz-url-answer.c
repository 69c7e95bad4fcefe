/* fuzz-url-answer.c: fuzz target for answers of admission servers: the first byte chooses the
 * status.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "url-answer.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const guint statuses[] = { 200, 403, 429, 500, 302, 204 };
  g_autofree char *body = size > 1 ? g_memdup2 (data + 1, size - 1) : g_malloc (1);
  g_auto (UrlAnswer) answer = { 0 };
  guint status;

  if (size == 0)
    return 0;
  status = statuses[data[0] % G_N_ELEMENTS (statuses)];
  url_answer_judge (&answer, status, body, size - 1);
  g_assert (answer.result == DETOUR_AUTH_ALLOW || answer.reason != NULL);
  g_assert (answer.result != DETOUR_AUTH_ALLOW || status == 200);
  g_assert (answer.result != DETOUR_AUTH_DENY || status == 200 || status == 403);
  g_assert (answer.ttl_us >= 0);
  g_assert (answer.class_ == NULL || url_answer_is_class (answer.class_));
  g_assert (answer.label == NULL || g_utf8_validate (answer.label, -1, NULL));
  g_assert (answer.reason == NULL || g_utf8_validate (answer.reason, -1, NULL));
  return 0;
}
