/* detour-event-ring.c: the latest records of varying length in memory of a bounded size.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-event-ring.h"

#include "detour-lazy.h"

/* Before each record. */
typedef struct {
  guint32 size;     /* with this header, a multiple of 8 */
  gboolean is_room; /* at the end of the memory, where the next record did not fit */
} Header;

G_STATIC_ASSERT (sizeof (Header) == 8);

void
detour_event_ring_init (DetourEventRing *self, gsize cap)
{
  g_assert (cap >= 64 && cap % 8 == 0 && cap <= G_MAXUINT32);
  *self = (DetourEventRing) { .data = detour_lazy_new (cap), .cap = cap };
}

void
detour_event_ring_clear (DetourEventRing *self)
{
  detour_lazy_free (self->data, self->cap);
  *self = (DetourEventRing) { NULL };
}

static Header *
event_ring_header (const DetourEventRing *self, guint64 place)
{
  return (Header *) (gpointer) (self->data + place % self->cap);
}

/* Takes the oldest ones out until @size bytes are free. */
static void
event_ring_make_room (DetourEventRing *self, gsize size)
{
  while (self->end + size - self->begin > self->cap)
    self->begin += event_ring_header (self, self->begin)->size;
}

static Header *
event_ring_put (DetourEventRing *self, gsize size, gboolean is_room)
{
  Header *header;

  event_ring_make_room (self, size);
  header = event_ring_header (self, self->end);
  *header = (Header) { (guint32) size, is_room };
  self->end += size;
  return header;
}

gpointer
detour_event_ring_add (DetourEventRing *self, gsize size, guint64 *place)
{
  gsize left = self->cap - self->end % self->cap;

  size = (size + sizeof (Header) + 7) & ~(gsize) 7;
  g_assert (size <= self->cap / 4);
  if (left < size)
    event_ring_put (self, left, TRUE);
  *place = self->end;
  return event_ring_put (self, size, FALSE) + 1;
}

gpointer
detour_event_ring_get (const DetourEventRing *self, guint64 place)
{
  return place >= self->begin && place < self->end ? event_ring_header (self, place) + 1 : NULL;
}

gboolean
detour_event_ring_is_recent (const DetourEventRing *self, guint64 place)
{
  return self->end - place <= self->cap / 2;
}

static gpointer
event_ring_from (const DetourEventRing *self, guint64 *place)
{
  while (*place < self->end)
    {
      Header *header = event_ring_header (self, *place);

      if (!header->is_room)
        return header + 1;
      *place += header->size;
    }
  return NULL;
}

gpointer
detour_event_ring_first (const DetourEventRing *self, guint64 *place)
{
  *place = self->begin;
  return event_ring_from (self, place);
}

gpointer
detour_event_ring_after (const DetourEventRing *self, guint64 *place)
{
  *place += event_ring_header (self, *place)->size;
  return event_ring_from (self, place);
}
