/* test-passed.c: tests of descriptors that the service manager passed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-passed.h"

#include <fcntl.h>
#include <unistd.h>

/* From the first one on. */
static void
pass (const char *pid, const char *n, const char *names)
{
  g_setenv ("LISTEN_PID", pid, TRUE);
  g_setenv ("LISTEN_FDS", n, TRUE);
  if (names != NULL)
    g_setenv ("LISTEN_FDNAMES", names, TRUE);
  detour_passed_init ();
  g_assert_null (g_getenv ("LISTEN_PID"));
  g_assert_null (g_getenv ("LISTEN_FDS"));
  g_assert_null (g_getenv ("LISTEN_FDNAMES"));
}

static char *
own_pid (void)
{
  return g_strdup_printf ("%d", (int) getpid ());
}

static void
test_names (void)
{
  g_autofree char *pid = own_pid ();
  g_auto (GStrv) environment = NULL;

  pass (pid, "2", "plain:secure");
  g_assert_cmpuint (detour_passed_count (), ==, 2);
  g_assert_cmpstr (detour_passed_name (0), ==, "plain");
  g_assert_cmpstr (detour_passed_name (1), ==, "secure");
  g_assert_cmpint (detour_passed_fd (1), ==, 4);
  /* A program that is started has them only when it is to take the place of this one. */
  g_assert_cmpint (fcntl (4, F_GETFD), ==, FD_CLOEXEC);
  detour_passed_inherit (TRUE);
  g_assert_cmpint (fcntl (4, F_GETFD), ==, 0);
  detour_passed_inherit (FALSE);
  g_assert_cmpint (fcntl (4, F_GETFD), ==, FD_CLOEXEC);
  environment = detour_passed_describe (g_new0 (char *, 1));
  g_assert_cmpstr (g_environ_getenv (environment, "LISTEN_PID"), ==, pid);
  g_assert_cmpstr (g_environ_getenv (environment, "LISTEN_FDS"), ==, "2");
  g_assert_cmpstr (g_environ_getenv (environment, "LISTEN_FDNAMES"), ==, "plain:secure");
  detour_passed_forget (0);
  g_assert_cmpstr (detour_passed_name (0), ==, "");
  environment = detour_passed_describe (environment);
  g_assert_cmpstr (g_environ_getenv (environment, "LISTEN_FDNAMES"), ==, ":secure");
}

static void
test_fewer_names (void)
{
  g_autofree char *pid = own_pid ();

  pass (pid, "2", "plain");
  g_assert_cmpuint (detour_passed_count (), ==, 2);
  g_assert_cmpstr (detour_passed_name (1), ==, "");
  pass (pid, "1", NULL);
  g_assert_cmpstr (detour_passed_name (0), ==, "");
}

static void
test_not_ours (void)
{
  g_autofree char *pid = own_pid ();
  g_auto (GStrv) environment = NULL;

  pass ("1", "2", "plain:secure");
  g_assert_cmpuint (detour_passed_count (), ==, 0);
  pass (pid, "many", "plain:secure");
  g_assert_cmpuint (detour_passed_count (), ==, 0);
  pass (pid, "100000", "plain:secure");
  g_assert_cmpuint (detour_passed_count (), ==, 0);
  environment = detour_passed_describe (g_new0 (char *, 1));
  g_assert_null (environment[0]);
}

int
main (int argc, char **argv)
{
  /* There are some. */
  while (open ("/dev/null", O_RDONLY) < 4)
    ;
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/passed/names", test_names);
  g_test_add_func ("/passed/fewer-names", test_fewer_names);
  g_test_add_func ("/passed/not-ours", test_not_ours);
  return g_test_run ();
}
