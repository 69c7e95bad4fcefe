/* detour-server-services.c: what the server gives to instances of plugins, and takes back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

#include "detour-address.h"

static void
server_services_release_routes (gpointer owner, gpointer thing)
{
  detour_http_routes_remove (((DetourServer *) owner)->routes, thing);
}

gboolean
detour_server_add_routes (gpointer data, DetourInstance *instance, const DetourHttpRoute *routes,
                          gpointer user, GError **error)
{
  DetourServer *self = data;
  DetourHttpRouteSet *set;

  for (const DetourHttpRoute *route = routes; route->path != NULL; route++)
    if (g_str_equal (route->path, DETOUR_HTTP_CONNECT))
      detour_handshake_pool_need_forwarder (self->pool, detour_instance_id (instance));
  set = detour_http_routes_add (self->routes, detour_instance_id (instance), routes, user, error);
  if (set == NULL)
    return FALSE;
  detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, server_services_release_routes, self, set);
  return TRUE;
}

static gboolean
server_services_has_port (const DetourListener *listener, guint port)
{
  for (guint i = 0; i < listener->addresses->len; i++)
    {
      DetourAddress address;

      if (detour_address_parse (listener->addresses->pdata[i], &address, NULL)
          && address.path[0] == '\0' && (port == 0 || address.port == port))
        return TRUE;
    }
  return FALSE;
}

gboolean
detour_server_listens (gpointer data, guint port, gboolean secure)
{
  const DetourServer *self = data;

  for (guint i = 0; i < self->listeners->len; i++)
    {
      const DetourListener *listener = self->listeners->pdata[i];
      gboolean is_secure = (listener->flags & DETOUR_LISTENER_SECURE) != 0;

      if (is_secure == secure && (listener->flags & DETOUR_LISTENER_ADMIN) == 0
          && server_services_has_port (listener, port))
        return TRUE;
    }
  return FALSE;
}

gboolean
detour_server_serves_pages (gpointer data)
{
  const DetourServer *self = data;

  for (guint i = 0; i < self->listeners->len; i++)
    if ((((const DetourListener *) self->listeners->pdata[i])->flags & DETOUR_LISTENER_PAGES) != 0)
      return TRUE;
  return FALSE;
}

void
detour_server_set_control (DetourServer *self, DetourServerOpen func, gpointer user)
{
  self->open_control = func;
  self->open_control_user = user;
}

int
detour_server_open_control (gpointer data, GError **error)
{
  DetourServer *self = data;

  if (self->open_control != NULL)
    return self->open_control (self->open_control_user, error);
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_AGAIN, "the daemon starts or stops");
  return -1;
}

static void
server_services_release_dialer (gpointer owner, gpointer thing)
{
  detour_dialers_remove (((DetourServer *) owner)->dialers, thing);
}

gboolean
detour_server_add_dialer (gpointer data, DetourInstance *instance, const DetourDialer *dialer)
{
  DetourServer *self = data;
  const DetourDialer *added = detour_dialers_add (self->dialers, dialer);

  if (added == NULL)
    return FALSE;
  detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, server_services_release_dialer, self,
                        (gpointer) added);
  return TRUE;
}

static DetourStatsParts
server_services_stats_parts (const DetourServer *self)
{
  return (DetourStatsParts) {
    .workers = self->workers,
    .n_workers = self->n_workers,
    .pool = self->pool,
    .admission = self->admission,
    .n_listeners = self->listeners->len,
  };
}

void
detour_server_read_stats (const DetourServer *self, DetourStats *stats)
{
  const DetourStatsParts parts = server_services_stats_parts (self);

  detour_stats_read (stats, &parts);
}

/* A tenant that is gone is no series any more. */
static void
server_services_add_tenant (DetourTenant *tenant, const DetourTenantGroup *group, gpointer list)
{
  if (group != NULL)
    detour_tenant_each_metric (tenant, detour_metric_list_add, list);
}

void
detour_server_each_metric (const DetourServer *self, DetourMetricFunc func, gpointer user)
{
  const DetourStatsParts parts = server_services_stats_parts (self);
  g_autoptr (DetourMetricList) list = detour_metric_list_new ();
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func (g_free);

  detour_stats_each (&parts, detour_metric_list_add, list);
  detour_tenant_table_foreach (self->tenants, server_services_add_tenant, list);
  detour_server_add_states (self, list, kept);
  for (guint i = 0; self->roster != NULL && i < detour_roster_count (self->roster); i++)
    detour_instance_foreach_metric (detour_roster_nth (self->roster, i), detour_metric_list_add,
                                    list);
  detour_metric_list_each (list, func, user);
}

void
detour_server_foreach_metric (gpointer data, DetourMetricFunc func, gpointer user)
{
  detour_server_each_metric (data, func, user);
}
