/* test-peer-turns.c: tests of whose call the main thread has.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-peer-turns.h"

#define N 8u

typedef struct {
  DetourPeerTurn turn;
  guint n_granted;
} Peer;

static void
test_granted (DetourPeerTurn *turn)
{
  ((Peer *) turn)->n_granted++;
}

/* @peers: all that there are turns for have theirs, and the others wait in their order. */
static DetourPeerTurns *
test_crowd (Peer *peers)
{
  DetourPeerTurns *turns = detour_peer_turns_new ();

  for (guint i = 0; i < N; i++)
    {
      peers[i] = (Peer) { .turn.granted = test_granted };
      g_assert_cmpint (detour_peer_turns_take (turns, &peers[i].turn), ==,
                       i < DETOUR_PEER_TURNS_MAX);
    }
  return turns;
}

static void
test_order (void)
{
  Peer peers[N];
  DetourPeerTurns *turns = test_crowd (peers);

  for (guint i = 0; i < N; i++)
    {
      detour_peer_turns_give (turns, &peers[i].turn);
      for (guint k = 0; k < N; k++)
        g_assert_cmpuint (peers[k].n_granted, ==,
                          k >= DETOUR_PEER_TURNS_MAX && k <= i + DETOUR_PEER_TURNS_MAX);
    }
  detour_peer_turns_unref (turns);
}

static void
test_asking_again (void)
{
  Peer peers[N];
  DetourPeerTurns *turns = test_crowd (peers);

  /* Who has it keeps it, and who waits does so once. */
  g_assert_true (detour_peer_turns_take (turns, &peers[0].turn));
  g_assert_false (detour_peer_turns_take (turns, &peers[N - 1].turn));
  detour_peer_turns_give (turns, &peers[N - 1].turn);
  for (guint i = 0; i < N; i++)
    detour_peer_turns_give (turns, &peers[i].turn);
  g_assert_cmpuint (peers[N - 1].n_granted, ==, 0);
  /* All turns are free again, and giving back none makes none. */
  detour_peer_turns_give (turns, &peers[0].turn);
  for (guint i = 0; i < N; i++)
    g_assert_cmpint (detour_peer_turns_take (turns, &peers[i].turn), ==, i < DETOUR_PEER_TURNS_MAX);
  detour_peer_turns_unref (turns);
}

static void
test_who_leaves_while_waiting (void)
{
  Peer peers[N];
  DetourPeerTurns *turns = test_crowd (peers);

  detour_peer_turns_give (turns, &peers[DETOUR_PEER_TURNS_MAX].turn);
  g_assert_false (detour_peer_turn_is_waiting (&peers[DETOUR_PEER_TURNS_MAX].turn));
  detour_peer_turns_give (turns, &peers[0].turn);
  g_assert_cmpuint (peers[DETOUR_PEER_TURNS_MAX].n_granted, ==, 0);
  g_assert_cmpuint (peers[DETOUR_PEER_TURNS_MAX + 1].n_granted, ==, 1);
  detour_peer_turns_unref (turns);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/peer-turns/in-order", test_order);
  g_test_add_func ("/peer-turns/asking-again", test_asking_again);
  g_test_add_func ("/peer-turns/leaving-while-waiting", test_who_leaves_while_waiting);
  return g_test_run ();
}
