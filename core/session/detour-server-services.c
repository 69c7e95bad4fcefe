/* detour-server-services.c: what the server gives to instances of plugins, and takes back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

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
  DetourHttpRouteSet *set = detour_http_routes_add (self->routes, detour_instance_id (instance),
                                                    routes, user, error);

  if (set == NULL)
    return FALSE;
  detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, server_services_release_routes, self, set);
  return TRUE;
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

static void
server_services_release_link (gpointer owner, gpointer thing)
{
  detour_link_free (thing);
}

DetourLink *
detour_server_dial (gpointer data, DetourInstance *instance, const DetourDialSpec *spec,
                    const DetourLinkFuncs *funcs, gpointer user, GError **error)
{
  DetourServer *self = data;
  DetourLink *link = detour_dialers_dial (self->dialers, spec, funcs, user, error);

  if (link != NULL)
    detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, server_services_release_link, self, link);
  return link;
}

void
detour_server_hang_up (gpointer data, DetourInstance *instance, DetourLink *link)
{
  detour_instance_let_go (instance, server_services_release_link, data, link);
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

void
detour_server_each_metric (const DetourServer *self, DetourMetricFunc func, gpointer user)
{
  const DetourStatsParts parts = server_services_stats_parts (self);
  g_autoptr (DetourMetricList) list = detour_metric_list_new ();

  detour_stats_each (&parts, detour_metric_list_add, list);
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
