/* detour-control-private.h: the state that all D-Bus interfaces of the daemon share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-bus.h"
#include "detour-client-list.h"
#include "detour-control-socket.h"
#include "detour-control.h"
#include "detour-history.h"
#include "detour-tree.h"

G_BEGIN_DECLS

/* Values of properties that are read together, once for each answer. */
typedef struct {
  DetourStats totals;
  DetourRegistryStats registry;
  guint64 n_half_open, n_waiting, n_held;
  gint64 now_us; /* monotonic */
} DetourControlReading;

struct _DetourControl {
  DetourControlParts parts;
  DetourTree *tree;
  DetourControlSocket *socket; /* NULL: there is none */
  DetourBus *bus;              /* NULL: the configuration wants none */
  DetourHistory *history;
  guint history_timer;
  DetourClientList *clients;
  DetourControlReading reading;
  char *hostname; /* the one of the start, since a change needs a restart; NULL: not configured */
  gint64 start_real_us;
  gint64 start_us; /* monotonic */
};

/* Of the root object, whose self is the DetourControl. */
extern const DetourTreeInterface detour_control_manager_interface;

/* Add the objects of a folder. */
void detour_control_list_plugins (DetourControl *self, GPtrArray *nodes);
void detour_control_list_listeners (DetourControl *self, GPtrArray *nodes);
void detour_control_list_certificates (DetourControl *self, GPtrArray *nodes);

G_END_DECLS
