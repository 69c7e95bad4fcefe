/* detour-client-kind.c: which program a client is, and which frames it takes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-kind.h"

const char *
detour_client_kind_name (DetourClientKind kind)
{
  static const char *const names[DETOUR_N_CLIENT_KINDS] = {
    [DETOUR_CLIENT_OTHER] = "other",
    [DETOUR_CLIENT_GO] = "go",
    [DETOUR_CLIENT_RUST] = "rust",
    [DETOUR_CLIENT_BROWSER] = "browser",
  };

  return names[kind];
}

DetourClientTraits
detour_client_traits (DetourClientKind by_request, const DetourLogin *login)
{
  DetourClientTraits self = { .kind = by_request };

  if (login->has_snake_case)
    self.kind = DETOUR_CLIENT_RUST;
  self.takes_extra = login->can_ack_pings;
  /* A mesh connection carries the packets of others, and a prober measures with the longest ones;
   * both are programs in Go, which do not always say CanAckPings. */
  self.ends_on_long = !self.takes_extra && !login->is_mesh && !login->is_prober
                   && self.kind != DETOUR_CLIENT_GO;
  return self;
}
