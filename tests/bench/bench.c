/* bench.c: measures a DERP server from outside; each command has a file of its own.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-command.h"

#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const struct {
  const char *name;
  BenchCommandFunc run;
  const char *summary;
} bench_commands[] = {
  { "load", bench_load, "packets between clients: processor time, latency, loss" },
  { "idle", bench_idle,
    "many clients that only wait: memory, wake-ups, and whether they still relay" },
  { "handshakes", bench_handshakes,
    "new connections up to the login, and the floor of their public-key arithmetic" },
  { "storm", bench_storm, "all clients come back at once beside others that go on" },
  { "stall", bench_stall, "receivers that stop reading beside others that go on" },
  { "upgrade", bench_upgrade, "upgrades in place beside clients that send and wait: pause, loss" },
  { "floor", bench_floor,
    "what the same load costs without a relay: copying bytes, and the cipher alone" },
};

static int
bench_usage (void)
{
  g_printerr ("usage: bench COMMAND [OPTIONS]; bench COMMAND --help-all shows them\n");
  for (guint i = 0; i < G_N_ELEMENTS (bench_commands); i++)
    g_printerr ("  %-12s %s\n", bench_commands[i].name, bench_commands[i].summary);
  return 2;
}

/* As many descriptors as the system allows, and timers that keep their time. */
static void
bench_prepare (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) == 0)
    {
      limit.rlim_cur = limit.rlim_max;
      setrlimit (RLIMIT_NOFILE, &limit);
    }
  prctl (PR_SET_TIMERSLACK, 1UL);
  signal (SIGPIPE, SIG_IGN);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  gboolean wrong = FALSE;

  if (argc < 2)
    return bench_usage ();
  if (sodium_init () < 0)
    g_error ("libsodium does not start");
  bench_prepare ();
  for (guint i = 0; i < G_N_ELEMENTS (bench_commands); i++)
    if (strcmp (argv[1], bench_commands[i].name) == 0)
      {
        if (bench_commands[i].run (argc - 1, argv + 1, &wrong, &error))
          return wrong ? 1 : 0;
        g_printerr ("bench %s: %s\n", argv[1], error->message);
        return 2;
      }
  return bench_usage ();
}
