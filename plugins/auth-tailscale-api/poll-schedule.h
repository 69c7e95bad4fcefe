/* poll-schedule.h: when an API is asked next.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Regularly, with jitter, so that relays that started together do not ask together. For unknown
 * keys sooner, but the longer the more of them are nobody's, so that strangers cannot make the
 * relay flood the API. After failures later and later, and never before the API allows it. No clock
 * is read here. Times are monotonic microseconds. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Between the beginnings of two fetches for unknown keys. */
#define POLL_SCHEDULE_GAP_MIN_US (2 * G_TIME_SPAN_SECOND)
#define POLL_SCHEDULE_GAP_MAX_US (30 * G_TIME_SPAN_SECOND)

typedef struct {
  gint64 refresh_us;
  gint64 due_us;        /* of the regular one */
  gint64 not_before_us; /* whatever happens */
  gint64 begun_us;      /* of the last one */
  gint64 gap_us;
  gint64 cost_us;   /* how long the last good one took */
  guint n_failures; /* since the last good one */
} PollSchedule;

/* The first fetch is due at once. */
void poll_schedule_init (PollSchedule *self, gint64 refresh_us, gint64 now_us);
void poll_schedule_begin (PollSchedule *self, gint64 now_us);

/**
 * poll_schedule_good:
 * @elapsed_us: of the whole fetch
 * @n_missed: clients with unknown keys that waited for it; @n_found: of these, now known
 * @random: 0 to 1
 */
void poll_schedule_good (PollSchedule *self, gint64 now_us, gint64 elapsed_us, guint n_missed,
                         guint n_found, double random);

/**
 * poll_schedule_bad:
 * @retry_us: for which the API wants to be left alone; 0: it does not say
 * @is_refusal: it does not accept the credential
 */
void poll_schedule_bad (PollSchedule *self, gint64 now_us, gint64 retry_us, gboolean is_refusal,
                        double random);

/* Due at once, whatever was before. */
void poll_schedule_hurry (PollSchedule *self, gint64 now_us);

/* When a fetch for an unknown key may begin. */
gint64 poll_schedule_miss_us (const PollSchedule *self);

/* There was an unknown key for which it is too early; it is not forgotten. */
void poll_schedule_want (PollSchedule *self);

G_END_DECLS
