/* list-reader.h: reads long lists and writes them to disk, in a thread, so that the main loop need
 * not wait.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "device-table.h"

G_BEGIN_DECLS

typedef struct _ListReader ListReader;

/* Borrowed for the call. */
typedef struct {
  DeviceTable *table;  /* NULL: the answer is no list */
  DeviceChange change; /* against the older one; all of it new when there was none */
  guint n_skipped;     /* entries that could not be read */
  gint64 elapsed_us;   /* in the thread */
  const GError *error; /* of no list */
} ListReading;

typedef struct {
  void (*read) (const ListReading *reading, gpointer user);
  void (*kept) (const GError *error, gpointer user); /* NULL: it is on disk */
} ListReaderFuncs;

/* Main thread. @path: of the file; @place: of device_store_format(). Both funcs are called on the
 * main thread, until list_reader_free(). */
ListReader *list_reader_new (DetourHost *host, const char *path, const char *place,
                             const ListReaderFuncs *funcs, gpointer user);
/* Waits for the disk if something is being written. */
void list_reader_free (ListReader *self);

/* @older: (nullable): to compare with */
void list_reader_read (ListReader *self, const char *body, gsize len, DeviceTable *older);
/* @fetched: Unix time in seconds */
void list_reader_keep (ListReader *self, DeviceTable *table, gint64 fetched);

G_END_DECLS
