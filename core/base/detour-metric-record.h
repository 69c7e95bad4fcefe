/* detour-metric-record.h: counters of a table written down for another program, which counts on.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each goes by its name and its labels, so that another version may have more of them, or fewer. */
#pragma once

#include "detour-metric.h"
#include "detour-record.h"

G_BEGIN_DECLS

/* One item with all of @table that are not zero, each the sum over @structs; what is a number of
 * now, such as clients, is left out. Any thread. */
void detour_metric_record_write (DetourRecord *out, guint16 tag, const DetourMetricRow *table,
                                 gconstpointer const *structs, guint n);
/* Adds them to @counters, a struct of @table. Unknown ones are left out. The thread that counts
 * there. */
void detour_metric_record_read (const DetourRecordItem *item, const DetourMetricRow *table,
                                gpointer counters);

G_END_DECLS
