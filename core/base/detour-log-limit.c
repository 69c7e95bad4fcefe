/* detour-log-limit.c: how many lines of one kind the log takes, where strangers decide how many
 * there are.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-log-limit.h"

/* So many at once, then one a second. */
#define BURST 5
#define RATE  1

void
detour_log_limit_init (DetourLogLimit *self, gint64 now_us)
{
  detour_bucket_init (&self->lines, BURST, now_us);
  self->n_left_out = 0;
}

GLogLevelFlags
detour_log_limit_level (DetourLogLimit *self, gint64 now_us)
{
  if (!detour_bucket_take (&self->lines, RATE, BURST, 1, now_us))
    {
      self->n_left_out++;
      return G_LOG_LEVEL_DEBUG;
    }
  if (self->n_left_out > 0)
    g_message ("%u more like the next one were not logged", self->n_left_out);
  self->n_left_out = 0;
  return G_LOG_LEVEL_MESSAGE;
}
