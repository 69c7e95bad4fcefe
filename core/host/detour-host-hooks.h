/* detour-host-hooks.h: what the floors above do for plugins; they fill in this table.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

/* An instance of a plugin; the same thing as the handle its plugin gets. */
typedef struct _DetourHost DetourInstance;

/* Main thread, every one. An entry that is NULL refuses (calls with an error) or does nothing. What
 * they give an instance is put among its holdings (detour_instance_hold()) and taken back there. */
typedef struct {
  /* detour_host_listen(). The spec is borrowed for the call. Its release() is called at the latest
   * when the last accept() is over. */
  gboolean (*listen) (gpointer data, DetourInstance *instance, const DetourSettings *settings,
                      const DetourListenerSpec *spec, GError **error);
  /* detour_host_listens(). */
  gboolean (*listens) (gpointer data, guint port, gboolean secure);
  /* detour_host_serves_pages(), detour_host_open_control(). */
  gboolean (*serves_pages) (gpointer data);
  int (*open_control) (gpointer data, GError **error);
  /* detour_host_add_dialer(), detour_host_dial(), detour_host_hang_up(), detour_host_link_stats(),
   * detour_host_find_link(). */
  gboolean (*add_dialer) (gpointer data, DetourInstance *instance, const DetourDialer *dialer);
  DetourLink *(*dial) (gpointer data, DetourInstance *instance, const DetourDialSpec *spec,
                       const DetourLinkFuncs *funcs, gpointer user, GError **error);
  void (*hang_up) (gpointer data, DetourInstance *instance, DetourLink *link);
  void (*link_stats) (gpointer data, DetourLink *link, DetourLinkStats *stats);
  DetourLink *(*find_link) (gpointer data, DetourInstance *instance, const char *name,
                            const DetourLinkFuncs *funcs, gpointer user);

  /* detour_host_report_mesh(): @server_key is that of another server of the region. */
  void (*know_peer) (gpointer data, const guint8 *server_key);

  /* detour_host_add_routes(). */
  gboolean (*add_routes) (gpointer data, DetourInstance *instance, const DetourHttpRoute *routes,
                          gpointer user, GError **error);

  /* A certificate was published that somebody may wait for, or is not expected any more. */
  void (*certs_changed) (gpointer data);
  /* detour_host_auth_changed(); also called when an auth instance started or stopped. */
  void (*auth_changed) (gpointer data, DetourInstance *instance);
  /* detour_host_auth_rekeyed(). */
  void (*auth_rekeyed) (gpointer data, const guint8 *before, const guint8 *after);
  /* detour_host_auth_revoked(). @key: (array fixed-size=32) */
  void (*auth_revoked) (gpointer data, DetourInstance *instance, const guint8 *key);
  /* detour_host_set_mesh_key(); NULL when the instance that set it takes it back or stops. */
  void (*set_mesh_key) (gpointer data, const guint8 *key);

  /* detour_host_foreach_metric(). */
  void (*foreach_metric) (gpointer data, DetourMetricFunc func, gpointer user);

  /* At the first start and after each reload. Instances named in the chain exist by then, and those
   * it does not name any more are freed afterwards. */
  void (*apply_limits) (gpointer data, DetourSettings *limits);
  /* Classes and tenants, and which one is whose. Before apply_admission(). */
  void (*apply_terms) (gpointer data, DetourConfig *config);
  void (*apply_admission) (gpointer data, DetourSettings *admission);

  /* State, error, trouble, certificates or settings of an instance are different now. An instance
   * that goes away is reported for the last time with @gone set. */
  void (*instance_changed) (gpointer data, DetourInstance *instance, gboolean gone);
} DetourHostHooks;

G_END_DECLS
