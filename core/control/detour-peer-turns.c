/* detour-peer-turns.c: how many calls of the control socket the main thread has at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-peer-turns.h"

struct _DetourPeerTurns {
  GMutex lock;
  guint n_taken;  /* under the lock */
  GQueue waiting; /* of DetourPeerTurn; under the lock */
};

DetourPeerTurns *
detour_peer_turns_new (void)
{
  DetourPeerTurns *self = g_atomic_rc_box_new0 (DetourPeerTurns);

  g_mutex_init (&self->lock);
  g_queue_init (&self->waiting);
  return self;
}

DetourPeerTurns *
detour_peer_turns_ref (DetourPeerTurns *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
peer_turns_clear (gpointer data)
{
  g_mutex_clear (&((DetourPeerTurns *) data)->lock);
}

void
detour_peer_turns_unref (DetourPeerTurns *self)
{
  g_atomic_rc_box_release_full (self, peer_turns_clear);
}

static void
peer_turns_set_waiting (DetourPeerTurn *turn, gboolean is_waiting)
{
  __atomic_store_n (&turn->is_waiting, is_waiting, __ATOMIC_RELEASE);
}

gboolean
detour_peer_turn_is_waiting (const DetourPeerTurn *self)
{
  return __atomic_load_n (&self->is_waiting, __ATOMIC_ACQUIRE);
}

gboolean
detour_peer_turns_take (DetourPeerTurns *self, DetourPeerTurn *turn)
{
  gboolean is_taken;

  g_mutex_lock (&self->lock);
  if (!turn->is_taken && self->n_taken < DETOUR_PEER_TURNS_MAX)
    {
      self->n_taken++;
      turn->is_taken = TRUE;
    }
  else if (!turn->is_taken && !turn->is_waiting)
    {
      peer_turns_set_waiting (turn, TRUE);
      g_queue_push_tail (&self->waiting, turn);
    }
  is_taken = turn->is_taken;
  g_mutex_unlock (&self->lock);
  return is_taken;
}

/* Under the lock: a turn is free. */
static void
peer_turns_pass_on (DetourPeerTurns *self)
{
  DetourPeerTurn *next = g_queue_pop_head (&self->waiting);

  if (next == NULL)
    {
      self->n_taken--;
      return;
    }
  next->is_taken = TRUE;
  peer_turns_set_waiting (next, FALSE);
  next->granted (next);
}

void
detour_peer_turns_give (DetourPeerTurns *self, DetourPeerTurn *turn)
{
  g_mutex_lock (&self->lock);
  if (turn->is_waiting)
    {
      g_queue_remove (&self->waiting, turn);
      peer_turns_set_waiting (turn, FALSE);
    }
  if (turn->is_taken)
    {
      turn->is_taken = FALSE;
      peer_turns_pass_on (self);
    }
  g_mutex_unlock (&self->lock);
}
