/* detour-by-hand.h: what an operator has set by hand in a running daemon, written down for the
 * program that takes its place.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-handover.h"
#include "detour-server.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct {
  char *announcement;       /* NULL: none */
  GLogLevelFlags log_level; /* of all logs; 0: each has its own */
  GPtrArray *started;       /* of char *: ids of instances that run, although they are disabled */
  GPtrArray *stopped;       /* the other way round */
  gboolean is_draining;
  DetourServerDrain drain;
  gboolean ends_when_drained;
} DetourByHand;

void detour_by_hand_init (DetourByHand *self);
void detour_by_hand_clear (DetourByHand *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourByHand, detour_by_hand_clear)

/* All but `ends_when_drained`, which the main program knows. @self: as after init */
void detour_by_hand_look (DetourByHand *self, DetourServer *server, const DetourRoster *roster);

void detour_by_hand_write (const DetourByHand *self, DetourRecord *out);
/* @self: as after init, and so again when @item is damaged, which gives FALSE */
gboolean detour_by_hand_read (DetourByHand *self, const DetourRecordItem *item);

/* Before the instances of @roster start, and before clients come to @server. */
void detour_by_hand_apply (const DetourByHand *self, DetourServer *server, DetourRoster *roster);

G_END_DECLS
