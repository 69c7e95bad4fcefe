/* detour-tenants.h: the [tenant NAME] groups of a configuration, and whose client a connection is.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client belongs to a tenant by the name that it asked for in TLS, or else by its listener; never
 * by anything that it says later, such as the Host of a request. Both are known once the record
 * layer has shaken hands, and cannot change afterwards. An exact name goes before one with `*.`,
 * and a name before a listener. What a tenant does to its clients is in detour-tenant.h. */
#pragma once

#include "detour-schema.h"
#include "detour-settings.h"

G_BEGIN_DECLS

/* One of them. */
typedef struct {
  char *name;               /* "friends" */
  DetourSettings *settings; /* of detour_schema_tenant */
  DetourTenantOptions options;
} DetourTenantGroup;

/* @settings: handed over */
DetourTenantGroup *detour_tenant_group_new (const char *name, DetourSettings *settings);
void detour_tenant_group_free (gpointer self);

/* Labels of letters, digits, `-` and `_`, the first of which may be `*`; no address. */
gboolean detour_tenant_name_is_valid (const char *name);
/* @name as it is compared: in small letters, without a dot at the end. Free with g_free(). */
char *detour_tenant_name_fold (const char *name);
/* The name with `*.` that @name fits: one label is replaced. NULL: it has but one. @name is folded.
 * Free with g_free(). */
char *detour_tenant_name_wild (const char *name);
/* "transport/https" of "https" or of itself. Free with g_free(). */
char *detour_tenant_listener_id (const char *name);

/* For choosing among many. Immutable. */
typedef struct _DetourTenantIndex DetourTenantIndex;

/* @tenants: of DetourTenantGroup; outlives the index. The first one counts where two have the
 * same. */
DetourTenantIndex *detour_tenant_index_new (const GPtrArray *tenants);
void detour_tenant_index_free (DetourTenantIndex *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourTenantIndex, detour_tenant_index_free)

/**
 * detour_tenant_index_find:
 * @sni: (nullable): the name asked for in TLS
 * @listener: "transport/https"
 *
 * Any thread.
 *
 * Returns: (nullable): NULL: of none.
 */
const DetourTenantGroup *detour_tenant_index_find (const DetourTenantIndex *self, const char *sni,
                                                   const char *listener);

G_END_DECLS
