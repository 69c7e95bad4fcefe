/* test-handover.c: tests of the record that one program hands to the next, and of connections that
 * it leaves behind.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-convoy.h"
#include "detour-stragglers.h"

static int
pipe_end (void)
{
  int fds[2];

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  close (fds[0]);
  return fds[1];
}

static DetourHandoverDraft *
draft_with (const int *fds, guint n, const char *text)
{
  g_autoptr (GError) error = NULL;
  DetourHandoverDraft *draft = detour_handover_draft_new (&error);

  g_assert_no_error (error);
  for (guint i = 0; i < n; i++)
    g_assert_cmpuint (detour_handover_draft_add_fd (draft, fds[i]), ==, i);
  for (guint i = 0; i < 1000; i++)
    {
      detour_record_put_text (detour_handover_draft_record (draft), 1000, text);
      g_assert_true (detour_handover_draft_commit (draft, &error));
    }
  detour_handover_draft_about (draft, &(DetourHandoverAbout) { .version = (char *) "1.2.3",
                                                               .start_us = 7,
                                                               .n_upgrades = 3,
                                                               .n_lost = 2,
                                                               .n_unfinished = 4 });
  g_assert_true (detour_handover_draft_seal (draft, &error));
  return draft;
}

/* Whoever has it sees what was written, and nobody can change it. */
static void
test_round_trip (void)
{
  int fds[] = { pipe_end (), pipe_end () };
  g_autofree char *text = g_strnfill (2000, 'x');
  DetourHandoverDraft *draft = draft_with (fds, 2, text);
  int fd = fcntl (detour_handover_draft_fd (draft), F_DUPFD_CLOEXEC, 0);
  g_autoptr (GError) error = NULL;
  DetourHandover *handover;
  DetourRecordReader reader;
  DetourRecordItem item;
  guint n = 0;

  g_assert_cmpint (write (fd, "x", 1), ==, -1);
  g_assert_cmpint (errno, ==, EPERM);
  g_assert_cmpint (ftruncate (fd, 5), ==, -1);
  detour_handover_draft_pass (draft, TRUE);
  g_assert_cmpint (fcntl (fds[0], F_GETFD), ==, 0);
  g_assert_cmpint (fcntl (detour_handover_draft_fd (draft), F_GETFD), ==, 0);
  detour_handover_draft_pass (draft, FALSE);
  g_assert_cmpint (fcntl (fds[0], F_GETFD), ==, FD_CLOEXEC);
  detour_handover_draft_pass (draft, TRUE);
  detour_handover_draft_free (draft);

  handover = detour_handover_open (fd, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (fds[0], F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpstr (detour_handover_about (handover)->version, ==, "1.2.3");
  g_assert_cmpint (detour_handover_about (handover)->start_us, ==, 7);
  g_assert_cmpuint (detour_handover_about (handover)->n_upgrades, ==, 3);
  g_assert_cmpuint (detour_handover_about (handover)->n_lost, ==, 2);
  g_assert_cmpuint (detour_handover_about (handover)->n_unfinished, ==, 4);
  reader = detour_handover_items (handover);
  while (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
    n += item.tag == 1000 && item.len == 2000 && item.data[1999] == 'x';
  g_assert_cmpuint (n, ==, 1000);

  /* The secrets are gone before the descriptors are. */
  detour_handover_forget (handover);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
  g_assert_cmpint (detour_handover_take_fd (handover, 1), ==, fds[1]);
  g_assert_cmpint (detour_handover_take_fd (handover, 1), ==, -1);
  g_assert_cmpint (detour_handover_take_fd (handover, 2), ==, -1);
  detour_handover_free (handover);
  g_assert_cmpint (fcntl (fds[0], F_GETFD), ==, -1);
  g_assert_cmpint (fcntl (fds[1], F_GETFD), ==, FD_CLOEXEC);
  close (fds[1]);
}

/* @seals: of the file; @data: of @len bytes */
static void
expect_refused (const void *data, gsize len, int seals, DetourHandoverError code)
{
  int fd = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (write (fd, data, len), ==, (gssize) len);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  g_assert_null (detour_handover_open (fd, &error));
  g_assert_error (error, DETOUR_HANDOVER_ERROR, (int) code);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
}

#define ALL (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static void
test_refused (void)
{
  DetourHandoverDraft *draft = draft_with (NULL, 0, "text");
  gsize len = (gsize) lseek (detour_handover_draft_fd (draft), 0, SEEK_END);
  g_autofree guint8 *data = g_malloc (len + 6);

  g_assert_cmpint (pread (detour_handover_draft_fd (draft), data, len, 0), ==, (gssize) len);
  expect_refused (data, len, F_SEAL_WRITE | F_SEAL_SHRINK, DETOUR_HANDOVER_ERROR_FILE);
  expect_refused ("", 0, ALL, DETOUR_HANDOVER_ERROR_FORM);
  /* The end is missing, or something is behind it. */
  expect_refused (data, len - 6, ALL, DETOUR_HANDOVER_ERROR_FORM);
  memcpy (data + len, "\x03\xe8\0\0\0", 6);
  expect_refused (data, len + 6, ALL, DETOUR_HANDOVER_ERROR_FORM);
  expect_refused (data, len + 3, ALL, DETOUR_HANDOVER_ERROR_FORM);
  data[0] ^= 1;
  expect_refused (data, len, ALL, DETOUR_HANDOVER_ERROR_FORM);
  data[0] ^= 1;
  data[11]++;
  expect_refused (data, len, ALL, DETOUR_HANDOVER_ERROR_VERSION);
  data[11]--;
  data[12] |= 0x80; /* the first item has to be understood */
  expect_refused (data, len, ALL, DETOUR_HANDOVER_ERROR_VERSION);
  detour_handover_draft_free (draft);
}

static void
expect_bad (int first, int second)
{
  const int fds[] = { first, second };
  DetourHandoverDraft *draft = draft_with (fds, 2, "text");
  int fd = fcntl (detour_handover_draft_fd (draft), F_DUPFD_CLOEXEC, 0);
  g_autoptr (GError) error = NULL;

  detour_handover_draft_free (draft);
  g_assert_null (detour_handover_open (fd, &error));
  g_assert_error (error, DETOUR_HANDOVER_ERROR, DETOUR_HANDOVER_ERROR_FORM);
}

/* Those of standard output, twice the same, and one that is not there. */
static void
test_bad_descriptors (void)
{
  int one = pipe_end ();

  expect_bad (STDOUT_FILENO, one);
  g_assert_cmpint (fcntl (STDOUT_FILENO, F_GETFD), ==, 0);
  g_assert_cmpint (fcntl (one, F_GETFD), ==, FD_CLOEXEC);
  expect_bad (one, one); /* which closes it */
  expect_bad (pipe_end (), 100000);
}

/* More than one message carries, and more than one bundle. */
#define MANY 9000u

/* Files that are told apart, again and again. */
static void
make_many (int *fds)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = limit.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  for (guint i = 0; i < 7; i++)
    fds[i] = memfd_create ("test", MFD_CLOEXEC);
  for (guint i = 7; i < MANY; i++)
    fds[i] = fds[i % 7];
}

static ino_t
inode_of (int fd)
{
  struct stat st;

  g_assert_cmpint (fstat (fd, &st), ==, 0);
  return st.st_ino;
}

static void
expect_nothing (int socket)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (detour_handover_receive (socket, &error));
  g_assert_error (error, DETOUR_CONVOY_ERROR, DETOUR_CONVOY_ERROR_NONE);
}

/* They wait in the socket until somebody reads, are there for one reader once, and keep their
 * places. */
static void
test_sent (void)
{
  g_autofree int *fds = g_new (int, MANY);
  g_autoptr (GError) error = NULL;
  DetourHandoverDraft *draft;
  DetourHandover *handover;
  int ends[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  expect_nothing (ends[0]);
  make_many (fds);
  draft = draft_with (fds, MANY, "text");
  g_assert_true (detour_handover_draft_send (draft, ends[1], &error));
  detour_handover_draft_free (draft);
  close (ends[1]);

  handover = detour_handover_receive (ends[0], &error);
  g_assert_no_error (error);
  g_assert_cmpstr (detour_handover_about (handover)->version, ==, "1.2.3");
  for (guint i = 0; i < MANY; i++)
    {
      int fd = detour_handover_take_fd (handover, i);

      g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
      g_assert_cmpuint (inode_of (fd), ==, inode_of (fds[i % 7]));
      close (fd);
    }
  g_assert_cmpint (detour_handover_take_fd (handover, MANY), ==, -1);
  detour_handover_free (handover);
  expect_nothing (ends[0]);
  close (ends[0]);
  for (guint i = 0; i < 7; i++)
    close (fds[i]);
}

/* What is looked at beforehand can be read as ever afterwards. */
static void
test_peek (void)
{
  const int fds[] = { pipe_end (), pipe_end () };
  DetourHandoverDraft *draft = draft_with (fds, 2, "text");
  g_auto (DetourRecord) found = { NULL };
  g_autoptr (GError) error = NULL;
  DetourRecordReader reader;
  DetourHandover *handover;
  DetourRecordItem item;
  int ends[2], fd;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  g_assert_cmpint (detour_convoy_peek (ends[0]), ==, -1);
  g_assert_true (detour_handover_draft_send (draft, ends[1], &error));
  detour_handover_draft_free (draft);
  close (ends[1]);
  for (guint i = 0; i < 2; i++)
    {
      fd = detour_convoy_peek (ends[0]);
      g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
      g_assert_false (detour_handover_peek (fd, 1001, &found));
      g_assert_cmpuint (found.len, ==, 0);
      g_assert_true (detour_handover_peek (fd, 1000, &found));
      reader = (DetourRecordReader) { found.data, found.len };
      g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
      g_assert_cmpuint (item.len, ==, 4);
      g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_END);
      detour_record_empty (&found);
      close (fd);
    }
  handover = detour_handover_receive (ends[0], &error);
  g_assert_no_error (error);
  detour_handover_free (handover);
  g_assert_cmpint (detour_convoy_peek (ends[0]), ==, -1);
  close (ends[0]);
  close (fds[0]);
  close (fds[1]);

  /* No record at all. */
  fd = pipe_end ();
  g_assert_false (detour_handover_peek (fd, 1000, &found));
  close (fd);
  g_assert_false (detour_handover_peek (-1, 1000, &found));
}

/* A record with fewer descriptors than it names is worthless. */
static void
test_sent_in_part (void)
{
  const int fds[] = { pipe_end (), pipe_end () };
  DetourHandoverDraft *draft = draft_with (fds, 2, "text");
  g_autoptr (GError) error = NULL;
  int ends[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  g_assert_true (detour_convoy_send (ends[1], detour_handover_draft_fd (draft), fds, 1, &error));
  detour_handover_draft_free (draft);
  g_assert_null (detour_handover_receive (ends[0], &error));
  g_assert_error (error, DETOUR_HANDOVER_ERROR, DETOUR_HANDOVER_ERROR_FORM);
  close (ends[0]);
  close (ends[1]);
  close (fds[0]);
  close (fds[1]);
}

static void
count_straggler (int fd, gint64 end_us, gpointer user)
{
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (end_us, >, g_get_monotonic_time ());
  ++*(guint *) user;
}

static void
test_stragglers (void)
{
  DetourStragglers *self = detour_stragglers_new ();
  int fds[100];
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      fds[i] = pipe_end ();
      if (i % 2 == 0)
        detour_stragglers_add (self, fds[i], i < 50 ? 200000 : G_TIME_SPAN_DAY * 365);
      else
        detour_stragglers_keep (self, fds[i],
                                g_get_monotonic_time () + (i < 50 ? 200000 : G_TIME_SPAN_DAY));
    }
  while (detour_stragglers_count (self) > 50)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < 50; i++)
    g_assert_cmpint (fcntl (fds[i], F_GETFD), ==, -1);
  detour_stragglers_each (self, count_straggler, &n);
  g_assert_cmpuint (n, ==, 50);
  g_assert_cmpint (fcntl (fds[99], F_GETFD), ==, FD_CLOEXEC);
  detour_stragglers_free (self);
  g_assert_cmpint (fcntl (fds[99], F_GETFD), ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/handover/round-trip", test_round_trip);
  g_test_add_func ("/handover/refused", test_refused);
  g_test_add_func ("/handover/bad-descriptors", test_bad_descriptors);
  g_test_add_func ("/handover/sent", test_sent);
  g_test_add_func ("/handover/sent-in-part", test_sent_in_part);
  g_test_add_func ("/handover/peek", test_peek);
  g_test_add_func ("/handover/stragglers", test_stragglers);
  return g_test_run ();
}
