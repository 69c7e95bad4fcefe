/* detour-turns.h: a queue in which client addresses take turns.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The addresses have one turn each, again and again; of one address, the member that came first
 * goes first. Not thread-safe. */
#pragma once

#include "detour-address-key.h"

G_BEGIN_DECLS

typedef struct _DetourTurns DetourTurns;

/* Embedded in a member; all zero: not in the queue. */
typedef struct {
  GList link;
  gpointer address; /* the queue's own */
} DetourTurn;

DetourTurns *detour_turns_new (void);
/* @self has no members. */
void detour_turns_free (DetourTurns *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourTurns, detour_turns_free)

void detour_turns_push (DetourTurns *self, DetourTurn *turn, const DetourAddressKey *key,
                        gpointer member);
/* Takes out the member whose turn it is; NULL when there is none. */
gpointer detour_turns_pop (DetourTurns *self);
/* Does nothing when @turn is not in the queue. */
void detour_turns_remove (DetourTurns *self, DetourTurn *turn);
/* The number of members. */
guint detour_turns_length (const DetourTurns *self);

G_END_DECLS
