/* doctor-mounts.c: which file systems of this host do not answer.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which file a look waits for is not known, because it may be read by a plugin or a library. So
 * every file system is asked, each on a thread of its own. */
#include "config.h"

#include "doctor-mounts.h"

#include <glib/gi18n.h>
#include <mntent.h>
#include <stdio.h>
#include <sys/statfs.h>

#include "detourctl-format.h"

/* Asked at a time; a host with containers has hundreds. */
#define BATCH 32u
/* A busy host has more time to answer than a step on the network may take. */
#define LIMIT_MIN_US (5 * G_USEC_PER_SEC)

typedef struct {
  char *path, *type;
  GAsyncQueue *answers; /* it is put there when it has answered; referenced */
} Mount;

static void
doctor_mounts_free (gpointer data)
{
  Mount *mount = data;

  g_free (mount->path);
  g_free (mount->type);
  g_async_queue_unref (mount->answers);
  g_free (mount);
}

/* Of Mount. */
static GPtrArray *
doctor_mounts_list (GAsyncQueue *answers)
{
  GPtrArray *mounts = g_ptr_array_new ();
  FILE *file = setmntent ("/proc/self/mounts", "re");
  const struct mntent *entry;

  while (file != NULL && (entry = getmntent (file)) != NULL)
    {
      Mount *mount = g_new (Mount, 1);

      *mount = (Mount) { g_strdup (entry->mnt_dir), g_strdup (entry->mnt_type),
                         g_async_queue_ref (answers) };
      g_ptr_array_add (mounts, mount);
    }
  if (file != NULL)
    endmntent (file);
  return mounts;
}

/* What it answers does not matter. */
static gpointer
doctor_mounts_ask (gpointer data)
{
  Mount *mount = data;
  struct statfs answer;

  (void) statfs (mount->path, &answer);
  g_async_queue_push (mount->answers, mount);
  return NULL;
}

static void
doctor_mounts_tell (DoctorReport *report, const Mount *mount)
{
  g_autofree char *word = detourctl_format_word (mount->path);

  doctor_find (report, "file_system_silent", DOCTOR_PROBLEM,
               g_strdup_printf (_ ("the file system at %s (%s) does not answer: whoever needs a "
                                   "file there waits"),
                                mount->path, mount->type),
               g_strdup (_ ("have what serves it answer again, or take it away:")),
               g_strdup_printf ("umount --lazy %s", word));
}

static guint64
doctor_mounts_left_us (gint64 end_us)
{
  gint64 left_us = end_us - g_get_monotonic_time ();

  return left_us > 0 ? (guint64) left_us : 0;
}

/* @mounts: of Mount; those that have answered are freed. */
static void
doctor_mounts_look_at (DoctorReport *report, GPtrArray *mounts, GAsyncQueue *answers,
                       gint64 limit_us)
{
  gint64 end_us = g_get_monotonic_time () + limit_us;
  Mount *mount;

  for (guint i = 0; i < mounts->len; i++)
    g_thread_unref (g_thread_new ("mount", doctor_mounts_ask, mounts->pdata[i]));
  while (mounts->len > 0
         && (mount = g_async_queue_timeout_pop (answers, doctor_mounts_left_us (end_us))) != NULL)
    {
      g_ptr_array_remove (mounts, mount);
      doctor_mounts_free (mount);
    }
  for (guint i = 0; i < mounts->len; i++)
    doctor_mounts_tell (report, mounts->pdata[i]);
}

void
doctor_mounts_look (const Doctor *doctor, DoctorReport *report)
{
  g_autoptr (GAsyncQueue) answers = g_async_queue_new ();
  g_autoptr (GPtrArray) mounts = doctor_mounts_list (answers);

  while (mounts->len > 0)
    {
      g_autoptr (GPtrArray) batch = g_ptr_array_new ();

      for (guint i = 0; i < BATCH && mounts->len > 0; i++)
        g_ptr_array_add (batch, g_ptr_array_steal_index (mounts, 0));
      doctor_mounts_look_at (report, batch, answers, MAX (doctor->limit_us, LIMIT_MIN_US));
    }
}
