/* test-file.c: reading files that may be anything.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-file.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
  char *folder;
  char *path;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->folder = g_dir_make_tmp ("detour-test-file-XXXXXX", NULL);
  g_assert_nonnull (self->folder);
  self->path = g_build_filename (self->folder, "file", NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_unlink (self->path);
  g_rmdir (self->path);
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_free (self->path);
  g_free (self->folder);
}

static void
write_file (Fixture *self, const char *text, gssize len, guint mode)
{
  g_assert_true (g_file_set_contents (self->path, text, len, NULL));
  g_assert_cmpint (g_chmod (self->path, (int) mode), ==, 0);
}

/* Expects a refusal with @code whose text is the path and @text. */
static void
refused (const char *path, gsize max, DetourFileFlags flags, GFileError code, const char *text)
{
  g_autofree char *whole = g_strdup_printf ("%s: %s", path, text);
  g_autoptr (GError) error = NULL;
  g_auto (DetourFile) file;

  g_assert_false (detour_file_read (path, max, flags, &file, &error));
  g_assert_error (error, G_FILE_ERROR, (int) code);
  g_assert_cmpstr (error->message, ==, whole);
  g_assert_null (file.data);
  g_assert_cmpuint (file.len, ==, 0);
}

static void
expect_contents (const char *path, gsize max, const char *text, gsize len)
{
  g_autoptr (GError) error = NULL;
  g_auto (DetourFile) file;
  gboolean good = detour_file_read (path, max, 0, &file, &error);

  g_assert_no_error (error);
  g_assert_true (good);
  g_assert_cmpmem (file.data, file.len, text, len);
  g_assert_cmpint (file.data[file.len], ==, '\0');
}

static void
contents_are_read_whole (Fixture *self, gconstpointer data)
{
  g_autofree char *big = g_malloc (300000);

  write_file (self, "a\0b\n", 4, 0644);
  expect_contents (self->path, 4, "a\0b\n", 4);
  write_file (self, "", 0, 0644);
  expect_contents (self->path, 0, "", 0);
  memset (big, 'x', 300000);
  write_file (self, big, 300000, 0644);
  expect_contents (self->path, 300000, big, 300000);
  expect_contents (self->path, G_MAXUINT32, big, 300000);
}

static void
the_head_of_a_long_file_is_enough (Fixture *self, gconstpointer data)
{
  g_auto (DetourFile) file;
  g_autoptr (GError) error = NULL;

  write_file (self, "12345", 5, 0644);
  g_assert_true (detour_file_read (self->path, 4, DETOUR_FILE_HEAD, &file, &error));
  g_assert_no_error (error);
  g_assert_cmpmem (file.data, file.len, "1234", 4);
  g_assert_cmpint (file.data[4], ==, 0);
  detour_file_clear (&file);
  g_assert_true (detour_file_read (self->path, 5, DETOUR_FILE_HEAD, &file, &error));
  g_assert_cmpmem (file.data, file.len, "12345", 5);
  detour_file_clear (&file);
  g_assert_true (detour_file_read ("/proc/self/status", 5, DETOUR_FILE_HEAD, &file, &error));
  g_assert_cmpmem (file.data, file.len, "Name:", 5);
}

/* Such files say that they have no bytes. */
static void
files_of_the_kernel_are_read (Fixture *self, gconstpointer data)
{
  g_auto (DetourFile) file;
  g_autoptr (GError) error = NULL;

  g_assert_true (detour_file_read ("/proc/self/status", 65536, 0, &file, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (file.size, ==, 0);
  g_assert_true (g_str_has_prefix (file.data, "Name:"));
  refused ("/proc/self/status", 10, 0, G_FILE_ERROR_FAILED,
           "longer than 10 bytes, which is the most that is read");
}

static void
too_long_is_refused (Fixture *self, gconstpointer data)
{
  write_file (self, "12345", 5, 0644);
  expect_contents (self->path, 5, "12345", 5);
  refused (self->path, 4, 0, G_FILE_ERROR_FAILED, "5 bytes long; at most 4 are read");
  /* A file with a hole costs no space and would cost memory. */
  g_assert_cmpint (truncate (self->path, (off_t) 8 << 30), ==, 0);
  refused (self->path, 1 << 20, 0, G_FILE_ERROR_FAILED,
           "8589934592 bytes long; at most 1048576 are read");
}

static void
what_is_no_file_is_refused_at_once (Fixture *self, gconstpointer data)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd;

  refused (self->folder, 100, 0, G_FILE_ERROR_ISDIR,
           "cannot be read: it is a directory; expected a regular file");
  refused ("/dev/zero", 100, 0, G_FILE_ERROR_INVAL,
           "cannot be read: it is a device; expected a regular file");
  refused (self->path, 100, 0, G_FILE_ERROR_NOENT, "cannot be read: No such file or directory");

  g_assert_cmpint (mkfifo (self->path, 0600), ==, 0);
  refused (self->path, 100, 0, G_FILE_ERROR_INVAL,
           "cannot be read: it is a named pipe; expected a regular file");
  g_unlink (self->path);

  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_strlcpy (address.sun_path, self->path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  refused (self->path, 100, 0, G_FILE_ERROR_INVAL,
           "cannot be read: it is a socket; expected a regular file");
  close (fd);
}

static void
dev_null_is_an_empty_file (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (symlink ("/dev/null", self->path), ==, 0);
  expect_contents (self->path, 100, "", 0);
}

static void
modes_are_judged (Fixture *self, gconstpointer data)
{
  static const struct {
    guint mode;
    DetourFileFlags flags;
    const char *text; /* NULL: it may be read */
  } cases[] = {
    { 0666, 0, NULL },
    { 0600, DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED, NULL },
    { 0640, DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED, NULL },
    { 0400, DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED, NULL },
    { 0644, DETOUR_FILE_PROTECTED, NULL },
    { 0660, DETOUR_FILE_PRIVATE, NULL },
    { 0644, DETOUR_FILE_PRIVATE, "mode 0644 lets everyone on this host use it; run: chmod o= " },
    { 0601, DETOUR_FILE_PRIVATE, "mode 0601 lets everyone on this host use it; run: chmod o= " },
    { 0660, DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED,
      "mode 0660 lets others write it; run: chmod go-w " },
    { 0602, DETOUR_FILE_PROTECTED, "mode 0602 lets others write it; run: chmod go-w " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      write_file (self, "text", 4, cases[i].mode);
      if (cases[i].text != NULL)
        {
          g_autofree char *text = g_strconcat (cases[i].text, self->path, NULL);

          refused (self->path, 100, cases[i].flags, G_FILE_ERROR_PERM, text);
        }
      else
        {
          g_auto (DetourFile) file;

          g_assert_true (detour_file_read (self->path, 100, cases[i].flags, &file, NULL));
          g_assert_cmpuint (file.mode, ==, cases[i].mode);
          g_assert_cmpuint (file.owner, ==, geteuid ());
        }
    }
}

static void
foreign_owners_are_refused (Fixture *self, gconstpointer data)
{
  write_file (self, "text", 4, 0600);
  if (chown (self->path, 12345, (gid_t) -1) < 0)
    {
      g_test_skip ("only root can give a file away");
      return;
    }
  g_assert_cmpuint (geteuid (), ==, 0);
  refused (self->path, 100, DETOUR_FILE_OWNED, G_FILE_ERROR_PERM,
           "it belongs to user 12345, who can change it; expected root or user 0, as whom this "
           "process runs");
  expect_contents (self->path, 100, "text", 4);
  g_assert_cmpint (chown (self->path, 0, (gid_t) -1), ==, 0);
  {
    g_auto (DetourFile) file;

    g_assert_true (detour_file_read (self->path, 100, DETOUR_FILE_OWNED, &file, NULL));
  }
}

static void
unreadable_says_who_could (Fixture *self, gconstpointer data)
{
  g_autofree char *text = NULL;

  write_file (self, "text", 4, 0200);
  if (access (self->path, R_OK) == 0)
    {
      /* Root reads everything; another user, who may enter the folder, does not. */
      g_assert_cmpint (g_chmod (self->folder, 0755), ==, 0);
      if (seteuid (12345) < 0)
        {
          g_test_skip ("no other user to be");
          return;
        }
      text = g_strdup ("cannot be read: Permission denied; this process has user 12345, the file "
                       "belongs to user 0, group 0, and has mode 0200");
    }
  else
    text = g_strdup_printf ("cannot be read: Permission denied; this process has user %u, the file "
                            "belongs to user %u, group %u, and has mode 0200",
                            geteuid (), geteuid (), getegid ());
  refused (self->path, 100, 0, G_FILE_ERROR_ACCES, text);
  g_assert_cmpint (seteuid (getuid ()), ==, 0);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*func) (Fixture *self, gconstpointer data);
  } tests[] = {
    { "/file/contents-are-read-whole", contents_are_read_whole },
    { "/file/the-head-of-a-long-file-is-enough", the_head_of_a_long_file_is_enough },
    { "/file/files-of-the-kernel-are-read", files_of_the_kernel_are_read },
    { "/file/too-long-is-refused", too_long_is_refused },
    { "/file/what-is-no-file-is-refused-at-once", what_is_no_file_is_refused_at_once },
    { "/file/dev-null-is-an-empty-file", dev_null_is_an_empty_file },
    { "/file/modes-are-judged", modes_are_judged },
    { "/file/foreign-owners-are-refused", foreign_owners_are_refused },
    { "/file/unreadable-says-who-could", unreadable_says_who_could },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].name, Fixture, NULL, set_up, tests[i].func, tear_down);
  return g_test_run ();
}
