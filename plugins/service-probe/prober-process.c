/* prober-process.c: the program that looks at the relays, run once, until it ends or its time is
 * over. SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prober-process.h"

#include <gio/gio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Where the program finds the daemon. */
#define CONTROL_FD   3
#define CONTROL_NAME "DETOUR_CONTROL_FD"

struct _ProberProcess {
  GSubprocess *subprocess;
  GCancellable *cancellable;
  guint timer; /* 0: none */
  gboolean is_late;
  ProberProcessDone done; /* NULL: nobody waits any more */
  gpointer user;
};

static void
prober_process_destroy (ProberProcess *self)
{
  if (self->timer != 0)
    g_source_remove (self->timer);
  g_object_unref (self->subprocess);
  g_object_unref (self->cancellable);
  g_free (self);
}

/* Its first line, which says what is wrong; free with g_free(). */
static char *
prober_process_first_line (GBytes *bytes)
{
  gsize len = 0;
  const char *data = bytes != NULL ? g_bytes_get_data (bytes, &len) : NULL;
  g_autofree char *text = g_utf8_make_valid (data != NULL ? data : "", (gssize) len);
  char *end = strchr (text, '\n');

  if (end != NULL)
    *end = '\0';
  return *text != '\0' ? g_steal_pointer (&text) : g_strdup ("it said nothing");
}

static void
prober_process_on_end (GObject *source, GAsyncResult *result, gpointer data)
{
  ProberProcess *self = data;
  g_autoptr (GBytes) out = NULL;
  g_autoptr (GBytes) err = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *complaint = NULL;
  gboolean is_whole = g_subprocess_communicate_finish (self->subprocess, result, &out, &err,
                                                       &error);
  gsize len = out != NULL ? g_bytes_get_size (out) : 0;

  complaint = prober_process_first_line (err);
  if (self->done != NULL && self->is_late)
    self->done (self->user, NULL, 0, "it did not end in time and was killed");
  else if (self->done != NULL && !is_whole)
    self->done (self->user, NULL, 0, error->message);
  else if (self->done != NULL && len == 0)
    self->done (self->user, NULL, 0, complaint);
  else if (self->done != NULL)
    self->done (self->user, g_bytes_get_data (out, NULL), len, NULL);
  prober_process_destroy (self);
}

static gboolean
prober_process_on_limit (gpointer data)
{
  ProberProcess *self = data;

  self->timer = 0;
  self->is_late = TRUE;
  g_subprocess_force_exit (self->subprocess);
  return G_SOURCE_REMOVE;
}

/* In the child of @data, a process. */
static void
prober_process_confine (gpointer data)
{
  prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid () != GPOINTER_TO_INT (data))
    _exit (1);
}

ProberProcess *
prober_process_start (const char *const *argv, int control, gint64 limit_us, ProberProcessDone done,
                      gpointer user, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  GSubprocess *subprocess;
  ProberProcess *self;

  g_subprocess_launcher_set_child_setup (launcher, prober_process_confine,
                                         GINT_TO_POINTER (getpid ()), NULL);
  g_subprocess_launcher_set_cwd (launcher, "/");
  /* What it says goes to logs, which have no language. */
  g_subprocess_launcher_setenv (launcher, "LC_ALL", "C.UTF-8", TRUE);
  g_subprocess_launcher_unsetenv (launcher, "LANGUAGE");
  g_subprocess_launcher_unsetenv (launcher, CONTROL_NAME);
  if (control >= 0)
    {
      g_subprocess_launcher_take_fd (launcher, control, CONTROL_FD);
      g_subprocess_launcher_setenv (launcher, CONTROL_NAME, G_STRINGIFY (CONTROL_FD), TRUE);
    }
  subprocess = g_subprocess_launcher_spawnv (launcher, argv, error);
  if (subprocess == NULL)
    return NULL;
  self = g_new0 (ProberProcess, 1);
  self->subprocess = subprocess;
  self->cancellable = g_cancellable_new ();
  self->done = done;
  self->user = user;
  self->timer = g_timeout_add ((guint) (limit_us / 1000), prober_process_on_limit, self);
  g_subprocess_communicate_async (subprocess, NULL, self->cancellable, prober_process_on_end, self);
  return self;
}

void
prober_process_stop (ProberProcess *self)
{
  self->done = NULL;
  g_subprocess_force_exit (self->subprocess);
  g_cancellable_cancel (self->cancellable);
}
