/* detour-recheck.h: asks again about the clients that are connected, now and then or because
 * verdicts changed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Spread over the interval, so that it costs little at a time; all of them as fast as the auth
 * instances answer when one of them says that its verdicts changed. Nothing is kept of the clients:
 * the workers are asked which they have, a few at a time. A client that is denied is closed; one
 * about which no instance can say anything stays. One whose tenant went, or which would come to
 * another tenant now, is closed without a question, and may come again.
 *
 * A client that was let in before a change may still be on its way to its worker, where a scan of
 * the workers misses it. So a change first waits until those have arrived. */
#pragma once

#include <glib.h>

#include "detour-admission.h"
#include "detour-mailbox.h"
#include "detour-scan.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourRecheck DetourRecheck;

/* Where the clients are. Main thread. */
typedef struct {
  guint (*n_workers) (gpointer user);
  guint (*n_clients) (gpointer user);
  /* Like detour_scan_page() and detour_scan_cancel(). */
  DetourScan *(*scan) (gpointer user, guint worker, guint32 first, guint max,
                       DetourScanPageDone done, gpointer data);
  void (*cancel) (DetourScan *scan);
  void (*close) (gpointer user, DetourHandle handle);
  /* An allow, which may name another class than the one before. */
  void (*allow) (gpointer user, DetourHandle handle, DetourVerdict *verdict);
  /* Of all connections with that key but mesh connections. @tenant: where; "": where clients
   * without tenant are; NULL: everywhere. */
  void (*close_key) (gpointer user, const DetourKey *key, const char *tenant);
  /* Whether the client would come to the same tenant, or to none, if it came now. Both NULL: there
   * are no tenants. */
  gboolean (*belongs) (gpointer user, const DetourScanRow *client);
  /* Whether there are tenants, or clients of one that went. */
  gboolean (*has_tenants) (gpointer user);
  /* Posts @done to @mailbox when every client that was let in before this call is with its worker,
   * or gone. */
  void (*settle) (gpointer user, DetourMailbox *mailbox, DetourMailboxFunc done, gpointer data,
                  DetourMailboxFunc drop);
} DetourRecheckPort;

/* Clients that are asked about at a time; half of what an auth instance takes, so that clients that
 * come are not held up. */
#define DETOUR_RECHECK_BATCH 32u

/* @admission and @port outlive the recheck, or detour_recheck_stop(). */
DetourRecheck *detour_recheck_new (DetourAdmission *admission, const DetourRecheckPort *port,
                                   gpointer user);
/* Asks nothing any more; answers may still come until the admission is freed. */
void detour_recheck_stop (DetourRecheck *self);
/* Stopped, and the admission is freed. */
void detour_recheck_free (DetourRecheck *self);

/* The settings of the admission are others. */
void detour_recheck_apply (DetourRecheck *self);
/* Every client is asked about, from the beginning. */
void detour_recheck_all (DetourRecheck *self);
/* Connections with @key are closed, and those that are on their way to a worker. */
void detour_recheck_revoke (DetourRecheck *self, const DetourKey *key);
/* The same where @tenant is, or clients without tenant are; see DetourRecheckPort. */
void detour_recheck_revoke_in (DetourRecheck *self, const DetourKey *key, const char *tenant);
/* So much time of the interval has passed. Runs by itself; tests call it. */
void detour_recheck_pass (DetourRecheck *self, gint64 elapsed_us);

G_END_DECLS
