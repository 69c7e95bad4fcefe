/* detour-bus.h: the daemon's connection to a message bus, which may be started later, end, and
 * be started again.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-tree.h"

G_BEGIN_DECLS

typedef struct _DetourBus DetourBus;

typedef enum {
  DETOUR_BUS_AUTO, /* the system bus; its absence is not worth a warning */
  DETOUR_BUS_SYSTEM,
  DETOUR_BUS_SESSION,
} DetourBusKind;

/* Never fails. While there is no bus, it is looked for again: after a second at first, and every
 * minute in the end. */
DetourBus *detour_bus_new (DetourBusKind kind, DetourTree *tree);
void detour_bus_free (DetourBus *self);

/* If the name is not ours, asks for it now: something may have changed, such as the bus's policy.
 */
void detour_bus_ask_again (DetourBus *self);

G_END_DECLS
