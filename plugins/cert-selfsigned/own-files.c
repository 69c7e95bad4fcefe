/* own-files.c: the files of a self-signed pair, and copies of all pairs there ever were.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "own-files.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

/* Digits of the pin in the name of a copy. */
#define HASH_LEN 16u
#define OLD_MAX  99u
#define FILE_MAX 65536u

#define CRT_FLAGS (DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED)
#define KEY_FLAGS (DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED)

/* FALSE with @error: it is there and cannot be read. An absent file leaves @content empty. */
static gboolean
own_files_read_one (const char *path, DetourFileFlags flags, DetourFile *content, GError **error)
{
  g_autoptr (GError) why = NULL;

  if (detour_file_read (path, FILE_MAX, flags, content, &why)
      || g_error_matches (why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

gboolean
own_files_read (const char *stem, OwnPair **pair, gboolean *present, GError **error)
{
  g_autofree char *crt_path = g_strconcat (stem, ".crt", NULL);
  g_autofree char *key_path = g_strconcat (stem, ".key", NULL);
  g_auto (DetourFile) crt = { 0 };
  g_auto (DetourFile) key = { 0 };

  if (!own_files_read_one (crt_path, CRT_FLAGS, &crt, error)
      || !own_files_read_one (key_path, KEY_FLAGS, &key, error))
    return FALSE;
  *present = crt.data != NULL || key.data != NULL;
  *pair = own_pair_parse (crt.data, crt.len, key.data, key.len);
  return TRUE;
}

static gboolean
own_files_write_one (const char *path, const char *text, GError **error)
{
  if (text == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                           "the certificate or its key cannot be written as PEM");
      return FALSE;
    }
  return g_file_set_contents_full (
      path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, error);
}

gboolean
own_files_keep_copy (const char *stem, const OwnPair *pair, GError **error)
{
  g_autofree char *pin = own_pair_pin (pair);
  g_autofree char *path = g_strdup_printf ("%s-%.*s.pem", stem, (int) HASH_LEN, pin);
  g_autofree char *crt = NULL;
  char *key, *both = NULL;
  gboolean ok;

  if (g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  crt = own_pair_crt_pem (pair);
  key = own_pair_key_pem (pair);
  if (crt != NULL && key != NULL)
    both = g_strconcat (crt, key, NULL);
  ok = own_files_write_one (path, both, error);
  own_pair_wipe (both);
  own_pair_wipe (key);
  return ok;
}

/* Gives the file a second name. The first name stays until the file is replaced in one step, so
 * that a failure in between loses nothing. */
static gboolean
own_files_keep_old (const char *path, GError **error)
{
  for (guint i = 1; i <= OLD_MAX; i++)
    {
      g_autofree char *old = g_strdup_printf ("%s.old-%u", path, i);

      if (link (path, old) == 0 || errno == ENOENT)
        return TRUE;
      if (errno == EEXIST)
        continue;
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "%s cannot be kept as %s: %s",
                   path, old, g_strerror (errno));
      return FALSE;
    }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS,
               "%s is damaged, and %u older ones are kept beside it already; remove some", path,
               OLD_MAX);
  return FALSE;
}

/* Preserves the present content of the two files. */
static gboolean
own_files_save_present (const char *stem, const char *crt_path, const char *key_path,
                        GError **error)
{
  g_autoptr (OwnPair) now = NULL;
  gboolean present;

  if (!own_files_read (stem, &now, &present, error))
    return FALSE;
  if (own_pair_is_whole (now))
    return own_files_keep_copy (stem, now, error);
  return own_files_keep_old (crt_path, error) && own_files_keep_old (key_path, error);
}

gboolean
own_files_write (const char *stem, const OwnPair *pair, GError **error)
{
  g_autofree char *crt_path = g_strconcat (stem, ".crt", NULL);
  g_autofree char *key_path = g_strconcat (stem, ".key", NULL);
  g_autofree char *crt = NULL;
  char *key;
  gboolean ok;

  /* If a later step fails, the next start completes the pair from its copy. */
  if (!own_files_keep_copy (stem, pair, error)
      || !own_files_save_present (stem, crt_path, key_path, error))
    return FALSE;
  crt = own_pair_crt_pem (pair);
  key = own_pair_key_pem (pair);
  ok = own_files_write_one (crt_path, crt, error) && own_files_write_one (key_path, key, error);
  own_pair_wipe (key);
  return ok;
}

/* The name must be exactly NAME-HASH.pem, so that no file of another instance matches. */
static gboolean
own_files_is_copy (const char *file, const char *name)
{
  gsize len = strlen (name);

  if (strncmp (file, name, len) != 0 || file[len] != '-'
      || strlen (file + len + 1) != HASH_LEN + strlen (".pem")
      || strcmp (file + len + 1 + HASH_LEN, ".pem") != 0)
    return FALSE;
  for (gsize i = 0; i < HASH_LEN; i++)
    if (!g_ascii_isxdigit (file[len + 1 + i]))
      return FALSE;
  return TRUE;
}

GPtrArray *
own_files_list_copies (const char *stem)
{
  GPtrArray *copies = g_ptr_array_new_with_free_func ((GDestroyNotify) own_pair_free);
  g_autofree char *folder = g_path_get_dirname (stem);
  g_autofree char *name = g_path_get_basename (stem);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *file;

  while (dir != NULL && (file = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, file, NULL);
      g_autoptr (OwnPair) pair = NULL;
      g_autoptr (GError) error = NULL;
      g_auto (DetourFile) content = { 0 };

      if (!own_files_is_copy (file, name))
        continue;
      if (!own_files_read_one (path, KEY_FLAGS, &content, &error))
        g_warning ("copy of a certificate: %s", error->message);
      pair = own_pair_parse (content.data, content.len, content.data, content.len);
      if (own_pair_is_whole (pair))
        g_ptr_array_add (copies, g_steal_pointer (&pair));
    }
  return copies;
}
