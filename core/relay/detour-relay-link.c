/* detour-relay-link.c: links to other relays of the mesh, as a worker's protocol engine sees them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-relay-link.h"

#include "detour-relay-private.h"

#define MINUS_ONE G_MAXUINT64

void
detour_relay_join_link (DetourRelay *self, DetourClient *client, DetourRelayLink *link,
                        DetourHandle handle)
{
  guint32 slot = DETOUR_HANDLE_SLOT (handle);

  if (self->slots->len <= slot)
    g_ptr_array_set_size (self->slots, (int) slot + 1);
  g_assert (g_ptr_array_index (self->slots, slot) == NULL);
  g_ptr_array_index (self->slots, slot) = client;

  client->is_link = TRUE;
  client->is_mesh = TRUE;
  client->handle = handle;
  client->login_us = self->now_us;
  client->space = detour_registry_common (self->registry);
  client->peer = &link->peer;
  link->heard_us = self->now_us;
  atomic_store_explicit (&link->peer.n_conns, 1, memory_order_relaxed);
  atomic_store (&link->peer.active, handle);
}

/* Keys ----------------------------------------------------------------------------------------- */

static void
relay_link_add_key (DetourRelay *self, DetourClient *client, const DetourKey *key)
{
  detour_counter_add (&detour_relay_link_of (client)->counters.told, 1);
  /* Other relays tell of all who log in there, and this one does. */
  if (detour_key_equal (key, &self->server_key) || detour_key_is_zero (key))
    return;
  if (detour_registry_add_forwarder (self->registry, key, client->handle))
    detour_counter_add (&detour_relay_link_of (client)->counters.keys, 1);
}

static void
relay_link_remove_key (DetourRelay *self, DetourClient *client, const DetourKey *key)
{
  if (detour_registry_remove_forwarder (self->registry, key, client->handle))
    detour_counter_add (&detour_relay_link_of (client)->counters.keys, MINUS_ONE);
}

void
detour_relay_restore_link (DetourRelay *self, DetourClient *client, const GArray *keys,
                           const GArray *preferred)
{
  for (guint i = 0; keys != NULL && i < keys->len; i++)
    relay_link_add_key (self, client, &g_array_index (keys, DetourKey, i));
  /* Links that are restored later are put behind it, and of all only one is preferred. */
  for (guint i = 0; preferred != NULL && i < preferred->len; i++)
    detour_registry_prefer_forwarder (self->registry, &g_array_index (preferred, DetourKey, i),
                                      client->handle);
}

static void
relay_link_drop_keys (DetourRelay *self, DetourClient *client, gboolean tells,
                      DetourRegistryKeyFunc func, gpointer user)
{
  gsize n = detour_registry_drop_forwarder (self->registry, client->handle, tells, func, user);

  detour_counter_add (&detour_relay_link_of (client)->counters.keys, MINUS_ONE * n);
}

static void
relay_link_note_key (const DetourKey *key, gpointer user)
{
  g_array_append_vals (user, key, 1);
}

GArray *
detour_relay_detach_link (DetourRelay *self, DetourClient *client)
{
  GArray *keys = g_array_new (FALSE, FALSE, sizeof (DetourKey));

  relay_link_drop_keys (self, client, FALSE, relay_link_note_key, keys);
  return keys;
}

void
detour_relay_leave_link (DetourRelay *self, DetourClient *client)
{
  detour_outgoing_forget (self, client);
  relay_link_drop_keys (self, client, TRUE, NULL, NULL);
  g_ptr_array_index (self->slots, DETOUR_HANDLE_SLOT (client->handle)) = NULL;
  client->peer = NULL;
  client->is_gone = TRUE;
}

/* Frames of the other relay -------------------------------------------------------------------- */

/* FALSE: it is too short for a key. */
static gboolean
relay_link_take_key (const DetourFrame *frame, DetourKey *key)
{
  if (frame->len < DETOUR_KEY_SIZE)
    return FALSE;
  memcpy (key->bytes, frame->payload, DETOUR_KEY_SIZE);
  return TRUE;
}

/* FALSE: the frame is malformed. Those that mean nothing here are passed over. */
static gboolean
relay_link_on_frame (DetourRelay *self, DetourClient *client, const DetourFrame *frame)
{
  DetourKey key;

  switch (frame->type)
    {
    case DETOUR_FRAME_PEER_PRESENT:
      if (!relay_link_take_key (frame, &key))
        return FALSE;
      relay_link_add_key (self, client, &key);
      return TRUE;
    case DETOUR_FRAME_PEER_GONE:
      /* Whatever the reason: that a key is not there is also said when it left unnoticed. */
      if (!relay_link_take_key (frame, &key))
        return FALSE;
      relay_link_remove_key (self, client, &key);
      return TRUE;
    case DETOUR_FRAME_PING:
      if (frame->len == DETOUR_FRAME_PING_SIZE && !client->has_pong)
        {
          memcpy (client->pong, frame->payload, DETOUR_FRAME_PING_SIZE);
          client->has_pong = TRUE;
          detour_outgoing_mark (self, client);
        }
      return TRUE;
    default:
      return TRUE;
    }
}

DetourInput
detour_relay_link_input (DetourRelay *self, DetourClient *client, guint8 *data, gsize len,
                         gsize *used, DetourClose *why)
{
  gsize at = 0;
  DetourFrameVerdict verdict;
  DetourFrame frame;

  detour_relay_link_of (client)->heard_us = self->now_us;
  while ((verdict = detour_frame_parse_served (data + at, len - at, &frame)) == DETOUR_FRAME_OK
         && relay_link_on_frame (self, client, &frame))
    at += DETOUR_FRAME_HEADER_SIZE + frame.len;

  *used = at;
  if (verdict == DETOUR_FRAME_MORE)
    return DETOUR_INPUT_OK;
  *why = DETOUR_CLOSE_FRAME;
  return DETOUR_INPUT_CLOSE;
}
