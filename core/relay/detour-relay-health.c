/* detour-relay-health.c: which clients of a worker are told what of the relay.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-relay-private.h"

guint
detour_relay_health (const DetourRelay *self, const DetourClient *client)
{
  if (!client->takes_extra || client->is_hushed)
    return 0;
  return client->health | (self->announcement != NULL ? DETOUR_HEALTH_ANNOUNCED : 0u);
}

void
detour_relay_tell_health (DetourRelay *self, DetourClient *client)
{
  guint8 frame[DETOUR_FRAME_HEADER_SIZE + DETOUR_HEALTH_TEXT_MAX + 1];
  gsize len = detour_health_format (detour_relay_health (self, client), self->announcement,
                                    (char *) frame + DETOUR_FRAME_HEADER_SIZE);

  /* Whoever was told nothing need not be told that it is over. */
  if (!client->takes_extra || (len == 0 && !client->was_told))
    return;
  client->was_told = len > 0;
  detour_frame_put_header (frame, DETOUR_FRAME_HEALTH, (guint32) len);
  detour_counter_add (&self->counters.health_texts, 1);
  detour_relay_control (self, client, frame, DETOUR_FRAME_HEADER_SIZE + len);
}

void
detour_relay_set_health (DetourRelay *self, DetourClient *client, DetourHealth reason,
                         gboolean holds)
{
  guint health = holds ? client->health | reason : client->health & ~(guint) reason;

  if (health == client->health)
    return;
  client->health = health & 0xf;
  detour_relay_tell_health (self, client);
}

void
detour_relay_announce (DetourRelay *self, const char *text)
{
  if (g_strcmp0 (text, self->announcement) == 0)
    return;
  g_free (self->announcement);
  self->announcement = g_strdup (text);
  for (guint i = 0; i < self->slots->len; i++)
    {
      DetourClient *client = g_ptr_array_index (self->slots, i);

      if (client != NULL)
        detour_relay_tell_health (self, client);
    }
}

gboolean
detour_relay_hush (DetourRelay *self, DetourClient *client)
{
  gboolean was_told = client->was_told;

  client->is_hushed = TRUE;
  detour_relay_tell_health (self, client);
  return was_told;
}

void
detour_relay_speak (DetourRelay *self, DetourClient *client)
{
  client->is_hushed = FALSE;
  detour_relay_tell_health (self, client);
}
