/* test-cert-watch.c: tests that changes in a watched directory are reported once.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>

#include "cert-watch.h"

static void
count (gpointer user)
{
  guint *n = user;

  (*n)++;
}

static void
burst (void)
{
  g_autofree char *folder = g_dir_make_tmp ("detour-watch-XXXXXX", NULL);
  g_autofree char *one = g_build_filename (folder, "one", NULL);
  g_autofree char *two = g_build_filename (folder, "two", NULL);
  g_autoptr (GError) error = NULL;
  guint n = 0;
  CertWatch *watch = cert_watch_new (50, count, &n);

  g_assert_true (cert_watch_add (watch, one, &error));
  g_assert_true (cert_watch_add (watch, two, &error));
  g_assert_true (g_file_set_contents (one, "1", -1, NULL));
  g_assert_true (g_file_set_contents (two, "2", -1, NULL));
  while (n == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (n, ==, 1);

  /* A file that takes the place of another. */
  g_assert_cmpint (g_rename (two, one), ==, 0);
  while (n == 1)
    g_main_context_iteration (NULL, TRUE);
  cert_watch_free (watch);
  g_remove (one);
  g_rmdir (folder);
}

static void
no_folder (void)
{
  g_autoptr (GError) error = NULL;
  guint n = 0;
  CertWatch *watch = cert_watch_new (1, count, &n);

  /* The file need not exist when the watch begins. */
  g_assert_true (cert_watch_add (watch, "/nonexistent/folder/file", &error));
  g_assert_no_error (error);
  cert_watch_free (watch);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cert-watch/burst-is-one-change", burst);
  g_test_add_func ("/cert-watch/folder-that-does-not-exist", no_folder);
  return g_test_run ();
}
