/* detour-handshake-metrics.c: what each number of a thread of the handshake pool is called.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-pool.h"

static const char *
handshake_metrics_reason (guint index)
{
  return detour_close_name ((DetourClose) index);
}

#define ROW(name, member, unit, help) \
  DETOUR_METRIC_ROW (DetourHandshakePoolCounters, member, name, unit, help)

const DetourMetricRow detour_handshake_metrics[] = {
  ROW ("connections_accepted", accepted, NULL, "connections accepted"),
  ROW ("connections_over_limit", over_limit, NULL,
       "connections closed at once because there were too many"),
  ROW ("connections_waited", waited, NULL, "connections that waited until others had logged in"),
  ROW ("connections_over_rate", over_rate, NULL,
       "connections closed at once because they came too fast"),
  ROW ("http_requests", requests, NULL, "HTTP requests"),
  ROW ("derp_upgrades", derp, NULL, "requests for DERP"),
  ROW ("logins", logins, NULL, "logins that hold"),
  ROW ("refused", refused, NULL, "clients that admission refused"),
  ROW ("handshake_microseconds", handshake_us, "microseconds", "time spent in handshakes"),
  { "connections_closed",
    NULL,
    "connections that ended",
    G_STRUCT_OFFSET (DetourHandshakePoolCounters, closed),
    { "stage", "handshake" },
    { { "reason", DETOUR_N_CLOSES, handshake_metrics_reason } } },
  { NULL },
};
