/* detour-handshake-limits.c: the limits of the handshake pool, from [limits].
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-pool.h"

#include <unistd.h>

/* Of connections before the login, on a machine that does not say what it has or has little. */
#define MEMORY_MIN (G_GUINT64_CONSTANT (64) << 20)

/* A size of the configuration; auto is an eighth of the machine's memory. */
static guint64
handshake_limits_memory (guint64 bytes)
{
  long n_pages = sysconf (_SC_PHYS_PAGES), page_size = sysconf (_SC_PAGESIZE);

  if (bytes != DETOUR_CONFIG_AUTOMATIC)
    return bytes;
  return n_pages > 0 && page_size > 0
           ? MAX ((guint64) n_pages * (guint64) page_size / 8, MEMORY_MIN)
           : MEMORY_MIN;
}

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
    .half_open_bytes = handshake_limits_memory (limits->half_open_memory),
    .reserved = limits->reserve_descriptors,
  };
}
