/* detour-history.c: how much the relay's totals grew in the last seconds, minute and hour.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-history.h"

/* All of DetourStats; the place of each is its number in a record. */
static const gsize totals[] = {
  G_STRUCT_OFFSET (DetourStats, joined),
  G_STRUCT_OFFSET (DetourStats, left),
  G_STRUCT_OFFSET (DetourStats, refused),
  G_STRUCT_OFFSET (DetourStats, packets_received),
  G_STRUCT_OFFSET (DetourStats, bytes_received),
  G_STRUCT_OFFSET (DetourStats, packets_sent),
  G_STRUCT_OFFSET (DetourStats, bytes_sent),
  G_STRUCT_OFFSET (DetourStats, packets_dropped),
  G_STRUCT_OFFSET (DetourStats, packets_dropped_slow),
};
G_STATIC_ASSERT (G_N_ELEMENTS (totals) * sizeof (guint64) == sizeof (DetourStats));

/* Numbers of tags are never used for another thing. */
enum {
  TAG_SECONDS = 1, /* a note of that line */
  TAG_MINUTES = 2,
  /* Of a note. */
  TAG_AT = 1,
  TAG_TOTALS = 2, /* this one and those that follow */
};

typedef struct {
  gint64 at_us;
  DetourStats totals;
} Note;

static const guint64 *
history_total (const DetourStats *stats, guint i)
{
  return G_STRUCT_MEMBER_P (stats, totals[i]);
}

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
history_line_note (Line *self, gint64 now_us, const DetourStats *now)
{
  self->notes[self->next] = (Note) { now_us, *now };
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

static void
history_init (DetourHistory *self)
{
  history_line_init (&self->seconds, DETOUR_HISTORY_STEP_US, 8);
  history_line_init (&self->minutes, 60 * G_USEC_PER_SEC, 62);
}

static void
history_clear (DetourHistory *self)
{
  g_free (self->seconds.notes);
  g_free (self->minutes.notes);
}

DetourHistory *
detour_history_new (gint64 now_us, const DetourStats *now)
{
  DetourHistory *self = g_new0 (DetourHistory, 1);

  history_init (self);
  history_line_note (&self->seconds, now_us, now);
  history_line_note (&self->minutes, now_us, now);
  return self;
}

void
detour_history_free (DetourHistory *self)
{
  history_clear (self);
  g_free (self);
}

void
detour_history_note (DetourHistory *self, gint64 now_us, const DetourStats *now)
{
  history_line_note (&self->seconds, now_us, now);
  /* Timers fire late, so a note may come half a step early: otherwise every seventh step, and not
   * every sixth, would make a note. */
  if (now_us - history_line_nth_newest (&self->minutes, 0)->at_us
      >= self->minutes.step_us - self->seconds.step_us / 2)
    history_line_note (&self->minutes, now_us, now);
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

  for (guint i = 0; i < G_N_ELEMENTS (totals); i++)
    {
      guint64 then = *history_total (&note->totals, i), value = *history_total (now, i);

      G_STRUCT_MEMBER (guint64, growth, totals[i]) = value > then ? value - then : 0;
    }
  return MAX (now_us - note->at_us, 1);
}

/* Another program's notes ---------------------------------------------------------------------- */

static void
history_line_write (const Line *self, DetourRecord *out, guint16 tag)
{
  for (guint i = self->n; i-- > 0;)
    {
      const Note *note = history_line_nth_newest (self, i);
      gsize mark = detour_record_begin (out, tag);

      detour_record_put_number (out, TAG_AT, (guint64) note->at_us);
      for (guint j = 0; j < G_N_ELEMENTS (totals); j++)
        detour_record_put_number (out, (guint16) (TAG_TOTALS + j),
                                  *history_total (&note->totals, j));
      detour_record_end (out, mark);
    }
}

void
detour_history_write (const DetourHistory *self, DetourRecord *out, guint16 tag)
{
  gsize mark = detour_record_begin (out, tag);

  history_line_write (&self->seconds, out, TAG_SECONDS);
  history_line_write (&self->minutes, out, TAG_MINUTES);
  detour_record_end (out, mark);
}

static gboolean
history_take_fact (const DetourRecordItem *item, gpointer user)
{
  Note *note = user;

  if (item->tag == TAG_AT)
    return detour_record_time (item, &note->at_us);
  if (item->tag >= TAG_TOTALS && item->tag < TAG_TOTALS + G_N_ELEMENTS (totals))
    return detour_record_number (
        item, G_MAXUINT64,
        &G_STRUCT_MEMBER (guint64, &note->totals, totals[item->tag - TAG_TOTALS]));
  return (item->tag & DETOUR_RECORD_MUST) == 0;
}

/* Notes come in the order in which they were made. */
static gboolean
history_take_note (Line *line, const DetourRecordItem *item, gint64 now_us)
{
  Note note = { 0 };

  if (!detour_record_take_inside (item, history_take_fact, &note) || note.at_us > now_us
      || (line->n > 0 && note.at_us < history_line_nth_newest (line, 0)->at_us))
    return FALSE;
  history_line_note (line, note.at_us, &note.totals);
  return TRUE;
}

gboolean
detour_history_read (DetourHistory *self, const DetourRecordItem *item, gint64 now_us)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourHistory before = { 0 };
  DetourRecordItem inner;
  DetourRecordStep step;

  history_init (&before);
  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    if ((inner.tag == TAG_SECONDS && !history_take_note (&before.seconds, &inner, now_us))
        || (inner.tag == TAG_MINUTES && !history_take_note (&before.minutes, &inner, now_us)))
      break;
  if (step != DETOUR_RECORD_END || before.seconds.n == 0 || before.minutes.n == 0)
    {
      history_clear (&before);
      return FALSE;
    }
  history_clear (self);
  *self = before;
  return TRUE;
}
