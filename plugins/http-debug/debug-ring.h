/* debug-ring.h: what the relay did in the last hour and the last day, in a room of a fixed size.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The clock comes from outside. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  DEBUG_SERIES_BYTES_IN, /* this one and the next three: totals, shown as so much a second */
  DEBUG_SERIES_BYTES_OUT,
  DEBUG_SERIES_DROPS,
  DEBUG_SERIES_LOGINS,
  DEBUG_SERIES_CLIENTS, /* this one and the next: as it was, the largest of a span */
  DEBUG_SERIES_MEMORY,
  DEBUG_N_SERIES,
} DebugSeries;

typedef enum {
  DEBUG_SPAN_HOUR, /* a value for each 10 s */
  DEBUG_SPAN_DAY,  /* for each 5 min */
  DEBUG_N_SPANS,
} DebugSpan;

#define DEBUG_RING_HOUR_N    360u
#define DEBUG_RING_DAY_N     288u
#define DEBUG_RING_STEP_US   (10 * G_USEC_PER_SEC)
#define DEBUG_RING_DAY_STEPS 30u

typedef struct _DebugRing DebugRing;

DebugRing *debug_ring_new (void);
void debug_ring_free (DebugRing *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DebugRing, debug_ring_free)

/* To be called every DEBUG_RING_STEP_US; a call that comes late makes a step longer. @values:
 * totals and present values, by DebugSeries. */
void debug_ring_note (DebugRing *self, gint64 now_us, const guint64 values[DEBUG_N_SERIES]);

/* All of it in one piece, for another version of this program. */
GBytes *debug_ring_freeze (const DebugRing *self);
/* Goes on with that; the same monotonic clock is asked. FALSE: it is damaged, or of another form,
 * and nothing has changed. */
gboolean debug_ring_thaw (DebugRing *self, const guint8 *frozen, gsize len)
    G_GNUC_WARN_UNUSED_RESULT;

/* Values of a span, the oldest first: for totals so many a second. */
typedef struct {
  guint n;
  double values[DEBUG_RING_HOUR_N]; /* the longer one */
} DebugRingView;

guint debug_ring_capacity (DebugSpan span);
void debug_ring_view (const DebugRing *self, DebugSeries series, DebugSpan span,
                      DebugRingView *view);

G_END_DECLS
