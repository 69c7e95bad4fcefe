/* list-reader.c: reads long lists and writes them to disk, in a thread, so that the main loop need
 * not wait.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "list-reader.h"

#include "device-list.h"
#include "device-store.h"

#include <string.h>

/* Something for the thread, and then for the main thread. */
typedef struct {
  ListReader *reader;
  char *body; /* to be read; NULL: @table is to be written */
  gsize len;
  DeviceTable *older; /* NULL: there is none */
  DeviceTable *table;
  gint64 fetched;
  DeviceChange change;
  guint n_skipped;
  gint64 elapsed_us;
  GError *error;
} Job;

struct _ListReader {
  DetourHost *host;
  char *path;
  char *place;
  ListReaderFuncs funcs;
  gpointer user;
  GThreadPool *pool; /* of one thread */
  GCancellable *stopping;
};

static void
list_reader_free_job (gpointer data)
{
  Job *job = data;

  g_clear_pointer (&job->older, device_table_unref);
  g_clear_pointer (&job->table, device_table_unref);
  g_clear_error (&job->error);
  g_free (job->body);
  g_free (job);
}

static void
list_reader_on_done (gpointer data)
{
  Job *job = data;
  ListReader *self = job->reader;

  if (job->body == NULL)
    self->funcs.kept (job->error, self->user);
  else
    {
      const ListReading reading = { job->table, job->change, job->n_skipped, job->elapsed_us,
                                    job->error };

      self->funcs.read (&reading, self->user);
    }
  list_reader_free_job (job);
}

static void
list_reader_read_body (Job *job)
{
  job->table = device_list_parse (job->body, job->len, job->reader->stopping, &job->n_skipped,
                                  &job->error);
  if (job->table == NULL)
    return;
  if (job->older != NULL)
    device_table_compare (job->older, job->table, &job->change);
  else
    job->change.added = device_table_size (job->table);
}

/* In the thread. */
static void
list_reader_run (gpointer data, gpointer user)
{
  Job *job = data;
  ListReader *self = user;
  gint64 start_us = g_get_monotonic_time ();

  if (job->body == NULL)
    device_store_write (self->path, job->table, self->place, job->fetched, &job->error);
  else if (!g_cancellable_is_cancelled (self->stopping))
    list_reader_read_body (job);
  job->elapsed_us = g_get_monotonic_time () - start_us;
  detour_host_post (self->host, list_reader_on_done, job, list_reader_free_job);
}

ListReader *
list_reader_new (DetourHost *host, const char *path, const char *place,
                 const ListReaderFuncs *funcs, gpointer user)
{
  ListReader *self = g_new0 (ListReader, 1);

  self->host = host;
  self->path = g_strdup (path);
  self->place = g_strdup (place);
  self->funcs = *funcs;
  self->user = user;
  self->stopping = g_cancellable_new ();
  /* A thread that is shared, so that none waits for the next list. */
  self->pool = g_thread_pool_new (list_reader_run, self, 1, FALSE, NULL);
  return self;
}

void
list_reader_free (ListReader *self)
{
  g_cancellable_cancel (self->stopping);
  /* All jobs are done, so that none is lost: what is to be read is let be, what is to be written is
   * written. */
  g_thread_pool_free (self->pool, FALSE, TRUE);
  g_object_unref (self->stopping);
  g_free (self->path);
  g_free (self->place);
  g_free (self);
}

void
list_reader_read (ListReader *self, const char *body, gsize len, DeviceTable *older)
{
  Job *job = g_new0 (Job, 1);

  job->reader = self;
  job->body = g_malloc (len + 1);
  memcpy (job->body, body, len);
  job->len = len;
  job->older = older != NULL ? device_table_ref (older) : NULL;
  g_thread_pool_push (self->pool, job, NULL);
}

void
list_reader_keep (ListReader *self, DeviceTable *table, gint64 fetched)
{
  Job *job = g_new0 (Job, 1);

  job->reader = self;
  job->table = device_table_ref (table);
  job->fetched = fetched;
  g_thread_pool_push (self->pool, job, NULL);
}
