/* test-holdings.c: what was given is taken back once, the newest first.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-holdings.h"

static DetourHoldings holdings;
static GString *story;

static void
tell (gpointer owner, gpointer thing)
{
  g_string_append_printf (story, "%s%s ", (const char *) owner, (const char *) thing);
}

/* Takes the next one along, as a listener might take its timer. */
static void
tell_and_release_b (gpointer owner, gpointer thing)
{
  tell (owner, thing);
  detour_holdings_release (&holdings, tell, (gpointer) "o", (gpointer) "b");
}

static void
tell_and_hold_e (gpointer owner, gpointer thing)
{
  tell (owner, thing);
  detour_holdings_add (&holdings, DETOUR_HOLD_FOR_RUN, tell, (gpointer) "o", (gpointer) "e");
}

static void
hold (const char *thing, DetourHoldMode mode)
{
  detour_holdings_add (&holdings, mode, tell, (gpointer) "o", (gpointer) thing);
}

static void
begin (void)
{
  story = g_string_new (NULL);
  detour_holdings_init (&holdings);
}

static void
end (const char *expected)
{
  detour_holdings_release_all (&holdings, FALSE);
  g_assert_cmpstr (story->str, ==, expected);
  detour_holdings_clear (&holdings);
  g_string_free (story, TRUE);
}

static void
newest_first (void)
{
  begin ();
  hold ("a", DETOUR_HOLD_FOR_RUN);
  hold ("b", DETOUR_HOLD_OVER_RESTART);
  hold ("c", DETOUR_HOLD_FOR_RUN);
  end ("oc ob oa ");
}

static void
held_once (void)
{
  begin ();
  hold ("a", DETOUR_HOLD_FOR_RUN);
  hold ("b", DETOUR_HOLD_FOR_RUN);
  hold ("a", DETOUR_HOLD_FOR_RUN);
  /* Another owner's is another one. */
  detour_holdings_add (&holdings, DETOUR_HOLD_FOR_RUN, tell, (gpointer) "p", (gpointer) "a");
  end ("pa oa ob ");
}

static void
early (void)
{
  begin ();
  hold ("a", DETOUR_HOLD_FOR_RUN);
  hold ("b", DETOUR_HOLD_FOR_RUN);
  hold ("c", DETOUR_HOLD_FOR_RUN);
  g_assert_true (detour_holdings_release (&holdings, tell, (gpointer) "o", (gpointer) "b"));
  g_assert_false (detour_holdings_release (&holdings, tell, (gpointer) "o", (gpointer) "b"));
  g_assert_true (detour_holdings_forget (&holdings, tell, (gpointer) "o", (gpointer) "c"));
  g_assert_false (detour_holdings_forget (&holdings, tell, (gpointer) "o", (gpointer) "c"));
  end ("ob oa ");
}

static void
over_a_restart (void)
{
  begin ();
  hold ("a", DETOUR_HOLD_FOR_RUN);
  hold ("b", DETOUR_HOLD_OVER_RESTART);
  hold ("c", DETOUR_HOLD_FOR_RUN);
  detour_holdings_release_all (&holdings, TRUE);
  g_assert_cmpstr (story->str, ==, "oc oa ");
  hold ("d", DETOUR_HOLD_FOR_RUN);
  end ("oc oa od ob ");
}

static void
while_taking_back (void)
{
  begin ();
  hold ("a", DETOUR_HOLD_FOR_RUN);
  hold ("b", DETOUR_HOLD_FOR_RUN);
  detour_holdings_add (&holdings, DETOUR_HOLD_FOR_RUN, tell_and_hold_e, (gpointer) "o",
                       (gpointer) "c");
  detour_holdings_add (&holdings, DETOUR_HOLD_FOR_RUN, tell_and_release_b, (gpointer) "o",
                       (gpointer) "d");
  end ("od ob oc oe oa ");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/holdings/newest-first", newest_first);
  g_test_add_func ("/holdings/held-once", held_once);
  g_test_add_func ("/holdings/early", early);
  g_test_add_func ("/holdings/over-a-restart", over_a_restart);
  g_test_add_func ("/holdings/while-taking-back", while_taking_back);
  return g_test_run ();
}
