/* detour-tenant-table.h: the tenants of the relay, and whose client a connection is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-config.h"
#include "detour-tenant.h"

G_BEGIN_DECLS

typedef struct _DetourTenantTable DetourTenantTable;

/* Without any tenant. Main thread. */
DetourTenantTable *detour_tenant_table_new (void);
/* Nobody asks any more, and the registry is still there. */
void detour_tenant_table_free (DetourTenantTable *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourTenantTable, detour_tenant_table_free)

/**
 * detour_tenant_table_apply:
 * @config: (nullable): referenced; NULL: no tenant
 * @registry: in which isolated tenants get a space
 *
 * A tenant of before stays the same one under its name, unless its clients must be elsewhere now.
 * Main thread.
 */
void detour_tenant_table_apply (DetourTenantTable *self, DetourConfig *config,
                                DetourRegistry *registry);

/**
 * detour_tenant_table_choose:
 * @sni: (nullable): the name that was asked for in TLS
 * @listener: "transport/https"
 *
 * Any thread; takes a lock, when there is a tenant at all.
 *
 * Returns: (transfer full) (nullable): NULL: of none.
 */
DetourTenant *detour_tenant_table_choose (DetourTenantTable *self, const char *sni,
                                          const char *listener);
/* (transfer full) (nullable): main thread. */
DetourTenant *detour_tenant_table_find (DetourTenantTable *self, const char *name);

/* Whether there is a tenant, or a client of one that went. Main thread. */
gboolean detour_tenant_table_in_use (DetourTenantTable *self);

/* In the order of the configuration, then those that went and have clients still, for which @group
 * is NULL. Main thread. */
typedef void (*DetourTenantFunc) (DetourTenant *tenant, const DetourTenantGroup *group,
                                  gpointer user);
void detour_tenant_table_foreach (DetourTenantTable *self, DetourTenantFunc func, gpointer user);

G_END_DECLS
