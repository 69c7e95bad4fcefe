/* detour-server-private.h: the inside of a server, for its files.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-dialers.h"
#include "detour-handover.h"
#include "detour-record.h"
#include "detour-recheck.h"
#include "detour-server.h"
#include "detour-stragglers.h"

G_BEGIN_DECLS

/* Of a mesh key, which it does not tell; zero: there is none. */
typedef struct {
  guint8 bytes[32];
} DetourMeshKeyId;

struct _DetourServer {
  DetourRegistry *registry;
  DetourMeshReceived *received; /* of other servers of the mesh */
  DetourAddressCounts *addresses;
  DetourTermsTable *terms;
  DetourBudgets *budgets;
  DetourWorkerRings *rings;
  DetourHttpRoutes *routes;
  DetourDialers *dialers;
  DetourAdmission *admission;
  DetourRecheck *recheck;
  DetourBans *bans;
  DetourMailbox *bans_settled; /* for what waits until clients on their way have arrived */
  guint n_ban_scans;           /* that are under way */
  DetourTenantTable *tenants;
  DetourHandshakePool *pool;
  DetourRoster *roster;
  DetourConfig *config; /* in force; NULL: none was applied yet */
  guint n_workers;
  DetourWorker **workers;
  GPtrArray *listeners; /* of DetourListener */
  /* Of the program before, by name, that nobody asked for yet, DetourLinkTie; NULL: none. */
  GHashTable *carried_links;
  GPtrArray *expected_links;           /* those whose sessions were not read yet; NULL: none */
  guint carried_links_timer;           /* 0: nobody waits */
  DetourRegistryStats *carried_totals; /* until all is there; NULL: none are known */
  DetourInherited *inherited;          /* NULL: there are no sockets of before */
  guint n_watching; /* workers that go on with what one of the program before watched: the first */
  DetourStragglers *stragglers; /* NULL: nobody was left behind by the program before */
  DetourSocketOptions socket_options;
  guint64 receive_rate, receive_burst; /* in force */
  char *announcement;                  /* NULL: none */
  DetourServerDrain drain;
  guint drain_timer;    /* 0: it does not drain */
  guint drain_reserved; /* of DetourDrainPlan */
  gboolean stays_out;   /* it drained when this program took over */
  gboolean holds_off;   /* nobody is accepted, whatever listens */
  guint taken_timer;    /* 0: no address of a listener is another program's */
  DetourServerDrained drained;
  gpointer drained_user;
  DetourMeshKeyId mesh_key;         /* that all connections of the mesh have shown */
  DetourMeshKeyId carried_mesh_key; /* the same of the sessions that were taken apart */
  guint mesh_key_idle;              /* 0: that key is in force, or there is none */
  gboolean is_stopped;
  void (*observer) (gpointer user);
  gpointer observer_user;
  DetourServerOpen open_control;
  gpointer open_control_user;
};

/* Those who come to @listener are accepted, or not any more. While the
 * server holds off nobody is, and then all who are to be. */
void detour_server_watch (DetourServer *self, DetourListener *listener);
void detour_server_unwatch (DetourServer *self, DetourListener *listener);

/* In detour-server-mesh-key.c. */
/* Of DetourHostHooks. */
void detour_server_set_mesh_key (gpointer data, const guint8 *key);
void detour_server_stop_mesh_key (DetourServer *self);
void detour_server_write_mesh_key (const DetourServer *self, DetourRecord *out);
void detour_server_expect_mesh_key (DetourServer *self, const DetourRecordItem *item);
/* Connections that were taken apart, here or in the program before, are with frozen workers. */
void detour_server_judge_mesh (DetourServer *self);

/* In detour-server-drain.c. */
void detour_server_stop_drain (DetourServer *self);

/* In detour-server-bans.c. */
void detour_server_init_bans (DetourServer *self);
/* Main thread; waits for the workers' answers. */
void detour_server_stop_bans (DetourServer *self);
void detour_server_clear_bans (DetourServer *self);

/* In detour-server-terms.c. */
extern const DetourBudgetsPort detour_server_budgets_port; /* its user is the server */
/* Of DetourHostHooks. */
void detour_server_apply_terms (gpointer data, DetourConfig *config);

/* In detour-server-tenants.c: entries of DetourRecheckPort. */
void detour_server_close_client (gpointer user, DetourHandle handle);
void detour_server_close_key (gpointer user, const DetourKey *key, const char *tenant);
gboolean detour_server_belongs (gpointer user, const DetourScanRow *client);
gboolean detour_server_has_tenants (gpointer user);

/* In detour-server-verdicts.c: an entry of DetourAuthPort, and one of DetourHostHooks. */
char *detour_server_dup_source (gpointer user, const char *id);
void detour_server_auth_revoked (gpointer data, DetourInstance *instance, const guint8 *key);

/* In detour-server-services.c: entries of DetourHostHooks. */
gboolean detour_server_add_routes (gpointer data, DetourInstance *instance,
                                   const DetourHttpRoute *routes, gpointer user, GError **error);
gboolean detour_server_listens (gpointer data, guint port, gboolean secure);
gboolean detour_server_serves_pages (gpointer data);
int detour_server_open_control (gpointer data, GError **error);
gboolean detour_server_add_dialer (gpointer data, DetourInstance *instance,
                                   const DetourDialer *dialer);
DetourLink *detour_server_dial (gpointer data, DetourInstance *instance, const DetourDialSpec *spec,
                                const DetourLinkFuncs *funcs, gpointer user, GError **error);
void detour_server_link_stats (gpointer data, DetourLink *link, DetourLinkStats *stats);
void detour_server_know_peer (gpointer data, const guint8 *server_key);
/* Of detour_dialers_set_join(). */
void detour_server_join_link (gpointer data, DetourSession *session);
void detour_server_hang_up (gpointer data, DetourInstance *instance, DetourLink *link);
/* In detour-server-links.c, which has the hooks above. */
DetourLink *detour_server_find_link (gpointer data, DetourInstance *instance, const char *name,
                                     const DetourLinkFuncs *funcs, gpointer user);
void detour_server_expect_link (DetourServer *self, const DetourRecordItem *item);
void detour_server_meet_link (DetourServer *self, DetourSession *session);
/* All sessions were read. */
void detour_server_expect_no_more_links (DetourServer *self);
void detour_server_clear_links (DetourServer *self);

/* In detour-server-watches.c. */
/* Of a descriptor that stays open, and that nobody asks any more for what it has to say.
 * @watched_by: see DetourSession */
void detour_server_forget_watch (const DetourServer *self, guint watched_by, int fd);
/* For a program that is executed in this process. */
void detour_server_write_watches (const DetourServer *self, DetourHandoverDraft *draft);
/* @places: of guint32: those that were written, each one more than it is. */
void detour_server_inherit_watches (DetourServer *self, DetourHandover *handover,
                                    const GArray *places);

/* In detour-server-presence.c: what the registry calls, with its lock held, from any worker. */
DetourRegistryObserver detour_server_observe_registry (DetourServer *self);

void detour_server_foreach_metric (gpointer data, DetourMetricFunc func, gpointer user);

/* In detour-server-metrics.c. Adds what is no count of a thread: plugins, certificates, budgets,
 * keys. Texts that nobody else keeps go to @kept. */
void detour_server_add_states (const DetourServer *self, DetourMetricList *list, GPtrArray *kept);
/* Of each peer of the mesh but the relay itself. */
void detour_server_add_peers (const DetourServer *self, DetourMetricList *list);

G_END_DECLS
