/* detour-server-left.h: connections that have not logged in go from one program to the next, as far
 * as they can.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-handover.h"
#include "detour-server.h"

G_BEGIN_DECLS

/* What the new program has read, until it may be touched. */
typedef struct {
  GArray *stragglers; /* of DetourHandshakeLeft: to be closed */
  GArray *unheard;    /* likewise: nothing was read of them, and they begin anew */
} DetourServerLeft;

void detour_server_left_init (DetourServerLeft *self);
void detour_server_left_clear (DetourServerLeft *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourServerLeft, detour_server_left_clear)

/* All stand still. @n_unfinished: (out): without those that are held */
gboolean detour_server_left_write (const DetourServer *self, DetourHandoverDraft *draft,
                                   guint *n_unfinished, GError **error);
/* @item: any of the record */
void detour_server_left_read (DetourServerLeft *self, const DetourServer *server,
                              DetourHandover *handover, const DetourRecordItem *item);
/* The descriptor at @place is closed at some moment, or at @held_until_us. Returns: it; -1: it is
 * not there. */
int detour_server_left_behind (DetourServerLeft *self, DetourHandover *handover, guint32 place,
                               gint64 held_until_us);
/* Once they are this program's: all of them. */
void detour_server_left_go_on (DetourServer *server, const DetourServerLeft *self);

G_END_DECLS
