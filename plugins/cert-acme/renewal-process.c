/* renewal-process.c: a program that is started, fed with lines, heard, and ended in time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-process.h"

#include <gio/gio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define READ_SIZE 16384u
/* All that it may write, so that a program that has lost its way ends. */
#define OUTPUT_MAX    (16u * 1024 * 1024)
#define COMPLAINT_MAX 4096u

struct _RenewalProcess {
  int refs; /* the owner, and each operation that is under way */
  GSubprocess *subprocess;
  const RenewalProcessFuncs *funcs;
  gpointer user;
  GCancellable *cancellable;
  guint timer; /* 0: none */

  GByteArray *output; /* not a whole line yet */
  gsize n_output;
  GString *complaint;
  GString *queued; /* not written yet */
  GString *writing;
  gboolean is_heard, is_over, is_complained; /* its output, itself, its errors have ended */
  gboolean is_dead;                          /* the owner has freed it */
  const char *fault;                         /* why it was killed; NULL: it was not */
};

static RenewalProcess *
renewal_process_ref (RenewalProcess *self)
{
  self->refs++;
  return self;
}

static void
renewal_process_unref (RenewalProcess *self)
{
  if (--self->refs > 0)
    return;
  g_clear_object (&self->subprocess);
  g_clear_object (&self->cancellable);
  g_byte_array_unref (self->output);
  g_string_free (self->complaint, TRUE);
  /* A request has keys in it. */
  explicit_bzero (self->queued->str, self->queued->allocated_len);
  explicit_bzero (self->writing->str, self->writing->allocated_len);
  g_string_free (self->queued, TRUE);
  g_string_free (self->writing, TRUE);
  g_free (self);
}

static void
renewal_process_kill (RenewalProcess *self, const char *fault)
{
  if (self->fault == NULL)
    self->fault = fault;
  g_subprocess_force_exit (self->subprocess);
}

static void
renewal_process_tell_end (RenewalProcess *self)
{
  g_autofree char *why = NULL;
  g_autofree char *complaint = NULL;
  int status = -1;

  if (self->is_dead || !self->is_heard || !self->is_over || !self->is_complained)
    return;
  if (self->timer != 0)
    g_source_remove (self->timer);
  self->timer = 0;
  complaint = g_utf8_make_valid (self->complaint->str, (gssize) self->complaint->len);
  if (g_subprocess_get_if_exited (self->subprocess))
    status = g_subprocess_get_exit_status (self->subprocess);
  if (self->fault != NULL)
    why = g_strdup (self->fault);
  else if (status < 0)
    why = g_strdup_printf ("was ended by signal %d", g_subprocess_get_term_sig (self->subprocess));
  else if (status != 0)
    why = g_strdup_printf ("ended with status %d", status);
  self->funcs->ended (self->user, why, complaint);
}

/* What it says ------------------------------------------------------------------------------------
 */

static void renewal_process_listen (RenewalProcess *self, GInputStream *stream,
                                    GAsyncReadyCallback callback);

static void
renewal_process_pass_lines (RenewalProcess *self)
{
  guint from = 0;

  while (!self->is_dead)
    {
      guint8 *start = self->output->data + from;
      guint8 *end = memchr (start, '\n', self->output->len - from);

      if (end == NULL)
        break;
      *end = '\0';
      from += (guint) (end - start) + 1;
      self->funcs->line (self->user, (const char *) start, (gsize) (end - start));
    }
  if (self->is_dead)
    return;
  g_byte_array_remove_range (self->output, 0, from);
  if (self->output->len > RENEWAL_PROCESS_LINE_MAX || self->n_output > OUTPUT_MAX)
    renewal_process_kill (self, "wrote more than it may and was killed");
}

static void
renewal_process_on_output (GObject *source, GAsyncResult *result, gpointer data)
{
  RenewalProcess *self = data;
  g_autoptr (GBytes)
      bytes = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, NULL);
  gsize len = 0;
  const guint8 *read = bytes != NULL ? g_bytes_get_data (bytes, &len) : NULL;

  if (!self->is_dead && len > 0 && self->fault == NULL)
    {
      g_byte_array_append (self->output, read, (guint) len);
      self->n_output += len;
      renewal_process_pass_lines (self);
    }
  if (!self->is_dead && len > 0)
    renewal_process_listen (self, G_INPUT_STREAM (source), renewal_process_on_output);
  else
    {
      self->is_heard = TRUE;
      renewal_process_tell_end (self);
    }
  renewal_process_unref (self);
}

static void
renewal_process_on_complaint (GObject *source, GAsyncResult *result, gpointer data)
{
  RenewalProcess *self = data;
  g_autoptr (GBytes)
      bytes = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, NULL);
  gsize len = 0;
  const char *read = bytes != NULL ? g_bytes_get_data (bytes, &len) : NULL;
  gsize room = COMPLAINT_MAX - self->complaint->len;

  /* What is too much is read and thrown away, so that the program does not wait. */
  g_string_append_len (self->complaint, read != NULL ? read : "", (gssize) MIN (len, room));
  if (!self->is_dead && len > 0)
    renewal_process_listen (self, G_INPUT_STREAM (source), renewal_process_on_complaint);
  else
    {
      self->is_complained = TRUE;
      renewal_process_tell_end (self);
    }
  renewal_process_unref (self);
}

static void
renewal_process_listen (RenewalProcess *self, GInputStream *stream, GAsyncReadyCallback callback)
{
  g_input_stream_read_bytes_async (stream, READ_SIZE, G_PRIORITY_DEFAULT, self->cancellable,
                                   callback, renewal_process_ref (self));
}

static void
renewal_process_on_end (GObject *source, GAsyncResult *result, gpointer data)
{
  RenewalProcess *self = data;

  g_subprocess_wait_finish (G_SUBPROCESS (source), result, NULL);
  if (!self->is_dead)
    {
      self->is_over = TRUE;
      renewal_process_tell_end (self);
    }
  renewal_process_unref (self);
}

/* What it is told ---------------------------------------------------------------------------------
 */

static void renewal_process_write (RenewalProcess *self);

static void
renewal_process_on_written (GObject *source, GAsyncResult *result, gpointer data)
{
  RenewalProcess *self = data;
  gboolean written = g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL,
                                                       NULL);

  explicit_bzero (self->writing->str, self->writing->len);
  g_string_truncate (self->writing, 0);
  if (written && !self->is_dead)
    renewal_process_write (self);
  renewal_process_unref (self);
}

static void
renewal_process_write (RenewalProcess *self)
{
  GString *line;

  if (self->queued->len == 0 || self->writing->len > 0)
    return;
  line = self->writing;
  self->writing = self->queued;
  self->queued = line;
  g_output_stream_write_all_async (g_subprocess_get_stdin_pipe (self->subprocess),
                                   self->writing->str, self->writing->len, G_PRIORITY_DEFAULT,
                                   self->cancellable, renewal_process_on_written,
                                   renewal_process_ref (self));
}

void
renewal_process_say (RenewalProcess *self, const char *line)
{
  g_string_append (self->queued, line);
  g_string_append_c (self->queued, '\n');
  renewal_process_write (self);
}

/* Beginning and end -------------------------------------------------------------------------------
 */

static gboolean
renewal_process_on_limit (gpointer data)
{
  RenewalProcess *self = data;

  self->timer = 0;
  renewal_process_kill (self, "did not end in time and was killed");
  return G_SOURCE_REMOVE;
}

/* In the child of @data, a process. */
static void
renewal_process_confine (gpointer data)
{
  prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid () != GPOINTER_TO_INT (data))
    _exit (1);
}

RenewalProcess *
renewal_process_start (const char *const *argv, guint limit_s, const RenewalProcessFuncs *funcs,
                       gpointer user, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE
      | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  GSubprocess *subprocess;
  RenewalProcess *self;

  g_subprocess_launcher_set_child_setup (launcher, renewal_process_confine,
                                         GINT_TO_POINTER (getpid ()), NULL);
  g_subprocess_launcher_set_cwd (launcher, "/");
  subprocess = g_subprocess_launcher_spawnv (launcher, argv, error);
  if (subprocess == NULL)
    return NULL;
  self = g_new0 (RenewalProcess, 1);
  self->refs = 1;
  self->subprocess = subprocess;
  self->funcs = funcs;
  self->user = user;
  self->cancellable = g_cancellable_new ();
  self->output = g_byte_array_new ();
  self->complaint = g_string_new (NULL);
  self->queued = g_string_new (NULL);
  self->writing = g_string_new (NULL);
  self->timer = g_timeout_add_seconds (limit_s, renewal_process_on_limit, self);
  renewal_process_listen (self, g_subprocess_get_stdout_pipe (subprocess),
                          renewal_process_on_output);
  renewal_process_listen (self, g_subprocess_get_stderr_pipe (subprocess),
                          renewal_process_on_complaint);
  g_subprocess_wait_async (subprocess, NULL, renewal_process_on_end, renewal_process_ref (self));
  return self;
}

void
renewal_process_free (RenewalProcess *self)
{
  self->is_dead = TRUE;
  if (self->timer != 0)
    g_source_remove (self->timer);
  self->timer = 0;
  if (!self->is_over)
    g_subprocess_force_exit (self->subprocess);
  g_cancellable_cancel (self->cancellable);
  renewal_process_unref (self);
}
