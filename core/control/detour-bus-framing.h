/* detour-bus-framing.h: where D-Bus messages begin and end in a stream of bytes.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Only the first 16 bytes of a message are looked at. Pure. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DETOUR_BUS_HEAD_SIZE 16u

/* First bytes of a message, by their place. */
#define DETOUR_BUS_AT_TYPE  1u
#define DETOUR_BUS_AT_FLAGS 2u

#define DETOUR_BUS_CALL              1u
#define DETOUR_BUS_RETURN            2u
#define DETOUR_BUS_ERROR             3u
#define DETOUR_BUS_NO_REPLY_EXPECTED 1u /* flag */

/* All zero before the first message. */
typedef struct {
  guint8 head[DETOUR_BUS_HEAD_SIZE];
  guint n_head;   /* bytes of the head that have come; 0: at the beginning of a message */
  guint64 n_rest; /* bytes behind the head that are to come */
} DetourBusFraming;

typedef enum {
  DETOUR_BUS_NOTHING, /* in the midst of a message */
  DETOUR_BUS_HEAD,    /* the head is complete */
  DETOUR_BUS_END,     /* a message is complete; head[] is still that of it */
  DETOUR_BUS_BAD,     /* this is no message */
} DetourBusEvent;

/* How many bytes take() uses at most before there is an event; 1 at least. */
guint64 detour_bus_framing_wants (const DetourBusFraming *self);

/* Takes some of @bytes, at least one of them, and not beyond an event; returns how many. */
gsize detour_bus_framing_take (DetourBusFraming *self, const guint8 *bytes, gsize len,
                               DetourBusEvent *event);

/* After HEAD: size of the message in bytes, the head included. */
guint64 detour_bus_framing_size (const DetourBusFraming *self);

G_END_DECLS
