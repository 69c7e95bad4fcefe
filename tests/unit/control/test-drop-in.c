/* test-drop-in.c: files that say which instances run at the next start.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-drop-in.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "static-plugins.h"

#define GOOD "[admission]\nchain=open\n[service stun]\n"
#define MARK "# Written by \"detourctl plugins\"; removed or changed by it as well.\n"

typedef struct {
  DetourPlugins *plugins;
  char *folder, *conf_d, *main_file, *drop_in;
  DetourConfigSources sources;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->plugins = static_plugins_new ();
  self->folder = g_dir_make_tmp ("detour-drop-in-XXXXXX", NULL);
  self->conf_d = g_build_filename (self->folder, "conf.d", NULL);
  self->main_file = g_build_filename (self->folder, "detour.conf", NULL);
  self->drop_in = g_build_filename (self->conf_d, "90-service-stun.conf", NULL);
  self->sources.main_file = self->main_file;
  g_assert_true (g_file_set_contents (self->main_file, GOOD, -1, NULL));
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (self->conf_d, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (self->conf_d, name, NULL);

      g_unlink (path);
    }
  g_rmdir (self->conf_d);
  g_unlink (self->main_file);
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_free (self->folder);
  g_free (self->conf_d);
  g_free (self->main_file);
  g_free (self->drop_in);
  detour_plugins_free (self->plugins);
}

static void
put (Fixture *self, gboolean enabled)
{
  g_autoptr (GError) error = NULL;
  gboolean good = detour_drop_in_write (&self->sources, self->plugins, "service/stun", enabled,
                                        &error);

  g_assert_no_error (error);
  g_assert_true (good);
}

static void
refuse (Fixture *self, gboolean enabled, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (
      detour_drop_in_write (&self->sources, self->plugins, "service/stun", enabled, &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, text));
}

/* NULL: it is not there. */
static void
expect_file (Fixture *self, const char *text)
{
  g_autofree char *found = NULL;

  g_file_get_contents (self->drop_in, &found, NULL, NULL);
  g_assert_cmpstr (found, ==, text);
}

static void
write_drop_in (Fixture *self, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (self->conf_d, name, NULL);

  g_assert_cmpint (g_mkdir_with_parents (self->conf_d, 0755), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

/* The service has a mask that closes everything. */
static void
readable_for_the_next_user (Fixture *self, gconstpointer data)
{
  mode_t before = umask (0077);
  struct stat st;

  put (self, FALSE);
  umask (before);
  g_assert_cmpint (g_stat (self->drop_in, &st), ==, 0);
  g_assert_cmphex (st.st_mode & 07777, ==, 0644);
}

static void
made_and_removed (Fixture *self, gconstpointer data)
{
  put (self, FALSE);
  expect_file (self, MARK "[service stun]\nenabled = false\n");
  put (self, FALSE);
  expect_file (self, MARK "[service stun]\nenabled = false\n");
  /* The other files say it without. */
  put (self, TRUE);
  expect_file (self, NULL);
  put (self, TRUE);
  expect_file (self, NULL);
}

static void
turned_on_against_the_main_file (Fixture *self, gconstpointer data)
{
  g_assert_true (g_file_set_contents (self->main_file, GOOD "enabled=no\n", -1, NULL));
  put (self, TRUE);
  expect_file (self, MARK "[service stun]\nenabled = true\n");
  put (self, FALSE);
  expect_file (self, NULL);
}

static void
files_of_others_are_left_alone (Fixture *self, gconstpointer data)
{
  write_drop_in (self, "90-service-stun.conf", "[service stun]\ncompat=any\n");
  refuse (self, FALSE, "is there already and was not written by detourctl");
  expect_file (self, "[service stun]\ncompat=any\n");
}

static void
a_later_file_wins (Fixture *self, gconstpointer data)
{
  write_drop_in (self, "95-mine.conf", "[service stun]\nenabled=yes\n");
  refuse (self, FALSE, "a file that is read after");
  expect_file (self, NULL);
}

static void
what_is_no_file_is_refused (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (g_mkdir_with_parents (self->conf_d, 0755), ==, 0);
  g_assert_cmpint (mkfifo (self->drop_in, 0600), ==, 0);
  refuse (self, FALSE, "it is a named pipe; expected a regular file");
  g_unlink (self->drop_in);
  g_assert_cmpint (symlink ("/dev/zero", self->drop_in), ==, 0);
  refuse (self, FALSE, "it is a device; expected a regular file");
}

static void
no_main_file (Fixture *self, gconstpointer data)
{
  self->sources.main_file = NULL;
  refuse (self, FALSE, "the daemon runs without a configuration file");
}

/* The change is kept for when the files are right again. */
static void
wrong_for_other_reasons (Fixture *self, gconstpointer data)
{
  g_assert_true (g_file_set_contents (self->main_file, GOOD "[limits]\nhalf-open=x\n", -1, NULL));
  put (self, FALSE);
  expect_file (self, MARK "[service stun]\nenabled = false\n");
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*func) (Fixture *self, gconstpointer data);
  } tests[] = {
    { "/drop-in/made-and-removed", made_and_removed },
    { "/drop-in/readable-for-the-next-user", readable_for_the_next_user },
    { "/drop-in/turned-on-against-the-main-file", turned_on_against_the_main_file },
    { "/drop-in/files-of-others-are-left-alone", files_of_others_are_left_alone },
    { "/drop-in/a-later-file-wins", a_later_file_wins },
    { "/drop-in/what-is-no-file-is-refused", what_is_no_file_is_refused },
    { "/drop-in/no-main-file", no_main_file },
    { "/drop-in/wrong-for-other-reasons", wrong_for_other_reasons },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].name, Fixture, NULL, set_up, tests[i].func, tear_down);
  return g_test_run ();
}
