/* device-store.h: the last list of devices on disk, for a start while the API is out of reach.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One text file with a version, a line for each device, and a count at the end. It belongs to one
 * tailnet of one API: a file of another one is not used. */
#pragma once

#include "device-table.h"

G_BEGIN_DECLS

/* A longer file is broken. */
#define DEVICE_STORE_MAX (256u * 1024 * 1024)

typedef enum {
  DEVICE_STORE_GOOD,
  DEVICE_STORE_NONE,    /* there is no file */
  DEVICE_STORE_FOREIGN, /* of another API or tailnet, or of another version */
  DEVICE_STORE_BROKEN,
} DeviceStoreResult;

/* The whole file; free with g_string_free(). @place: API and tailnet, one line. @fetched: when the
 * API gave the list, Unix time in seconds. */
GString *device_store_format (const DeviceTable *table, const char *place, gint64 fetched);

/**
 * device_store_parse:
 * @text: (array length=len): need not be terminated
 * @table: (out) (transfer full): of GOOD
 * @fetched: (out): of GOOD
 * @error: of BROKEN
 */
DeviceStoreResult device_store_parse (const char *text, gsize len, const char *place,
                                      DeviceTable **table, gint64 *fetched, GError **error);

/* Reads and parses. A broken file is set aside as PATH.broken; @error says what is wrong. Main
 * thread, at the start. */
DeviceStoreResult device_store_read (const char *path, const char *place, DeviceTable **table,
                                     gint64 *fetched, GError **error);

/* Puts the file in the place of the one before, in one step, mode 0600. Waits for the disk: not on
 * the main thread. */
gboolean device_store_write (const char *path, const DeviceTable *table, const char *place,
                             gint64 fetched, GError **error);

G_END_DECLS
