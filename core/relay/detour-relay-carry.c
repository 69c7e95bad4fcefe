/* detour-relay-carry.c: what a client takes along from one relay to another.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-relay-private.h"

typedef struct {
  GHashTable *keys;
  GArray *contacts;
} ContactContext;

static void
relay_carry_save_contact (guint64 sender_id, gpointer user)
{
  const ContactContext *context = user;
  const DetourKey *key = g_hash_table_lookup (context->keys, &sender_id);

  if (key != NULL)
    g_array_append_val (context->contacts, *key);
}

void
detour_relay_detach (DetourRelay *self, DetourClient *client, GHashTable *keys,
                     DetourClientState *state)
{
  ContactContext context = { keys, g_array_new (FALSE, FALSE, sizeof (DetourKey)) };

  g_assert (client->first == 0);
  *state = (DetourClientState) {
    .contacts = context.contacts,
    .login_us = client->login_us,
    .rx_packets = client->rx_packets,
    .rx_bytes = client->rx_bytes,
    .tx_packets = client->tx_packets,
    .tx_bytes = client->tx_bytes,
    .dropped_packets = client->dropped_packets,
    .dropped_long = client->dropped_long,
    .is_active = detour_peer_active (client->peer) == client->handle,
    .is_preferred = client->is_preferred,
    .is_watcher = client->is_watcher,
    .was_told = client->was_told,
    .is_hushed = client->is_hushed,
    .health = client->health,
  };
  if (client->rate != NULL)
    state->bucket = client->rate->bucket;
  detour_contacts_each_sender (self->contacts, DETOUR_HANDLE_SLOT (client->handle),
                               relay_carry_save_contact, &context);
  if (client->control != NULL)
    {
      g_byte_array_remove_range (client->control, 0, client->control_at);
      state->output = g_steal_pointer (&client->control);
    }
  if (client->has_pong)
    {
      guint8 frame[DETOUR_FRAME_PONG_SIZE];

      if (state->output == NULL)
        state->output = g_byte_array_new ();
      g_byte_array_append (state->output, frame,
                           (guint) detour_frame_put_pong (frame, client->pong));
    }
  detour_queue_move (&state->queue, NULL, &client->queue);
  detour_relay_leave (self, client);
}

void
detour_relay_restore (DetourRelay *self, DetourClient *client, DetourClientState *state)
{
  if (state->output != NULL && state->output->len > 0)
    detour_relay_greet (self, client, state->output->data, state->output->len);
  if (state->login_us != 0)
    client->login_us = state->login_us;
  client->rx_packets = state->rx_packets;
  client->rx_bytes = state->rx_bytes;
  client->tx_packets = state->tx_packets;
  client->tx_bytes = state->tx_bytes;
  client->dropped_packets = state->dropped_packets;
  client->dropped_long = state->dropped_long;
  client->is_preferred = state->is_preferred;
  if (client->is_preferred)
    detour_counter_add (&self->counters.homes, 1);
  client->was_told = state->was_told;
  client->is_hushed = state->is_hushed;
  client->health = state->health;
  detour_queue_move (&client->queue, &self->budget, &state->queue);
  if (detour_relay_has_output (client))
    detour_outgoing_mark (self, client);
}

void
detour_relay_restore_rate (DetourClient *client, const DetourClientState *state)
{
  if (client->rate != NULL && state->bucket.at_us != 0)
    client->rate->bucket = state->bucket;
}

void
detour_client_state_clear (DetourClientState *self)
{
  g_clear_pointer (&self->output, g_byte_array_unref);
  g_clear_pointer (&self->contacts, g_array_unref);
  detour_queue_clear (&self->queue, NULL, NULL);
}
