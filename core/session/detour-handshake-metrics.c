/* detour-handshake-metrics.c: what each number of a thread of the handshake pool is called.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-pool.h"

static const char *
handshake_metrics_reason (guint index)
{
  return detour_close_name ((DetourClose) index);
}

const guint64 detour_handshake_login_bounds_us[DETOUR_HANDSHAKE_N_LOGIN_BOUNDS] = {
  1000,   2500,   5000,    10000,   25000,   50000,    100000,
  250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000,
};
const guint64 detour_handshake_admission_bounds_us[DETOUR_HANDSHAKE_N_ADMISSION_BOUNDS] = {
  100,   250,    500,    1000,   2500,    5000,    10000,   25000,
  50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

#define ROW(name, member, unit, help) \
  DETOUR_METRIC_ROW (DetourHandshakePoolCounters, member, name, unit, help)

const DetourMetricRow detour_handshake_metrics[] = {
  ROW ("connections_accepted", accepted, NULL, "connections accepted"),
  ROW ("connections_over_limit", over_limit, NULL,
       "connections closed at once because there were too many"),
  ROW ("connections_waited", waited, NULL, "connections that waited until others had logged in"),
  ROW ("connections_over_rate", over_rate, NULL,
       "connections closed at once because they came too fast"),
  ROW ("connections_banned", banned, NULL, "connections closed because their network is banned"),
  ROW ("proxy_headers", proxied, NULL, "connections with an acceptable PROXY header"),
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
  DETOUR_METRIC_HISTOGRAM_ROW (DetourHandshakePoolCounters, login_us, login_us_sum,
                               "login_microseconds", "microseconds",
                               "time from accepting a connection to its registration, of clients "
                               "that were let in at once",
                               detour_handshake_login_bounds_us),
  DETOUR_METRIC_HISTOGRAM_ROW (DetourHandshakePoolCounters, admission_us, admission_us_sum,
                               "admission_microseconds", "microseconds",
                               "time from asking the admission about a client to its verdict",
                               detour_handshake_admission_bounds_us),
  { NULL },
};
