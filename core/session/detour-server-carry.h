/* detour-server-carry.h: all connections of the relay go from one program to the next.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The old program: detour_server_hold_off(), some time for those who are about to log in,
 * detour_server_pause(), detour_server_write_down(), and then either the other program or
 * detour_server_resume(), after which all is as before. Between pause and resume nothing is read,
 * sealed or sent.
 *
 * The new one: detour_server_expect() before anything listens, and detour_server_take_over() when
 * the transports run. All on the main thread. */
#pragma once

#include "detour-channel-table.h"
#include "detour-handover.h"
#include "detour-server.h"

G_BEGIN_DECLS

/* All zero to begin with. */
typedef struct {
  GPtrArray *sessions;   /* of DetourSession */
  gboolean same_process; /* of the other program: it goes on with what the kernel watches here */
  gint64 since_us;
  DetourRegistryStats registry; /* before anything was taken apart */
  guint n_kept, n_lost;         /* clients that are written down, and sessions that cannot be */
  guint n_links;                /* of the mesh, written down */
  guint n_unfinished;           /* connections that have not logged in, without those held */
} DetourServerPause;

/* For a rehearsal: one record layer of each kind, and how many connections there are that could go
 * along or could not. */
void detour_server_write_samples (DetourServer *self, DetourHandoverDraft *draft,
                                  DetourServerPause *counts);
/* In the other program. FALSE with @reason, static: it could not go on with one of them. */
gboolean detour_server_try_samples (const DetourHandover *handover,
                                    const DetourChannelTable *channels, const char **reason);

/* Accepts nobody; those who come wait in the kernel, also at listeners that are opened meanwhile.
 */
void detour_server_hold_off (DetourServer *self);
void detour_server_accept_again (DetourServer *self);

/* Writes bans, and what was used of quotas. FALSE with @error: another program would not know them
 * all. */
gboolean detour_server_flush (DetourServer *self, GError **error);

void detour_server_pause (DetourServer *self, DetourServerPause *pause);
/* Connections, listeners and counters. FALSE: there is no memory, or another program has taken an
 * address. */
gboolean detour_server_write_down (DetourServer *self, DetourServerPause *pause,
                                   DetourHandoverDraft *draft, GError **error);
void detour_server_resume (DetourServer *self, DetourServerPause *pause);

/* Nothing moves, and listeners of the same address get the sockets of @handover. */
void detour_server_expect (DetourServer *self, DetourHandover *handover);

typedef struct {
  guint n_kept;       /* clients */
  guint n_links;      /* of the mesh */
  guint n_lost;       /* with those that the program before knew of */
  guint n_unfinished; /* connections that had not logged in, and cannot do that any more */
  gint64 paused_us;
} DetourTakeover;

/* Everything goes on. The record of @handover is forgotten, and what nobody took is closed.
 * @commit: (nullable): called when all is there and before anything is sealed. FALSE: it did not
 * want that, and nothing may be done with what was read any more. */
gboolean detour_server_take_over (DetourServer *self, DetourHandover *handover,
                                  gboolean (*commit) (gpointer user), gpointer user,
                                  DetourTakeover *result);

G_END_DECLS
