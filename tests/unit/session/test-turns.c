/* test-turns.c: a queue in which client addresses take turns.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-turns.h"

typedef struct {
  DetourTurn turn;
  char name;
} Member;

static void
push (DetourTurns *turns, Member *member, char name, guint64 address)
{
  DetourAddressKey key = { address, 0 };

  member->name = name;
  detour_turns_push (turns, &member->turn, &key, member);
}

static char *
pop_all (DetourTurns *turns)
{
  GString *order = g_string_new (NULL);
  Member *member;

  while ((member = detour_turns_pop (turns)) != NULL)
    g_string_append_c (order, member->name);
  return g_string_free (order, FALSE);
}

static void
test_addresses_take_turns (void)
{
  g_autoptr (DetourTurns) turns = detour_turns_new ();
  g_autofree char *order = NULL;
  Member members[7] = { 0 };

  for (guint i = 0; i < 4; i++)
    push (turns, &members[i], (char) ('a' + i), 1);
  push (turns, &members[4], 'A', 2);
  push (turns, &members[5], 'B', 2);
  push (turns, &members[6], '1', 3);
  g_assert_cmpuint (detour_turns_length (turns), ==, 7);
  order = pop_all (turns);
  g_assert_cmpstr (order, ==, "aA1bBcd");
  g_assert_cmpuint (detour_turns_length (turns), ==, 0);
}

static void
test_members_leave (void)
{
  g_autoptr (DetourTurns) turns = detour_turns_new ();
  g_autofree char *order = NULL;
  Member members[4] = { 0 };

  push (turns, &members[0], 'a', 1);
  push (turns, &members[1], 'b', 1);
  push (turns, &members[2], 'A', 2);
  detour_turns_remove (turns, &members[0].turn);
  detour_turns_remove (turns, &members[0].turn);
  detour_turns_remove (turns, &members[2].turn);
  detour_turns_remove (turns, &members[3].turn);
  g_assert_cmpuint (detour_turns_length (turns), ==, 1);
  push (turns, &members[2], 'A', 2);
  order = pop_all (turns);
  g_assert_cmpstr (order, ==, "bA");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/turns/addresses-take-turns", test_addresses_take_turns);
  g_test_add_func ("/turns/members-leave", test_members_leave);
  return g_test_run ();
}
