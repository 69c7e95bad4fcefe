/* detour-worker-private.h: the inside of a worker, for its parts and for scans of its connections.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything here is for the worker's thread. */
#pragma once

#include "detour-conn-private.h"
#include "detour-slab.h"
#include "detour-worker.h"

G_BEGIN_DECLS

/* Of a worker that is frozen. */
typedef struct {
  gboolean is_frozen;
  GArray *unresolved; /* clients that were taken over, and of whom they had packets */
  GArray *gone;       /* of DetourKey: that left, or were detached */
  GHashTable *keys;   /* of all peers by id */
  GArray *preferred;  /* keys behind several links, with the one that gets their packets */
} DetourWorkerCarry;

typedef struct {
  gboolean is_active;
  DetourDrainPlan plan;
  guint next;          /* slot that is looked at next */
  gboolean is_passing; /* goes through its connections, some at a time */
} DetourWorkerDrain;

struct _DetourWorker {
  DetourConnShared shared;
  guint index;

  DetourSlab *conn_slab, *client_slab;
  GPtrArray *conns;   /* by slot; NULL: free */
  GArray *free_slots; /* of guint32 */
  guint32 generation;
  GPtrArray *watchers; /* mesh connections that are told of all who come and go */
  guint n_watchers;    /* their number; written here, read by everyone */
  GPtrArray *links;    /* of DetourConn: to other relays */
  guint n_links;       /* those on their way to it included; atomic */
  guint n_clients;     /* those on their way to it included; atomic */
  guint n_mesh;        /* the same of those that showed the mesh key, which are none of them */
  gboolean is_stopping;
  gboolean is_collecting; /* goes through its connections, some at a time */
  DetourWorkerCarry carry;
  DetourWorkerDrain drain;
  gsize peak_bytes; /* kept for clients, since memory was given back */

  DetourWorkerRings *rings;
  DetourRegistry *registry;
  DetourAddressCounts *addresses;
  DetourTermsTable *terms;
  DetourMeshReceived *received; /* NULL: nobody keeps it */
};

/* Returns: (nullable): NULL when the slot is free; slots are numbered from 0. */
guint detour_worker_n_slots (const DetourWorker *self);
const DetourConn *detour_worker_conn_at (const DetourWorker *self, guint slot);

/* Does what a function of the connection said. */
void detour_worker_judge (DetourWorker *self, DetourConn *conn, DetourClose verdict);
/* Gives every destination its packets, so that the arena is free again. */
void detour_worker_flush (DetourWorker *self);
/* Frees the slot of @conn. Its memory stays until the round is over, because events, the list of
 * destinations and that of replies may still name it. */
void detour_worker_forget_conn (DetourWorker *self, DetourConn *conn);

/* In detour-worker-tell.c: of a connection that is about to end. */
void detour_worker_tell_end (DetourWorker *self, DetourConn *conn, DetourClose reason);

/* In detour-worker-links.c. */
/* The rest of taking over @session, which is a link's, once its connection is watched. */
void detour_worker_join_link (DetourWorker *self, DetourConn *conn, DetourSession *session,
                              DetourHandle handle);
void detour_worker_forget_link (DetourWorker *self, DetourConn *conn);
void detour_worker_close_link (DetourWorker *self, DetourConn *conn, DetourClose reason);
/* Before it is taken apart. */
void detour_worker_detach_link (DetourWorker *self, DetourConn *conn, DetourSession *session);

/* In detour-worker-peers.c. */
void detour_worker_add_watcher (DetourWorker *self, DetourClient *client);
void detour_worker_tell_watchers_gone (DetourWorker *self, const DetourKey *key);
/* Of DetourRelayPort; @user is the worker. */
void detour_worker_watch (gpointer user, DetourClient *client);
void detour_worker_sender_left (gpointer user, DetourHandle handle, guint64 sender_id,
                                const DetourKey *sender);

/* In detour-worker-terms.c. */
/* Takes the terms that go with the verdict of @conn and with the tenant of those it has. */
void detour_worker_choose_terms (DetourWorker *self, DetourConn *conn);
/* Closes @conn if its terms say so. */
void detour_worker_judge_terms (DetourWorker *self, DetourConn *conn);
/* What the client has sent since the last time goes to the accounts of its terms. */
void detour_worker_charge (DetourConn *conn);
/* NULL: of none. */
const char *detour_worker_tenant_name (const DetourConn *conn);
/* Before it joins: takes tenant and terms out of @session; and gives them back when it moves on. */
void detour_worker_tie (DetourConn *conn, DetourSession *session);
void detour_worker_untie (DetourConn *conn, DetourSession *session);
/* The connection ends: it does not count any more. */
void detour_worker_drop_terms (DetourConn *conn);

/* In detour-worker-carry.c. */
void detour_worker_carry_init (DetourWorkerCarry *self);
void detour_worker_carry_clear (DetourWorkerCarry *self);
/* The keys that are behind several links, of which this one got their packets when the worker was
 * frozen; of DetourKey. NULL: none. */
GArray *detour_worker_carry_preferred (const DetourWorkerCarry *self, DetourHandle link);
/* A client was taken over that has had packets of @contacts, of DetourKey, which is handed over.
 * While the worker is frozen, those may still have to be taken over themselves. */
void detour_worker_resolve (DetourWorker *self, DetourClient *client, GArray *contacts);

/* Counts the round, and of some how long it took, from the moment the worker woke, without what is
 * put off to its end. */
void detour_worker_count_round (DetourWorker *self, DetourLoop *loop);

G_END_DECLS
