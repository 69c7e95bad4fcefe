/* detourctl-keys.c: adds node keys to lists of them, takes them off, and shows them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "detour-client-key.h"
#include "detourctl-json.h"
#include "detourctl-key-file.h"
#include "detourctl-key-follow.h"
#include "detourctl-key-places.h"
#include "detourctl-table.h"

static char *label;
static char *class_;
static char *config;

static const GOptionEntry add_options[] = {
  { "label", 0, 0, G_OPTION_ARG_STRING, &label, N_ ("Whose key it is; shown with the client"),
    N_ ("TEXT") },
  { "class", 0, 0, G_OPTION_ARG_STRING, &class_, N_ ("The class of the client"), N_ ("NAME") },
  { "config", 0, 0, G_OPTION_ARG_FILENAME, &config,
    N_ ("Look at FILE instead of asking the daemon"), N_ ("FILE") },
  { NULL },
};

static const GOptionEntry file_options[] = {
  { "config", 0, 0, G_OPTION_ARG_FILENAME, &config,
    N_ ("Look at FILE instead of asking the daemon"), N_ ("FILE") },
  { NULL },
};

/* Which file ----------------------------------------------------------------------------------- */

static void
ctl_keys_tell_candidates (const GPtrArray *places)
{
  g_autoptr (GPtrArray) files = detourctl_key_places_all_files (places);

  for (guint i = 0; i < files->len; i++)
    g_printerr ("  %s\n", (const char *) files->pdata[i]);
  for (guint i = 0; i < places->len; i++)
    {
      const DetourctlKeyPlace *place = places->pdata[i];

      if (place->is_directory)
        /* TRANSLATORS: the name of a file that can be made. */
        g_printerr (_ ("  %s/NAME.keys, a new one\n"), place->path);
    }
}

/* (nullable): the file that is meant; NULL after a message. @written: (nullable): by the user */
static char *
ctl_keys_choose_file (const GPtrArray *places, const char *written, DetourctlExit *exit)
{
  g_autoptr (GPtrArray) files = NULL;

  *exit = DETOURCTL_USAGE;
  if (written != NULL && !g_file_test (written, G_FILE_TEST_IS_DIR))
    return g_canonicalize_filename (written, NULL);
  if (written != NULL)
    {
      detourctl_complain (_ ("%s is a directory; name a file in it"), written);
      return NULL;
    }
  files = detourctl_key_places_all_files (places);
  if (files->len == 1)
    return g_strdup (files->pdata[0]);
  if (places->len == 0)
    {
      detourctl_complain (_ ("the configuration names no list of keys ([auth NAME] with plugin = "
                             "keys); name the file"));
      return NULL;
    }
  detourctl_complain (_ ("which list? Name one of these files:"));
  ctl_keys_tell_candidates (places);
  return NULL;
}

/* The key -------------------------------------------------------------------------------------- */

/* FALSE after a message. Digits alone may be any key, so the daemon has to know a client with it.
 */
static gboolean
ctl_keys_resolve (Detourctl *self, const char *digits, DetourKey *key, DetourctlExit *exit)
{
  g_autoptr (GVariant) reply = detourctl_call (self, "", "Manager", "FindKey",
                                               g_variant_new ("(s)", digits), "(s)", exit);
  const char *text;

  if (reply == NULL)
    return FALSE;
  g_variant_get (reply, "(&s)", &text);
  return detour_key_parse (key, text, "nodekey:");
}

static gboolean
ctl_keys_is_digits (const char *text)
{
  gsize n = strspn (text, "0123456789abcdefABCDEF");

  return n >= 4 && n < DETOUR_KEY_HEX_SIZE && text[n] == '\0';
}

static gboolean
ctl_keys_read_key (Detourctl *self, const char *text, DetourKey *key, DetourctlExit *exit)
{
  g_autoptr (GError) error = NULL;

  if (ctl_keys_is_digits (text))
    return ctl_keys_resolve (self, text, key, exit);
  if (detourctl_key_file_read_key (text, key, &error))
    return TRUE;
  detourctl_complain ("%s", error->message);
  *exit = DETOURCTL_USAGE;
  return FALSE;
}

/* Changing a file ------------------------------------------------------------------------------ */

/* Says what came of a change; @what: of the sentence for people. */
static DetourctlExit
ctl_keys_tell (Detourctl *self, const DetourctlKeyFile *file, const DetourctlKeyPlace *place,
               const DetourKey *key, gboolean in, const char *what)
{
  DetourctlKeyFollow follows = detourctl_key_follow (self, place, key, in);
  g_autofree char *trouble = follows == DETOURCTL_KEY_FOLLOW_NO
                               ? detourctl_key_follow_get_trouble (self, place->instance)
                               : NULL;
  g_autofree char *text = detour_key_to_text (key);

  if (self->json)
    {
      DetourctlJson *json = detourctl_json_begin_document ();

      detourctl_json_text (json, "key", text);
      detourctl_json_text (json, "file", file->path);
      detourctl_json_text (json, "instance", place != NULL ? place->instance : NULL);
      detourctl_json_flag (json, "in_force", follows == DETOURCTL_KEY_FOLLOW_YES);
      return detourctl_json_end_document (
          json, follows == DETOURCTL_KEY_FOLLOW_NO ? DETOURCTL_FAILED : DETOURCTL_GOOD);
    }
  g_print ("%s", what);
  if (follows == DETOURCTL_KEY_FOLLOW_YES)
    /* TRANSLATORS: an instance, as in auth/friends. */
    g_print (_ ("; %s has it in force\n"), place->instance);
  else if (place == NULL)
    g_print (_ ("; the configuration names no instance that reads this file\n"));
  else if (follows == DETOURCTL_KEY_FOLLOW_UNKNOWN)
    g_print (_ ("; %s reads it when the daemon starts\n"), place->instance);
  else
    {
      g_print ("\n");
      detourctl_complain (
          _ ("%s did not take the change over: %s"), place->instance,
          trouble != NULL && *trouble != '\0' ? trouble : _ ("it says nothing; look at the log"));
      return DETOURCTL_FAILED;
    }
  return DETOURCTL_GOOD;
}

/* Two of these programs do not change lists of one folder at a time; -1: they cannot be kept from
 * it. */
static int
ctl_keys_lock (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd >= 0)
    flock (fd, LOCK_EX);
  return fd;
}

/* FALSE after a message. */
static gboolean
ctl_keys_write (const DetourctlKeyFile *file)
{
  g_autoptr (GError) error = NULL;

  if (detourctl_key_file_write (file, &error))
    return TRUE;
  detourctl_complain ("%s", error->message);
  if (g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_ACCES)
      || g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_PERM))
    g_printerr (_ ("Try it with sudo\n"));
  return FALSE;
}

/* Whether a list that is read together with @path has the key; then it has said so. */
static gboolean
ctl_keys_is_double (const DetourctlKeyPlace *place, const DetourctlKeyFile *own,
                    const DetourKey *key)
{
  g_autoptr (GPtrArray) files = place != NULL ? detourctl_key_places_files (place)
                                              : g_ptr_array_new ();
  const DetourctlKeyLine *line = detourctl_key_file_find (own, key);

  if (line != NULL)
    {
      detourctl_complain (_ ("%s:%u has this key already"), own->path, line->line);
      return TRUE;
    }
  for (guint i = 0; i < files->len; i++)
    {
      g_autoptr (DetourctlKeyFile) file = strcmp (files->pdata[i], own->path) != 0
                                            ? detourctl_key_file_read (files->pdata[i], NULL)
                                            : NULL;

      line = file != NULL ? detourctl_key_file_find (file, key) : NULL;
      if (line == NULL)
        continue;
      detourctl_complain (_ ("%s:%u has this key already, and a key may stand on one line only"),
                          file->path, line->line);
      return TRUE;
    }
  return FALSE;
}

static DetourctlExit
ctl_keys_add (Detourctl *self, const GPtrArray *places, const char *path, const DetourKey *key)
{
  const DetourctlKeyPlace *place = detourctl_key_places_of_file (places, path);
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourctlKeyFile) file = detourctl_key_file_read (path, &error);
  g_autofree char *what = NULL;

  if (file == NULL)
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_FAILED;
    }
  if (file->wrong > 0)
    {
      detourctl_complain (
          _ ("%s:%u: not a line that a list of keys may have; mend it first, because "
             "no list with errors is used"),
          path, file->wrong);
      return DETOURCTL_FAILED;
    }
  if (ctl_keys_is_double (place, file, key))
    return DETOURCTL_FAILED;
  detourctl_key_file_add (file, key, class_ != NULL ? class_ : "", label != NULL ? label : "");
  if (!ctl_keys_write (file))
    return DETOURCTL_FAILED;
  what = g_strdup_printf (_ ("The key was added to %s"), path);
  return ctl_keys_tell (self, file, place, key, TRUE, what);
}

static gboolean
ctl_keys_check_words (void)
{
  const char *problem;

  if (label != NULL)
    g_strstrip (label);
  problem = label != NULL ? detourctl_key_file_check_label (label) : NULL;
  if (problem != NULL)
    {
      detourctl_complain ("--label: %s", problem);
      return FALSE;
    }
  problem = class_ != NULL ? detourctl_key_file_check_class (class_) : NULL;
  if (problem != NULL)
    detourctl_complain ("--class: %s", problem);
  return problem == NULL;
}

static DetourctlExit
ctl_keys_run_add (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_USAGE;
  g_autoptr (GPtrArray) places = NULL;
  g_autofree char *path = NULL;
  DetourKey key;
  int lock;

  /* The line of `tailscale status --json`, pasted without quotes around it. */
  if (g_str_has_prefix (arguments[0], "PublicKey") && arguments[1] != NULL)
    arguments++;
  else if (arguments[1] != NULL && arguments[2] != NULL)
    {
      detourctl_complain (_ ("one key and one file; quote a label: --label \"two words\""));
      return DETOURCTL_USAGE;
    }
  if (!ctl_keys_check_words () || !ctl_keys_read_key (self, arguments[0], &key, &exit))
    return exit;
  places = detourctl_key_places_find (self, config, arguments[1] == NULL, &exit);
  if (places == NULL)
    return exit;
  path = ctl_keys_choose_file (places, arguments[1], &exit);
  if (path == NULL)
    return exit;
  lock = ctl_keys_lock (path);
  exit = ctl_keys_add (self, places, path, &key);
  if (lock >= 0)
    close (lock);
  return exit;
}

/* Taking off ----------------------------------------------------------------------------------- */

/* The files that are meant: one, or all of the configuration. NULL after a message. */
static GPtrArray *
ctl_keys_list_files (const GPtrArray *places, const char *written)
{
  g_autoptr (GPtrArray) files = NULL;

  if (written != NULL && g_file_test (written, G_FILE_TEST_IS_DIR))
    {
      g_autofree char *path = g_canonicalize_filename (written, NULL);
      const DetourctlKeyPlace place = { NULL, path, TRUE };

      return detourctl_key_places_files (&place);
    }
  if (written != NULL)
    {
      files = g_ptr_array_new_with_free_func (g_free);
      g_ptr_array_add (files, g_canonicalize_filename (written, NULL));
      return g_steal_pointer (&files);
    }
  if (places->len > 0)
    return detourctl_key_places_all_files (places);
  detourctl_complain (
      _ ("the configuration names no list of keys ([auth NAME] with plugin = keys); "
         "name the file"));
  return NULL;
}

/* (nullable): of DetourctlKeyFile; NULL after a message. */
static GPtrArray *
ctl_keys_read_files (const GPtrArray *paths)
{
  g_autoptr (GPtrArray)
      files = g_ptr_array_new_with_free_func ((GDestroyNotify) detourctl_key_file_free);

  for (guint i = 0; i < paths->len; i++)
    {
      g_autoptr (GError) error = NULL;
      DetourctlKeyFile *file = detourctl_key_file_read (paths->pdata[i], &error);

      if (file == NULL)
        {
          detourctl_complain ("%s", error->message);
          return NULL;
        }
      g_ptr_array_add (files, file);
    }
  return g_steal_pointer (&files);
}

/* The one key in @files that begins with @filter; FALSE after a message. @file: (out): that has it
 */
static gboolean
ctl_keys_find_line (const GPtrArray *files, const DetourScanFilter *filter, DetourKey *key,
                    DetourctlKeyFile **file)
{
  *file = NULL;
  for (guint i = 0; i < files->len; i++)
    {
      DetourctlKeyFile *one = files->pdata[i];

      for (guint k = 0; k < one->keys->len; k++)
        {
          const DetourctlKeyLine *line = one->keys->pdata[k];

          if (!detour_scan_key_fits (&line->key, filter)
              || (*file == one && detour_key_equal (&line->key, key)))
            continue;
          if (*file != NULL)
            {
              detourctl_complain (_ ("several lines fit, one of them is %s:%u; write more digits, "
                                     "or name the file"),
                                  one->path, line->line);
              return FALSE;
            }
          *key = line->key;
          *file = one;
        }
    }
  if (*file == NULL)
    detourctl_complain (_ ("no list has a key that begins so"));
  return *file != NULL;
}

static DetourctlExit
ctl_keys_remove (Detourctl *self, const GPtrArray *places, const GPtrArray *paths,
                 const DetourScanFilter *filter)
{
  g_autoptr (GPtrArray) files = ctl_keys_read_files (paths);
  g_autofree char *what = NULL;
  DetourctlKeyFile *file;
  DetourKey key;

  if (files == NULL || !ctl_keys_find_line (files, filter, &key, &file))
    return DETOURCTL_FAILED;
  detourctl_key_file_remove (file, &key);
  if (!ctl_keys_write (file))
    return DETOURCTL_FAILED;
  what = g_strdup_printf (_ ("The key was taken off %s"), file->path);
  return ctl_keys_tell (self, file, detourctl_key_places_of_file (places, file->path), &key, FALSE,
                        what);
}

static DetourctlExit
ctl_keys_run_remove (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_USAGE;
  g_autoptr (GPtrArray) places = NULL;
  g_autoptr (GPtrArray) paths = NULL;
  g_autoptr (GError) error = NULL;
  DetourScanFilter filter = { .n_digits = DETOUR_KEY_HEX_SIZE };
  int lock;

  if (!detourctl_key_file_read_key (arguments[0], &filter.key, NULL)
      && !detour_client_key_parse (arguments[0], &filter, &error))
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_USAGE;
    }
  places = detourctl_key_places_find (self, config, arguments[1] == NULL, &exit);
  if (places == NULL)
    return exit;
  paths = ctl_keys_list_files (places, arguments[1]);
  if (paths == NULL)
    return DETOURCTL_USAGE;
  lock = paths->len > 0 ? ctl_keys_lock (paths->pdata[0]) : -1;
  exit = ctl_keys_remove (self, places, paths, &filter);
  if (lock >= 0)
    close (lock);
  return exit;
}

/* Showing -------------------------------------------------------------------------------------- */

static void
ctl_keys_add_row (DetourctlTable *table, const DetourctlKeyFile *file, const DetourctlKeyLine *line)
{
  g_autofree char *place = g_strdup_printf ("%s:%u", file->path, line->line);
  char key[9];

  detour_key_to_short (&line->key, key);
  detourctl_table_add (table, key, line->class_, place, line->label, NULL);
}

static void
ctl_keys_write_row (DetourctlJson *json, const DetourctlKeyFile *file, const DetourctlKeyLine *line)
{
  g_autofree char *key = detour_key_to_text (&line->key);

  detourctl_json_begin_object (json, NULL);
  detourctl_json_text (json, "key", key);
  if (*line->class_ != '\0')
    detourctl_json_text (json, "class", line->class_);
  if (*line->label != '\0')
    detourctl_json_text (json, "label", line->label);
  detourctl_json_text (json, "file", file->path);
  detourctl_json_number (json, "line", line->line);
  detourctl_json_end_object (json);
}

static void
ctl_keys_print_files (const GPtrArray *files, DetourctlTable *table, DetourctlJson *json)
{
  for (guint i = 0; i < files->len; i++)
    {
      const DetourctlKeyFile *file = files->pdata[i];

      for (guint k = 0; k < file->keys->len; k++)
        if (json != NULL)
          ctl_keys_write_row (json, file, file->keys->pdata[k]);
        else
          ctl_keys_add_row (table, file, file->keys->pdata[k]);
    }
}

/* Lines that no list may have. */
static DetourctlExit
ctl_keys_complain_of_files (const GPtrArray *files)
{
  DetourctlExit exit = DETOURCTL_GOOD;

  for (guint i = 0; i < files->len; i++)
    {
      const DetourctlKeyFile *file = files->pdata[i];

      if (file->wrong > 0)
        detourctl_complain (_ ("%s:%u: not a line that a list of keys may have; \"detourctl config "
                               "check\" says what is wrong"),
                            file->path, file->wrong);
      else if (!file->exists)
        detourctl_complain (_ ("%s: there is no such file"), file->path);
      if (file->wrong > 0 || !file->exists)
        exit = DETOURCTL_FAILED;
    }
  return exit;
}

static DetourctlExit
ctl_keys_run_list (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("KEY"), DETOURCTL_COLUMN_LEFT },
    { _ ("CLASS"), DETOURCTL_COLUMN_LEFT },
    { _ ("PLACE"), DETOURCTL_COLUMN_LEFT },
    { _ ("LABEL"), DETOURCTL_COLUMN_LEFT },
    { NULL },
  };
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GPtrArray) places = NULL;
  g_autoptr (GPtrArray) paths = NULL;
  g_autoptr (GPtrArray) files = NULL;
  g_autoptr (DetourctlTable) table = NULL;
  DetourctlJson *json;

  places = arguments[0] == NULL ? detourctl_key_places_find (self, config, TRUE, &exit)
                                : g_ptr_array_new ();
  if (places == NULL)
    return exit;
  paths = ctl_keys_list_files (places, arguments[0]);
  if (paths == NULL)
    return DETOURCTL_USAGE;
  files = ctl_keys_read_files (paths);
  if (files == NULL)
    return DETOURCTL_FAILED;
  exit = ctl_keys_complain_of_files (files);
  if (!self->json)
    {
      table = detourctl_table_new (columns);
      ctl_keys_print_files (files, table, NULL);
      detourctl_print_table (self, table);
      return exit;
    }
  json = detourctl_json_begin_document ();
  detourctl_json_begin_array (json, "keys");
  ctl_keys_print_files (files, NULL, json);
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, exit);
}

const DetourctlCommand detourctl_keys_commands[] = {
  { .name = "keys list",
    .arguments = N_ ("[FILE]"),
    .summary = N_ ("Show the keys on lists of [auth NAME] plugin = keys"),
    .details = N_ ("Without FILE: all lists that the configuration names. No daemon is needed."),
    .options = file_options,
    .run = ctl_keys_run_list,
    .n_max = 1 },
  { .name = "keys add",
    .arguments = N_ ("KEY [FILE]"),
    .summary = N_ ("Put a node key on a list"),
    .details = N_ (
        "KEY is nodekey: and 64 hex digits, also as \"tailscale status --json\" prints it, or the "
        "first\ndigits of a client that is connected or was refused lately. Without FILE: the one "
        "list that the\nconfiguration names. The rest of the file stays as it is. No daemon is "
        "needed; where one runs, it\nis waited for until it has taken the change over."),
    .options = add_options,
    .run = ctl_keys_run_add,
    .n_min = 1,
    .n_max = 3 },
  { .name = "keys remove",
    .arguments = N_ ("KEY [FILE]"),
    .summary = N_ ("Take a node key off its list"),
    .details = N_ ("Of KEY the first digits will do. Without FILE: the list that has it. Clients "
                   "that are connected\nwith it are closed."),
    .options = file_options,
    .run = ctl_keys_run_remove,
    .n_min = 1,
    .n_max = 2 },
  { NULL },
};
