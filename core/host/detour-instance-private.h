/* detour-instance-private.h: the inside of an instance, for the floor host.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-cert-store.h"
#include "detour-channel-table.h"
#include "detour-config.h"
#include "detour-instance.h"
#include "detour-mailbox.h"

G_BEGIN_DECLS

/* What all instances share; belongs to the roster. */
typedef struct {
  char *hostname; /* NULL: not set */
  char *state_directory;
  guint8 server_key[DETOUR_KEY_SIZE]; /* public */
  int ready;                          /* atomic */
  DetourCertStore *certs;
  DetourChannelTable *channels;
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

  const DetourPlugin *plugin; /* NULL: @problem */
  char *problem;
  DetourSettings *settings;

  DetourInstanceState state;
  gint64 since_us;
  char *error;
  gpointer self; /* from start(); NULL unless it runs */
  DetourHoldings holdings;
  char *socket_protocol; /* of what it opened itself; NULL: nothing */
  GStrv socket_addresses;
  GPtrArray *auth_calls; /* DetourAuthCall that nobody answered yet */

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

/* As detour_host_add_routes(). */
gboolean detour_instance_add_routes (DetourInstance *self, const DetourHttpRoute *routes,
                                     gpointer user, GError **error);

/* Answers all open questions with UNAVAILABLE; answers that come later are dropped. */
void detour_auth_call_abandon_all (DetourInstance *self);

G_END_DECLS
