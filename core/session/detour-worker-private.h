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
} DetourWorkerCarry;

struct _DetourWorker {
  DetourConnShared shared;
  guint index;

  DetourSlab *conn_slab, *client_slab;
  GPtrArray *conns;   /* by slot; NULL: free */
  GArray *free_slots; /* of guint32 */
  guint32 generation;
  GPtrArray *watchers; /* mesh connections that are told of all who come and go */
  guint n_watchers;    /* their number; written here, read by everyone */
  guint n_conns;       /* those on their way to it included; atomic */
  gboolean is_stopping;
  DetourWorkerCarry carry;
  gsize peak_bytes; /* kept for clients, since memory was given back */

  DetourWorkerRings *rings;
  DetourRegistry *registry;
  DetourAddressCounts *addresses;
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

/* In detour-worker-peers.c. */
void detour_worker_add_watcher (DetourWorker *self, DetourClient *client);
void detour_worker_tell_watchers_gone (DetourWorker *self, const DetourKey *key);
/* Of DetourRelayPort; @user is the worker. */
void detour_worker_watch (gpointer user, DetourClient *client);
void detour_worker_sender_left (gpointer user, DetourHandle handle, guint64 sender_id,
                                const DetourKey *sender);

/* In detour-worker-carry.c. */
void detour_worker_carry_init (DetourWorkerCarry *self);
void detour_worker_carry_clear (DetourWorkerCarry *self);
/* A client was taken over that has had packets of @contacts, of DetourKey, which is handed over.
 * While the worker is frozen, those may still have to be taken over themselves. */
void detour_worker_resolve (DetourWorker *self, DetourClient *client, GArray *contacts);

G_END_DECLS
