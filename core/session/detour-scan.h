/* detour-scan.h: looks at the connections of workers, a few at a time while packets go on.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each worker copies what it knows of its own connections on its own thread, with rounds of traffic
 * in between. So a scan does not show one moment: a client that comes or goes meanwhile may be in
 * it or not. */
#pragma once

#include "detour-auth-request.h"
#include "detour-net-set.h"
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
  guint64 dropped_packets, dropped_long;
  gsize waiting_bytes;
  gint64 seen_us; /* monotonic: when it was copied, to some 50 µs */
  gint64 idle_us; /* since the client sent anything; -1: not known, or not asked for */
  /* Of the last second or so, by detour_client_rates_fill(): packets and bytes a second. */
  guint64 rx_packet_rate, rx_rate;
  guint64 tx_packet_rate, tx_rate;
  DetourClientKind kind;
  const char *label;          /* NULL: none; lives as long as the scan */
  const char *class_;         /* in force, or by admission where there is no such class; likewise */
  DetourTenant *tenant;       /* referenced as long as the scan; NULL: of none */
  const char *listener;       /* "transport/https"; static */
  const char *way;            /* of detour_channel_stack_way(); static */
  const char *tls;            /* version of TLS; NULL: none; lives as long as the scan */
  DetourAuthRequest *request; /* of a page: as at the login, as far as the connection still knows
                                 it; else NULL */
  guint health : 4;           /* of DetourHealth: why its user is told something */
  guint is_home : 1;
  guint is_mesh : 1;
  guint is_watcher : 1;
  guint is_prober : 1;
  guint is_blocked : 1;
  guint is_suspect : 1;    /* what it is sent disappears */
  guint was_slowed : 1;    /* had to wait for its receive rate */
  guint is_over_quota : 1; /* and that is so low because a quota is used up */
} DetourScanRow;

/* Which connections to copy; NULL: all. */
typedef struct {
  DetourKey key;                /* theirs begins so */
  guint n_digits;               /* hex digits that count, 0 to 64 */
  const DetourNetSet *networks; /* they come from one of these; NULL: from anywhere. To live until
                                   the scan is done */
  gboolean wants_idle;          /* costs a call of the kernel for each */
} DetourScanFilter;

/* Whether @key begins as @filter says. Pure. */
gboolean detour_scan_key_fits (const DetourKey *key, const DetourScanFilter *filter);

/* Main thread, like all functions here that are not marked. */
typedef struct _DetourScan DetourScan;

/* From the main loop. @scan is handed over. */
typedef void (*DetourScanDone) (DetourScan *scan, gpointer user);

/**
 * detour_scan_all:
 * @filter: (nullable): copied
 *
 * Copies the connections of all workers. Calls @done once, when the last worker has answered. The
 * server must not be stopped before that.
 */
void detour_scan_all (DetourServer *server, const DetourScanFilter *filter, DetourScanDone done,
                      gpointer user);
void detour_scan_free (DetourScan *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourScan, detour_scan_free)

/* Of DetourScanRow, in no order; the caller may sort it. Lives as long as the scan. */
GPtrArray *detour_scan_rows (DetourScan *self);

#define DETOUR_SCAN_END G_MAXUINT32

/* From the main loop. @rows: (array length=n): borrowed for the call; @next: slot to go on with, or
 * DETOUR_SCAN_END. The scan is over and must not be touched. */
typedef void (*DetourScanPageDone) (const DetourScanRow *rows, guint n, guint32 next,
                                    gpointer user);

/**
 * detour_scan_page:
 * @first: slot to begin with, 0 for the first one
 * @max: connections wanted; there may be fewer, as the worker looks at a few slots only
 *
 * Copies some connections of one worker, without mesh connections. The worker's part takes no
 * longer than a packet or two.
 */
DetourScan *detour_scan_page (DetourWorker *worker, guint32 first, guint max,
                              DetourScanPageDone done, gpointer user);
/* @done of a page is not called any more. */
void detour_scan_cancel (DetourScan *self);

G_END_DECLS
