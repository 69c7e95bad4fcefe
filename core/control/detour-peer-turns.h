/* detour-peer-turns.h: how many calls of the control socket the main thread has at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Of all peers together there are four; the others have their turn in the order in which their
 * calls were complete. So one turn of the main loop is short, however many peers there are. Any
 * thread. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DETOUR_PEER_TURNS_MAX 4u

typedef struct _DetourPeerTurns DetourPeerTurns;

/* Of one peer; embedded in what belongs to it. All zero but @granted at first. */
typedef struct _DetourPeerTurn DetourPeerTurn;
struct _DetourPeerTurn {
  /* It has waited and may go on. On the thread of the peer that gives its turn; must not call
   * anything here. */
  void (*granted) (DetourPeerTurn *self);
  gboolean is_taken; /* under the lock */
  int is_waiting;    /* atomic; written under the lock */
};

DetourPeerTurns *detour_peer_turns_new (void);
DetourPeerTurns *detour_peer_turns_ref (DetourPeerTurns *self);
void detour_peer_turns_unref (DetourPeerTurns *self);

/* TRUE: it is its turn. FALSE: it waits, and granted() will be called. */
gboolean detour_peer_turns_take (DetourPeerTurns *self, DetourPeerTurn *turn)
    G_GNUC_WARN_UNUSED_RESULT;
/* Its turn is over, or it waits no longer. Nothing happens when neither is the case. */
void detour_peer_turns_give (DetourPeerTurns *self, DetourPeerTurn *turn);

gboolean detour_peer_turn_is_waiting (const DetourPeerTurn *self);

G_END_DECLS
