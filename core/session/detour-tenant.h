/* detour-tenant.h: a tenant while the relay runs: where its clients are, and how many.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Made by a table of tenants (detour-tenant-table.h) from the configuration. A session holds the
 * one that it was let in to, and so does its connection. A tenant that the configuration does not
 * have any more lives on until its last client has left. */
#pragma once

#include <glib.h>

#include "detour-metric.h"
#include "detour-record.h"
#include "detour-registry.h"

G_BEGIN_DECLS

/* Reference-counted, any thread. */
typedef struct _DetourTenant DetourTenant;

/* Of packets with their bytes, as clients see it: rx is what they sent. */
typedef struct {
  guint64 rx_packets, rx_bytes;
  guint64 tx_packets, tx_bytes;
  guint64 dropped_packets; /* that were for them */
} DetourTenantTraffic;

/* Since the tenant appeared. */
typedef struct {
  guint64 n_clients;
  guint64 joined, refused;
  DetourTenantTraffic traffic; /* up to the last time that workers counted, some seconds ago */
} DetourTenantCounts;

/* A client that was let in; owned by its session, then by its connection. */
typedef struct {
  DetourTenant *tenant;
  DetourTenantTraffic counted;
} DetourTenantVisit;

/* @space: (nullable): handed over: its own one; NULL: its clients are in the common space */
DetourTenant *detour_tenant_new (const char *name, DetourSpace *space);
DetourTenant *detour_tenant_ref (DetourTenant *self);
/* The registry is still there. */
void detour_tenant_unref (DetourTenant *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourTenant, detour_tenant_unref)

const char *detour_tenant_name (const DetourTenant *self);
/* (transfer none) (nullable): NULL: the common one. */
DetourSpace *detour_tenant_space (const DetourTenant *self);

/* A client is let in. Ends with detour_tenant_leave(). */
DetourTenantVisit *detour_tenant_enter (DetourTenant *self) G_GNUC_WARN_UNUSED_RESULT;
/* A client that was let in before this program started, and has had @traffic since. */
DetourTenantVisit *detour_tenant_enter_again (DetourTenant *self,
                                              const DetourTenantTraffic *traffic)
    G_GNUC_WARN_UNUSED_RESULT;
/* @traffic: all that its connection has had; what is new in it is counted. */
void detour_tenant_count (DetourTenantVisit *visit, const DetourTenantTraffic *traffic);
/* @visit: freed. The registry is still there. */
void detour_tenant_leave (DetourTenantVisit *visit);
void detour_tenant_note_refusal (DetourTenant *self);

void detour_tenant_read (const DetourTenant *self, DetourTenantCounts *out);
/* One item with all but the number of clients. */
void detour_tenant_write (const DetourTenant *self, DetourRecord *out, guint16 tag);
/* Of such an item; free with g_free(). NULL: it is damaged. */
char *detour_tenant_read_name (const DetourRecordItem *item);
/* Adds them. */
void detour_tenant_count_on (DetourTenant *self, const DetourRecordItem *item);
/* The same as numbers with the label `tenant`. */
void detour_tenant_each_metric (const DetourTenant *self, DetourMetricFunc func, gpointer user);

G_END_DECLS
