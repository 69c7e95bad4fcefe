/* detour-snapshot.h: what all connections were like at one moment, copied while packets go on.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each worker copies its own on its own thread, a few at a time with rounds of traffic in between.
 */
#pragma once

#include "detour-server.h"

G_BEGIN_DECLS

/* One registered connection. */
typedef struct {
  DetourKey key;
  DetourHandle handle;     /* for detour_worker_close() */
  DetourPresence presence; /* address, application name */
  guint64 number;
  gint64 login_us; /* monotonic */
  guint64 rx_packets, rx_bytes;
  guint64 tx_packets, tx_bytes;
  guint64 dropped_packets;
  gsize waiting_bytes;
  const char *label;    /* NULL: none; lives as long as the snapshot */
  const char *class_;   /* by admission; likewise */
  const char *listener; /* "transport/https"; static */
  guint is_home : 1;
  guint is_mesh : 1;
  guint is_watcher : 1;
  guint is_prober : 1;
  guint is_blocked : 1;
} DetourSnapshotRow;

/* Which connections to copy: those whose key begins so; NULL: all. */
typedef struct {
  DetourKey key;
  guint n_digits; /* hex digits that count, 0 to 64 */
} DetourSnapshotFilter;

typedef struct _DetourSnapshot DetourSnapshot;

/* Main thread, from its loop. @snapshot is handed over. */
typedef void (*DetourSnapshotDone) (DetourSnapshot *snapshot, gpointer user);

/**
 * detour_snapshot_take:
 * @filter: (nullable): copied
 *
 * Calls @done once, when the last worker has answered. The server must not be stopped before that.
 * Main thread.
 */
void detour_snapshot_take (DetourServer *server, const DetourSnapshotFilter *filter,
                           DetourSnapshotDone done, gpointer user);
void detour_snapshot_free (DetourSnapshot *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourSnapshot, detour_snapshot_free)

/* Of DetourSnapshotRow, in no order; the caller may sort it. Lives as long as the snapshot. */
GPtrArray *detour_snapshot_rows (DetourSnapshot *self);

G_END_DECLS
