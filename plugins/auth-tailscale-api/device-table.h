/* device-table.h: the devices of a tailnet, found by their node keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Filled by one thread, then sealed: from there on it is immutable, for any thread. */
#pragma once

#include "device.h"

G_BEGIN_DECLS

/* A longer list is refused. */
#define DEVICE_TABLE_MAX 200000u

typedef struct _DeviceTable DeviceTable;

DeviceTable *device_table_new (void);
DeviceTable *device_table_ref (DeviceTable *self);
void device_table_unref (DeviceTable *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DeviceTable, device_table_unref)

/* Copied. FALSE: there are DEVICE_TABLE_MAX devices already. */
gboolean device_table_add (DeviceTable *self, const Device *device) G_GNUC_WARN_UNUSED_RESULT;
/* Of two devices with one key the authorized one stays. */
void device_table_seal (DeviceTable *self);

guint device_table_size (const DeviceTable *self);
/* In the order of their keys. */
const Device *device_table_at (const DeviceTable *self, guint index);
/* (nullable) */
const Device *device_table_find (const DeviceTable *self, const guint8 *key);
/* When the next key expires that has not yet at @now; G_MAXINT64: none does. Unix time. */
gint64 device_table_next_expiry (const DeviceTable *self, gint64 now);
/* In bytes, about. */
gsize device_table_memory (const DeviceTable *self);

/* What a newer list changes. */
typedef struct {
  guint added;   /* keys that are new */
  guint removed; /* keys that are gone */
  guint altered; /* keys whose device is not quite the same: name, owner, tags, approval, expiry */
  guint rekeyed; /* of the removed: their devices have another key now */
} DeviceChange;

void device_table_compare (const DeviceTable *older, const DeviceTable *newer,
                           DeviceChange *change);
/* Calls @func with both keys of each device that has another one in @newer. */
typedef void (*DeviceRekeyed) (const guint8 *before, const guint8 *after, gpointer user);
void device_table_each_rekeyed (const DeviceTable *older, const DeviceTable *newer,
                                DeviceRekeyed func, gpointer user);
/* Calls @func with each key of @older whose device may not connect as @newer has it; as of
 * device_standing(). */
void device_table_each_unwelcome (const DeviceTable *older, const DeviceTable *newer,
                                  const char *const *tags, gint64 now,
                                  void (*func) (gpointer user, const guint8 *key), gpointer user);
/* Whether anything is different at all. */
gboolean device_change_is_any (const DeviceChange *change);
/* Whether so many devices are gone at once that a fault of the API is more likely than the wish of
 * an administrator: three or more, and more than half of @n_older. */
gboolean device_change_is_doubtful (const DeviceChange *change, guint n_older);

G_END_DECLS
