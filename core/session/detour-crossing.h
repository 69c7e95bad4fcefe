/* detour-crossing.h: packets on their way from one worker to another.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A ring for each ordered pair of workers. What is sent in a round is published together, with one wake-up for each
 * receiver that sleeps. A ring that is full slows whoever sends through it until the other worker has caught up, which
 * takes no longer than a round: a worker never waits for a client that does not read.
 */
#pragma once

#include <glib.h>

#include "detour-relay.h"
#include "detour-worker.h"

G_BEGIN_DECLS

typedef struct _DetourCrossing DetourCrossing;

/* Main thread. Returns: (nullable): NULL when there is no memory. */
DetourCrossing *detour_crossing_new (guint n_workers);
/* No worker runs any more. */
void detour_crossing_free (DetourCrossing *self);

/* Once for each worker, before there is a client. Main thread. */
void detour_crossing_set_worker (DetourCrossing *self, guint index, DetourWorker *worker);
/* Any thread. Returns: (nullable): NULL when there is no such worker. */
DetourWorker *detour_crossing_worker (const DetourCrossing *self, guint index);

/* The calls below are for worker @index, from its own thread. */

/* A packet for a client of another worker; copied, with its source in front. */
DetourForward detour_crossing_send (DetourCrossing *self, guint index, DetourHandle handle, guint64 source_id,
                                    const DetourKey *source, const guint8 *packet, gsize len);
/* The round is over: what was sent can be had. */
void detour_crossing_publish (DetourCrossing *self, guint index);

/* Gives what came to @relay, which borrows it until detour_crossing_release(). TRUE: something came. */
gboolean detour_crossing_receive (DetourCrossing *self, guint index, DetourRelay *relay);
void detour_crossing_release (DetourCrossing *self, guint index);

/* It stops and wakes nobody from now on. */
void detour_crossing_leave (DetourCrossing *self, guint index);

G_END_DECLS
