/* test-loop.c: descriptors, messages, timers and deferred calls of a worker, on its own thread.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-loop.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct {
  GMutex lock;
  GCond cond;
  guint done;
  GString *trace;
  int fds[2];
  DetourIo io, other;
  DetourTimer timer;
  int to_poll; /* work announced by wake() only */
  long first_switches;
} Fixture;

static void
finish (Fixture *f)
{
  g_mutex_lock (&f->lock);
  f->done++;
  g_cond_signal (&f->cond);
  g_mutex_unlock (&f->lock);
}

static void
wait_for (Fixture *f, guint n)
{
  gint64 limit = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  g_mutex_lock (&f->lock);
  while (f->done < n)
    g_assert_true (g_cond_wait_until (&f->cond, &f->lock, limit));
  g_mutex_unlock (&f->lock);
}

static void
on_timer (DetourLoop *loop, DetourTimer *timer, gpointer user)
{
  Fixture *f = user;

  g_assert_true (timer == &f->timer);
  g_string_append_c (f->trace, 't');
  finish (f);
}

static gboolean
on_poll (DetourLoop *loop, gpointer user)
{
  Fixture *f = user;

  if (g_atomic_int_compare_and_exchange (&f->to_poll, 1, 0))
    {
      g_string_append_c (f->trace, 'p');
      finish (f);
      return TRUE;
    }
  return FALSE;
}

static const DetourLoopFuncs funcs = { .timer = on_timer, .poll = on_poll };

static void
run (void (*body) (Fixture *f, DetourLoop *loop), const char *trace)
{
  Fixture f = { .trace = g_string_new (NULL) };
  g_autoptr (GError) error = NULL;
  DetourLoop *loop;

  g_mutex_init (&f.lock);
  g_cond_init (&f.cond);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f.fds), ==, 0);
  loop = detour_loop_new ("test", 0, &funcs, &f, &error);
  g_assert_no_error (error);
  g_assert_false (detour_loop_is_current (loop));

  body (&f, loop);
  detour_loop_clear (&loop);
  g_assert_cmpstr (f.trace->str, ==, trace);

  close (f.fds[0]);
  close (f.fds[1]);
  g_string_free (f.trace, TRUE);
  g_mutex_clear (&f.lock);
  g_cond_clear (&f.cond);
}

static void
append_a (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  g_assert_true (detour_loop_is_current (loop));
  g_string_append_c (f->trace, 'a');
  finish (f);
}

static void
append_d (DetourLoop *loop, gpointer data)
{
  g_string_append_c (((Fixture *) data)->trace, 'd');
  finish (data);
}

static void
defer_then_append (DetourLoop *loop, gpointer data)
{
  detour_loop_defer (loop, append_d, data);
  append_a (loop, data);
}

static void
body_messages (Fixture *f, DetourLoop *loop)
{
  detour_loop_post (loop, defer_then_append, f);
  wait_for (f, 2);
  /* Posted just before the end: still runs. */
  detour_loop_post (loop, append_a, f);
}

static void
set_timer (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  detour_wheel_set (detour_loop_wheel (loop), &f->timer, detour_loop_now_us (loop) + 1000);
}

static void
body_timer (Fixture *f, DetourLoop *loop)
{
  detour_loop_post (loop, set_timer, f);
  wait_for (f, 1);
}

static void
body_wake (Fixture *f, DetourLoop *loop)
{
  for (guint i = 1; i <= 5; i++)
    {
      g_atomic_int_set (&f->to_poll, 1);
      detour_loop_wake (loop);
      wait_for (f, i);
    }
}

static void
on_readable (DetourLoop *loop, DetourIo *io, guint32 events)
{
  Fixture *f = io == &((Fixture *) detour_loop_user (loop))->io ? detour_loop_user (loop) : NULL;
  char byte;

  g_assert_nonnull (f);
  g_assert_true (events & EPOLLIN);
  g_assert_cmpint (read (io->fd, &byte, 1), ==, 1);
  g_string_append_c (f->trace, byte);
  finish (f);
}

/* Both ends are readable in one round; whichever comes first removes the other. */
static void
on_either (DetourLoop *loop, DetourIo *io, guint32 events)
{
  Fixture *f = detour_loop_user (loop);

  g_string_append_c (f->trace, 'x');
  detour_loop_remove (loop, &f->io);
  detour_loop_remove (loop, &f->other);
  finish (f);
}

static void
add_io (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  f->io = (DetourIo) { on_readable, f->fds[0], EPOLLIN };
  g_assert_true (detour_loop_add (loop, &f->io));
}

static void
body_descriptor (Fixture *f, DetourLoop *loop)
{
  detour_loop_post (loop, add_io, f);
  g_assert_cmpint (write (f->fds[1], "1", 1), ==, 1);
  wait_for (f, 1);
  g_assert_cmpint (write (f->fds[1], "2", 1), ==, 1);
  wait_for (f, 2);
}

static void
add_held (DetourLoop *loop, gpointer data)
{
  detour_loop_hold (loop, TRUE);
  add_io (loop, data);
}

static void
let_go (DetourLoop *loop, gpointer data)
{
  detour_loop_hold (loop, FALSE);
}

/* Messages are heard all the time; the descriptor when the loop is let go. */
static void
body_held (Fixture *f, DetourLoop *loop)
{
  detour_loop_post (loop, add_held, f);
  g_assert_cmpint (write (f->fds[1], "1", 1), ==, 1);
  for (guint i = 1; i <= 3; i++)
    {
      detour_loop_post (loop, append_a, f);
      wait_for (f, i);
    }
  detour_loop_post (loop, let_go, NULL);
  wait_for (f, 4);
}

static void
test_held (void)
{
  run (body_held, "aaa1");
}

/* A lasting one ------------------------------------------------------------------------------- */

static void
add_lasting (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  f->io = (DetourIo) { on_readable, f->fds[0], EPOLLIN };
  g_assert_true (detour_loop_add_lasting (loop, &f->io, NULL));
}

static void
leave_held (DetourLoop *loop, gpointer data)
{
  detour_loop_hold (loop, TRUE);
  detour_loop_leave (loop, &((Fixture *) data)->io);
}

/* By another io, and the kernel need not know. */
static void
take_up (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  f->io = (DetourIo) { on_readable, f->fds[0], EPOLLIN };
  g_assert_true (detour_loop_add_lasting (loop, &f->io, loop));
  detour_loop_hold (loop, FALSE);
}

/* What the kernel watches for @loop. */
static gboolean
is_watched (const DetourLoop *loop, int fd)
{
  struct epoll_event event = { .events = EPOLLIN, .data.u64 = (guint64) fd << 1 | 1 };

  return epoll_ctl (detour_loop_watch_fd (loop), EPOLL_CTL_MOD, fd, &event) == 0;
}

static void
silence (DetourLoop *loop, gpointer data)
{
  detour_loop_modify (loop, &((Fixture *) data)->io, 0);
}

static void
hear_again (DetourLoop *loop, gpointer data)
{
  detour_loop_modify (loop, &((Fixture *) data)->io, EPOLLIN);
}

static void
remove_io (DetourLoop *loop, gpointer data)
{
  detour_loop_remove (loop, &((Fixture *) data)->io);
}

static void
body_lasting (Fixture *f, DetourLoop *loop)
{
  detour_loop_call (loop, add_lasting, f);
  g_assert_cmpint (write (f->fds[1], "1", 1), ==, 1);
  wait_for (f, 1);
  detour_loop_call (loop, leave_held, f);
  g_assert_cmpint (write (f->fds[1], "2", 1), ==, 1);
  detour_loop_post (loop, append_a, f);
  wait_for (f, 2);
  detour_loop_call (loop, take_up, f);
  wait_for (f, 3);

  detour_loop_call (loop, silence, f);
  g_assert_cmpint (write (f->fds[1], "3", 1), ==, 1);
  detour_loop_post (loop, append_a, f);
  wait_for (f, 4);
  detour_loop_call (loop, hear_again, f);
  wait_for (f, 5);
  detour_loop_call (loop, remove_io, f);
  g_assert_false (is_watched (loop, f->fds[0]));
}

static void
test_lasting (void)
{
  run (body_lasting, "1a2a3");
}

static void
leave (DetourLoop *loop, gpointer data)
{
  detour_loop_leave (loop, &((Fixture *) data)->io);
}

/* Nobody takes it up: the kernel tells it once, and never again. */
static void
body_stray (Fixture *f, DetourLoop *loop)
{
  gint64 limit = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  char byte;

  detour_loop_call (loop, add_lasting, f);
  detour_loop_call (loop, leave, f);
  g_assert_cmpint (write (f->fds[1], "1", 1), ==, 1);
  while (is_watched (loop, f->fds[0]))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
  g_assert_cmpint (read (f->fds[0], &byte, 1), ==, 1);
}

static void
test_stray (void)
{
  run (body_stray, "");
}

/* Of two that are readable in one round the first removes both, and one is watched for another
 * reason before the round is over. */
static void
on_either_lasting (DetourLoop *loop, DetourIo *io, guint32 events)
{
  Fixture *f = detour_loop_user (loop);

  detour_loop_remove (loop, &f->io);
  detour_loop_remove (loop, &f->other);
  f->io = (DetourIo) { on_readable, io == &f->io ? f->fds[1] : f->fds[0], EPOLLIN };
  g_assert_true (detour_loop_add (loop, &f->io));
  g_string_append_c (f->trace, 'x');
  finish (f);
}

static void
add_both_lasting (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  f->io = (DetourIo) { on_either_lasting, f->fds[0], EPOLLIN };
  f->other = (DetourIo) { on_either_lasting, f->fds[1], EPOLLIN };
  g_assert_true (detour_loop_add_lasting (loop, &f->io, NULL));
  g_assert_true (detour_loop_add_lasting (loop, &f->other, NULL));
}

static void
body_removed_and_added (Fixture *f, DetourLoop *loop)
{
  g_assert_cmpint (write (f->fds[1], "1", 1), ==, 1);
  g_assert_cmpint (write (f->fds[0], "1", 1), ==, 1);
  detour_loop_post (loop, add_both_lasting, f);
  wait_for (f, 2);
}

static void
test_removed_and_added (void)
{
  run (body_removed_and_added, "x1");
}

static void
inherit (DetourLoop *loop, gpointer data)
{
  const DetourLoop *before = data;
  int socket = ((const Fixture *) detour_loop_user (loop))->fds[1];
  int watch_fd = fcntl (detour_loop_watch_fd (before), F_DUPFD_CLOEXEC, 0);

  detour_loop_hold (loop, TRUE);
  g_assert_false (detour_loop_inherit (loop, socket));
  g_assert_true (detour_loop_inherit (loop, watch_fd));
  g_assert_cmpint (detour_loop_watch_fd (loop), ==, watch_fd);
}

/* One loop goes on with what another one left. */
static void
body_inherited (Fixture *f, DetourLoop *loop)
{
  g_autoptr (GError) error = NULL;
  DetourLoop *before = detour_loop_new ("before", 0, &funcs, f, &error);

  g_assert_no_error (error);
  detour_loop_call (before, add_lasting, f);
  detour_loop_call (before, leave_held, f);
  detour_loop_call (loop, inherit, before);
  detour_loop_clear (&before);
  detour_loop_call (loop, take_up, f);
  g_assert_cmpint (write (f->fds[1], "1", 1), ==, 1);
  wait_for (f, 1);
  detour_loop_post (loop, append_a, f);
  wait_for (f, 2);
}

static void
test_inherited (void)
{
  run (body_inherited, "1a");
}

/* ---------------------------------------------------------------------------------------------- */

static void
add_both (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  f->io = (DetourIo) { on_either, f->fds[0], EPOLLIN };
  f->other = (DetourIo) { on_either, f->fds[1], EPOLLIN };
  g_assert_true (detour_loop_add (loop, &f->io));
  g_assert_true (detour_loop_add (loop, &f->other));
}

static void
body_removed_in_round (Fixture *f, DetourLoop *loop)
{
  g_assert_cmpint (write (f->fds[1], "1", 1), ==, 1);
  g_assert_cmpint (write (f->fds[0], "1", 1), ==, 1);
  detour_loop_post (loop, add_both, f);
  wait_for (f, 1);
  detour_loop_post (loop, append_a, f);
  wait_for (f, 2);
}

/* Readable all the time, and never read: only a nap makes the thread give up the processor by
 * itself. */
static void
on_flood (DetourLoop *loop, DetourIo *io, guint32 events)
{
  Fixture *f = detour_loop_user (loop);
  struct rusage usage;

  g_assert_cmpint (getrusage (RUSAGE_THREAD, &usage), ==, 0);
  if (f->first_switches < 0)
    f->first_switches = usage.ru_nvcsw;
  if (usage.ru_nvcsw < f->first_switches + 3)
    return;
  detour_loop_remove (loop, io);
  g_string_append_c (f->trace, 'n');
  finish (f);
}

static void
add_flood (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  f->first_switches = -1;
  f->io = (DetourIo) { on_flood, f->fds[0], EPOLLIN };
  g_assert_true (detour_loop_add (loop, &f->io));
}

static void
body_gathers (Fixture *f, DetourLoop *loop)
{
  g_assert_cmpint (write (f->fds[1], "1", 1), ==, 1);
  detour_loop_post (loop, add_flood, f);
  wait_for (f, 1);
  detour_loop_post (loop, append_a, f);
  wait_for (f, 2);
}

static void
test_gathers (void)
{
  run (body_gathers, "na");
}

static void
test_messages (void)
{
  run (body_messages, "ada");
}

static void
test_timer (void)
{
  run (body_timer, "t");
}

static void
test_wake (void)
{
  run (body_wake, "ppppp");
}

static void
test_descriptor (void)
{
  run (body_descriptor, "12");
}

static void
test_removed_in_round (void)
{
  run (body_removed_in_round, "xa");
}

/* Seen from its own thread, a round goes on, so whoever asks has the processor of the loop. */
static void
on_waiting (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  g_string_append_c (f->trace, detour_loop_waits_to_run (loop) ? 'w' : '-');
  finish (f);
}

static void
body_waits (Fixture *f, DetourLoop *loop)
{
  detour_loop_call (loop, on_waiting, f);
  wait_for (f, 1);
  /* Nothing is to be done, and that is seen as soon as the round is over. */
  for (guint i = 0; i < 20000 && detour_loop_waits_to_run (loop); i++)
    g_usleep (1000);
  g_assert_false (detour_loop_waits_to_run (loop));
}

static void
test_waits (void)
{
  run (body_waits, "w");
}

typedef struct {
  DetourLoop *loop;
  gint ends;
  gboolean was_there;
} Ending;

/* Long enough for detour_loop_clear() to be in the middle of its work. */
static void
on_ending (DetourLoop *loop, gpointer data)
{
  Ending *ending = data;

  while (!g_atomic_int_get (&ending->ends))
    g_usleep (100);
  g_usleep (20 * 1000);
  ending->was_there = g_atomic_pointer_get (&ending->loop) == loop;
}

static void
test_cleared_when_it_ended (void)
{
  static const DetourLoopFuncs no_funcs = { 0 };
  g_autoptr (GError) error = NULL;
  Ending ending = { detour_loop_new ("ends", 0, &no_funcs, NULL, &error), FALSE, FALSE };

  g_assert_no_error (error);
  detour_loop_post (ending.loop, on_ending, &ending);
  g_atomic_int_set (&ending.ends, TRUE);
  detour_loop_clear (&ending.loop);
  g_assert_true (ending.was_there);
  g_assert_null (ending.loop);
  detour_loop_clear (&ending.loop);
}

static void
on_niceness (DetourLoop *loop, gpointer data)
{
  int *found = data;

  found[0] = getpriority (PRIO_PROCESS, 0);
  /* musl's sched_getscheduler() does not ask the kernel. */
  found[1] = (int) syscall (SYS_sched_getscheduler, 0);
}

/* What is said of a thread is added to what the process has. */
static void
test_niceness (void)
{
  static const DetourLoopFuncs no_funcs = { 0 };
  int own = getpriority (PRIO_PROCESS, 0);
  int found[2];

  for (int nice = 0; nice <= 5; nice += 5)
    {
      g_autoptr (GError) error = NULL;
      DetourLoop *loop = detour_loop_new ("nice", nice, &no_funcs, NULL, &error);

      g_assert_no_error (error);
      detour_loop_call (loop, on_niceness, found);
      g_assert_cmpint (found[0], ==, MIN (own + nice, 19));
      g_assert_cmpint (found[1], ==, nice > 0 ? SCHED_BATCH : SCHED_OTHER);
      detour_loop_clear (&loop);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/worker/messages-and-deferred", test_messages);
  g_test_add_func ("/worker/timer", test_timer);
  g_test_add_func ("/worker/wake-is-never-missed", test_wake);
  g_test_add_func ("/worker/descriptor", test_descriptor);
  g_test_add_func ("/worker/held", test_held);
  g_test_add_func ("/worker/lasting", test_lasting);
  g_test_add_func ("/worker/stray", test_stray);
  g_test_add_func ("/worker/removed-and-added", test_removed_and_added);
  g_test_add_func ("/worker/inherited", test_inherited);
  g_test_add_func ("/worker/removed-in-the-same-round", test_removed_in_round);
  g_test_add_func ("/worker/many-small-rounds-make-it-gather", test_gathers);
  g_test_add_func ("/worker/waits-to-run", test_waits);
  g_test_add_func ("/worker/niceness", test_niceness);
  g_test_add_func ("/worker/loop-is-there-until-its-thread-ended", test_cleared_when_it_ended);
  return g_test_run ();
}
