/* detour-handshake-record.c: the phase in which the record layer shakes hands.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-phase.h"

DetourHandshakeVerdict
detour_handshake_record_read (DetourChannel *channel, const guint8 *data, gsize len,
                              DetourBuffer *scratch, GByteArray *sealed)
{
  DetourHandshakeVerdict verdict = { .next = DETOUR_HANDSHAKE_RECORD };
  DetourChannelResult result;

  do
    {
      gsize n = 0;

      scratch->len = 0;
      result = channel->cls->handshake (channel->self, data + verdict.used, len - verdict.used, &n,
                                        scratch, &verdict.why);
      verdict.used += n;
      g_byte_array_append (sealed, scratch->data, (guint) scratch->len);
    }
  while (result == DETOUR_CHANNEL_MORE && verdict.used < len);

  if (result == DETOUR_CHANNEL_MORE)
    return verdict;
  if (result == DETOUR_CHANNEL_WAIT)
    {
      verdict.next = DETOUR_HANDSHAKE_AWAITING;
      return verdict;
    }
  if (result != DETOUR_CHANNEL_OK)
    {
      verdict.next = DETOUR_HANDSHAKE_CLOSED;
      verdict.reason = result == DETOUR_CHANNEL_CLOSED ? DETOUR_CLOSE_SERVED
                                                       : DETOUR_CLOSE_HANDSHAKE;
      return verdict;
    }
  if (channel->cls->settle != NULL)
    channel->self = channel->cls->settle (channel->self, &channel->cls);
  verdict.next = DETOUR_HANDSHAKE_HEAD;
  return verdict;
}
