/* detour-handout.c: hands out what a client gets next, in its order, and keeps what its socket does
 * not take.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-relay-private.h"

/* Memory of control frames that were sent is given back in steps no smaller than this. */
#define CONTROL_STEP (64u * 1024)

static void
handout_free_list (DetourQueued **list)
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
  handout_free_list (&self->handed_packets);
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
handout_gather_small (DetourRelay *self, DetourClient *client)
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
handout_hand_out (DetourRelay *self, DetourQueueKind kind, guint n_frames, gsize len)
{
  if (kind == DETOUR_QUEUE_NOTICE)
    return;
  self->handed_n[kind] += n_frames;
  self->handed_bytes[kind] += len - n_frames * DETOUR_FRAME_RECV_HEAD_SIZE;
}

static void
handout_count_handed (DetourRelay *self, DetourClient *client)
{
  guint n = self->handed_n[DETOUR_QUEUE_DATA] + self->handed_n[DETOUR_QUEUE_DISCO];
  guint64 bytes = self->handed_bytes[DETOUR_QUEUE_DATA] + self->handed_bytes[DETOUR_QUEUE_DISCO];

  client->tx_packets += n;
  client->tx_bytes += bytes;
  if (G_UNLIKELY (client->is_link))
    {
      detour_counter_add (&detour_relay_link_of (client)->counters.packets, n);
      detour_counter_add (&detour_relay_link_of (client)->counters.bytes, bytes);
      detour_counter_add (&self->counters.packets_forwarded_out, n);
      detour_counter_add (&self->counters.bytes_forwarded_out, bytes);
      return;
    }
  detour_counter_add (&self->counters.packets_sent, n);
  detour_counter_add (&self->counters.bytes_sent, bytes);
}

/* What was sent of a long row of control frames is given back. */
static void
handout_compact_control (DetourClient *client)
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

static inline gsize
handout_segment_size (const DetourSegment *segment)
{
  return segment->len + (segment->head != 0 ? sizeof (DetourForwardHead) : 0);
}

/* Without the heads of its frames. */
static gsize
handout_segment_packet_bytes (const DetourClient *client, const DetourSegment *segment)
{
  return handout_segment_size (segment)
       - segment->n_frames
             * (gsize) (client->is_link ? DETOUR_FRAME_FORWARD_HEAD_SIZE
                                        : DETOUR_FRAME_RECV_HEAD_SIZE);
}

/* The packets of this round for a link. Nothing may come between a head and its rest, so that both
 * go together. */
static guint
handout_gather_link (DetourRelay *self, DetourClient *client, DetourSpan *spans, guint n, guint max,
                     gsize limit, gsize *total)
{
  while (client->first != 0 && n + 2 <= max)
    {
      const DetourSegment *segment = &self->segments[client->first - 1];
      gsize size = handout_segment_size (segment);

      if (*total > 0 && *total + size > limit)
        break;
      if (segment->head != 0)
        spans[n++] = (DetourSpan) { self->heads[segment->head - 1].bytes,
                                    sizeof (DetourForwardHead) };
      spans[n++] = (DetourSpan) { segment->data, segment->len };
      *total += size;
      self->handed_n[segment->kind]++;
      self->handed_bytes[segment->kind] += size - DETOUR_FRAME_FORWARD_HEAD_SIZE;
      client->first = segment->next;
    }
  if (client->first == 0)
    client->last = 0;
  return n;
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
      && (small = handout_gather_small (self, client)) > 0)
    {
      spans[n++] = (DetourSpan) { self->handed_small, small };
      total += small;
    }
  if (client->control != NULL && n < max && total < limit)
    {
      gsize len;

      handout_compact_control (client);
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
      if (packet->kind != DETOUR_QUEUE_NOTICE)
        {
          self->handed_n[packet->kind]++;
          self->handed_bytes[packet->kind] += detour_queued_packet_len (packet);
        }
    }
  if (G_UNLIKELY (client->is_link))
    {
      if (client->control == NULL && client->queue == NULL)
        n = handout_gather_link (self, client, spans, n, max, limit, &total);
      handout_count_handed (self, client);
      *bytes = total;
      return n;
    }
  while (client->control == NULL && client->queue == NULL && client->first != 0 && n < max
         && (total == 0 || total + self->segments[client->first - 1].len <= limit))
    {
      DetourSegment *segment = &self->segments[client->first - 1];

      spans[n++] = (DetourSpan) { segment->data, segment->len };
      total += segment->len;
      handout_hand_out (self, segment->kind, segment->n_frames, segment->len);
      client->first = segment->next;
      if (client->first == 0)
        client->last = 0;
    }

  handout_count_handed (self, client);
  *bytes = total;
  return n;
}

void
detour_outgoing_forget (DetourRelay *self, DetourClient *client)
{
  DetourDropContext drop = { self, DETOUR_DROP_GONE };

  detour_queue_clear (&client->queue, detour_outgoing_on_drop, &drop);
  g_clear_pointer (&client->control, g_byte_array_unref);
  for (guint32 i = client->first; i != 0; i = self->segments[i - 1].next)
    {
      const DetourSegment *segment = &self->segments[i - 1];

      if (segment->kind == DETOUR_QUEUE_NOTICE)
        continue;
      detour_relay_count_drop (self, DETOUR_DROP_GONE, segment->kind,
                               handout_segment_packet_bytes (client, segment), segment->n_frames);
      detour_relay_count_link_drop (client, DETOUR_DROP_GONE, segment->n_frames);
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

      if (client->is_link)
        {
          detour_outgoing_keep (self, client, (DetourQueueKind) segment->kind,
                                segment->head != 0 ? &self->heads[segment->head - 1] : NULL,
                                segment->data, segment->len);
          continue;
        }
      for (guint32 at = 0; at < segment->len;)
        {
          const guint8 *frame = segment->data + at;
          guint32 len = DETOUR_FRAME_HEADER_SIZE + detour_frame_get_u32 (frame + 1);

          if (segment->kind == DETOUR_QUEUE_NOTICE)
            detour_queue_push_notice (&client->queue, &self->budget, frame, len);
          else
            detour_outgoing_keep_copy (self, client, segment->kind, frame, len);
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
      detour_relay_count_link_drop (client, DETOUR_DROP_WRITE_ERROR, n);
      client->dropped_packets += n;
      client->tx_packets -= n;
      client->tx_bytes -= bytes;
    }
}

void
detour_relay_end (DetourRelay *self)
{
  detour_outgoing_release (self);
  handout_free_list (&self->notices);
  g_ptr_array_set_size (self->dirty, 0);
  self->next_dirty = 0;
  self->n_segments = 0;
  self->n_heads = 0;
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
