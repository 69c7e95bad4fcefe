/* detour-handshake-proxy.c: the phase of the PROXY protocol: a proxy says whose connection it hands
 * on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-phase.h"

#include "detour-proxy-header.h"

DetourHandshakeVerdict
detour_handshake_proxy_read (const guint8 *data, gsize len, DetourProxyMode mode)
{
  DetourHandshakeVerdict verdict = { .next = DETOUR_HANDSHAKE_PROXY };
  DetourProxyHeader header;

  switch (detour_proxy_header_parse (data, len, &header))
    {
    case DETOUR_PROXY_HEADER_MORE:
      break;
    case DETOUR_PROXY_HEADER_OK:
      verdict.next = DETOUR_HANDSHAKE_RECORD;
      verdict.used = header.len;
      verdict.peer = header.source;
      break;
    case DETOUR_PROXY_HEADER_NONE:
      if (mode == DETOUR_PROXY_ACCEPT)
        {
          verdict.next = DETOUR_HANDSHAKE_RECORD;
          break;
        }
      header.why = "the first bytes are not those of a PROXY header";
      G_GNUC_FALLTHROUGH;
    case DETOUR_PROXY_HEADER_BAD:
      verdict.next = DETOUR_HANDSHAKE_CLOSED;
      verdict.reason = DETOUR_CLOSE_PROXY;
      verdict.why = header.why;
      break;
    }
  return verdict;
}
