/* detour-worker-limits.c: the limits of workers, as the configuration has them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker-limits.h"

#include <unistd.h>

#include "detour-rate-config.h"

/* Where queue-memory is automatic: this part of the machine's memory, but enough for some hundred
 * clients that are far behind. */
#define QUEUE_MEMORY_PART 8
#define QUEUE_MEMORY_MIN  (G_GUINT64_CONSTANT (64) << 20)

guint64
detour_worker_limits_queue_memory (guint64 configured)
{
  glong pages, page_size;

  if (configured != DETOUR_CONFIG_AUTOMATIC)
    return configured;
  pages = sysconf (_SC_PHYS_PAGES);
  page_size = sysconf (_SC_PAGESIZE);
  if (pages <= 0 || page_size <= 0)
    return QUEUE_MEMORY_MIN;
  return MAX ((guint64) pages * (guint64) page_size / QUEUE_MEMORY_PART, QUEUE_MEMORY_MIN);
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
      .queue_memory = detour_worker_limits_queue_memory (limits->queue_memory) / n_workers,
      .receive_rate = limits->receive_rate,
      .receive_burst = limits->receive_burst != 0 ? limits->receive_burst : limits->receive_rate,
    },
    .write_timeout_us = limits->write_timeout_us,
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
