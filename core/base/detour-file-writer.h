/* detour-file-writer.h: keeps a file on disk as its owner wants it, without making the owner wait.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each write is detour_file_write() on a thread of its own, one at a time. What is put while a
 * write is under way waits, and only the latest of it is written next. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourFileWriter DetourFileWriter;

/* @error: (nullable): NULL: it is on the disk, with all that was put before it. */
typedef void (*DetourFileWritten) (const GError *error, gpointer data);

/* @mode: of a new file */
DetourFileWriter *detour_file_writer_new (const char *path, guint mode);
/* Waits until all is written. Those that wait for it are called. */
void detour_file_writer_free (DetourFileWriter *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourFileWriter, detour_file_writer_free)

/* Waits until all is written. Those that wait for it are called now, or soon. FALSE with @error:
 * what was put last is not on the disk. */
gboolean detour_file_writer_flush (DetourFileWriter *self, GError **error);

/**
 * detour_file_writer_put:
 * @contents: (transfer full): the whole file
 * @done: (nullable): called once, from the main loop or from detour_file_writer_free()
 */
void detour_file_writer_put (DetourFileWriter *self, GBytes *contents, DetourFileWritten done,
                             gpointer data);

/* The contents are made on the thread that writes, because that takes its time. */
typedef GBytes *(*DetourFileMake) (gpointer draft);

/**
 * detour_file_writer_put_draft:
 * @make: called once at most, on any thread
 * @draft: (transfer full): nobody else's from now on
 * @free_draft: called on any thread
 *
 * As detour_file_writer_put().
 */
void detour_file_writer_put_draft (DetourFileWriter *self, DetourFileMake make, gpointer draft,
                                   GDestroyNotify free_draft, DetourFileWritten done,
                                   gpointer data);

G_END_DECLS
