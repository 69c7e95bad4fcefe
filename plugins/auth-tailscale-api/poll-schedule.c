/* poll-schedule.c: when an API is asked next.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "poll-schedule.h"

/* After the first failure; doubled with each further one. */
#define RETRY_US       (5 * G_TIME_SPAN_SECOND)
#define RETRY_MAX_US   (5 * G_TIME_SPAN_MINUTE)
#define REFUSED_US     G_TIME_SPAN_MINUTE
#define REFUSED_MAX_US (10 * G_TIME_SPAN_MINUTE)
/* The longest that an API may ask for. */
#define RETRY_AFTER_MAX_US G_TIME_SPAN_HOUR
/* A long list is fetched for unknown keys in at most so great a part of the time. */
#define COST_FACTOR 4

void
poll_schedule_init (PollSchedule *self, gint64 refresh_us, gint64 now_us)
{
  *self = (PollSchedule) { .refresh_us = refresh_us, .gap_us = POLL_SCHEDULE_GAP_MIN_US };
  poll_schedule_hurry (self, now_us);
}

void
poll_schedule_begin (PollSchedule *self, gint64 now_us)
{
  self->begun_us = now_us;
}

void
poll_schedule_good (PollSchedule *self, gint64 now_us, gint64 elapsed_us, guint n_missed,
                    guint n_found, double random)
{
  self->n_failures = 0;
  self->not_before_us = 0;
  self->cost_us = elapsed_us;
  self->due_us = now_us + (gint64) ((double) self->refresh_us * (0.9 + 0.2 * random));
  if (n_missed == 0)
    self->gap_us = MAX (self->gap_us / 2, POLL_SCHEDULE_GAP_MIN_US);
  else if (n_found > 0)
    self->gap_us = POLL_SCHEDULE_GAP_MIN_US;
  else
    {
      self->gap_us = MIN (self->gap_us * 2, POLL_SCHEDULE_GAP_MAX_US);
      /* A new key may be in the list seconds later only. */
      self->due_us = MIN (self->due_us, now_us + self->gap_us);
    }
}

void
poll_schedule_bad (PollSchedule *self, gint64 now_us, gint64 retry_us, gboolean is_refusal,
                   double random)
{
  gint64 first_us = is_refusal ? REFUSED_US : MIN (RETRY_US, self->refresh_us);
  gint64 most_us = is_refusal ? REFUSED_MAX_US : CLAMP (self->refresh_us, RETRY_US, RETRY_MAX_US);
  gint64 delay_us = MIN (first_us << MIN (self->n_failures, 16u), most_us);

  self->n_failures++;
  if (retry_us > 0)
    delay_us = MIN (retry_us, RETRY_AFTER_MAX_US);
  self->not_before_us = self->due_us = now_us + (gint64) ((double) delay_us * (1.0 + 0.2 * random));
}

void
poll_schedule_hurry (PollSchedule *self, gint64 now_us)
{
  self->due_us = now_us;
  self->not_before_us = 0;
  self->gap_us = POLL_SCHEDULE_GAP_MIN_US;
}

void
poll_schedule_want (PollSchedule *self)
{
  self->due_us = MIN (self->due_us, poll_schedule_miss_us (self));
}

gint64
poll_schedule_miss_us (const PollSchedule *self)
{
  gint64 gap_us = MIN (MAX (self->gap_us, self->cost_us * COST_FACTOR), POLL_SCHEDULE_GAP_MAX_US);

  if (self->begun_us == 0)
    return MAX (self->due_us, self->not_before_us);
  return MAX (self->begun_us + gap_us, self->not_before_us);
}
