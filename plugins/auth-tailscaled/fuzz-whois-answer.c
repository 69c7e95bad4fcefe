/* fuzz-whois-answer.c: fuzz target for answers of tailscaled: the first byte chooses the status.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "whois-answer.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const long statuses[] = { 200, 404, 400, 403, 500, 204 };
  g_autofree char *body = size > 1 ? g_memdup2 (data + 1, size - 1) : g_malloc (1);
  g_autofree char *state = NULL;
  WhoisAnswer answer;
  long status;

  if (size == 0)
    return 0;
  status = statuses[data[0] % G_N_ELEMENTS (statuses)];
  whois_answer_judge (&answer, status, body, size - 1);
  g_assert ((answer.result == DETOUR_AUTH_ALLOW) == (answer.reason == NULL));
  g_assert (answer.result != DETOUR_AUTH_ALLOW || status == 200);
  g_assert (answer.result != DETOUR_AUTH_DENY || status == 404 || status == 200);
  g_assert (answer.label == NULL
            || (answer.result == DETOUR_AUTH_ALLOW && g_utf8_validate (answer.label, -1, NULL)));
  whois_answer_clear (&answer);
  state = whois_answer_backend_state (body, size - 1);
  return 0;
}
