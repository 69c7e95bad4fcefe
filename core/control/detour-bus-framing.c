/* detour-bus-framing.c: where D-Bus messages begin and end in a stream of bytes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-bus-framing.h"

#include <string.h>

#define AT_BODY_SIZE   4u
#define AT_FIELDS_SIZE 12u

static guint32
bus_framing_number (const DetourBusFraming *self, guint at)
{
  guint32 number;

  memcpy (&number, self->head + at, sizeof number);
  return self->head[0] == 'l' ? GUINT32_FROM_LE (number) : GUINT32_FROM_BE (number);
}

guint64
detour_bus_framing_size (const DetourBusFraming *self)
{
  guint64 fields = bus_framing_number (self, AT_FIELDS_SIZE);

  /* The body begins at a multiple of eight. */
  return DETOUR_BUS_HEAD_SIZE + (fields + 7) / 8 * 8 + bus_framing_number (self, AT_BODY_SIZE);
}

guint64
detour_bus_framing_wants (const DetourBusFraming *self)
{
  return self->n_head < DETOUR_BUS_HEAD_SIZE ? DETOUR_BUS_HEAD_SIZE - self->n_head : self->n_rest;
}

static DetourBusEvent
bus_framing_end_head (DetourBusFraming *self)
{
  if (self->head[0] != 'l' && self->head[0] != 'B')
    return DETOUR_BUS_BAD;
  self->n_rest = detour_bus_framing_size (self) - DETOUR_BUS_HEAD_SIZE;
  /* A message without a header field cannot be: it would have no path and no serial. */
  return self->n_rest > 0 ? DETOUR_BUS_HEAD : DETOUR_BUS_BAD;
}

gsize
detour_bus_framing_take (DetourBusFraming *self, const guint8 *bytes, gsize len,
                         DetourBusEvent *event)
{
  gsize n = (gsize) MIN (len, detour_bus_framing_wants (self));

  *event = DETOUR_BUS_NOTHING;
  if (self->n_head < DETOUR_BUS_HEAD_SIZE)
    {
      memcpy (self->head + self->n_head, bytes, n);
      self->n_head += (guint) n;
      if (self->n_head == DETOUR_BUS_HEAD_SIZE)
        *event = bus_framing_end_head (self);
      return n;
    }
  self->n_rest -= n;
  if (self->n_rest == 0)
    {
      self->n_head = 0;
      *event = DETOUR_BUS_END;
    }
  return n;
}
