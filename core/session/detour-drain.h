/* detour-drain.h: when a relay that is taken out of service closes which connection.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client of Go keeps its home while a frame of the relay came in the last 8 s, or while the relay
 * answers when it connects again. So nobody is let in any more, and the clients that were sent
 * nothing for a while are closed first: they find another relay at once. Busy ones have most of the
 * time to become quiet. Other programs may stay away for long when their connection ends, and go
 * behind them; mesh connections are told of all who leave, and go last.
 *
 * Pure, except for what workers reserve. */
#pragma once

#include "detour-client-kind.h"
#include "detour-registry.h"

G_BEGIN_DECLS

/* A client of Go that was sent nothing for so long has no reason to keep its home: its 8 s, and one
 * for the way. */
#define DETOUR_DRAIN_QUIET_US (9 * G_USEC_PER_SEC)

/* Whose turn it is, in this order. */
typedef enum {
  DETOUR_DRAIN_QUIET, /* clients of Go that are sent nothing */
  DETOUR_DRAIN_BUSY,  /* clients of Go that are sent something all the time */
  DETOUR_DRAIN_OTHER, /* clients that are not Go's */
  DETOUR_DRAIN_MESH,  /* other servers, and only when no client is left */
  DETOUR_DRAIN_N_TURNS,
} DetourDrainTurn;

/* What workers need to know; copied by each. */
typedef struct {
  gint64 begin_us;                 /* monotonic */
  gint64 for_us;                   /* all are closed after so long; 0: at once */
  guint keep;                      /* nobody is closed any more when so many clients are left */
  guint32 salt;                    /* whatever was drawn for this drain: who is early in its turn */
  guint (*n_left) (gpointer user); /* clients of all workers; any thread */
  gpointer user;
  guint *n_reserved; /* of all workers; atomic */
} DetourDrainPlan;

/* @quiet_us: since the client was sent something; negative: nobody knows */
DetourDrainTurn detour_drain_turn (DetourClientKind kind, gboolean is_mesh, gint64 quiet_us);

/* When the connection with that number is closed if that is its turn, after the drain began. Those
 * of one turn are spread over its part of the time. */
gint64 detour_drain_due_us (const DetourDrainPlan *plan, DetourDrainTurn turn, guint64 number);

/* Any thread. TRUE: one client may be closed without fewer being left than are kept, whatever other
 * threads close meanwhile; detour_drain_release() when it is not counted any more, or stays after
 * all. */
gboolean detour_drain_reserve (const DetourDrainPlan *plan);
void detour_drain_release (const DetourDrainPlan *plan);

G_END_DECLS
