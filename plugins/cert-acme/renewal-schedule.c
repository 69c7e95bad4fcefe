/* renewal-schedule.c: when the next certificate is ordered, and when nothing may be tried.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-schedule.h"

#include <string.h>

#define MINUTE_S 60
#define HOUR_S   3600
#define DAY_S    86400
#define WEEK_S   (7 * DAY_S)

/* A certificate that lasts less than this is renewed after half of its life, others after two
 * thirds. */
#define SHORT_LIFE_S (10 * DAY_S)
/* Orders of many relays that began together drift apart by this share of the life. */
#define JITTER_SHARE 50
/* Whatever an authority says, so much of the life is left for tries that fail. */
#define LAST_SHARE 10

#define RETRY_FIRST_S MINUTE_S
#define RETRY_MOST_S  (30 * MINUTE_S)
/* Limits of authorities end within a week. */
#define LIMITED_MOST_S (8 * DAY_S)

/* RFC 9773, section 4.3. */
#define LOOK_LEAST_S   MINUTE_S
#define LOOK_MOST_S    DAY_S
#define LOOK_DEFAULT_S (6 * HOUR_S)

/* Public authorities issue five certificates for the same names in a week, and one more every 34
 * hours. The last one is left for an operator who asks for it, or for a relay that has none. */
#define ISSUED_IN_A_WEEK 4u
#define ISSUED_REFILL_S  (34 * HOUR_S)

void
renewal_schedule_set_certificate (RenewalSchedule *self, gint64 not_before, gint64 not_after,
                                  guint32 random)
{
  self->not_before = not_before;
  self->not_after = not_after;
  self->jitter = random;
  self->window_start = self->window_end = self->moment = 0;
  self->look = 0;
  self->look_failures = 0;
}

static gint64
renewal_schedule_share_of (gint64 span, guint32 random)
{
  return (gint64) ((double) span * random / ((double) G_MAXUINT32 + 1));
}

void
renewal_schedule_set_window (RenewalSchedule *self, gint64 start, gint64 end, gint64 retry_after_s,
                             gint64 now, guint32 random)
{
  g_assert (start < end);
  if (retry_after_s <= 0)
    retry_after_s = LOOK_DEFAULT_S;
  self->look = now + CLAMP (retry_after_s, LOOK_LEAST_S, LOOK_MOST_S);
  self->look_failures = 0;
  if (self->moment != 0 && self->window_start == start && self->window_end == end)
    return;
  self->window_start = start;
  self->window_end = end;
  self->moment = start + renewal_schedule_share_of (end - start, random);
}

/* The one that was known goes on to count: the authority meant it. */
void
renewal_schedule_window_failed (RenewalSchedule *self, gboolean lasting, gint64 now)
{
  gint64 wait_s = LOOK_DEFAULT_S;

  if (!lasting)
    {
      wait_s = MIN ((gint64) MINUTE_S << MIN (self->look_failures, 9u), LOOK_DEFAULT_S);
      self->look_failures = MIN (self->look_failures + 1, 9u);
    }
  self->look = now + wait_s;
}

static gint64
renewal_schedule_backoff_s (guint failures)
{
  return MIN ((gint64) RETRY_FIRST_S << MIN (MAX (failures, 1u) - 1, 5u), RETRY_MOST_S);
}

void
renewal_schedule_begin_try (RenewalSchedule *self, gint64 now, guint32 random)
{
  gint64 wait_s;

  self->failures = MIN (self->failures + 1, 1000u);
  wait_s = renewal_schedule_backoff_s (self->failures);
  self->last_try = now;
  self->next_try = now + wait_s + renewal_schedule_share_of (wait_s / JITTER_SHARE + 1, random);
}

/* The wait begins anew where the try ends: it may have taken long. */
void
renewal_schedule_try_failed (RenewalSchedule *self, gint64 retry_after_s, gint64 now)
{
  gint64 wait_s = MAX (self->next_try - self->last_try,
                       renewal_schedule_backoff_s (self->failures));

  self->last_try = now;
  if (retry_after_s > 0)
    self->limited_until = now + MIN (retry_after_s, LIMITED_MOST_S);
  self->next_try = MAX (now + wait_s, self->limited_until);
}

void
renewal_schedule_try_succeeded (RenewalSchedule *self, gint64 now)
{
  self->last_try = now;
  self->next_try = 0;
  self->limited_until = 0;
  self->failures = 0;
  memmove (self->issued + 1, self->issued, sizeof self->issued - sizeof self->issued[0]);
  self->issued[0] = now;
  self->n_issued = MIN (self->n_issued + 1, RENEWAL_ISSUED_MAX);
}

void
renewal_schedule_start_over (RenewalSchedule *self)
{
  self->next_try = 0;
  self->failures = 0;
  self->n_issued = 0;
}

void
renewal_schedule_follow_clock (RenewalSchedule *self, gint64 now)
{
  gint64 back_s = self->last_try - now;

  if (back_s > 0)
    {
      self->last_try = now;
      self->next_try -= self->next_try != 0 ? back_s : 0;
      self->limited_until -= self->limited_until != 0 ? back_s : 0;
    }
  /* Whatever a file says, nothing is put off for ever. */
  self->limited_until = MIN (self->limited_until, now + LIMITED_MOST_S);
  self->next_try = MIN (self->next_try, MAX (now + RETRY_MOST_S * 2, self->limited_until));
  self->look = MIN (self->look, now + LOOK_MOST_S);
  for (guint i = 0; i < self->n_issued; i++)
    self->issued[i] = MIN (self->issued[i], now);
}

/* When the certificate itself wants a successor. */
static gint64
renewal_schedule_wanted (const RenewalSchedule *self, RenewalDecider *by)
{
  gint64 life = self->not_after - self->not_before;
  gint64 last = self->not_after - life / LAST_SHARE;
  gint64 usual = self->not_before + (life < SHORT_LIFE_S ? life / 2 : life / 3 * 2)
               - renewal_schedule_share_of (life / JITTER_SHARE, self->jitter);

  *by = RENEWAL_BY_LIFETIME;
  if (self->moment == 0)
    return usual;
  if (self->moment > last)
    return last;
  *by = RENEWAL_BY_AUTHORITY;
  return self->moment;
}

/* Certificates that last hours need many a week. */
static guint
renewal_schedule_issued_most (const RenewalSchedule *self, gint64 now)
{
  gint64 life = self->not_after - self->not_before;
  guint most = self->not_after > now ? ISSUED_IN_A_WEEK : ISSUED_IN_A_WEEK + 1;

  if (life <= 0)
    return most;
  return (guint) CLAMP (3 * WEEK_S / life, most, RENEWAL_ISSUED_MAX);
}

/* An authority that wants every certificate renewed at once does not spend its own limit. */
static gint64
renewal_schedule_spared_until (const RenewalSchedule *self, gint64 now)
{
  guint n = 0;

  while (n < self->n_issued && self->issued[n] > now - WEEK_S)
    n++;
  if (n < renewal_schedule_issued_most (self, now) || n == RENEWAL_ISSUED_MAX)
    return 0;
  return MIN (self->issued[0] + ISSUED_REFILL_S, self->issued[n - 1] + WEEK_S);
}

gint64
renewal_schedule_due (const RenewalSchedule *self, gint64 now, RenewalDecider *by)
{
  RenewalDecider decider = RENEWAL_BY_LIFETIME;
  gint64 due = self->not_after == 0 ? now : renewal_schedule_wanted (self, &decider);

  if (by != NULL)
    *by = decider;
  due = MAX (due, self->next_try);
  due = MAX (due, self->limited_until);
  return MAX (due, renewal_schedule_spared_until (self, now));
}

gboolean
renewal_schedule_is_at_rest (const RenewalSchedule *self, gint64 now)
{
  RenewalDecider by;

  return self->not_after != 0 && !renewal_schedule_is_late (self, now)
      && renewal_schedule_wanted (self, &by) > MAX (now, self->next_try);
}

gboolean
renewal_schedule_is_late (const RenewalSchedule *self, gint64 now)
{
  gint64 life = self->not_after - self->not_before;

  return self->not_after - now <= life / 3;
}
