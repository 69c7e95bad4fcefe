/* detour-history.h: how much the relay's totals grew in the last seconds, minute and hour.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-record.h"
#include "detour-stats.h"

G_BEGIN_DECLS

typedef struct _DetourHistory DetourHistory;

typedef enum {
  DETOUR_HISTORY_RECENT, /* 10 to 20 seconds */
  DETOUR_HISTORY_MINUTE, /* 60 to 70 seconds */
  DETOUR_HISTORY_HOUR,   /* 60 to 61 minutes */
} DetourHistorySpan;

/* How often a note is due. */
#define DETOUR_HISTORY_STEP_US (10 * G_USEC_PER_SEC)

/* Pure: the clock comes from outside, monotonic. */
DetourHistory *detour_history_new (gint64 now_us, const DetourStats *totals);
void detour_history_free (DetourHistory *self);

/* To be called every DETOUR_HISTORY_STEP_US. */
void detour_history_note (DetourHistory *self, gint64 now_us, const DetourStats *totals);

/* One item with all notes. */
void detour_history_write (const DetourHistory *self, DetourRecord *out, guint16 tag);
/* Goes on with the notes of such an item, of a program with the same clock and totals that went on.
 * FALSE: it is damaged, and nothing has changed. */
gboolean detour_history_read (DetourHistory *self, const DetourRecordItem *item, gint64 now_us);

/**
 * detour_history_growth:
 * @now: the totals at @now_us
 * @growth: (out): what was added since
 *
 * Returns: the length of the span in microseconds, at least 1; shorter than asked for while the
 * daemon is younger than that.
 */
gint64 detour_history_growth (const DetourHistory *self, DetourHistorySpan span, gint64 now_us,
                              const DetourStats *now, DetourStats *growth);

G_END_DECLS
