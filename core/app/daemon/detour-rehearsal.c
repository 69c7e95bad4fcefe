/* detour-rehearsal.c: asks another program whether it could take over, before anything is risked.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-rehearsal.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#include "detour-server-carry.h"
#include "detour-server-key.h"
#include "detour-text.h"

/* The record's descriptor there. */
#define HANDOVER_FD 3

/* What the other program says of itself. */
#define ANSWER "can take over: "

/* So much of what it complains about is passed on. */
#define COMPLAINT_MAX 600
#define VERSION_MAX   64

/* This program ----------------------------------------------------------------------------------
 */

struct _DetourRehearsal {
  char *path;
  DetourRehearsalDone done;
  gpointer user;
  GSubprocess *process; /* NULL: could not be started */
  GError *problem;      /* for which; NULL once it is told */
  GCancellable *cancellable;
  guint timer;           /* 0: it was answered, or given up */
  gboolean is_listening; /* what it says is waited for */
  gboolean is_late;
};

static void
rehearsal_tell (DetourRehearsal *self, const char *version, const GError *problem)
{
  if (self->timer != 0)
    g_source_remove (self->timer);
  self->timer = 0;
  self->done (version, problem, self->user);
}

static void rehearsal_fail (DetourRehearsal *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
rehearsal_fail (DetourRehearsal *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  error = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "%s %s", self->path, text);
  rehearsal_tell (self, NULL, error);
}

/* Its last words, in one line: a clause for each line that it wrote. NULL: it said nothing. */
static char *
rehearsal_dup_complaint (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "", -1);
  g_auto (GStrv) lines = g_strsplit (valid, "\n", -1);
  g_autoptr (GString) all = g_string_new (NULL);
  glong len;

  for (guint i = 0; lines[i] != NULL; i++)
    {
      gsize end = strlen (g_strstrip (lines[i]));

      if (end > 0 && lines[i][end - 1] == '.')
        lines[i][end - 1] = '\0';
      if (*lines[i] == '\0')
        continue;
      if (all->len > 0)
        g_string_append (all, all->str[all->len - 1] == ':' ? " " : "; ");
      g_string_append (all, lines[i]);
    }
  len = g_utf8_strlen (all->str, -1);
  return detour_text_tidy (g_utf8_offset_to_pointer (all->str, MAX (len - COMPLAINT_MAX, 0)),
                           COMPLAINT_MAX);
}

static void
rehearsal_judge (DetourRehearsal *self, const char *out, const char *complaint_text)
{
  g_autofree char *complaint = rehearsal_dup_complaint (complaint_text);
  const char *why = complaint != NULL ? complaint : "";
  g_autofree char *version = NULL;

  if (out != NULL && g_str_has_prefix (out, ANSWER))
    version = detour_text_tidy (out + strlen (ANSWER), VERSION_MAX);

  if (self->is_late)
    rehearsal_fail (self, "did not say within %u s whether it could take over",
                    (guint) (DETOUR_REHEARSAL_US / G_USEC_PER_SEC));
  else if (g_subprocess_get_if_signaled (self->process))
    rehearsal_fail (self, "ended by signal %d%s%s", g_subprocess_get_term_sig (self->process),
                    complaint != NULL ? ": " : "", why);
  else if (g_subprocess_get_exit_status (self->process) != 0)
    rehearsal_fail (self, "cannot take over (exit status %d)%s%s",
                    g_subprocess_get_exit_status (self->process),
                    complaint != NULL ? ": " : " and did not say why", why);
  else if (version == NULL)
    rehearsal_fail (self, "does not know how to take over");
  else
    rehearsal_tell (self, version, NULL);
}

static void
rehearsal_on_end (GObject *source, GAsyncResult *result, gpointer data)
{
  DetourRehearsal *self = data;
  g_autofree char *out = NULL, *complaint = NULL;
  g_autoptr (GError) error = NULL;
  gboolean good = g_subprocess_communicate_utf8_finish (G_SUBPROCESS (source), result, &out,
                                                        &complaint, &error);

  self->is_listening = FALSE;
  if (self->done == NULL)
    return; /* given up */
  if (good || self->is_late)
    rehearsal_judge (self, out, complaint);
  else
    rehearsal_fail (self, "cannot be listened to: %s", error->message);
}

/* What it may have started itself could hold its output open for ever: nobody listens any more. */
static gboolean
rehearsal_on_time (gpointer data)
{
  DetourRehearsal *self = data;

  self->timer = 0;
  self->is_late = TRUE;
  g_subprocess_force_exit (self->process);
  g_cancellable_cancel (self->cancellable);
  return G_SOURCE_REMOVE;
}

static gboolean
rehearsal_on_no_start (gpointer data)
{
  DetourRehearsal *self = data;

  self->timer = 0;
  rehearsal_tell (self, NULL, self->problem);
  return G_SOURCE_REMOVE;
}

/* It is not the daemon: what the service manager told that is not for it. */
static GSubprocess *
rehearsal_start (const DetourProgram *program, const char *path, int handover, GError **error)
{
  static const char *const not_for_it[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID" };
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autofree char *number = g_strdup_printf ("%d", HANDOVER_FD);
  int copy = fcntl (handover, F_DUPFD_CLOEXEC, HANDOVER_FD);

  if (copy < 0)
    {
      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errno),
                   "no descriptor is left: %s", g_strerror (errno));
      return NULL;
    }
  g_subprocess_launcher_take_fd (launcher, copy, HANDOVER_FD);
  g_subprocess_launcher_setenv (launcher, DETOUR_PROGRAM_HANDOVER, number, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (not_for_it); i++)
    g_subprocess_launcher_unsetenv (launcher, not_for_it[i]);
  g_ptr_array_add (argv, (gpointer) path);
  for (guint i = 1; program->argv[i] != NULL; i++)
    g_ptr_array_add (argv, program->argv[i]);
  g_ptr_array_add (argv, (gpointer) "--try-takeover");
  g_ptr_array_add (argv, NULL);
  return g_subprocess_launcher_spawnv (launcher, (const char *const *) argv->pdata, error);
}

DetourRehearsal *
detour_rehearsal_new (const DetourProgram *program, const char *path,
                      const DetourHandoverDraft *draft, DetourRehearsalDone done, gpointer user)
{
  DetourRehearsal *self = g_new0 (DetourRehearsal, 1);

  self->path = g_strdup (path);
  self->done = done;
  self->user = user;
  self->cancellable = g_cancellable_new ();
  self->process = rehearsal_start (program, path, detour_handover_draft_fd (draft), &self->problem);
  if (self->process == NULL)
    {
      self->timer = g_idle_add (rehearsal_on_no_start, self);
      return self;
    }
  self->is_listening = TRUE;
  self->timer = g_timeout_add ((guint) (DETOUR_REHEARSAL_US / 1000), rehearsal_on_time, self);
  g_subprocess_communicate_utf8_async (self->process, NULL, self->cancellable, rehearsal_on_end,
                                       self);
  return self;
}

void
detour_rehearsal_free (DetourRehearsal *self)
{
  if (self->timer != 0)
    g_source_remove (self->timer);
  self->timer = 0;
  self->done = NULL;
  if (self->is_listening)
    {
      g_subprocess_force_exit (self->process);
      g_cancellable_cancel (self->cancellable);
    }
  while (self->is_listening)
    g_main_context_iteration (NULL, TRUE);
  g_clear_object (&self->process);
  g_object_unref (self->cancellable);
  g_clear_error (&self->problem);
  g_free (self->path);
  g_free (self);
}

/* The other program -----------------------------------------------------------------------------
 */

/* What transports give a listener is kept until they have stopped. */
typedef struct {
  gpointer user;
  GDestroyNotify release;
} Listening;

static gboolean
rehearsal_listen (gpointer data, DetourInstance *instance, const DetourSettings *settings,
                  const DetourListenerSpec *spec, GError **error)
{
  Listening listening = { spec->user, spec->release };

  g_array_append_val ((GArray *) data, listening);
  return TRUE;
}

static gboolean
rehearsal_add_routes (gpointer data, DetourInstance *instance, const DetourHttpRoute *routes,
                      gpointer user, GError **error)
{
  return TRUE;
}

static gboolean
rehearsal_add_dialer (gpointer data, DetourInstance *instance, const DetourDialer *dialer)
{
  return TRUE;
}

static const DetourHostHooks rehearsal_hooks = {
  .listen = rehearsal_listen,
  .add_routes = rehearsal_add_routes,
  .add_dialer = rehearsal_add_dialer,
};

/* What does not run now is not missed. */
static gboolean
rehearsal_is_missed (DetourHandover *handover, const DetourInstance *instance)
{
  DetourRecordReader reader = detour_handover_items (handover);
  const char *id = detour_instance_id (instance);
  DetourRecordItem item;

  while (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
    if (item.tag == DETOUR_HANDOVER_INSTANCE && item.len == strlen (id)
        && memcmp (item.data, id, item.len) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
rehearsal_try_instance (DetourHandover *handover, DetourInstance *instance, GString *complaints)
{
  g_autoptr (GError) error = NULL;
  gboolean is_transport = detour_instance_kind (instance) == DETOUR_KIND_TRANSPORT;

  /* One that is disabled may have been started by hand. */
  if (detour_instance_state (instance) == DETOUR_INSTANCE_DISABLED
      && !rehearsal_is_missed (handover, instance))
    return TRUE;
  if (!is_transport && !detour_instance_module_is_broken (instance))
    return TRUE;
  if (detour_instance_start (instance, &error) || !rehearsal_is_missed (handover, instance))
    return TRUE;
  g_string_append_printf (complaints, "%s, which runs now, cannot start: %s\n",
                          detour_instance_id (instance), error->message);
  return FALSE;
}

static gboolean
rehearsal_try_all (DetourHandover *handover, DetourRoster *roster, GString *complaints)
{
  gboolean good = TRUE;
  const char *reason;

  for (guint i = 0; i < detour_roster_count (roster); i++)
    good = rehearsal_try_instance (handover, detour_roster_nth (roster, i), complaints) && good;
  if (good && !detour_server_try_samples (handover, detour_roster_channels (roster), &reason))
    {
      g_string_append_printf (complaints, "a connection could not go on: %s\n", reason);
      good = FALSE;
    }
  return good;
}

gboolean
detour_rehearsal_try (DetourConfig *config, int fd, GString *complaints)
{
  static const guint8 no_key[DETOUR_KEY_SIZE] = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) listening = g_array_new (FALSE, FALSE, sizeof (Listening));
  g_autofree char *state = detour_config_state_directory (config);
  g_autoptr (DetourHandover) handover = detour_handover_open (fd, &error);
  DetourRoster *roster;
  gboolean good;

  if (handover == NULL)
    {
      g_string_append_printf (complaints, "%s\n", error->message);
      return FALSE;
    }
  roster = detour_roster_new (config, state, no_key, &rehearsal_hooks, listening);
  good = rehearsal_try_all (handover, roster, complaints);
  detour_roster_free (roster);
  for (guint i = 0; i < listening->len; i++)
    {
      const Listening *entry = &g_array_index (listening, Listening, i);

      if (entry->release != NULL)
        entry->release (entry->user);
    }
  return good;
}

/* What a start ends over. A key that is gone is not made anew: clients would find another relay. */
static gboolean
rehearsal_try_place (const DetourConfig *config, GString *complaints)
{
  const char *named = config->options.core.key_file;
  g_autofree char *state = detour_config_state_directory (config);
  g_autofree char *path = named != NULL ? g_strdup (named)
                                        : g_build_filename (state, "server.key", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourServerKey) key = NULL;

  if (!g_file_test (state, G_FILE_TEST_IS_DIR))
    {
      g_string_append_printf (complaints,
                              "[core] state-directory: there is no directory %s; make it, and give "
                              "it to the user that the relay runs as\n",
                              state);
      return FALSE;
    }
  key = detour_server_key_load (path, &error);
  if (key == NULL)
    g_string_append_printf (complaints, "no server key: %s\n", error->message);
  return key != NULL;
}

gboolean
detour_rehearsal_play (DetourConfig *config, DetourProgram *program)
{
  g_autoptr (GString) complaints = g_string_new (NULL);
  gboolean good = rehearsal_try_place (config, complaints)
               && detour_rehearsal_try (config, program->handover, complaints);

  program->handover = -1;
  if (good)
    g_print (ANSWER "%s\n", DETOUR_VERSION);
  else
    g_printerr ("%s", complaints->str);
  return good;
}
