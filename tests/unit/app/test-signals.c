/* test-signals.c: no signal gets lost while one program takes the place of another.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib-unix.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "detour-program.h"

/* The variable that tells the program after: this one. */
#define AFTER "DETOUR_TEST_AFTER"

static gboolean
on_signal (gpointer data)
{
  (*(guint *) data)++;
  return G_SOURCE_CONTINUE;
}

static gboolean
is_pending (int number)
{
  sigset_t set;

  sigpending (&set);
  return sigismember (&set, number) == 1;
}

/* A thread that gets every signal that the first one blocks. */
static gpointer
take_signals (gpointer data)
{
  for (;;)
    pause ();
  return NULL;
}

static void
hold_and_get (int number)
{
  g_thread_unref (g_thread_new ("taker", take_signals, NULL));
  detour_program_hold_signals ();
  kill (getpid (), number);
  for (guint i = 0; i < 10000 && !is_pending (number); i++)
    g_usleep (1000);
}

static void
test_heard_when_all_goes_on (void)
{
  guint n = 0;
  guint source = g_unix_signal_add (SIGHUP, on_signal, &n);

  hold_and_get (SIGHUP);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (n, ==, 0);
  detour_program_let_signals_in ();
  while (n == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (n, ==, 1);
  g_source_remove (source);
}

/* The program after says it by how it ends: main(). */
static void
test_heard_by_the_program_after (void)
{
  if (g_test_subprocess ())
    {
      char *argv[] = { (char *) "after", NULL };
      DetourProgram program = { .path = (char *) "/proc/self/exe", .argv = argv, .handover = -1 };
      guint n = 0;

      g_setenv (AFTER, "1", TRUE);
      g_unix_signal_add (SIGTERM, on_signal, &n);
      hold_and_get (SIGTERM);
      detour_program_exec (&program, NULL, -1, NULL);
      exit (1);
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stdout ("*pending\n");
}

int
main (int argc, char **argv)
{
  if (g_getenv (AFTER) != NULL)
    {
      g_print ("%s\n", is_pending (SIGTERM) ? "pending" : "lost");
      return 0;
    }
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signals/goes-on", test_heard_when_all_goes_on);
  g_test_add_func ("/signals/program-after", test_heard_by_the_program_after);
  return g_test_run ();
}
