/* detour-log-event.c: the identifier by which the journal knows a kind of event.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

/* Of all events of Detour; drawn once. */
static const guint8 name_space[16] = {
  0x01, 0x1c, 0xe0, 0x79, 0xc0, 0x85, 0x40, 0x1a, 0xb5, 0xd5, 0x42, 0x43, 0x51, 0x64, 0x39, 0x31,
};

/* A UUID of version 5 (RFC 9562): the same for the same name in every version and on every host. */
void
detour_log_event_id (const char *event, char id[DETOUR_LOG_EVENT_ID_SIZE])
{
  static const char digits[] = "0123456789abcdef";
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  guint8 hash[20];
  gsize len = sizeof hash;

  g_checksum_update (checksum, name_space, sizeof name_space);
  g_checksum_update (checksum, (const guchar *) event, -1);
  g_checksum_get_digest (checksum, hash, &len);
  hash[6] = (guint8) ((hash[6] & 0x0f) | 0x50);
  hash[8] = (guint8) ((hash[8] & 0x3f) | 0x80);
  for (guint i = 0; i < 16; i++)
    {
      id[2 * i] = digits[hash[i] >> 4];
      id[2 * i + 1] = digits[hash[i] & 0x0f];
    }
  id[32] = '\0';
}
