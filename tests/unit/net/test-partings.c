/* test-partings.c: connections that have had our goodbye: peers that answer late, never, or without
 * end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-partings.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A local socket that is closed with unread bytes is reset, as one of TCP is. */
typedef struct {
  DetourPartings partings;
  DetourLoop *loop;
  int parted; /* the last one */
} Fixture;

typedef struct {
  Fixture *f;
  int fd;
  gboolean answers;
  guint n;
} Call;

static void
on_timer (DetourLoop *loop, DetourTimer *timer, gpointer user)
{
  Fixture *f = user;

  g_assert_true (detour_partings_on_timer (&f->partings, loop, timer));
}

static const DetourLoopFuncs funcs = { .timer = on_timer };

static void
start (Fixture *f, gint64 time_us, guint most)
{
  g_autoptr (GError) error = NULL;

  detour_partings_init (&f->partings, time_us, most);
  f->loop = detour_loop_new ("partings", 0, &funcs, f, &error);
  g_assert_no_error (error);
}

static void
on_add (DetourLoop *loop, gpointer data)
{
  Call *call = data;

  detour_partings_add (&call->f->partings, loop, call->fd, call->answers);
}

static void
on_count (DetourLoop *loop, gpointer data)
{
  Call *call = data;

  call->n = call->f->partings.all.length;
}

static void
on_stop (DetourLoop *loop, gpointer data)
{
  Call *call = data;

  detour_partings_stop (&call->f->partings, loop);
}

static void
on_finish (DetourLoop *loop, gpointer data)
{
  Call *call = data;

  detour_partings_finish (&call->f->partings, loop, 20 * G_USEC_PER_SEC);
}

static void
on_finish_at_once (DetourLoop *loop, gpointer data)
{
  Call *call = data;

  detour_partings_finish (&call->f->partings, loop, 1000);
}

static guint
count (Fixture *f)
{
  Call call = { .f = f };

  detour_loop_call (f->loop, on_count, &call);
  return call.n;
}

static void
wait_for_count (Fixture *f, guint n)
{
  gint64 limit = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  while (count (f) != n)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
}

static void
finish (Fixture *f)
{
  Call call = { .f = f };

  detour_loop_call (f->loop, on_finish_at_once, &call);
  g_assert_cmpuint (count (f), ==, 0);
  detour_loop_clear (&f->loop);
}

/* Returns: the end of the peer. Our own has said "bye", with @unread of the peer's bytes waiting.
 */
static int
part (Fixture *f, const char *unread, gboolean answers)
{
  Call call = { .f = f, .answers = answers };
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), ==, 0);
  g_assert_cmpint (write (fds[1], unread, strlen (unread)), ==, (gssize) strlen (unread));
  g_assert_cmpint (write (fds[0], "bye", 3), ==, 3);
  f->parted = call.fd = fds[0];
  detour_loop_call (f->loop, on_add, &call);
  return fds[1];
}

static gssize
read_soon (int fd, void *data, gsize len)
{
  struct pollfd poller = { fd, POLLIN, 0 };

  g_assert_cmpint (poll (&poller, 1, 20000), ==, 1);
  return read (fd, data, len);
}

static void
assert_bye (int fd)
{
  char bytes[8];

  g_assert_cmpint (read_soon (fd, bytes, sizeof bytes), ==, 3);
  g_assert_cmpmem (bytes, 3, "bye", 3);
  g_assert_cmpint (read_soon (fd, bytes, sizeof bytes), ==, 0);
}

static void
assert_is_closed (int fd)
{
  g_assert_cmpint (send (fd, "x", 1, MSG_NOSIGNAL), ==, -1);
  g_assert_cmpint (errno, ==, EPIPE);
}

static void
test_late (void)
{
  Fixture f;
  int fd;

  start (&f, DETOUR_PARTINGS_TIME_US, 8);
  fd = part (&f, "unread", FALSE);
  assert_bye (fd);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (send (fd, "late", 4, MSG_NOSIGNAL), ==, 4);
  g_assert_cmpuint (count (&f), ==, 1);
  close (fd);
  wait_for_count (&f, 0);
  finish (&f);
}

/* What the kernel watches for @loop under @fd is a number, as another program needs it. */
static gboolean
is_watched_by_number (const DetourLoop *loop, int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fdinfo/%d", detour_loop_watch_fd (loop));
  g_autofree char *pattern = g_strdup_printf ("tfd: *%d events: *19 data: *%x ", fd,
                                              (guint) fd << 1 | 1);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return g_regex_match_simple (pattern, text, 0, 0);
}

/* One that comes to an end while a program hands over to the next one in the same process. */
static void
test_no_address (void)
{
  Fixture f;
  int fd, copy;

  start (&f, DETOUR_PARTINGS_TIME_US, 8);
  fd = part (&f, "unread", FALSE);
  g_assert_true (is_watched_by_number (f.loop, f.parted));
  assert_bye (fd);
  /* It does not stay where another process has it, too. */
  copy = dup (f.parted);
  close (fd);
  wait_for_count (&f, 0);
  g_assert_false (is_watched_by_number (f.loop, f.parted));
  close (copy);
  finish (&f);
}

static void
test_first (void)
{
  Fixture f;
  Call call = { .f = &f };
  int fds[2];

  start (&f, DETOUR_PARTINGS_TIME_US, 8);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), ==, 0);
  g_assert_cmpint (write (fds[1], "last", 4), ==, 4);
  g_assert_cmpint (shutdown (fds[1], SHUT_WR), ==, 0);
  call.fd = fds[0];
  detour_loop_call (f.loop, on_add, &call);
  g_assert_cmpuint (count (&f), ==, 0);
  assert_is_closed (fds[1]);
  close (fds[1]);
  finish (&f);
}

static void
test_silent (void)
{
  Fixture f;
  int fd;

  start (&f, 100 * 1000, 8);
  fd = part (&f, "", TRUE);
  assert_bye (fd);
  wait_for_count (&f, 0);
  assert_is_closed (fd);
  close (fd);
  finish (&f);
}

static void
test_too_many (void)
{
  Fixture f;
  int fds[4];

  start (&f, DETOUR_PARTINGS_TIME_US, 2);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = part (&f, "", TRUE);
  g_assert_cmpuint (count (&f), ==, 2);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      assert_bye (fds[i]);
      if (i < 2)
        assert_is_closed (fds[i]);
      else
        g_assert_cmpint (send (fds[i], "late", 4, MSG_NOSIGNAL), ==, 4);
      close (fds[i]);
    }
  wait_for_count (&f, 0);
  finish (&f);
}

static void
test_without_end (void)
{
  static const guint8 bytes[65536];
  guint64 sent = 0;
  Fixture f;
  int fd;

  start (&f, 600 * G_USEC_PER_SEC, 8);
  fd = part (&f, "", TRUE);
  for (;;)
    {
      struct pollfd poller = { fd, POLLOUT, 0 };
      gssize n;

      g_assert_cmpint (poll (&poller, 1, 20000), ==, 1);
      n = send (fd, bytes, sizeof bytes, MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN)
        break;
      sent += (guint64) MAX (n, 0);
    }
  g_assert_cmpuint (sent, >=, DETOUR_PARTINGS_BYTES_MAX);
  g_assert_cmpuint (sent, <, 2 * DETOUR_PARTINGS_BYTES_MAX);
  wait_for_count (&f, 0);
  close (fd);
  finish (&f);
}

static gpointer
answer_late (gpointer data)
{
  int fd = GPOINTER_TO_INT (data);

  assert_bye (fd);
  g_usleep (20 * 1000);
  g_assert_cmpint (send (fd, "bye", 3, MSG_NOSIGNAL), ==, 3);
  g_assert_cmpint (send (fd, "bye", 3, MSG_NOSIGNAL), ==, 3);
  close (fd);
  return NULL;
}

static void
test_stop (void)
{
  GThread *threads[4];
  Fixture f;
  Call call = { .f = &f };
  int before, after;

  start (&f, 600 * G_USEC_PER_SEC, 2);
  before = part (&f, "", FALSE);
  threads[0] = g_thread_new ("peer", answer_late, GINT_TO_POINTER (part (&f, "", TRUE)));
  detour_loop_call (f.loop, on_stop, &call);
  after = part (&f, "unread", FALSE);
  for (guint i = 1; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("peer", answer_late, GINT_TO_POINTER (part (&f, "unread", TRUE)));
  /* Nobody is waited for who would not answer, and those who do are enough to end the waiting. */
  detour_loop_call (f.loop, on_finish, &call);
  g_assert_cmpuint (count (&f), ==, 0);
  assert_bye (before);
  assert_is_closed (before);
  assert_bye (after);
  assert_is_closed (after);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  close (before);
  close (after);
  finish (&f);
}

static void
test_stop_in_time (void)
{
  Fixture f;
  Call call = { .f = &f };
  int fd, late;

  start (&f, 600 * G_USEC_PER_SEC, 2);
  fd = part (&f, "", TRUE);
  detour_loop_call (f.loop, on_stop, &call);
  detour_loop_call (f.loop, on_finish_at_once, &call);
  assert_bye (fd);
  assert_is_closed (fd);
  late = part (&f, "", TRUE);
  assert_bye (late);
  assert_is_closed (late);
  close (fd);
  close (late);
  finish (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/partings/what-comes-late-meets-no-reset", test_late);
  g_test_add_func ("/partings/another-program-is-told-no-address", test_no_address);
  g_test_add_func ("/partings/peer-that-ended-first-is-not-kept", test_first);
  g_test_add_func ("/partings/peer-that-never-answers", test_silent);
  g_test_add_func ("/partings/oldest-goes-when-there-are-too-many", test_too_many);
  g_test_add_func ("/partings/peer-that-sends-without-end", test_without_end);
  g_test_add_func ("/partings/stop-waits-for-those-that-answer", test_stop);
  g_test_add_func ("/partings/stop-has-an-end", test_stop_in_time);
  return g_test_run ();
}
