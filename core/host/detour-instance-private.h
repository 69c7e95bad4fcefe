/* detour-instance-private.h: the inside of an instance, for the floor host.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-cert-store.h"
#include "detour-challenges.h"
#include "detour-channel-table.h"
#include "detour-config.h"
#include "detour-instance.h"
#include "detour-mailbox.h"
#include "detour-record.h"

G_BEGIN_DECLS

/* What all instances share; belongs to the roster. */
typedef struct {
  char *hostname; /* NULL: not set */
  char *state_directory;
  char *locale_directory;
  guint8 server_key[DETOUR_KEY_SIZE]; /* public */
  int ready;                          /* atomic */
  int lacks_cert; /* atomic: nobody could log in, as there is no certificate yet */
  DetourCertStore *certs;
  DetourChallenges *challenges;
  DetourChannelTable *channels;
  const GPtrArray *peers; /* DetourMeshPeerGroup, of the configuration in force */
  const DetourHostHooks *hooks;
  gpointer hooks_data;
} DetourHostContext;

/* A counter or gauge of the plugin. */
typedef struct {
  DetourMetric metric; /* without its value */
  gboolean is_shown;   /* under the lock of the instance */
  union {
    DetourCounter number;
    DetourGauge gauge;
  };
} DetourInstanceMetric;

struct _DetourHost {
  DetourHostContext *context;
  char *id;
  char *name;
  char *plugin_name;
  DetourKind kind;
  gboolean enabled; /* by the configuration */
  gboolean starts;  /* with the daemon: as that says, or as somebody had switched it */

  const DetourPlugin *plugin; /* NULL: @problem */
  char *problem;
  DetourSettings *settings;

  DetourInstanceState state;
  gint64 since_us;
  char *error;
  gpointer self;  /* from start(); NULL unless it runs */
  GBytes *frozen; /* for its first start; NULL: nothing */
  DetourHoldings holdings;
  char *socket_protocol; /* of what it opened itself; NULL: nothing */
  GStrv socket_addresses;
  GPtrArray *auth_calls;    /* DetourAuthCall that nobody answered yet */
  GPtrArray *cert_reports;  /* DetourCertReport */
  GPtrArray *mesh_reports;  /* DetourMeshReport */
  GPtrArray *mesh_carried;  /* of the program before, until the same peer is reported */
  GPtrArray *cert_renewals; /* DetourCertRenewal that nobody answered yet */

  DetourMailbox *mailbox; /* any thread; closed unless the plugin's start() began */
  int trouble_is_posted;  /* atomic */

  GMutex lock; /* of what follows; any thread */
  char *summary;
  char *trouble;
  GPtrArray *metrics; /* DetourInstanceMetric; only grows, entries never move */
};

/* Tells the floors above that something about it is different. Main thread. */
void detour_instance_changed (DetourInstance *self, gboolean gone);

DetourInstance *detour_instance_new (DetourHostContext *context,
                                     const DetourConfigInstance *config);
/* Must not run. */
void detour_instance_free (DetourInstance *self);

/* Takes over another plugin or other settings; must not run. */
void detour_instance_configure (DetourInstance *self, const DetourConfigInstance *config);
/* Lets the plugin look at its files again, if it runs. */
void detour_instance_reload (DetourInstance *self);
/* DISABLED rather than STOPPED from now on, or the other way round; must not run. */
void detour_instance_set_enabled (DetourInstance *self, gboolean enabled);

/* In detour-instance-carry.c: an item with what its plugin freezes, and one with what it has
 * counted. */
void detour_instance_write_memory (const DetourInstance *self, DetourRecord *out, guint16 tag);
void detour_instance_write_counters (DetourInstance *self, DetourRecord *out, guint16 tag);
/* Of such an item; free with g_free(). NULL: it is damaged. */
char *detour_instance_read_id (const DetourRecordItem *item);
/* Before its first start. FALSE: it is damaged from some place on. */
gboolean detour_instance_read (DetourInstance *self, const DetourRecordItem *item);
/* It runs now. */
void detour_instance_thaw (DetourInstance *self);

/* As detour_host_add_routes(). */
gboolean detour_instance_add_routes (DetourInstance *self, const DetourHttpRoute *routes,
                                     gpointer user, GError **error);

/* Answers all open questions with UNAVAILABLE; answers that come later are dropped. */
void detour_auth_call_abandon_all (DetourInstance *self);

/* An empty array of DetourCertReport. */
GPtrArray *detour_cert_reports_new (void);
/* An empty array of DetourMeshReport. */
GPtrArray *detour_mesh_reports_new (void);
/* An item for each peer: what its links that ended have passed on. The other one is for before the
 * first start; FALSE: the item is damaged. */
void detour_mesh_reports_write (const DetourInstance *self, DetourRecord *out, guint16 tag);
gboolean detour_mesh_reports_read (DetourInstance *self, const DetourRecordItem *item);
/* Answers all renewals that wait with an error; outcomes that come later are dropped. */
void detour_cert_renewal_abandon_all (DetourInstance *self);

G_END_DECLS
