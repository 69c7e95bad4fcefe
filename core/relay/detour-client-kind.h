/* detour-client-kind.h: which program a client is, and which frames it takes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-login.h"

G_BEGIN_DECLS

/* For people: which frames a client gets follows from DetourClientTraits alone. */
typedef enum {
  DETOUR_CLIENT_OTHER, /* none of the following */
  DETOUR_CLIENT_GO,    /* the User-Agent of Go's HTTP library: tailscaled, derper, derpprobe */
  DETOUR_CLIENT_RUST, /* tailscale-rs: members of ClientInfo in snake_case, or POST with an absolute
                         target */
  DETOUR_CLIENT_BROWSER, /* a WebSocket with an Origin, which every browser sends */
  DETOUR_N_CLIENT_KINDS,
} DetourClientKind;

/* "go"; static. */
const char *detour_client_kind_name (DetourClientKind kind);

/* Every client takes KeepAlive, PeerGone, RecvPacket, and Pong as the answer to its own Ping. */
typedef struct {
  DetourClientKind kind;
  /* It skips frames that it does not know, and may be sent others than those: it said CanAckPings,
   * as only clients do that were written after these frames. Others may end the connection. */
  gboolean takes_extra;
  /* It may end the connection on a packet longer than DETOUR_FRAME_PACKET_STRICT_MAX. */
  gboolean ends_on_long;
} DetourClientTraits;

/**
 * detour_client_traits:
 * @by_request: which program it is as far as its HTTP request shows
 * @login: what it said of itself
 */
DetourClientTraits detour_client_traits (DetourClientKind by_request, const DetourLogin *login);

G_END_DECLS
