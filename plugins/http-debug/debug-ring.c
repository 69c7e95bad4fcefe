/* debug-ring.c: what the relay did in the last hour and the last day, in a room of a fixed size.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-ring.h"

#include <math.h>
#include <string.h>

/* What a frozen ring begins with; another form gets another number. */
#define FORM "debug-ring 1\n"

/* The values of one step. Single precision is more than a picture can show. */
typedef float Step[DEBUG_N_SERIES];

struct _DebugRing {
  Step hour[DEBUG_RING_HOUR_N];
  Step day[DEBUG_RING_DAY_N];
  guint next[DEBUG_N_SPANS], n[DEBUG_N_SPANS];

  guint64 last[DEBUG_N_SERIES]; /* totals */
  gint64 last_us;               /* 0: there was none */
  double sums[DEBUG_N_SERIES];  /* of the steps of a value of the day that is not complete */
  guint n_steps;
};

DebugRing *
debug_ring_new (void)
{
  return g_new0 (DebugRing, 1);
}

void
debug_ring_free (DebugRing *self)
{
  g_free (self);
}

guint
debug_ring_capacity (DebugSpan span)
{
  return span == DEBUG_SPAN_HOUR ? DEBUG_RING_HOUR_N : DEBUG_RING_DAY_N;
}

static gboolean
debug_ring_is_total (DebugSeries series)
{
  return series < DEBUG_SERIES_CLIENTS;
}

/* What is written next begins a new step. */
static void
debug_ring_end_step (DebugRing *self, DebugSpan span)
{
  guint capacity = debug_ring_capacity (span);

  self->next[span] = (self->next[span] + 1) % capacity;
  self->n[span] = MIN (self->n[span] + 1, capacity);
}

static void
debug_ring_end_day_step (DebugRing *self)
{
  float *out = self->day[self->next[DEBUG_SPAN_DAY]];

  for (guint i = 0; i < DEBUG_N_SERIES; i++)
    out[i] = (float) (debug_ring_is_total (i) ? self->sums[i] / self->n_steps : self->sums[i]);
  debug_ring_end_step (self, DEBUG_SPAN_DAY);
  self->n_steps = 0;
  memset (self->sums, 0, sizeof self->sums);
}

void
debug_ring_note (DebugRing *self, gint64 now_us, const guint64 values[DEBUG_N_SERIES])
{
  double seconds = (double) (now_us - self->last_us) / G_USEC_PER_SEC;
  float *out = self->hour[self->next[DEBUG_SPAN_HOUR]];

  if (self->last_us != 0 && now_us > self->last_us)
    {
      for (guint i = 0; i < DEBUG_N_SERIES; i++)
        {
          /* A total that is smaller than before began anew. */
          guint64 grown = values[i] >= self->last[i] ? values[i] - self->last[i] : 0;
          double value = debug_ring_is_total (i) ? (double) grown / seconds : (double) values[i];

          out[i] = (float) value;
          self->sums[i] = debug_ring_is_total (i) ? self->sums[i] + value
                                                  : MAX (self->sums[i], value);
        }
      debug_ring_end_step (self, DEBUG_SPAN_HOUR);
      if (++self->n_steps == DEBUG_RING_DAY_STEPS)
        debug_ring_end_day_step (self);
    }
  memcpy (self->last, values, sizeof self->last);
  self->last_us = now_us;
}

/* @i: 0: the oldest. Returns: a Step. */
static const float *
debug_ring_nth (const DebugRing *self, DebugSpan span, guint i)
{
  const Step *steps = span == DEBUG_SPAN_HOUR ? self->hour : self->day;
  guint capacity = debug_ring_capacity (span);

  return steps[(self->next[span] + capacity - self->n[span] + i) % capacity];
}

void
debug_ring_view (const DebugRing *self, DebugSeries series, DebugSpan span, DebugRingView *view)
{
  view->n = self->n[span];
  for (guint i = 0; i < view->n; i++)
    view->values[i] = (double) debug_ring_nth (self, span, i)[series];
}

/* Another program's ring ----------------------------------------------------------------------- */

/* What is there besides the steps, which follow, the oldest first: of the hour, then of the day.
 * The reader is a program for the same machine. */
typedef struct {
  char form[16];
  guint64 last[DEBUG_N_SERIES];
  gint64 last_us;
  double sums[DEBUG_N_SERIES];
  guint32 n[DEBUG_N_SPANS];
  guint32 n_steps;
  guint32 reserved;
} Frozen;

GBytes *
debug_ring_freeze (const DebugRing *self)
{
  Frozen head = { .form = FORM,
                  .last_us = self->last_us,
                  .n = { self->n[DEBUG_SPAN_HOUR], self->n[DEBUG_SPAN_DAY] },
                  .n_steps = self->n_steps };
  GByteArray *out = g_byte_array_new ();

  memcpy (head.last, self->last, sizeof head.last);
  memcpy (head.sums, self->sums, sizeof head.sums);
  g_byte_array_append (out, (const guint8 *) &head, sizeof head);
  for (guint span = 0; span < DEBUG_N_SPANS; span++)
    for (guint i = 0; i < self->n[span]; i++)
      g_byte_array_append (out, (const guint8 *) debug_ring_nth (self, span, i), sizeof (Step));
  return g_byte_array_free_to_bytes (out);
}

static gboolean
debug_ring_is_whole (const Frozen *head, gsize len)
{
  if (memcmp (head->form, FORM, sizeof FORM) != 0 || head->last_us < 0
      || head->n[DEBUG_SPAN_HOUR] > DEBUG_RING_HOUR_N || head->n[DEBUG_SPAN_DAY] > DEBUG_RING_DAY_N
      || head->n_steps >= DEBUG_RING_DAY_STEPS)
    return FALSE;
  return len == (head->n[DEBUG_SPAN_HOUR] + head->n[DEBUG_SPAN_DAY]) * sizeof (Step);
}

static gboolean
debug_ring_are_values (const float *values, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (!isfinite (values[i]) || values[i] < 0)
      return FALSE;
  return TRUE;
}

static gboolean
debug_ring_are_sums (const Frozen *head)
{
  for (guint i = 0; i < DEBUG_N_SERIES; i++)
    if (!isfinite (head->sums[i]) || head->sums[i] < 0)
      return FALSE;
  return TRUE;
}

gboolean
debug_ring_thaw (DebugRing *self, const guint8 *frozen, gsize len)
{
  g_autofree DebugRing *before = g_new0 (DebugRing, 1);
  gsize n_hour;
  Frozen head;

  if (len < sizeof head)
    return FALSE;
  memcpy (&head, frozen, sizeof head);
  frozen += sizeof head;
  if (!debug_ring_is_whole (&head, len - sizeof head) || !debug_ring_are_sums (&head))
    return FALSE;
  n_hour = head.n[DEBUG_SPAN_HOUR] * sizeof (Step);
  memcpy (before->hour, frozen, n_hour);
  memcpy (before->day, frozen + n_hour, head.n[DEBUG_SPAN_DAY] * sizeof (Step));
  if (!debug_ring_are_values (before->hour[0], head.n[DEBUG_SPAN_HOUR] * DEBUG_N_SERIES)
      || !debug_ring_are_values (before->day[0], head.n[DEBUG_SPAN_DAY] * DEBUG_N_SERIES))
    return FALSE;
  for (guint span = 0; span < DEBUG_N_SPANS; span++)
    {
      before->n[span] = head.n[span];
      before->next[span] = head.n[span] % debug_ring_capacity (span);
    }
  memcpy (before->last, head.last, sizeof head.last);
  memcpy (before->sums, head.sums, sizeof head.sums);
  before->last_us = head.last_us;
  before->n_steps = head.n_steps;
  *self = *before;
  return TRUE;
}
