/* detour-channel.h: one end of a connection's record layer, and the plain one that changes
 * nothing.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table behind it is in detour-plugin.h; core knows only `plain`, the others come with
 * transports. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct {
  const DetourChannelClass *cls;
  gpointer self; /* NULL for plain */
} DetourChannel;

extern const DetourChannelClass detour_channel_plain;

static inline gboolean
detour_channel_is_plain (const DetourChannel *channel)
{
  return channel->cls->feed == NULL;
}

/* Appends sealed spans to @out, which has DETOUR_CHANNEL_SEAL_BOUND() of room. FALSE: the channel
 * is broken. */
gboolean detour_channel_seal (DetourChannel *channel, const struct iovec *plain, guint n,
                              DetourBuffer *out) G_GNUC_WARN_UNUSED_RESULT;

/* Opens @len bytes into @plain, which has room for them and DETOUR_CHANNEL_FEED_SLACK more. */
DetourChannelResult detour_channel_feed (DetourChannel *channel, const guint8 *in, gsize len,
                                         DetourBuffer *plain, gboolean *reply)
    G_GNUC_WARN_UNUSED_RESULT;

void detour_channel_info (const DetourChannel *channel, DetourChannelInfo *info);
void detour_channel_close (DetourChannel *channel, DetourBuffer *out);
void detour_channel_clear (DetourChannel *channel);

G_END_DECLS
