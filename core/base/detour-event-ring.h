/* detour-event-ring.h: the latest records of varying length in memory of a bounded size.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A new record takes the room of the oldest ones. Records are found by their place, which only
 * grows, so that a place that was kept tells by itself whether its record is still there. No lock
 * and no clock; detour-events.h has both. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint8 *data;
  gsize cap;
  guint64 begin; /* place of the oldest record */
  guint64 end;   /* behind the latest one */
} DetourEventRing;

/* @cap: bytes, a multiple of 8. Memory is taken as records come, until the ring is full. */
void detour_event_ring_init (DetourEventRing *self, gsize cap);
void detour_event_ring_clear (DetourEventRing *self);

/* Room for a record of @size bytes, 1 to a quarter of the ring, aligned to 8 bytes. @place: (out).
 * What it says of itself is the caller's. */
gpointer detour_event_ring_add (DetourEventRing *self, gsize size, guint64 *place);

/* The record at @place; NULL: it was overwritten. */
gpointer detour_event_ring_get (const DetourEventRing *self, guint64 place);
/* Whether the record at @place is in the newer half, and so will stay for a while. */
gboolean detour_event_ring_is_recent (const DetourEventRing *self, guint64 place);

/* The oldest record, and the one behind that at *@place; NULL: there is none. *@place becomes its
 * place. */
gpointer detour_event_ring_first (const DetourEventRing *self, guint64 *place);
gpointer detour_event_ring_after (const DetourEventRing *self, guint64 *place);

G_END_DECLS
