/* renewal-schedule.h: when the next certificate is ordered, and when nothing may be tried.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure: it knows no clock and no file. Times are Unix time in seconds, because certificates,
 * windows and limits of authorities are; `now` may jump both ways between two calls. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* As many issuances are remembered. */
#define RENEWAL_ISSUED_MAX 64

/* All zero at first. Written to disk as it is. */
typedef struct {
  /* Of the certificate that is served and that fits; 0: there is none. */
  gint64 not_before, not_after;
  guint32 jitter; /* drawn for it */

  /* What the authority says about it (RFC 9773). */
  gint64 window_start, window_end; /* 0: nothing */
  gint64 moment;                   /* drawn in the window; 0: none */
  gint64 look;                     /* when it is asked next; 0: at once */
  guint look_failures;             /* in a row, those that may pass by themselves */

  /* Tries. A try counts as failed from its beginning on, so that a daemon that dies in it does not
   * begin another one at once. */
  gint64 last_try;      /* 0: none yet */
  gint64 next_try;      /* 0: whenever it is due */
  gint64 limited_until; /* the authority said so; 0: it did not */
  guint failures;       /* in a row */

  gint64 issued[RENEWAL_ISSUED_MAX]; /* when the last ones were issued, the latest first */
  guint n_issued;
} RenewalSchedule;

/* Another certificate is served: what was said about the one before is forgotten. */
void renewal_schedule_set_certificate (RenewalSchedule *self, gint64 not_before, gint64 not_after,
                                       guint32 random);

/* The authority named a window, with @end behind @start. @random is used when it differs from the
 * one before. @retry_after_s: 0 when it did not say. */
void renewal_schedule_set_window (RenewalSchedule *self, gint64 start, gint64 end,
                                  gint64 retry_after_s, gint64 now, guint32 random);
/* It said nothing that can be used. @lasting: and will not soon. */
void renewal_schedule_window_failed (RenewalSchedule *self, gboolean lasting, gint64 now);

/* An order begins; @random spreads what waits for the same time. */
void renewal_schedule_begin_try (RenewalSchedule *self, gint64 now, guint32 random);
/* @retry_after_s: 0 when the authority did not say. */
void renewal_schedule_try_failed (RenewalSchedule *self, gint64 retry_after_s, gint64 now);
void renewal_schedule_try_succeeded (RenewalSchedule *self, gint64 now);
/* Something else is wanted now: other names, another account. Failures of the past do not hold it
 * up, but what the authority said does. */
void renewal_schedule_start_over (RenewalSchedule *self);

/* Before anything is asked: waits keep their length when the clock was set back. */
void renewal_schedule_follow_clock (RenewalSchedule *self, gint64 now);

/* When the next order is due by itself; @now or earlier: at once. @by: (out): who decided. */
typedef enum {
  RENEWAL_BY_LIFETIME,
  RENEWAL_BY_AUTHORITY,
} RenewalDecider;
gint64 renewal_schedule_due (const RenewalSchedule *self, gint64 now, RenewalDecider *by);

/* The certificate wants no successor yet, and no failed try is to be repeated before it does. */
gboolean renewal_schedule_is_at_rest (const RenewalSchedule *self, gint64 now);

/* A third of its life or less is left, or there is none. */
gboolean renewal_schedule_is_late (const RenewalSchedule *self, gint64 now);

G_END_DECLS
