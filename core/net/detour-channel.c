/* detour-channel.c: one end of a connection's record layer, and the plain one that changes
 * nothing.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-channel.h"

#include <string.h>

static DetourChannelResult
channel_plain_handshake (gpointer self, const guint8 *in, gsize len, gsize *used, DetourBuffer *out,
                         const char **reason)
{
  *used = 0;
  return DETOUR_CHANNEL_OK;
}

static void
channel_plain_info (gpointer self, DetourChannelInfo *info)
{
}

/* Nothing has to be carried over, which is more than "cannot be". */
static GBytes *
channel_plain_save (gpointer self)
{
  return g_bytes_new_static ("", 0);
}

static gpointer
channel_plain_restore (const guint8 *data, gsize len)
{
  return NULL;
}

static void
channel_plain_free (gpointer self)
{
}

const DetourChannelClass detour_channel_plain = {
  .name = "plain",
  .handshake = channel_plain_handshake,
  .info = channel_plain_info,
  .save = channel_plain_save,
  .restore = channel_plain_restore,
  .free = channel_plain_free,
};

static void
channel_append (DetourBuffer *buffer, const void *data, gsize len)
{
  g_assert (len <= buffer->cap - buffer->len);
  memcpy (buffer->data + buffer->len, data, len);
  buffer->len += len;
}

gboolean
detour_channel_seal (DetourChannel *channel, const struct iovec *plain, guint n, DetourBuffer *out)
{
  if (channel->cls->seal != NULL)
    return channel->cls->seal (channel->self, plain, n, out);
  for (guint i = 0; i < n; i++)
    channel_append (out, plain[i].iov_base, plain[i].iov_len);
  return TRUE;
}

DetourChannelResult
detour_channel_feed (DetourChannel *channel, const guint8 *in, gsize len, DetourBuffer *plain,
                     gboolean *reply)
{
  *reply = FALSE;
  if (channel->cls->feed != NULL)
    return channel->cls->feed (channel->self, in, len, plain, reply);
  channel_append (plain, in, len);
  return DETOUR_CHANNEL_OK;
}

void
detour_channel_info (const DetourChannel *channel, DetourChannelInfo *info)
{
  memset (info, 0, sizeof *info);
  channel->cls->info (channel->self, info);
}

void
detour_channel_close (DetourChannel *channel, DetourBuffer *out)
{
  if (channel->cls->close != NULL)
    channel->cls->close (channel->self, out);
}

void
detour_channel_clear (DetourChannel *channel)
{
  if (channel->cls != NULL)
    channel->cls->free (channel->self);
  channel->cls = NULL;
  channel->self = NULL;
}
