/* detour-server-private.h: the inside of a server, for its two files.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-dialers.h"
#include "detour-recheck.h"
#include "detour-server.h"

G_BEGIN_DECLS

struct _DetourServer {
  DetourRegistry *registry;
  DetourAddressCounts *addresses;
  DetourWorkerRings *rings;
  DetourHttpRoutes *routes;
  DetourDialers *dialers;
  DetourAdmission *admission;
  DetourRecheck *recheck;
  DetourHandshakePool *pool;
  DetourRoster *roster;
  guint n_workers;
  DetourWorker **workers;
  GPtrArray *listeners; /* of DetourListener */
  DetourSocketOptions socket_options;
  guint64 receive_rate, receive_burst; /* in force */
  gboolean is_stopped;
  void (*observer) (gpointer user);
  gpointer observer_user;
};

/* In detour-server-services.c: entries of DetourHostHooks. */
gboolean detour_server_add_routes (gpointer data, DetourInstance *instance,
                                   const DetourHttpRoute *routes, gpointer user, GError **error);
gboolean detour_server_add_dialer (gpointer data, DetourInstance *instance,
                                   const DetourDialer *dialer);
DetourLink *detour_server_dial (gpointer data, DetourInstance *instance, const DetourDialSpec *spec,
                                const DetourLinkFuncs *funcs, gpointer user, GError **error);
void detour_server_hang_up (gpointer data, DetourInstance *instance, DetourLink *link);
void detour_server_foreach_metric (gpointer data, DetourMetricFunc func, gpointer user);

G_END_DECLS
