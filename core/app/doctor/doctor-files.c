/* doctor-files.c: whether the daemon's user may use the files that the configuration names.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detourctl-format.h"
#include "doctor-access.h"

typedef enum {
  USE_READ,
  USE_SECRET, /* read, and closed to others */
  USE_FOLDER, /* its files are read */
  USE_STATE,  /* a folder that is written to */
  USE_WRITE,  /* a file that is made or appended to */
  USE_RUN,
  USE_NONE, /* a socket, which another check looks at */
} Use;

/* What is done with the file of a key, by the end of the key's name. The first row that fits. */
static const struct {
  const char *end;
  Use use;
} uses[] = {
  { "key-file", USE_SECRET }, { "secret-file", USE_SECRET },
  { "socket", USE_NONE },     { "events-file", USE_WRITE },
  { "path", USE_WRITE },      { "program", USE_RUN },
  { "hook", USE_RUN },        { "directory", USE_FOLDER },
  { "root", USE_FOLDER },     { "", USE_READ },
};

static Use
doctor_files_find_use (const char *key)
{
  guint i = 0;

  while (!g_str_has_suffix (key, uses[i].end))
    i++;
  return uses[i].use;
}

/* "detour": the daemon's group, by its number if it has no name. */
static char *
doctor_files_group (const Doctor *doctor)
{
  const struct group *group = getgrgid (doctor->gid);

  return group != NULL ? g_strdup (group->gr_name) : g_strdup_printf ("%u", doctor->gid);
}

/* "detour:detour", for chown. */
static char *
doctor_files_owner (const Doctor *doctor)
{
  g_autofree char *group = doctor_files_group (doctor);

  return g_strdup_printf ("%s:%s", doctor->user, group);
}

/* ---- what is wrong --------------------------------------------------------------------------- */

static void
doctor_files_tell_missing (const Doctor *doctor, DoctorReport *report, const char *what,
                           const char *path, Use use)
{
  g_autofree char *word = detourctl_format_word (path);
  g_autofree char *group = doctor_files_group (doctor);

  if (use == USE_STATE)
    doctor_find (report, "file_missing", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: there is no folder %s, and %s cannot make it"), what,
                                  path, doctor->user),
                 g_strdup (_ ("make it, as root:")),
                 g_strdup_printf ("install -d -m 0700 -o %s -g %s %s", doctor->user, group, word));
  else
    doctor_find (report, "file_missing", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: there is no %s"), what, path),
                 g_strdup (_ ("put it there, or correct that key")), NULL);
}

static void
doctor_files_tell_folder (const Doctor *doctor, DoctorReport *report, const char *what,
                          const char *path, const char *where)
{
  g_autofree char *word = detourctl_format_word (where);

  doctor_find (
      report, "folder_closed", DOCTOR_PROBLEM,
      g_strdup_printf (_ ("%s: user %s does not reach %s, because %s is closed to it"), what,
                       doctor->user, path, where),
      g_strdup (_ ("let everyone pass through that folder (they see nothing of it by that), "
                   "or keep the file elsewhere:")),
      g_strdup_printf ("chmod o+x %s", word));
}

static void
doctor_files_tell_denied (const Doctor *doctor, DoctorReport *report, const char *what,
                          const char *path, Use use)
{
  g_autofree char *word = detourctl_format_word (path);
  g_autofree char *owner = doctor_files_owner (doctor);
  g_autofree char *group = doctor_files_group (doctor);
  char *command;

  if (use == USE_STATE)
    command = g_strdup_printf ("chown -R %s %s && chmod u+rwx %s", owner, word, word);
  else if (use == USE_WRITE)
    command = g_strdup_printf ("chown %s %s && chmod u+rw %s", owner, word, word);
  else if (use == USE_SECRET)
    command = g_strdup_printf ("chgrp %s %s && chmod 0640 %s", group, word, word);
  else if (use == USE_RUN || use == USE_FOLDER)
    command = g_strdup_printf ("chmod o+rx %s", word);
  else
    command = g_strdup_printf ("chmod o+r %s", word);
  doctor_find (report, "file_closed", DOCTOR_PROBLEM,
               use == USE_STATE || use == USE_WRITE
                   ? g_strdup_printf (_ ("%s: user %s may not write %s"), what, doctor->user, path)
                   : g_strdup_printf (_ ("%s: user %s may not read %s"), what, doctor->user, path),
               g_strdup (_ ("allow it, as root:")), command);
}

/* A secret that others may read, or that somebody else may replace: it is refused. */
static gboolean
doctor_files_is_safe (const Doctor *doctor, DoctorReport *report, const char *what,
                      const char *path)
{
  g_autofree char *word = detourctl_format_word (path);
  struct stat st;

  if (stat (path, &st) < 0)
    return TRUE;
  if ((st.st_mode & 0027) != 0)
    doctor_find (
        report, "secret_open", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s: %s holds a secret, and others may read or change it (mode "
                            "%04o)"),
                         what, path, (guint) st.st_mode & 07777),
        g_strdup (_ ("close it:")), g_strdup_printf ("chmod g-w,o-rwx %s", word));
  else if (st.st_uid != 0 && st.st_uid != doctor->uid)
    doctor_find (report, "secret_foreign", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: %s holds a secret, and belongs to user %u"), what, path,
                                  (guint) st.st_uid),
                 g_strdup_printf (_ ("give it to %s:"), doctor->user),
                 g_strdup_printf ("chown %s %s", doctor->user, word));
  else
    return TRUE;
  return FALSE;
}

/* ---- one file -------------------------------------------------------------------------------- */

/* A file or folder that is not there can be made when the folder that is to hold it can be written.
 */
static gboolean
doctor_files_can_be_made (const Doctor *doctor, const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *where = NULL;

  return doctor_access_try (doctor, folder, W_OK | X_OK, &where) == 0;
}

/* TRUE: nothing is wrong with it. */
static gboolean
doctor_files_look_at (const Doctor *doctor, DoctorReport *report, const char *what,
                      const char *path, Use use)
{
  static const int modes[] = {
    [USE_READ] = R_OK,          [USE_SECRET] = R_OK,
    [USE_FOLDER] = R_OK | X_OK, [USE_STATE] = R_OK | W_OK | X_OK,
    [USE_WRITE] = R_OK | W_OK,  [USE_RUN] = X_OK,
  };
  g_autofree char *where = NULL;
  int number = doctor_access_try (doctor, path, modes[use], &where);

  if (number == ENOENT && (use == USE_STATE || use == USE_WRITE)
      && doctor_files_can_be_made (doctor, path))
    return TRUE;
  /* It would be made in a folder that is missing, or that may not be written. */
  if (number == ENOENT && use == USE_WRITE)
    {
      g_autofree char *folder = g_path_get_dirname (path);

      return doctor_files_look_at (doctor, report, what, folder, USE_STATE);
    }
  if (number == ENOENT)
    doctor_files_tell_missing (doctor, report, what, path, use);
  else if (number == EACCES && strcmp (where, path) != 0)
    doctor_files_tell_folder (doctor, report, what, path, where);
  else if (number == EACCES)
    doctor_files_tell_denied (doctor, report, what, path, use);
  else if (number != 0)
    doctor_find (report, "file_unusable", DOCTOR_PROBLEM,
                 g_strdup_printf ("%s: %s: %s", what, where, g_strerror (number)),
                 g_strdup (_ ("correct that key, or mend what the system says")), NULL);
  else
    return use != USE_SECRET || doctor_files_is_safe (doctor, report, what, path);
  return FALSE;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void
doctor_files_look_at_group (const Doctor *doctor, DoctorReport *report,
                            const DetourSettings *settings)
{
  for (const DetourConfigKey *key = detour_settings_table (settings); key->key != NULL; key++)
    {
      Use use = doctor_files_find_use (key->key);
      g_autofree char *what = NULL;
      const char *room[2];
      const char *const *list;

      /* The state directory has a check of its own; a fallback is looked for by its plugin. */
      if (key->type != DETOUR_CONFIG_PATH || use == USE_NONE
          || strcmp (key->key, "state-directory") == 0
          || !detour_settings_is_written (settings, key->key))
        continue;
      what = g_strdup_printf ("[%s] %s", detour_settings_group (settings), key->key);
      for (list = detour_settings_values (settings, key, room); *list != NULL; list++)
        /* The server key is made when there is none. */
        if (settings != doctor->config->core || use != USE_SECRET
            || g_file_test (*list, G_FILE_TEST_EXISTS) || !doctor_files_can_be_made (doctor, *list))
          doctor_files_look_at (doctor, report, what, *list, use);
    }
}

static void
doctor_files_look_at_all (const Doctor *doctor, DoctorReport *report)
{
  const DetourConfig *config = doctor->config;
  g_autofree char *key = g_build_filename (doctor->state_directory, "server.key", NULL);

  if (doctor_files_look_at (doctor, report, _ ("state directory"), doctor->state_directory,
                            USE_STATE)
      && config->options.core.key_file == NULL && g_file_test (key, G_FILE_TEST_EXISTS))
    doctor_files_look_at (doctor, report, _ ("server key"), key, USE_SECRET);
  doctor_files_look_at_group (doctor, report, config->core);
  doctor_files_look_at_group (doctor, report, config->limits);
  doctor_files_look_at_group (doctor, report, config->admission);
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->enabled && instance->plugin != NULL)
        doctor_files_look_at_group (doctor, report, instance->settings);
    }
}

void
doctor_files_check (const Doctor *doctor, DoctorReport *report)
{
  guint before = report->findings->len;

  if (!doctor_access_is_known (doctor))
    {
      doctor_find (
          report, "not_checked", DOCTOR_NOTE,
          g_strdup_printf (_ ("only root can see what user %s may do with files"), doctor->user),
          g_strdup (_ ("ask as root:")), g_strdup ("sudo detourctl doctor files"));
      return;
    }
  if (doctor->main_file != NULL && g_file_test (doctor->main_file, G_FILE_TEST_EXISTS))
    doctor_files_look_at (doctor, report, _ ("configuration"), doctor->main_file, USE_READ);
  if (doctor->config != NULL)
    doctor_files_look_at_all (doctor, report);
  else
    doctor_find (report, "not_checked", DOCTOR_NOTE,
                 g_strdup (_ ("files are not known while the configuration has errors")), NULL,
                 NULL);
  if (report->findings->len == before)
    doctor_find (report, "files_good", DOCTOR_OK,
                 g_strdup_printf (_ ("user %s may use all files that the configuration names"),
                                  doctor->user),
                 NULL, NULL);
}
