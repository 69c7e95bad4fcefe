/* detour-server-tenants.c: where clients of tenants are, and whether they still belong there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

void
detour_server_close_client (gpointer user, DetourHandle handle)
{
  detour_worker_close (((DetourServer *) user)->workers[DETOUR_HANDLE_WORKER (handle)], handle,
                       DETOUR_CLOSE_REVOKED);
}

static void
server_tenants_close_conn (const DetourPeer *peer, DetourHandle handle,
                           const DetourPresence *presence, gpointer user)
{
  if ((presence->flags & DETOUR_FRAME_PRESENT_MESH) == 0)
    detour_server_close_client (user, handle);
}

/* The space of a tenant of that name; one that is not there any more has none. */
static DetourSpace *
server_tenants_find_space (DetourServer *self, const char *tenant)
{
  g_autoptr (DetourTenant) found = detour_tenant_table_find (self->tenants, tenant);
  DetourSpace *space = found != NULL ? detour_tenant_space (found) : NULL;

  return space != NULL ? space : detour_registry_common (self->registry);
}

void
detour_server_close_key (gpointer user, const DetourKey *key, const char *tenant)
{
  DetourServer *self = user;

  if (tenant == NULL)
    detour_registry_each_conn_of_all (self->registry, key, server_tenants_close_conn, self);
  else
    detour_registry_each_conn (server_tenants_find_space (self, tenant), key,
                               server_tenants_close_conn, self);
}

gboolean
detour_server_belongs (gpointer user, const DetourScanRow *client)
{
  DetourServer *self = user;
  g_autoptr (DetourTenant) tenant = detour_tenant_table_choose (self->tenants, client->request->sni,
                                                                client->request->listener);

  return tenant == client->tenant;
}

gboolean
detour_server_has_tenants (gpointer user)
{
  return detour_tenant_table_in_use (((DetourServer *) user)->tenants);
}

DetourTenantTable *
detour_server_tenants (const DetourServer *self)
{
  return self->tenants;
}
