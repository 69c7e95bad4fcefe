/* detour-history.c: how much the relay's totals grew in the last seconds, minute and hour.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-history.h"

typedef struct {
  gint64 at_us;
  DetourStats totals;
} Note;

/* A ring of notes that are some time apart; the oldest one is overwritten. */
typedef struct {
  gint64 step_us;
  guint size, n, next;
  Note *notes;
} Line;

struct _DetourHistory {
  Line seconds; /* ten apart */
  Line minutes;
};

static void
history_line_init (Line *self, gint64 step_us, guint size)
{
  self->step_us = step_us;
  self->size = size;
  self->notes = g_new0 (Note, size);
}

static void
history_line_note (Line *self, gint64 now_us, const DetourStats *totals)
{
  self->notes[self->next] = (Note) { now_us, *totals };
  self->next = (self->next + 1) % self->size;
  self->n = MIN (self->n + 1, self->size);
}

static const Note *
history_line_nth_newest (const Line *self, guint i)
{
  return &self->notes[(self->next + self->size - 1 - i) % self->size];
}

/* The newest note that is @span_us old, or else the oldest there is. */
static const Note *
history_line_find (const Line *self, gint64 now_us, gint64 span_us)
{
  for (guint i = 0; i < self->n; i++)
    {
      const Note *note = history_line_nth_newest (self, i);

      if (now_us - note->at_us >= span_us || i + 1 == self->n)
        return note;
    }
  g_assert_not_reached ();
}

DetourHistory *
detour_history_new (gint64 now_us, const DetourStats *totals)
{
  DetourHistory *self = g_new0 (DetourHistory, 1);

  history_line_init (&self->seconds, DETOUR_HISTORY_STEP_US, 8);
  history_line_init (&self->minutes, 60 * G_USEC_PER_SEC, 62);
  history_line_note (&self->seconds, now_us, totals);
  history_line_note (&self->minutes, now_us, totals);
  return self;
}

void
detour_history_free (DetourHistory *self)
{
  g_free (self->seconds.notes);
  g_free (self->minutes.notes);
  g_free (self);
}

void
detour_history_note (DetourHistory *self, gint64 now_us, const DetourStats *totals)
{
  history_line_note (&self->seconds, now_us, totals);
  /* Timers fire late, so a note may come half a step early: otherwise every seventh step, and not
   * every sixth, would make a note. */
  if (now_us - history_line_nth_newest (&self->minutes, 0)->at_us
      >= self->minutes.step_us - self->seconds.step_us / 2)
    history_line_note (&self->minutes, now_us, totals);
}

gint64
detour_history_growth (const DetourHistory *self, DetourHistorySpan span, gint64 now_us,
                       const DetourStats *now, DetourStats *growth)
{
  const Note *note;

  if (span == DETOUR_HISTORY_HOUR)
    note = history_line_find (&self->minutes, now_us, G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC);
  else
    note = history_line_find (&self->seconds, now_us,
                              span == DETOUR_HISTORY_MINUTE ? 60 * G_USEC_PER_SEC
                                                            : 10 * G_USEC_PER_SEC);

  *growth = (DetourStats) {
    .joined = now->joined - note->totals.joined,
    .left = now->left - note->totals.left,
    .refused = now->refused - note->totals.refused,
    .packets_received = now->packets_received - note->totals.packets_received,
    .bytes_received = now->bytes_received - note->totals.bytes_received,
    .packets_sent = now->packets_sent - note->totals.packets_sent,
    .bytes_sent = now->bytes_sent - note->totals.bytes_sent,
    .packets_dropped = now->packets_dropped - note->totals.packets_dropped,
    .packets_dropped_slow = now->packets_dropped_slow - note->totals.packets_dropped_slow,
  };
  return MAX (now_us - note->at_us, 1);
}
