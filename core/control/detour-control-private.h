/* detour-control-private.h: the state that all D-Bus interfaces of the daemon share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-bus.h"
#include "detour-client-list.h"
#include "detour-control-socket.h"
#include "detour-control.h"
#include "detour-event-list.h"
#include "detour-history.h"
#include "detour-inner-peers.h"
#include "detour-log-view.h"
#include "detour-rate-stream.h"
#include "detour-tree.h"

G_BEGIN_DECLS

/* Values of properties that are read together, once for each answer. */
typedef struct {
  DetourStats totals;
  DetourRegistryStats registry;
  guint64 n_half_open, n_waiting, n_held;
  gint64 now_us; /* monotonic */
} DetourControlReading;

struct _DetourControl {
  DetourControlParts parts;
  DetourTree *tree;
  DetourControlSocket *socket; /* NULL: there is none */
  DetourBus *bus;              /* NULL: the configuration wants none */
  DetourInnerPeers *inner;
  DetourHistory *history;
  guint history_timer;
  DetourClientList *clients;
  DetourEventList *events;
  GList *looks; /* calls of Path() that are not answered */
  gboolean is_stopping;
  DetourLogView *log;
  DetourRateStream *rates;
  DetourControlReading reading;
  char *hostname; /* the one of the start, since a change needs a restart; NULL: not configured */
  gint64 start_real_us;
  gint64 start_us; /* monotonic */
};

/* Of the root object, whose self is the DetourControl. */
extern const DetourTreeInterface detour_control_manager_interface;

/* Methods of the Manager, in detour-control-events.c; @self is the DetourControl. */
void detour_control_list_events (gpointer self, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_subscribe (gpointer self, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_unsubscribe (gpointer self, GVariant *arguments, GDBusMethodInvocation *call);

/* Methods of the Manager, in detour-control-rates.c, likewise. */
void detour_control_subscribe_rates (gpointer self, GVariant *arguments,
                                     GDBusMethodInvocation *call);
void detour_control_unsubscribe_rates (gpointer self, GVariant *arguments,
                                       GDBusMethodInvocation *call);

/* Methods of the Manager, in detour-control-log.c, likewise. */
void detour_control_list_log (gpointer self, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_subscribe_log (gpointer self, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_unsubscribe_log (gpointer self, GVariant *arguments,
                                     GDBusMethodInvocation *call);

/* Methods of the Manager, in detour-control-challenge.c. */
void detour_control_present_challenge (DetourControl *self, GVariant *arguments,
                                       GDBusMethodInvocation *call);
void detour_control_withdraw_challenge (DetourControl *self, GVariant *arguments,
                                        GDBusMethodInvocation *call);

/* In detour-control-refused.c. */
void detour_control_list_refused (DetourControl *self, GVariant *arguments,
                                  GDBusMethodInvocation *call);

/* In detour-control-bans.c. */
void detour_control_find_key (DetourControl *self, GVariant *arguments,
                              GDBusMethodInvocation *call);
void detour_control_ban (DetourControl *self, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_unban (DetourControl *self, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_list_bans (DetourControl *self, GVariant *arguments,
                               GDBusMethodInvocation *call);

/* In detour-control-config.c, as the tables of the Manager want them. */
void detour_control_check_config (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_dump_config (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_describe_config (gpointer data, GVariant *arguments,
                                     GDBusMethodInvocation *call);
void detour_control_explain_key (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);

/* A method of the Manager and a property, in detour-control-budgets.c; for its tables. */
void detour_control_list_budgets (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);
GVariant *detour_control_budgets_near (gpointer data);

/* A method of the Manager, in detour-control-path.c; @data is the DetourControl. */
void detour_control_path (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);
/* Callers that wait get an error. Runs the main context until every worker has answered. */
void detour_control_stop_paths (DetourControl *self);

/* A property of the Manager, in detour-control-tenants.c. */
GVariant *detour_control_get_tenants (gpointer data);

/* In detour-control-say.c; @data is the DetourControl. */
GVariant *detour_control_get_announcement (gpointer data);
void detour_control_say (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);

/* In detour-control-upgrade.c; @data is the DetourControl. */
GVariant *detour_control_get_last_upgrade (gpointer data);
GVariant *detour_control_get_installed_version (gpointer data);
void detour_control_upgrade (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_check_upgrade (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_hand_over (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_check_hand_over (gpointer data, GVariant *arguments,
                                     GDBusMethodInvocation *call);

/* In detour-control-drain.c; @data is the DetourControl. */
GVariant *detour_control_get_draining (gpointer data);
GVariant *detour_control_get_drain_progress (gpointer data);
void detour_control_drain (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);
void detour_control_cancel_drain (gpointer data, GVariant *arguments, GDBusMethodInvocation *call);

/* Add the objects of a folder. */
void detour_control_list_plugins (DetourControl *self, GPtrArray *nodes);
void detour_control_list_listeners (DetourControl *self, GPtrArray *nodes);
void detour_control_list_certificates (DetourControl *self, GPtrArray *nodes);
void detour_control_list_peers (DetourControl *self, GPtrArray *nodes);
GVariant *detour_control_get_mesh_count (gpointer data);

G_END_DECLS
