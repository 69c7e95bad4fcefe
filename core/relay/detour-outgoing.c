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

void
detour_outgoing_on_drop (const DetourQueued *packet, DetourQueue **queue, gpointer user)
{
  const DetourDropContext *context = user;
  DetourClient *client = (DetourClient *) (gpointer) ((guint8 *) queue
                                                      - G_STRUCT_OFFSET (DetourClient, queue));

  client->dropped_packets++;
  detour_relay_count_drop (context->relay, context->reason, packet->kind,
                           detour_queued_packet_len (packet), 1);
  detour_relay_count_link_drop (client, context->reason, 1);
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

typedef struct {
  DetourRelay *relay;
  guint64 sender_id;
} EarlyContext;

static void
outgoing_on_early (DetourHandle receiver, gpointer user)
{
  const EarlyContext *context = user;

  if (detour_relay_find (context->relay, receiver) != NULL)
    detour_contacts_add (context->relay->contacts, context->sender_id,
                         DETOUR_HANDLE_SLOT (receiver));
}

/* Those who received from it before it was known are contacts like the others. Only the common
 * space has such, and the key may have left another one. */
static void
outgoing_take_early (DetourRelay *self, guint64 peer_id, const DetourKey *key)
{
  EarlyContext context = { self, peer_id };

  if (self->early.n > 0
      && detour_registry_find_anywhere (detour_registry_common (self->registry), key) == NULL)
    detour_early_contacts_take (&self->early, key, outgoing_on_early, &context);
}

void
detour_relay_peer_gone (DetourRelay *self, guint64 peer_id, const DetourKey *key)
{
  GoneContext context = { .relay = self };

  outgoing_take_early (self, peer_id, key);
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
  const DetourPeer *peer = detour_registry_find_anywhere (client->space, key);

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

  if (G_LIKELY (sender_id == client->noted_sender))
    return;
  memcpy (sender.bytes, frame + DETOUR_FRAME_HEADER_SIZE, DETOUR_KEY_SIZE);
  if (sender_id == DETOUR_CONTACTS_SENDER_UNKNOWN)
    {
      detour_early_contacts_note (&self->early, &sender, client->handle);
      return;
    }
  client->noted_sender = sender_id;
  if (!detour_contacts_add (self->contacts, sender_id, slot))
    return;

  /* The packet may have been on its way between workers while its sender left. The notice is still
   * to come, or it was given to other receivers already; that is known when all messages that are
   * on their way have come. */
  peer = detour_registry_find_anywhere (client->space, &sender);
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

/* The longest packets there are, on their way to a client that would end its connection over one.
 */
static inline gboolean
outgoing_is_too_long (const DetourClient *client, gsize len)
{
  return len > DETOUR_FRAME_RECV_HEAD_SIZE + DETOUR_FRAME_PACKET_STRICT_MAX && client->ends_on_long;
}

static void
outgoing_drop_long (DetourRelay *self, DetourClient *client, DetourQueueKind kind, gsize len)
{
  client->dropped_packets++;
  client->dropped_long++;
  detour_relay_count_drop (self, DETOUR_DROP_TOO_LONG, kind, len - DETOUR_FRAME_RECV_HEAD_SIZE, 1);
}

/* A receiver that took something lately may have as many long packets waiting as short ones. */
static inline DetourQueueLimits
outgoing_limits_of (const DetourRelay *self, const DetourClient *client)
{
  DetourQueueLimits limits = self->limits.queue;

  if (self->now_us - client->progress_us < STALLED_US)
    limits.bytes = MAX (
        limits.bytes, limits.packets * (gsize) (DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_SEND_MAX));
  return limits;
}

void
detour_outgoing_keep_copy (DetourRelay *self, DetourClient *client, DetourQueueKind kind,
                           const guint8 *frame, gsize len)
{
  DetourDropContext drop = { self, DETOUR_DROP_QUEUE_HEAD };
  DetourQueueLimits limits;

  if (outgoing_is_too_long (client, len))
    {
      outgoing_drop_long (self, client, kind, len);
      return;
    }
  limits = outgoing_limits_of (self, client);
  detour_queue_push (&client->queue, &self->budget, &limits, kind, frame, len,
                     detour_outgoing_on_drop, &drop);
}

void
detour_outgoing_keep (DetourRelay *self, DetourClient *client, DetourQueueKind kind,
                      const DetourForwardHead *head, const guint8 *frame, gsize len)
{
  DetourDropContext drop = { self, DETOUR_DROP_QUEUE_HEAD };
  DetourQueueLimits limits = outgoing_limits_of (self, client);

  if (head != NULL)
    detour_queue_push_parts (&client->queue, &self->budget, &limits, kind, head->bytes,
                             sizeof head->bytes, frame, len, detour_outgoing_on_drop, &drop);
  else
    detour_queue_push (&client->queue, &self->budget, &limits, kind, frame, len,
                       detour_outgoing_on_drop, &drop);
}

/* A new segment at the end of those of @client. */
static G_ALWAYS_INLINE inline void
outgoing_new_segment (DetourRelay *self, DetourClient *client, DetourQueueKind kind, guint32 head,
                      guint8 *data, gsize len)
{
  if (self->n_segments == self->max_segments)
    {
      self->max_segments *= 2;
      self->segments = g_renew (DetourSegment, self->segments, self->max_segments);
    }
  self->segments[self->n_segments++] = (DetourSegment) {
    .data = data, .len = (guint32) len, .n_frames = 1, .kind = kind, .head = head
  };

  if (client->last != 0)
    self->segments[client->last - 1].next = self->n_segments;
  else
    client->first = self->n_segments;
  client->last = self->n_segments;
  detour_outgoing_mark (self, client);
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

  /* A frame so long begins a segment of its own, so that the others need not be looked at. */
  G_STATIC_ASSERT (DETOUR_FRAME_PACKET_STRICT_MAX > DETOUR_CHANNEL_RECORD_MAX);
  if (G_UNLIKELY (outgoing_is_too_long (client, len)))
    {
      outgoing_drop_long (self, client, kind, len);
      return;
    }
  outgoing_new_segment (self, client, kind, 0, frame, len);
}

void
detour_outgoing_forward (DetourRelay *self, DetourClient *client, DetourQueueKind kind,
                         const DetourKey *sender, guint8 *payload, gsize len)
{
  DetourForwardHead *head;

  if (self->n_heads == self->max_heads)
    {
      self->max_heads = MAX (2 * self->max_heads, 256);
      self->heads = g_renew (DetourForwardHead, self->heads, self->max_heads);
    }
  head = &self->heads[self->n_heads];
  detour_frame_put_forward_head (head->bytes, sender, (guint32) len);
  if (client->is_blocked)
    detour_outgoing_keep (self, client, kind, head, payload, len);
  else
    outgoing_new_segment (self, client, kind, ++self->n_heads, payload, len);
}

void
detour_outgoing_pass_on (DetourRelay *self, DetourClient *client, guint8 *frame, gsize len)
{
  DetourQueueKind kind = detour_queue_kind_of (frame + DETOUR_FRAME_FORWARD_HEAD_SIZE,
                                               len - DETOUR_FRAME_FORWARD_HEAD_SIZE);

  if (client->is_blocked)
    detour_outgoing_keep (self, client, kind, NULL, frame, len);
  else
    outgoing_new_segment (self, client, kind, 0, frame, len);
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
    detour_outgoing_keep_copy (self, client, kind, frame, len);
  else
    outgoing_append_segment (self, client, kind, frame, len);
}
