/* fuzz-stun-message.c: fuzz target for STUN requests, and what must hold for every answer.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stun-message.h"

#include <netinet/in.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  StunVerdict any = stun_request_parse (data, size, TRUE);
  struct sockaddr_in6 source = { .sin6_family = AF_INET6, .sin6_port = htons (1) };
  guint8 response[STUN_RESPONSE_MAX];
  gsize len;

  /* compat=any takes all that Tailscale's clients send. */
  if (stun_request_parse (data, size, FALSE) == STUN_OK)
    g_assert (any == STUN_OK);
  if (any != STUN_OK)
    return 0;
  len = stun_response_build (data, (const struct sockaddr *) &source, response);
  g_assert (len == STUN_RESPONSE_MAX && 2 * (len + 48) <= 3 * (size + 48));
  g_assert (memcmp (response + 4, data + 4, 16) == 0);
  return 0;
}
