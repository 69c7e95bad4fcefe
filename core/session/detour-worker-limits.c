/* detour-worker-limits.c: the limits of workers, as the configuration has them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker-limits.h"

#include "detour-memory.h"
#include "detour-rate-config.h"

static guint64
worker_limits_queue_memory (guint64 configured)
{
  return configured != DETOUR_CONFIG_AUTOMATIC ? configured : detour_memory_share ();
}

gboolean
detour_worker_limits_read (DetourWorkerLimits *self, const DetourSettings *settings,
                           const DetourLimits *limits, guint n_workers, GError **error)
{
  g_autoptr (GError) problem = NULL;
  DetourRateConfig rates;

  *self = (DetourWorkerLimits) {
    .relay = {
      .queue = { .packets = limits->queue_packets, .bytes = limits->queue_bytes },
      .queue_memory = worker_limits_queue_memory (limits->queue_memory) / n_workers,
      .receive_rate = limits->receive_rate,
      .receive_burst = limits->receive_burst != 0 ? limits->receive_burst : limits->receive_rate,
    },
    .write_timeout_us = limits->write_timeout_us,
    .mesh_write_timeout_us = DETOUR_WORKER_MESH_WRITE_TIMEOUT_S * G_USEC_PER_SEC,
    .black_hole_us = limits->black_hole_us,
    .keep_alive_us = limits->keep_alive_us,
    .user_timeout_ms = (guint) (limits->tcp_user_timeout_us / 1000),
  };
  if (limits->rate_config_file == NULL)
    return TRUE;
  if (!detour_rate_config_load (limits->rate_config_file, &rates, &problem))
    {
      detour_settings_error (settings, "rate-config-file", error, "%s", problem->message);
      return FALSE;
    }
  self->relay.receive_rate = rates.rate;
  self->relay.receive_burst = rates.burst;
  return TRUE;
}
