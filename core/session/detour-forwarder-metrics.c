/* detour-forwarder-metrics.c: what each number about forwarded connections is called.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-forwarder.h"

#define ROW(name, member, unit, help) \
  DETOUR_METRIC_ROW (DetourForwarderCounters, member, name, unit, help)

const DetourMetricRow detour_forwarder_tunnel_metrics[] = {
  ROW ("tunnels_begun", begun, NULL, "tunnels that clients began with CONNECT"),
  ROW ("tunnels_ended", ended, NULL, "tunnels that are over"),
  ROW ("tunnels_over_limit", over_limit, NULL,
       "tunnels not begun because too many connections were forwarded"),
  ROW ("tunnels_failed", failed, NULL, "tunnels whose client broke the rules of its encryption"),
  ROW ("tunnels_idle", idle, NULL, "tunnels closed because nothing moved"),
  ROW ("tunnels_banned", banned, NULL, "tunnels closed because their client's network was banned"),
  ROW ("tunnels_bytes_in", bytes_in, "bytes", "bytes of tunnels from clients"),
  ROW ("tunnels_bytes_out", bytes_out, "bytes", "bytes of tunnels to clients"),
  { NULL },
};

const DetourMetricRow detour_forwarder_metrics[] = {
  ROW ("forwarded_begun", begun, NULL, "connections forwarded to other servers"),
  ROW ("forwarded_ended", ended, NULL, "forwarded connections that are over"),
  ROW ("forwarded_over_limit", over_limit, NULL,
       "connections not forwarded because there were too many"),
  ROW ("forwarded_failed", failed, NULL, "connections whose server could not be reached"),
  ROW ("forwarded_idle", idle, NULL, "forwarded connections closed because nothing moved"),
  ROW ("forwarded_banned", banned, NULL,
       "forwarded connections closed because their client's network was banned"),
  ROW ("forwarded_bytes_in", bytes_in, "bytes", "bytes of forwarded connections from clients"),
  ROW ("forwarded_bytes_out", bytes_out, "bytes", "bytes of forwarded connections to clients"),
  { NULL },
};
