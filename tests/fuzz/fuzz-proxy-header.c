/* fuzz-proxy-header.c: the parser of PROXY headers gives one answer however its input is cut.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "detour-proxy-header.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
check_address (const struct sockaddr_storage *address)
{
  g_assert_true (address->ss_family == AF_UNSPEC || address->ss_family == AF_INET
                 || address->ss_family == AF_INET6);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  DetourProxyHeader whole, cut;
  DetourProxyHeaderResult all = detour_proxy_header_parse (data, size, &whole);
  DetourProxyHeaderResult result = DETOUR_PROXY_HEADER_MORE;
  gsize n = 0;

  check_address (&whole.source);
  check_address (&whole.destination);
  g_assert_true ((whole.source.ss_family == AF_UNSPEC)
                 == (whole.destination.ss_family == AF_UNSPEC));
  g_assert_true ((whole.why != NULL) == (all == DETOUR_PROXY_HEADER_BAD));
  g_assert_cmpuint (whole.len, <=, MIN (size, DETOUR_PROXY_HEADER_MAX));
  g_assert_true ((whole.len > 0) == (all == DETOUR_PROXY_HEADER_OK));
  g_assert_true (all != DETOUR_PROXY_HEADER_MORE || size < DETOUR_PROXY_HEADER_MAX);

  for (; n <= size && result == DETOUR_PROXY_HEADER_MORE; n++)
    result = detour_proxy_header_parse (data, n, &cut);
  g_assert_cmpint (result, ==, all);
  g_assert_true (memcmp (&whole, &cut, sizeof whole) == 0);
  /* All bytes of a header were needed. */
  g_assert_true (all != DETOUR_PROXY_HEADER_OK || n - 1 == whole.len);
  return 0;
}
