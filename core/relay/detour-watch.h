/* detour-watch.h: who wants to hear that a peer is gone: the table of one worker.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Relations between a source, whose packets were delivered, and the connection that received them.
 * The one a worker owns holds the relations of its own connections. Thread: that worker.
 *
 * 28 to 40 bytes a relation, and the same once for each source and each receiver that has any. */
typedef struct _DetourWatch DetourWatch;

#define DETOUR_WATCH_SOURCE_MAX ((G_GUINT64_CONSTANT (1) << 40) - 1)
/* The largest slot. */
#define DETOUR_WATCH_SLOT_MAX 0xfffffeu

typedef void (*DetourWatchFunc) (guint32 slot, gpointer user);

DetourWatch *detour_watch_new (void);
void detour_watch_free (DetourWatch *self);

/**
 * detour_watch_add:
 * @source: id of the peer a packet came from (DetourPeer.id), at most DETOUR_WATCH_SOURCE_MAX
 * @slot: the connection it goes to
 *
 * For every packet: one probe of a hash table when the relation is there.
 *
 * A packet may come from another worker after its source left and the notice was given: so when
 * this returns TRUE and the source is not known to live, look it up, and call detour_watch_remove()
 * if it is gone.
 *
 * Returns: TRUE when the relation is new.
 */
gboolean detour_watch_add (DetourWatch *self, guint64 source, guint32 slot);

/* Forgets one relation; none is fine too. */
void detour_watch_remove (DetourWatch *self, guint64 source, guint32 slot);

/* Forgets every relation of @source and calls @func for each receiver. @func may not call this
 * table. */
void detour_watch_source_gone (DetourWatch *self, guint64 source, DetourWatchFunc func,
                               gpointer user);

/* Forgets every relation of @slot, so that it can be given to another connection. */
void detour_watch_receiver_left (DetourWatch *self, guint32 slot);

/* Relations. */
guint detour_watch_size (const DetourWatch *self);

/* Bytes held. */
gsize detour_watch_memory (const DetourWatch *self);

G_END_DECLS
