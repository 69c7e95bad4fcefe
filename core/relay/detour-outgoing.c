/* detour-outgoing.c: frames for clients: packets of this round, copies that waited, notices and
 * control frames, and their order.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-relay-private.h"

/* A receiver that took something so lately is slow, not stalled: it may have as many long packets
 * waiting as short ones, for a bandwidth probe keeps 30 of them on their way and takes a lost one
 * for a fault. */
#define STALLED_US (G_USEC_PER_SEC / 2)

/* Control frames that may wait for a mesh watcher: one of 100,000 clients needs 5.7 MB. */
#define CONTROL_MAX (16u * 1024 * 1024)
/* Memory of control frames that were sent is given back in steps no smaller than this. */
#define CONTROL_STEP (64u * 1024)

typedef struct {
  DetourRelay *relay;
  DetourDrop reason;
} DropContext;

static void
outgoing_on_queue_drop (const DetourQueued *packet, DetourQueue **queue, gpointer user)
{
  const DropContext *context = user;
  DetourClient *client = (DetourClient *) (gpointer) ((guint8 *) queue
                                                      - G_STRUCT_OFFSET (DetourClient, queue));

  client->dropped_packets++;
  detour_relay_count_drop (context->relay, context->reason, packet->kind,
                           detour_queued_packet_len (packet), 1);
}

void
detour_outgoing_mark (DetourRelay *self, DetourClient *client)
{
  if (client->is_dirty || client->is_blocked)
    return;
  client->is_dirty = TRUE;
  g_ptr_array_add (self->dirty, client);
}

void
detour_relay_control (DetourRelay *self, DetourClient *client, const guint8 *frame, gsize len)
{
  if (client->control == NULL)
    client->control = g_byte_array_sized_new ((guint) len);
  else if (client->control->len - client->control_at > CONTROL_MAX)
    {
      client->is_overfull = TRUE;
      return;
    }
  g_byte_array_append (client->control, frame, (guint) len);
  detour_outgoing_mark (self, client);
}

void
detour_relay_greet (DetourRelay *self, DetourClient *client, const guint8 *frame, gsize len)
{
  g_assert (client->control == NULL);
  client->owes_greeting = TRUE;
  detour_relay_control (self, client, frame, len);
}

void
detour_relay_keep_alive (DetourRelay *self, DetourClient *client)
{
  client->has_keep_alive = TRUE;
  detour_outgoing_mark (self, client);
}

typedef struct {
  DetourRelay *relay;
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];
} GoneContext;

static void
outgoing_on_sender_gone (guint32 slot, gpointer user)
{
  const GoneContext *context = user;
  DetourClient *client = g_ptr_array_index (context->relay->slots, slot);

  detour_counter_add (&context->relay->counters.gone_disconnected, 1);
  detour_outgoing_notice (context->relay, client, context->frame, sizeof context->frame);
}

void
detour_relay_peer_gone (DetourRelay *self, guint64 peer_id, const DetourKey *key)
{
  GoneContext context = { .relay = self };

  detour_frame_put_peer_gone (context.frame, key, DETOUR_FRAME_GONE_DISCONNECTED);
  detour_contacts_sender_gone (self->contacts, peer_id, outgoing_on_sender_gone, &context);
}

static void
outgoing_say_gone (DetourRelay *self, DetourClient *client, const DetourKey *key)
{
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];

  detour_frame_put_peer_gone (frame, key, DETOUR_FRAME_GONE_DISCONNECTED);
  detour_counter_add (&self->counters.gone_disconnected, 1);
  detour_outgoing_notice (self, client, frame, sizeof frame);
}

void
detour_relay_add_contact (DetourRelay *self, DetourClient *client, const DetourKey *key)
{
  const DetourPeer *peer = detour_registry_find (self->registry, key);

  if (peer != NULL)
    detour_contacts_add (self->contacts, peer->id, DETOUR_HANDLE_SLOT (client->handle));
  else
    outgoing_say_gone (self, client, key);
}

/* The receiver of a packet is told when its sender leaves. */
static void
outgoing_note_sender (DetourRelay *self, DetourClient *client, guint64 sender_id,
                      const guint8 *frame)
{
  guint32 slot = DETOUR_HANDLE_SLOT (client->handle);
  DetourKey sender;
  const DetourPeer *peer;

  if (G_LIKELY (sender_id == client->noted_sender) || sender_id == 0)
    return;
  client->noted_sender = sender_id;
  if (!detour_contacts_add (self->contacts, sender_id, slot))
    return;

  /* The packet may have been on its way between workers while its sender left. The notice is still
   * to come, or it was given to other receivers already; that is known when all messages that are
   * on their way have come. */
  memcpy (sender.bytes, frame + DETOUR_FRAME_HEADER_SIZE, DETOUR_KEY_SIZE);
  peer = detour_registry_find (self->registry, &sender);
  if (peer == NULL || peer->id != sender_id)
    self->port->sender_left (self->user, client->handle, sender_id, &sender);
}

void
detour_relay_settle_contact (DetourRelay *self, DetourHandle handle, guint64 sender_id,
                             const DetourKey *sender)
{
  DetourClient *client = detour_relay_find (self, handle);

  if (client == NULL
      || !detour_contacts_remove (self->contacts, sender_id, DETOUR_HANDLE_SLOT (handle)))
    return;
  if (client->noted_sender == sender_id)
    client->noted_sender = 0;
  detour_relay_add_contact (self, client, sender);
}

static void
outgoing_keep_copy (DetourRelay *self, DetourClient *client, DetourQueueKind kind,
                    const guint8 *frame, gsize len)
{
  DropContext drop = { self, DETOUR_DROP_QUEUE_HEAD };
  DetourQueueLimits limits = self->limits.queue;

  if (self->now_us - client->progress_us < STALLED_US)
    limits.bytes = MAX (
        limits.bytes, limits.packets * (gsize) (DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_SEND_MAX));
  detour_queue_push (&client->queue, &self->budget, &limits, kind, frame, len,
                     outgoing_on_queue_drop, &drop);
}

static G_ALWAYS_INLINE inline void
outgoing_append_segment (DetourRelay *self, DetourClient *client, DetourQueueKind kind,
                         guint8 *frame, gsize len)
{
  DetourSegment *segment;

  if (client->last != 0)
    {
      segment = &self->segments[client->last - 1];
      if (segment->data + segment->len == frame && segment->kind == kind
          && segment->len + len <= DETOUR_CHANNEL_RECORD_MAX)
        {
          segment->len += (guint32) len;
          segment->n_frames++;
          return;
        }
    }

  if (self->n_segments == self->max_segments)
    {
      self->max_segments *= 2;
      self->segments = g_renew (DetourSegment, self->segments, self->max_segments);
    }
  segment = &self->segments[self->n_segments++];
  *segment = (DetourSegment) { .data = frame, .len = (guint32) len, .n_frames = 1, .kind = kind };

  if (client->last != 0)
    self->segments[client->last - 1].next = self->n_segments;
  else
    client->first = self->n_segments;
  client->last = self->n_segments;
  detour_outgoing_mark (self, client);
}

void
detour_outgoing_notice (DetourRelay *self, DetourClient *client, const guint8 *frame, gsize len)
{
  DetourQueued *notice;

  if (client->is_blocked)
    {
      detour_queue_push_notice (&client->queue, &self->budget, frame, len);
      return;
    }
  notice = g_malloc (sizeof *notice + len);
  notice->next = self->notices;
  self->notices = notice;
  memcpy (notice->frame, frame, len);
  outgoing_append_segment (self, client, DETOUR_QUEUE_NOTICE, notice->frame, len);
}

void
detour_outgoing_deliver (DetourRelay *self, DetourClient *client, guint64 sender_id,
                         DetourQueueKind kind, guint8 *frame, gsize len)
{
  outgoing_note_sender (self, client, sender_id, frame);
  if (G_UNLIKELY (client->is_blocked))
    outgoing_keep_copy (self, client, kind, frame, len);
  else
    outgoing_append_segment (self, client, kind, frame, len);
}

/* Handing out ---------------------------------------------------------------------------------- */

static void
outgoing_free_list (DetourQueued **list)
{
  while (*list != NULL)
    {
      DetourQueued *queued = *list;

      *list = queued->next;
      g_free (queued);
    }
}

void
detour_outgoing_release (DetourRelay *self)
{
  outgoing_free_list (&self->handed_packets);
  g_clear_pointer (&self->handed_control, g_byte_array_unref);
}

DetourClient *
detour_relay_next (DetourRelay *self)
{
  while (self->next_dirty < self->dirty->len)
    {
      DetourClient *client = g_ptr_array_index (self->dirty, self->next_dirty++);

      client->is_dirty = FALSE;
      if (!client->is_gone)
        return client;
    }
  return NULL;
}

gboolean
detour_relay_has_output (const DetourClient *client)
{
  return client->first != 0 || client->queue != NULL || client->control != NULL || client->has_pong
      || client->has_keep_alive;
}

/* Pong and keep-alive, before everything but the answer to the login. */
static gsize
outgoing_gather_small (DetourRelay *self, DetourClient *client)
{
  gsize len = 0;

  if (client->has_pong)
    {
      len += detour_frame_put_pong (self->handed_small, client->pong);
      detour_counter_add (&self->counters.pongs, 1);
      client->has_pong = FALSE;
    }
  if (client->has_keep_alive)
    {
      len += detour_frame_put_keep_alive (self->handed_small + len);
      detour_counter_add (&self->counters.keep_alives, 1);
      client->has_keep_alive = FALSE;
    }
  return len;
}

static void
outgoing_hand_out (DetourRelay *self, DetourQueueKind kind, guint n_frames, gsize len)
{
  if (kind == DETOUR_QUEUE_NOTICE)
    return;
  self->handed_n[kind] += n_frames;
  self->handed_bytes[kind] += len - n_frames * DETOUR_FRAME_RECV_HEAD_SIZE;
}

static void
outgoing_count_handed (DetourRelay *self, DetourClient *client)
{
  guint n = self->handed_n[DETOUR_QUEUE_DATA] + self->handed_n[DETOUR_QUEUE_DISCO];
  guint64 bytes = self->handed_bytes[DETOUR_QUEUE_DATA] + self->handed_bytes[DETOUR_QUEUE_DISCO];

  client->tx_packets += n;
  client->tx_bytes += bytes;
  detour_counter_add (&self->counters.packets_sent, n);
  detour_counter_add (&self->counters.bytes_sent, bytes);
}

/* What was sent of a long row of control frames is given back. */
static void
outgoing_compact_control (DetourClient *client)
{
  GByteArray *rest;

  if (client->control_at < MAX (CONTROL_STEP, client->control->len / 2))
    return;
  rest = g_byte_array_sized_new (client->control->len - client->control_at);
  g_byte_array_append (rest, client->control->data + client->control_at,
                       client->control->len - client->control_at);
  g_byte_array_unref (client->control);
  client->control = rest;
  client->control_at = 0;
}

guint
detour_relay_gather (DetourRelay *self, DetourClient *client, DetourSpan *spans, guint max,
                     gsize limit, gsize *bytes)
{
  guint n = 0;
  gsize total = 0;
  gsize small;

  detour_outgoing_release (self);
  memset (self->handed_n, 0, sizeof self->handed_n);
  memset (self->handed_bytes, 0, sizeof self->handed_bytes);

  /* A control frame that was cut at the limit goes on before anything else. Clients may ping before
   * they were answered, and take any frame before the answer for a fault. */
  if (!client->owes_greeting && client->control_at == 0
      && (small = outgoing_gather_small (self, client)) > 0)
    {
      spans[n++] = (DetourSpan) { self->handed_small, small };
      total += small;
    }
  if (client->control != NULL && n < max && total < limit)
    {
      gsize len;

      outgoing_compact_control (client);
      len = MIN (client->control->len - client->control_at, limit - total);

      spans[n++] = (DetourSpan) { client->control->data + client->control_at, len };
      total += len;
      client->owes_greeting = FALSE;
      client->control_at += (guint32) len;
      if (client->control_at == client->control->len)
        {
          self->handed_control = g_steal_pointer (&client->control);
          client->control_at = 0;
        }
    }
  while (client->control == NULL && client->queue != NULL && n < max
         && (total == 0 || total + detour_queue_next_len (client->queue) <= limit))
    {
      DetourQueued *packet = detour_queue_pop (&client->queue);

      packet->next = self->handed_packets;
      self->handed_packets = packet;
      spans[n++] = (DetourSpan) { packet->frame, packet->len };
      total += packet->len;
      outgoing_hand_out (self, packet->kind, 1, packet->len);
    }
  while (client->control == NULL && client->queue == NULL && client->first != 0 && n < max
         && (total == 0 || total + self->segments[client->first - 1].len <= limit))
    {
      DetourSegment *segment = &self->segments[client->first - 1];

      spans[n++] = (DetourSpan) { segment->data, segment->len };
      total += segment->len;
      outgoing_hand_out (self, segment->kind, segment->n_frames, segment->len);
      client->first = segment->next;
      if (client->first == 0)
        client->last = 0;
    }

  outgoing_count_handed (self, client);
  *bytes = total;
  return n;
}

void
detour_outgoing_forget (DetourRelay *self, DetourClient *client)
{
  DropContext drop = { self, DETOUR_DROP_GONE };

  detour_queue_clear (&client->queue, outgoing_on_queue_drop, &drop);
  g_clear_pointer (&client->control, g_byte_array_unref);
  for (guint32 i = client->first; i != 0; i = self->segments[i - 1].next)
    {
      const DetourSegment *segment = &self->segments[i - 1];

      if (segment->kind != DETOUR_QUEUE_NOTICE)
        detour_relay_count_drop (self, DETOUR_DROP_GONE, segment->kind,
                                 segment->len - segment->n_frames * DETOUR_FRAME_RECV_HEAD_SIZE,
                                 segment->n_frames);
    }
  client->first = client->last = 0;
}

void
detour_relay_park (DetourRelay *self, DetourClient *client)
{
  detour_outgoing_release (self);
  client->is_blocked = TRUE;
  client->progress_us = self->now_us;

  for (guint32 i = client->first; i != 0; i = self->segments[i - 1].next)
    {
      const DetourSegment *segment = &self->segments[i - 1];

      for (guint32 at = 0; at < segment->len;)
        {
          const guint8 *frame = segment->data + at;
          guint32 len = DETOUR_FRAME_HEADER_SIZE + detour_frame_get_u32 (frame + 1);

          if (segment->kind == DETOUR_QUEUE_NOTICE)
            detour_queue_push_notice (&client->queue, &self->budget, frame, len);
          else
            outgoing_keep_copy (self, client, segment->kind, frame, len);
          at += len;
        }
    }
  client->first = client->last = 0;
}

void
detour_relay_unblock (DetourRelay *self, DetourClient *client)
{
  client->is_blocked = FALSE;
  if (detour_relay_has_output (client))
    detour_outgoing_mark (self, client);
}

void
detour_relay_write_failed (DetourRelay *self, DetourClient *client)
{
  for (guint kind = 0; kind < DETOUR_QUEUE_N_KINDS; kind++)
    {
      guint n = self->handed_n[kind];
      guint64 bytes = self->handed_bytes[kind];

      detour_relay_count_drop (self, DETOUR_DROP_WRITE_ERROR, kind, bytes, n);
      client->dropped_packets += n;
      client->tx_packets -= n;
      client->tx_bytes -= bytes;
    }
}

void
detour_relay_end (DetourRelay *self)
{
  detour_outgoing_release (self);
  outgoing_free_list (&self->notices);
  g_ptr_array_set_size (self->dirty, 0);
  self->next_dirty = 0;
  self->n_segments = 0;
}

gsize
detour_relay_queue_bytes (const DetourRelay *self)
{
  return __atomic_load_n (&self->budget.n_bytes, __ATOMIC_RELAXED);
}

gsize
detour_relay_waiting_bytes (const DetourClient *client)
{
  return detour_queue_n_bytes (client->queue)
       + detour_queue_n_notices (client->queue) * DETOUR_FRAME_PEER_GONE_SIZE
       + (client->control != NULL ? client->control->len - client->control_at : 0);
}

/* Carrying over -------------------------------------------------------------------------------- */

typedef struct {
  GHashTable *keys;
  GArray *contacts;
} ContactContext;

static void
outgoing_save_contact (guint64 sender_id, gpointer user)
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
    .is_preferred = client->is_preferred,
    .is_watcher = client->is_watcher,
  };
  detour_contacts_each_sender (self->contacts, DETOUR_HANDLE_SLOT (client->handle),
                               outgoing_save_contact, &context);
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
  client->is_preferred = state->is_preferred;
  detour_queue_move (&client->queue, &self->budget, &state->queue);
  if (detour_relay_has_output (client))
    detour_outgoing_mark (self, client);
}

void
detour_client_state_clear (DetourClientState *self)
{
  g_clear_pointer (&self->output, g_byte_array_unref);
  g_clear_pointer (&self->contacts, g_array_unref);
  detour_queue_clear (&self->queue, NULL, NULL);
}
