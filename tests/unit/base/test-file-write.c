/* test-file-write.c: files that are replaced as a whole, at once and one write after the other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-file-write.h"
#include "detour-file-writer.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char *folder;
  char *path;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->folder = g_dir_make_tmp ("detour-test-write-XXXXXX", NULL);
  g_assert_nonnull (self->folder);
  self->path = g_build_filename (self->folder, "file", NULL);
}

/* Nothing but what a test names may be left. */
static void
tear_down (Fixture *self, gconstpointer data)
{
  g_unlink (self->path);
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_free (self->path);
  g_free (self->folder);
}

static void
expect (const char *path, const char *text, guint mode)
{
  g_autofree char *found = NULL;
  struct stat st;

  g_assert_true (g_file_get_contents (path, &found, NULL, NULL));
  g_assert_cmpstr (found, ==, text);
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, mode);
}

static void
test_mode (Fixture *self, gconstpointer data)
{
  mode_t mask = umask (077);

  g_assert_true (detour_file_write (self->path, "one", 3, 0644, NULL));
  expect (self->path, "one", 0644);
  g_assert_cmpint (g_chmod (self->path, 0640), ==, 0);
  g_assert_true (detour_file_write (self->path, "", 0, 0600, NULL));
  expect (self->path, "", 0640);
  umask (mask);
}

static void
test_link (Fixture *self, gconstpointer data)
{
  g_autofree char *link = g_build_filename (self->folder, "link", NULL);

  g_assert_cmpint (symlink ("file", link), ==, 0);
  g_assert_true (detour_file_write (link, "new", 3, 0600, NULL));
  expect (self->path, "new", 0600);
  g_assert_true (detour_file_write (link, "newer", 5, 0600, NULL));
  expect (self->path, "newer", 0600);
  g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
  g_unlink (link);
}

static void
test_cannot (Fixture *self, gconstpointer data)
{
  g_autofree char *inside = g_build_filename (self->path, "below", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (detour_file_write (inside, "x", 1, 0600, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_clear_error (&error);
  /* A folder is not replaced, and nothing is left beside it. */
  g_assert_cmpint (g_mkdir (self->path, 0700), ==, 0);
  g_assert_false (detour_file_write (self->path, "x", 1, 0600, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (g_rmdir (self->path), ==, 0);
}

static void
test_set_aside (Fixture *self, gconstpointer data)
{
  g_autofree char *aside = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (detour_file_write (self->path, "x", 1, 0600, NULL));
  aside = detour_file_set_aside (self->path, NULL);
  expect (aside, "x", 0600);
  g_assert_false (g_file_test (self->path, G_FILE_TEST_EXISTS));
  g_assert_null (detour_file_set_aside (self->path, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_unlink (aside);
}

static void
count (const GError *error, gpointer data)
{
  g_assert_no_error (error);
  (*(guint *) data)++;
}

static void
count_failure (const GError *error, gpointer data)
{
  g_assert_nonnull (error);
  (*(guint *) data)++;
}

static GBytes *
bytes (const char *text)
{
  return g_bytes_new (text, strlen (text));
}

static void
test_writer (Fixture *self, gconstpointer data)
{
  DetourFileWriter *writer = detour_file_writer_new (self->path, 0600);
  guint n = 0;

  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u", i);

      detour_file_writer_put (writer, bytes (text), count, &n);
    }
  /* Nobody is told from inside. */
  g_assert_cmpuint (n, ==, 0);
  while (n < 100)
    g_main_context_iteration (NULL, TRUE);
  expect (self->path, "99", 0600);
  detour_file_writer_put (writer, bytes ("last but one"), count, &n);
  detour_file_writer_put (writer, bytes ("last"), count, &n);
  detour_file_writer_free (writer);
  g_assert_cmpuint (n, ==, 102);
  expect (self->path, "last", 0600);
}

static int n_drafts; /* atomic: that are there */

static GBytes *
make_draft (gpointer draft)
{
  return g_bytes_new (draft, strlen (draft));
}

static void
free_draft (gpointer draft)
{
  g_atomic_int_add (&n_drafts, -1);
  g_free (draft);
}

static void
put_draft (DetourFileWriter *writer, guint *n, const char *text)
{
  g_atomic_int_inc (&n_drafts);
  detour_file_writer_put_draft (writer, make_draft, g_strdup (text), free_draft, count, n);
}

/* A draft that is superseded is freed as well, whether by another one or by something whole. */
static void
test_drafts (Fixture *self, gconstpointer data)
{
  DetourFileWriter *writer = detour_file_writer_new (self->path, 0600);
  guint n = 0;

  put_draft (writer, &n, "one");
  while (n == 0)
    g_main_context_iteration (NULL, TRUE);
  expect (self->path, "one", 0600);
  g_assert_cmpint (g_atomic_int_get (&n_drafts), ==, 0);
  put_draft (writer, &n, "two");
  put_draft (writer, &n, "three");
  put_draft (writer, &n, "four");
  detour_file_writer_put (writer, bytes ("five"), count, &n);
  put_draft (writer, &n, "six");
  detour_file_writer_free (writer);
  g_assert_cmpuint (n, ==, 6);
  g_assert_cmpint (n_drafts, ==, 0);
  expect (self->path, "six", 0600);
}

static void
test_writer_cannot (Fixture *self, gconstpointer data)
{
  g_autofree char *inside = g_build_filename (self->path, "below", NULL);
  DetourFileWriter *writer = detour_file_writer_new (inside, 0600);
  g_autoptr (GError) error = NULL;
  guint n = 0;

  g_assert_true (detour_file_writer_flush (writer, NULL));
  detour_file_writer_put (writer, bytes ("x"), count_failure, &n);
  g_assert_false (detour_file_writer_flush (writer, &error));
  g_assert_nonnull (strstr (error->message, inside));
  while (n < 1)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (detour_file_writer_flush (writer, NULL));
  /* It is tried anew each time, and the latest counts, whoever is told last. */
  detour_file_writer_put (writer, bytes ("x"), count_failure, &n);
  g_assert_false (detour_file_writer_flush (writer, NULL));
  g_assert_cmpint (g_mkdir (self->path, 0700), ==, 0);
  detour_file_writer_put (writer, bytes ("y"), count, &n);
  g_assert_true (detour_file_writer_flush (writer, NULL));
  while (n < 3)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (detour_file_writer_flush (writer, NULL));
  detour_file_writer_put (writer, bytes ("y"), count, &n);
  detour_file_writer_free (writer);
  g_assert_cmpuint (n, ==, 4);
  expect (inside, "y", 0600);
  g_unlink (inside);
  g_rmdir (self->path);
}

int
main (int argc, char **argv)
{
#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)
  g_test_init (&argc, &argv, NULL);
  ADD ("/file-write/mode-is-kept", test_mode);
  ADD ("/file-write/links-stay", test_link);
  ADD ("/file-write/cannot", test_cannot);
  ADD ("/file-write/set-aside", test_set_aside);
  ADD ("/file-writer/latest-wins", test_writer);
  ADD ("/file-writer/drafts", test_drafts);
  ADD ("/file-writer/cannot", test_writer_cannot);
  return g_test_run ();
}
