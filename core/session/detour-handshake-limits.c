/* detour-handshake-limits.c: the limits of the handshake pool, from [limits].
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-pool.h"

#include "detour-memory.h"

void
detour_handshake_limits_read (const DetourLimits *limits, DetourHandshakePoolLimits *out)
{
  *out = (DetourHandshakePoolLimits) {
    .connections = limits->connections,
    .connections_per_source = limits->connections_per_source,
    .half_open = limits->half_open,
    .half_open_per_source = limits->half_open_per_source,
    .accept_rate = limits->accept_rate,
    .accept_burst = limits->accept_burst != 0 ? limits->accept_burst : limits->accept_rate,
    .handshake_timeout_us = limits->handshake_timeout_us,
    .login_timeout_us = limits->login_timeout_us,
    .http_requests = limits->http_requests,
    .http_time_us = limits->http_time_us,
    .half_open_bytes = limits->half_open_memory != DETOUR_CONFIG_AUTOMATIC
                         ? limits->half_open_memory
                         : detour_memory_share (),
    .reserved = limits->reserve_descriptors,
  };
}
