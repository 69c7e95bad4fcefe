/* detour-worker-rings.h: packets on their way from one worker to another.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A ring for each ordered pair of workers. What is sent in a round is published together, with one
 * wake-up for each receiver that sleeps. A sender whose ring is full is not read until
 * the other worker has caught up, which takes no longer than a round: a worker never waits for a
 * client that does not read. */
#pragma once

#include <glib.h>

#include "detour-relay.h"
#include "detour-loop.h"

G_BEGIN_DECLS

typedef struct _DetourWorkerRings DetourWorkerRings;

/* Main thread. Returns: (nullable): NULL when there is no memory. */
DetourWorkerRings *detour_worker_rings_new (guint n_workers);
/* No worker runs any more. */
void detour_worker_rings_free (DetourWorkerRings *self);

/* Once for each worker, before there is a client. Main thread. */
void detour_worker_rings_set_loop (DetourWorkerRings *self, guint index, DetourLoop *loop);
/* Any thread. Returns: (nullable): NULL when there is no such worker. */
DetourLoop *detour_worker_rings_loop (const DetourWorkerRings *self, guint index);

/* The calls below are for worker @index, from its own thread. */

/* A packet for a client of another worker; copied, with its sender in front. */
DetourForward detour_worker_rings_send (DetourWorkerRings *self, guint index, DetourHandle handle,
                                        guint64 sender_id, const DetourKey *sender,
                                        const guint8 *packet, gsize len);
/* A packet for a link of another worker; copied. @payload: destination and packet. */
DetourForward detour_worker_rings_pass_on (DetourWorkerRings *self, guint index,
                                           DetourHandle handle, const DetourKey *sender,
                                           const guint8 *payload, gsize len);
/* The round is over: receivers get the packets that were sent. */
void detour_worker_rings_publish (DetourWorkerRings *self, guint index);

/* Gives packets that came to @relay, which borrows them until detour_worker_rings_release(). TRUE:
 * something came. */
gboolean detour_worker_rings_receive (DetourWorkerRings *self, guint index, DetourRelay *relay);
void detour_worker_rings_release (DetourWorkerRings *self, guint index);

/* It stops and wakes nobody from now on. */
void detour_worker_rings_leave (DetourWorkerRings *self, guint index);

G_END_DECLS
