/* detour-channel-table.h: channels by the name of their class, written down and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A connection that is carried over from another process comes with the name of its channel; the
 * transports put their classes here, so that it can be read back. */
#pragma once

#include "detour-channel.h"

G_BEGIN_DECLS

typedef struct _DetourChannelTable DetourChannelTable; /* main thread */

DetourChannelTable *detour_channel_table_new (void);
void detour_channel_table_free (DetourChannelTable *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourChannelTable, detour_channel_table_free)

/* Several may put the same class here, and each takes it out again. FALSE: another class has that
 * name. */
gboolean detour_channel_table_add (DetourChannelTable *self, const DetourChannelClass *cls);
void detour_channel_table_remove (DetourChannelTable *self, const DetourChannelClass *cls);
/* NULL: there is none of that name; "plain" is always there. */
const DetourChannelClass *detour_channel_table_find (const DetourChannelTable *self,
                                                     const char *name);

/* Whether detour_channel_save() would give something. Thread: the one that owns the channel. */
gboolean detour_channel_is_saved (const DetourChannel *channel);
/* The names of its classes, the uppermost first: "websocket tls". Free with g_free(). */
char *detour_channel_dup_names (const DetourChannel *channel);

/**
 * detour_channel_save:
 *
 * Writes down a channel, or a stack of them, with the names of their classes. The bytes hold
 * secrets and are wiped when they are freed. The channel goes on as before and must not be used by
 * both sides.
 *
 * Thread: the one that owns the channel.
 * Returns: (transfer full) (nullable): NULL when one of them cannot be carried over.
 */
GBytes *detour_channel_save (const DetourChannel *channel);

/**
 * detour_channel_restore:
 * @data: what detour_channel_save() wrote, though it is checked like bytes of a stranger
 * @channel: (out): all zero on failure
 * @reason: (out): static text of a failure
 *
 * Returns: FALSE when the bytes are damaged, a class is unknown or does not take its part.
 */
gboolean detour_channel_restore (const DetourChannelTable *table, const guint8 *data, gsize len,
                                 DetourChannel *channel, const char **reason);

G_END_DECLS
