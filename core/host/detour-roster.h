/* detour-roster.h: all instances of a daemon, started, stopped and changed together.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-cert-store.h"
#include "detour-challenges.h"
#include "detour-channel-table.h"
#include "detour-config.h"
#include "detour-instance.h"
#include "detour-record.h"

G_BEGIN_DECLS

typedef struct _DetourRoster DetourRoster; /* main thread */

/**
 * detour_roster_new:
 * @config: the first configuration
 * @state_directory: exists
 * @server_key: (array fixed-size=32): the public half
 * @hooks: (nullable): the floors above; must outlive the roster
 *
 * Makes all instances and starts none.
 */
DetourRoster *detour_roster_new (DetourConfig *config, const char *state_directory,
                                 const guint8 *server_key, const DetourHostHooks *hooks,
                                 gpointer hooks_data);
/* Stops what still runs. */
void detour_roster_free (DetourRoster *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourRoster, detour_roster_free)

/**
 * detour_roster_start:
 *
 * Gives the hooks limits and admission, then starts every enabled instance: logs, certificates,
 * auth, pages, services, transports. Each that fails leaves one line on the log and does not keep
 * the others from starting.
 *
 * Returns: FALSE when the daemon should not go on like this: an instance did not start for another
 * reason than a broken module, or no transport runs.
 */
gboolean detour_roster_start (DetourRoster *self);
/* Before the start: a service whose address another program has is no fault. It starts by
 * detour_roster_start_rest(), when that one has ended. */
void detour_roster_let_services_wait (DetourRoster *self);
void detour_roster_start_rest (DetourRoster *self);
/* Before the start: whether the instance starts, whatever the configuration says. One that is not
 * there is none. */
void detour_roster_switch (DetourRoster *self, const char *id, gboolean runs);
/* One item for each instance: what its plugin freezes, which may take its time. */
void detour_roster_write_memories (const DetourRoster *self, DetourRecord *out, guint16 tag);
/* Another one: what it has counted up to now. */
void detour_roster_write_counters (const DetourRoster *self, DetourRecord *out, guint16 tag);
/* Before the start, such an item of the program before. FALSE: it is damaged; what was whole in it
 * is used. */
gboolean detour_roster_read (DetourRoster *self, const DetourRecordItem *item);
/* Stops all in the reverse order. */
void detour_roster_stop (DetourRoster *self);

/**
 * detour_roster_apply:
 * @config: loaded and checked
 *
 * Goes over to another configuration: stops what is gone, restarts what changed, starts what is
 * new, asks everything else to look at its files again. An instance that does not start with its
 * new settings goes back to the old ones. Changes that need a restart of the daemon are named on
 * the log and left for then. An instance that somebody stopped at run time stays so.
 *
 * Returns: FALSE when an instance could not follow; the log says which.
 */
gboolean detour_roster_apply (DetourRoster *self, DetourConfig *config);

/* What detour_host_is_ready() answers: listeners are there, and a certificate unless none is
 * needed. Instances of kind `cert` do not wait for one. Any thread. */
void detour_roster_set_ready (DetourRoster *self, gboolean ready);
void detour_roster_set_lacks_cert (DetourRoster *self, gboolean lacks);
gboolean detour_roster_is_ready (const DetourRoster *self);

/* The configuration that was read last. */
DetourConfig *detour_roster_config (DetourRoster *self);

/* @read: settings of a group of detour_roster_config(). Those that the daemon, or the running
 * instance, goes by where a key needs a restart; NULL when there are none. */
const DetourSettings *detour_roster_in_force (const DetourRoster *self, const DetourSettings *read);
/* The value of @key in @read waits for a restart of the daemon; until then that in @in_force, which
 * may be NULL, counts. */
gboolean detour_roster_key_waits (const DetourSettings *in_force, const DetourSettings *read,
                                  const DetourConfigKey *key);
DetourCertStore *detour_roster_certs (DetourRoster *self);
DetourChallenges *detour_roster_challenges (DetourRoster *self);
/* The channels of what runs. */
DetourChannelTable *detour_roster_channels (DetourRoster *self);

guint detour_roster_count (const DetourRoster *self);
DetourInstance *detour_roster_nth (const DetourRoster *self, guint n);
/* "KIND/NAME", or a NAME that only one instance has; NULL otherwise. */
DetourInstance *detour_roster_find (const DetourRoster *self, const char *id);

G_END_DECLS
