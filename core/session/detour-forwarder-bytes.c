/* detour-forwarder-bytes.c: bytes of forwarded connections, from one side to the other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-forwarder-private.h"

#include <errno.h>

/* Reads of one direction before others have their turn. */
#define READS_MAX 4u

/* Sends what it can. -1: the connection is gone. */
static gssize
forwarder_bytes_send (DetourForwarderSide *side, const guint8 *data, gsize len)
{
  DetourForwarderPair *pair = side->pair;
  gssize n;

  do
    n = send (side->io.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN)
    return 0;
  if (n > 0)
    pair->moved_us = detour_loop_now_us (pair->forwarder->loop);
  return n;
}

/* FALSE: the pair is closed. */
static gboolean
forwarder_bytes_put_bytes (DetourForwarderSide *side, const guint8 *data, gsize len)
{
  gssize n = len > 0 ? forwarder_bytes_send (side, data, len) : 0;

  if (n < 0)
    {
      detour_forwarder_close (side->pair);
      return FALSE;
    }
  if ((gsize) n < len)
    {
      side->rest_len = (guint32) (len - (gsize) n);
      side->rest_at = 0;
      side->rest = g_memdup2 (data + n, side->rest_len);
    }
  return TRUE;
}

/* With @len of 0: what the channel itself has to say. FALSE: the pair is closed. */
static gboolean
forwarder_bytes_seal (DetourForwarderSide *side, const guint8 *data, gsize len)
{
  DetourBuffer *sealed = &side->pair->forwarder->sealed;

  sealed->len = 0;
  side->owes_reply = FALSE;
  do
    {
      struct iovec span = { (void *) data, MIN (len, DETOUR_CHANNEL_RECORD_MAX) };

      if (!detour_channel_seal (&side->pair->channel, &span, span.iov_len > 0 ? 1 : 0, sealed))
        {
          detour_forwarder_break (side->pair);
          return FALSE;
        }
      data += span.iov_len;
      len -= span.iov_len;
    }
  while (len > 0);
  return forwarder_bytes_put_bytes (side, sealed->data, sealed->len);
}

/* What the other side has sent. FALSE: the pair is closed. */
static gboolean
forwarder_bytes_put (DetourForwarderSide *side, const guint8 *data, gsize len)
{
  detour_forwarder_count_bytes (side, len);
  return side->is_sealed ? forwarder_bytes_seal (side, data, len)
                         : forwarder_bytes_put_bytes (side, data, len);
}

/* The end of the other side's bytes is passed on behind the last of them. FALSE: both have ended,
 * and the pair is closed. */
static gboolean
forwarder_bytes_pass_end (DetourForwarderSide *side)
{
  DetourForwarderPair *pair = side->pair;

  if (side->rest != NULL || !detour_forwarder_other (side)->has_ended || side->was_told)
    return TRUE;
  if (side->is_sealed && !side->said_goodbye)
    {
      DetourBuffer *sealed = &pair->forwarder->sealed;

      side->said_goodbye = TRUE;
      sealed->len = 0;
      detour_channel_close (&pair->channel, sealed);
      if (!forwarder_bytes_put_bytes (side, sealed->data, sealed->len))
        return FALSE;
      if (side->rest != NULL)
        return TRUE;
    }
  side->was_told = TRUE;
  if (pair->client.was_told && pair->server.was_told)
    {
      detour_forwarder_close (pair);
      return FALSE;
    }
  shutdown (side->io.fd, SHUT_WR);
  return TRUE;
}

/* What waited; FALSE: the pair is closed. */
gboolean
detour_forwarder_put_rest (DetourForwarderSide *side)
{
  gssize n = forwarder_bytes_send (side, side->rest + side->rest_at,
                                   side->rest_len - side->rest_at);

  if (n < 0)
    {
      detour_forwarder_close (side->pair);
      return FALSE;
    }
  side->rest_at += (guint32) n;
  if (side->rest_at < side->rest_len)
    return TRUE;
  g_clear_pointer (&side->rest, g_free);
  if (side->owes_reply && !forwarder_bytes_seal (side, (const guint8 *) "", 0))
    return FALSE;
  return forwarder_bytes_pass_end (side);
}

/* @n bytes that have come, 0 for the end. FALSE: the pair is closed. */
static gboolean
forwarder_bytes_take_bytes (DetourForwarderSide *side, const guint8 *data, gsize n)
{
  if (n > 0)
    return forwarder_bytes_put (detour_forwarder_other (side), data, n);
  side->has_ended = TRUE;
  return forwarder_bytes_pass_end (detour_forwarder_other (side));
}

/* The same through the channel. A goodbye is the end of this direction only. */
static gboolean
forwarder_bytes_open (DetourForwarderSide *side, const guint8 *data, gsize n)
{
  DetourForwarderPair *pair = side->pair;
  DetourBuffer *opened = &pair->forwarder->opened;
  gboolean reply = FALSE;
  DetourChannelResult result;

  if (n == 0)
    return forwarder_bytes_take_bytes (side, NULL, 0);
  opened->len = 0;
  result = detour_channel_feed (&pair->channel, data, n, opened, &reply);
  if (opened->len > 0 && !forwarder_bytes_take_bytes (side, opened->data, opened->len))
    return FALSE;
  side->owes_reply |= reply;
  if (side->owes_reply && side->rest == NULL
      && !forwarder_bytes_seal (side, (const guint8 *) "", 0))
    return FALSE;
  if (result == DETOUR_CHANNEL_CLOSED)
    return forwarder_bytes_take_bytes (side, NULL, 0);
  if (result == DETOUR_CHANNEL_OK)
    return TRUE;
  detour_forwarder_break (pair);
  return FALSE;
}

/* FALSE: the pair is closed. */
gboolean
detour_forwarder_read (DetourForwarderSide *side)
{
  DetourForwarderSide *other = detour_forwarder_other (side);
  DetourForwarder *self = side->pair->forwarder;

  for (guint i = 0; i < READS_MAX && other->rest == NULL && !side->has_ended; i++)
    {
      gssize n = recv (side->io.fd, self->buffer, DETOUR_FORWARDER_READ_SIZE, MSG_DONTWAIT);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == EAGAIN)
        return TRUE;
      if (n < 0)
        {
          detour_forwarder_close (side->pair);
          return FALSE;
        }
      if (!(side->is_sealed ? forwarder_bytes_open (side, self->buffer, (gsize) n)
                            : forwarder_bytes_take_bytes (side, self->buffer, (gsize) n)))
        return FALSE;
      /* There is no more: a read that finds nothing costs as much as one that finds something. */
      if ((gsize) n < DETOUR_FORWARDER_READ_SIZE)
        return TRUE;
    }
  return TRUE;
}
