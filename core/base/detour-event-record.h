/* detour-event-record.h: events of the past written down for another program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-events.h"
#include "detour-record.h"

G_BEGIN_DECLS

/* One item. */
void detour_event_record_write (const DetourEvent *event, DetourRecord *out, guint16 tag);
/* Adds it to the memory of this process, as it was. FALSE: it is damaged, or of a kind that is
 * unknown here, and nothing was added. Any thread. */
gboolean detour_event_record_read (const DetourRecordItem *item);

G_END_DECLS
