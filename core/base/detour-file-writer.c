/* detour-file-writer.c: keeps a file on disk as its owner wants it, without making the owner wait.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-file-writer.h"

#include "detour-file-write.h"
#include "detour-mailbox.h"

typedef struct {
  DetourFileWritten done;
  gpointer data;
} Waiter;

/* What is written: the thread's until it has ended. */
typedef struct {
  DetourFileWriter *writer;
  DetourFileMake make;
  gpointer draft; /* NULL: none yet, or written */
  GDestroyNotify free_draft;
  GArray *waiters; /* of Waiter */
  GError *error;
  gboolean is_noted;
} Job;

struct _DetourFileWriter {
  char *path;
  guint mode;
  DetourMailbox *inbox;
  GThread *thread; /* NULL: no write is under way */
  Job *job;        /* of the thread */
  Job *next;       /* NULL: nothing waits */
  GError *fault;   /* of the latest write; NULL: it succeeded, or there was none */
};

static void file_writer_start (DetourFileWriter *self);

static void
file_writer_clear (Job *job)
{
  if (job->draft != NULL)
    job->free_draft (g_steal_pointer (&job->draft));
}

static void
file_writer_run (Job *job)
{
  g_autoptr (GBytes) contents = job->make (job->draft);
  gsize len;
  gconstpointer data = g_bytes_get_data (contents, &len);

  detour_file_write (job->writer->path, data, len, job->writer->mode, &job->error);
  file_writer_clear (job);
}

/* A write is over; once for each, in the order in which they were. */
static void
file_writer_note (DetourFileWriter *self, Job *job)
{
  if (job->is_noted)
    return;
  job->is_noted = TRUE;
  g_clear_error (&self->fault);
  if (job->error != NULL)
    self->fault = g_error_copy (job->error);
}

/* Tells those that wait, and frees the job. */
static void
file_writer_end (Job *job)
{
  for (guint i = 0; i < job->waiters->len; i++)
    {
      const Waiter *waiter = &g_array_index (job->waiters, Waiter, i);

      waiter->done (job->error, waiter->data);
    }
  g_array_unref (job->waiters);
  g_clear_error (&job->error);
  g_free (job);
}

static void
file_writer_on_end (gpointer data)
{
  DetourFileWriter *self = data;

  g_clear_pointer (&self->thread, g_thread_join);
  file_writer_note (self, self->job);
  file_writer_end (g_steal_pointer (&self->job));
  if (self->next != NULL && self->job == NULL)
    file_writer_start (self);
}

static void
file_writer_drop (gpointer data)
{
}

static gpointer
file_writer_thread (gpointer data)
{
  Job *job = data;
  DetourFileWriter *self = job->writer;

  file_writer_run (job);
  detour_mailbox_post (self->inbox, file_writer_on_end, self, file_writer_drop);
  return NULL;
}

static void
file_writer_start (DetourFileWriter *self)
{
  self->job = g_steal_pointer (&self->next);
  self->thread = g_thread_try_new ("file-writer", file_writer_thread, self->job, NULL);
  if (self->thread != NULL)
    return;
  /* The process may have no more threads. */
  file_writer_run (self->job);
  detour_mailbox_post (self->inbox, file_writer_on_end, self, file_writer_drop);
}

void
detour_file_writer_put_draft (DetourFileWriter *self, DetourFileMake make, gpointer draft,
                              GDestroyNotify free_draft, DetourFileWritten done, gpointer data)
{
  const Waiter waiter = { done, data };

  if (self->next == NULL)
    {
      self->next = g_new0 (Job, 1);
      self->next->writer = self;
      self->next->waiters = g_array_new (FALSE, FALSE, sizeof (Waiter));
    }
  file_writer_clear (self->next);
  self->next->make = make;
  self->next->draft = draft;
  self->next->free_draft = free_draft;
  if (done != NULL)
    g_array_append_val (self->next->waiters, waiter);
  if (self->job == NULL)
    file_writer_start (self);
}

static GBytes *
file_writer_pass_on (gpointer contents)
{
  return g_bytes_ref (contents);
}

void
detour_file_writer_put (DetourFileWriter *self, GBytes *contents, DetourFileWritten done,
                        gpointer data)
{
  detour_file_writer_put_draft (self, file_writer_pass_on, contents, (GDestroyNotify) g_bytes_unref,
                                done, data);
}

DetourFileWriter *
detour_file_writer_new (const char *path, guint mode)
{
  DetourFileWriter *self = g_new0 (DetourFileWriter, 1);

  self->path = g_strdup (path);
  self->mode = mode;
  self->inbox = detour_mailbox_new ();
  return self;
}

gboolean
detour_file_writer_flush (DetourFileWriter *self, GError **error)
{
  g_clear_pointer (&self->thread, g_thread_join);
  /* Those that wait for it are told by the main loop. */
  if (self->job != NULL)
    file_writer_note (self, self->job);
  if (self->next != NULL)
    {
      file_writer_run (self->next);
      file_writer_note (self, self->next);
      file_writer_end (g_steal_pointer (&self->next));
    }
  if (self->fault == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (self->fault));
  return FALSE;
}

void
detour_file_writer_free (DetourFileWriter *self)
{
  g_clear_pointer (&self->thread, g_thread_join);
  detour_mailbox_close (self->inbox);
  if (self->job != NULL)
    file_writer_end (g_steal_pointer (&self->job));
  if (self->next != NULL)
    {
      file_writer_run (self->next);
      file_writer_end (g_steal_pointer (&self->next));
    }
  detour_mailbox_free (self->inbox);
  g_clear_error (&self->fault);
  g_free (self->path);
  g_free (self);
}
