/* detour-bus.h: the daemon's presence on a message bus, which may come late, vanish, and come
 * back.
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

/* Never fails: what is not there is looked for again, after a second at first and every minute in
 * the end. */
DetourBus *detour_bus_new (DetourBusKind kind, DetourTree *tree);
void detour_bus_free (DetourBus *self);

G_END_DECLS
