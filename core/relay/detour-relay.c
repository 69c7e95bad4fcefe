/* detour-relay.c: what one worker does with the frames of its clients: decide, count, collect, hand out.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-relay.h"

#include "detour-watch.h"

/* Notices that a peer is not here: so many at once, then one a second. */
#define NOT_HERE_BURST 3
#define NOT_HERE_RATE 1

/* A change of home within this time after the login is the client finding its place, not a move. */
#define HOME_SETTLE_US (5 * G_USEC_PER_SEC)

/* A receiver that took something so lately is slow, not stalled: it may have as many long packets waiting as short ones,
 * for a bandwidth probe keeps 30 of them on their way and takes a lost one for a fault. */
#define STALLED_US (G_USEC_PER_SEC / 2)

/* Control frames that may wait for one client. A mesh watcher of 100,000 clients needs 5.7 MB. */
#define CONTROL_MAX (16u * 1024 * 1024)

/* Packets for one client that lie behind one another: all from one read, rewritten in place. */
typedef struct {
  guint8 *data;
  guint32 len;
  guint32 next; /* index + 1; 0: the last */
  guint16 n_frames;
  guint8 kind;
} Segment;

struct _DetourRelay {
  DetourRegistry *registry;
  DetourWatch *watch;
  const DetourRelayPort *port;
  gpointer user;
  DetourRelayLimits limits;
  gint64 now_us;
  guint worker;
  DetourKey server_key;

  GPtrArray *slots; /* of DetourClient, by the slot of its handle; NULL: free */
  GPtrArray *dirty; /* clients with something to get */
  guint next_dirty;
  Segment *segments;
  guint32 n_segments, max_segments;

  /* The relation that was noted last: packets come in runs. */
  guint64 noted_source;
  guint32 noted_slot;

  /* Handed out by the last gather. */
  DetourQueued *handed_packets;
  GByteArray *handed_control;
  guint8 handed_small[DETOUR_FRAME_PONG_SIZE + DETOUR_FRAME_KEEP_ALIVE_SIZE];
  guint64 handed_bytes[DETOUR_QUEUE_N_KINDS];
  guint32 handed_n[DETOUR_QUEUE_N_KINDS];

  DetourRelayCounters counters;
};

DetourRelay *
detour_relay_new (DetourRegistry *registry, guint worker, const DetourKey *server_key, const DetourRelayLimits *limits,
                  const DetourRelayPort *port, gpointer user)
{
  DetourRelay *self = g_new0 (DetourRelay, 1);

  self->registry = registry;
  self->watch = detour_watch_new ();
  self->port = port;
  self->user = user;
  self->worker = worker;
  self->server_key = *server_key;
  self->slots = g_ptr_array_new ();
  self->dirty = g_ptr_array_new ();
  self->max_segments = 256;
  self->segments = g_new (Segment, self->max_segments);
  self->noted_slot = G_MAXUINT32;
  detour_relay_set_limits (self, limits);
  return self;
}

static void
release_handed (DetourRelay *self)
{
  while (self->handed_packets != NULL)
    {
      DetourQueued *packet = self->handed_packets;

      self->handed_packets = packet->next;
      g_free (packet);
    }
  g_clear_pointer (&self->handed_control, g_byte_array_unref);
}

void
detour_relay_free (DetourRelay *self)
{
  release_handed (self);
  detour_watch_free (self->watch);
  g_ptr_array_unref (self->slots);
  g_ptr_array_unref (self->dirty);
  g_free (self->segments);
  g_free (self);
}

void
detour_relay_set_limits (DetourRelay *self, const DetourRelayLimits *limits)
{
  self->limits = *limits;
  self->limits.receive_burst = MAX (limits->receive_burst, DETOUR_FRAME_SEND_MAX);

  /* Every client begins with a full bucket of the new size. */
  for (guint i = 0; i < self->slots->len; i++)
    {
      DetourClient *client = g_ptr_array_index (self->slots, i);

      if (client != NULL)
        detour_bucket_init (&client->rate, self->limits.receive_burst, self->now_us);
    }
}

const DetourRelayCounters *
detour_relay_counters (const DetourRelay *self)
{
  return &self->counters;
}

static void
count_drop (DetourRelay *self, DetourDrop reason, DetourQueueKind kind, gsize bytes, guint n)
{
  detour_counter_add (&self->counters.packets_dropped[reason][kind], n);
  detour_counter_add (&self->counters.bytes_dropped[reason][kind], bytes);
}

typedef struct {
  DetourRelay *relay;
  DetourClient *client;
  DetourDrop reason;
} DropContext;

static void
on_queue_drop (const DetourQueued *packet, gpointer user)
{
  const DropContext *context = user;

  context->client->dropped_packets++;
  count_drop (context->relay, context->reason, packet->kind, detour_queued_packet_len (packet), 1);
}

/* Who is here ------------------------------------------------------------------------------------------------- */

void
detour_relay_join (DetourRelay *self, DetourClient *client, const DetourKey *key, DetourHandle handle)
{
  guint32 slot = DETOUR_HANDLE_SLOT (handle);

  if (self->slots->len <= slot)
    g_ptr_array_set_size (self->slots, (int) slot + 1);
  g_assert (g_ptr_array_index (self->slots, slot) == NULL);
  g_ptr_array_index (self->slots, slot) = client;

  client->handle = handle;
  client->login_us = self->now_us;
  detour_bucket_init (&client->not_here, NOT_HERE_BURST, self->now_us);
  detour_bucket_init (&client->rate, self->limits.receive_burst, self->now_us);
  client->peer = detour_registry_join (self->registry, key, handle, &client->presence);
}

void
detour_relay_leave (DetourRelay *self, DetourClient *client)
{
  guint32 slot = DETOUR_HANDLE_SLOT (client->handle);
  DropContext drop = { self, client, DETOUR_DROP_GONE };

  detour_registry_leave (self->registry, client->peer, client->handle);
  client->peer = NULL;
  client->is_gone = TRUE;
  g_ptr_array_index (self->slots, slot) = NULL;
  detour_watch_receiver_left (self->watch, slot);
  self->noted_slot = G_MAXUINT32;
  detour_queue_clear (&client->queue, on_queue_drop, &drop);
  g_clear_pointer (&client->control, g_byte_array_unref);

  for (guint32 i = client->first; i != 0; i = self->segments[i - 1].next)
    {
      const Segment *segment = &self->segments[i - 1];

      count_drop (self, DETOUR_DROP_GONE, segment->kind, segment->len - segment->n_frames * DETOUR_FRAME_RECV_HEAD_SIZE,
                  segment->n_frames);
    }
  client->first = client->last = 0;
}

DetourClient *
detour_relay_find (DetourRelay *self, DetourHandle handle)
{
  guint32 slot = DETOUR_HANDLE_SLOT (handle);
  DetourClient *client = slot < self->slots->len ? g_ptr_array_index (self->slots, slot) : NULL;

  return client != NULL && client->handle == handle ? client : NULL;
}

/* Towards clients --------------------------------------------------------------------------------------------- */

static void
mark_dirty (DetourRelay *self, DetourClient *client)
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
  mark_dirty (self, client);
}

void
detour_relay_keep_alive (DetourRelay *self, DetourClient *client)
{
  client->has_keep_alive = TRUE;
  mark_dirty (self, client);
}

typedef struct {
  DetourRelay *relay;
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];
} GoneContext;

static void
on_source_gone (guint32 slot, gpointer user)
{
  const GoneContext *context = user;
  DetourClient *client = g_ptr_array_index (context->relay->slots, slot);

  detour_counter_add (&context->relay->counters.gone_disconnected, 1);
  detour_relay_control (context->relay, client, context->frame, sizeof context->frame);
}

void
detour_relay_source_gone (DetourRelay *self, guint64 source_id, const DetourKey *key)
{
  GoneContext context = { .relay = self };

  detour_frame_put_peer_gone (context.frame, key, DETOUR_FRAME_GONE_DISCONNECTED);
  self->noted_slot = G_MAXUINT32;
  detour_watch_source_gone (self->watch, source_id, on_source_gone, &context);
}

/* The receiver of a packet hears when its source leaves. */
static void
note_source (DetourRelay *self, DetourClient *client, guint64 source_id, const guint8 *frame)
{
  guint32 slot = DETOUR_HANDLE_SLOT (client->handle);
  DetourKey source;
  const DetourPeer *peer;

  if (source_id == self->noted_source && slot == self->noted_slot)
    return;
  self->noted_source = source_id;
  self->noted_slot = slot;
  if (!detour_watch_add (self->watch, source_id, slot))
    return;

  /* A packet may have been on its way between workers while its source left and the notice went out. */
  memcpy (source.bytes, frame + DETOUR_FRAME_HEADER_SIZE, DETOUR_KEY_SIZE);
  peer = detour_registry_find (self->registry, &source);
  if (peer == NULL || peer->id != source_id)
    {
      self->noted_slot = G_MAXUINT32;
      detour_watch_remove (self->watch, source_id, slot);
    }
}

static void
keep_copy (DetourRelay *self, DetourClient *client, DetourQueueKind kind, const guint8 *frame, gsize len)
{
  DropContext drop = { self, client, DETOUR_DROP_QUEUE_HEAD };
  DetourQueueLimits limits = self->limits.queue;

  if (self->now_us - client->progress_us < STALLED_US)
    limits.bytes = MAX (limits.bytes, limits.packets * (gsize) (DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_SEND_MAX));
  detour_queue_push (&client->queue, &limits, kind, frame, len, NULL, 0, self->now_us, on_queue_drop, &drop);
}

static void
append_segment (DetourRelay *self, DetourClient *client, DetourQueueKind kind, guint8 *frame, gsize len)
{
  Segment *segment;

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
      self->segments = g_renew (Segment, self->segments, self->max_segments);
    }
  segment = &self->segments[self->n_segments++];
  *segment = (Segment) { .data = frame, .len = (guint32) len, .n_frames = 1, .kind = kind };

  if (client->last != 0)
    self->segments[client->last - 1].next = self->n_segments;
  else
    client->first = self->n_segments;
  client->last = self->n_segments;
  mark_dirty (self, client);
}

/* A whole RecvPacket frame for a client of this worker. */
static inline void
deliver (DetourRelay *self, DetourClient *client, guint64 source_id, DetourQueueKind kind, guint8 *frame, gsize len)
{
  note_source (self, client, source_id, frame);
  if (G_UNLIKELY (client->is_blocked))
    keep_copy (self, client, kind, frame, len);
  else
    append_segment (self, client, kind, frame, len);
}

void
detour_relay_deliver (DetourRelay *self, DetourHandle handle, guint64 source_id, guint8 *frame, gsize len)
{
  gsize n_packet = len - DETOUR_FRAME_RECV_HEAD_SIZE;
  DetourQueueKind kind = detour_queue_kind_of (frame + DETOUR_FRAME_RECV_HEAD_SIZE, n_packet);
  DetourClient *client = detour_relay_find (self, handle);

  if (client == NULL)
    count_drop (self, DETOUR_DROP_GONE, kind, n_packet, 1);
  else
    deliver (self, client, source_id, kind, frame, len);
}

/* From clients ------------------------------------------------------------------------------------------------ */

/* Where the packets of one read went last: they come in runs. Good within one call of detour_relay_input(). */
typedef struct {
  DetourKey key;
  DetourHandle handle; /* NONE: unknown */
  DetourClient *client; /* NULL: of another worker, or left */
  gboolean is_known;
} Destination;

static void
look_up (DetourRelay *self, Destination *destination, const guint8 *key)
{
  DetourPeer *peer;

  if (destination->is_known && memcmp (destination->key.bytes, key, DETOUR_KEY_SIZE) == 0)
    return;

  memcpy (destination->key.bytes, key, DETOUR_KEY_SIZE);
  peer = detour_registry_find (self->registry, &destination->key);
  destination->handle = peer != NULL ? detour_peer_active (peer) : DETOUR_HANDLE_NONE;
  destination->client = NULL;
  if (destination->handle != DETOUR_HANDLE_NONE && DETOUR_HANDLE_WORKER (destination->handle) == self->worker)
    destination->client = detour_relay_find (self, destination->handle);
  destination->is_known = TRUE;
}

/* Only who looks for a path is told that the way is in vain, and not too often. */
static void
say_not_here (DetourRelay *self, DetourClient *client, DetourQueueKind kind, const DetourKey *key)
{
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];

  if (kind != DETOUR_QUEUE_DISCO
      || !detour_bucket_take (&client->not_here, NOT_HERE_RATE, NOT_HERE_BURST, 1, self->now_us))
    return;
  detour_frame_put_peer_gone (frame, key, DETOUR_FRAME_GONE_NOT_HERE);
  detour_counter_add (&self->counters.gone_not_here, 1);
  detour_relay_control (self, client, frame, sizeof frame);
}

/* @frame is a RecvPacket frame by now. */
static void
route (DetourRelay *self, DetourClient *client, const Destination *destination, guint64 source_id, DetourQueueKind kind,
       guint8 *frame, gsize len, DetourDrop unknown)
{
  gsize n_packet = len - DETOUR_FRAME_RECV_HEAD_SIZE;

  if (G_LIKELY (destination->client != NULL))
    {
      deliver (self, destination->client, source_id, kind, frame, len);
      return;
    }
  if (destination->handle == DETOUR_HANDLE_NONE)
    {
      count_drop (self, unknown, kind, n_packet, 1);
      say_not_here (self, client, kind, &destination->key);
    }
  else if (DETOUR_HANDLE_WORKER (destination->handle) == self->worker)
    count_drop (self, DETOUR_DROP_GONE, kind, n_packet, 1);
  else if (!self->port->forward (self->user, destination->handle, source_id, frame, len))
    count_drop (self, DETOUR_DROP_QUEUE_TAIL, kind, n_packet, 1);
}

static inline void
on_send_packet (DetourRelay *self, DetourClient *client, guint8 *frame, gsize len, Destination *destination)
{
  gsize n_packet = len - DETOUR_FRAME_RECV_HEAD_SIZE;
  DetourQueueKind kind = detour_queue_kind_of (frame + DETOUR_FRAME_RECV_HEAD_SIZE, n_packet);

  client->rx_packets++;
  client->rx_bytes += n_packet;
  detour_counter_add (&self->counters.packets_received[kind], 1);
  detour_counter_add (&self->counters.bytes_received, n_packet);

  look_up (self, destination, frame + DETOUR_FRAME_HEADER_SIZE);
  detour_frame_put_recv_head (frame, &client->peer->key, (guint32) n_packet);
  route (self, client, destination, client->peer->id, kind, frame, len, DETOUR_DROP_UNKNOWN_DEST);
}

/* Only to clients of this server: a forwarded packet is never forwarded again. */
static void
on_forward_packet (DetourRelay *self, DetourClient *client, guint8 *payload, gsize len, Destination *destination)
{
  gsize n_packet = len - 2 * DETOUR_KEY_SIZE;
  guint8 *packet = payload + 2 * DETOUR_KEY_SIZE;
  DetourQueueKind kind = detour_queue_kind_of (packet, n_packet);
  guint8 *frame = packet - DETOUR_FRAME_RECV_HEAD_SIZE;
  DetourKey source;
  const DetourPeer *peer;

  memcpy (source.bytes, payload, DETOUR_KEY_SIZE);
  client->rx_packets++;
  client->rx_bytes += n_packet;
  detour_counter_add (&self->counters.packets_forwarded_in, 1);

  look_up (self, destination, payload + DETOUR_KEY_SIZE);

  /* Without a source key the receiver would take packet bytes for one. */
  if (detour_key_is_zero (&source))
    {
      count_drop (self, DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD, kind, n_packet, 1);
      return;
    }
  detour_frame_put_recv_head (frame, &source, (guint32) n_packet);
  peer = detour_registry_find (self->registry, &source);
  route (self, client, destination, peer != NULL ? peer->id : client->peer->id, kind, frame,
         n_packet + DETOUR_FRAME_RECV_HEAD_SIZE, DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD);
}

static void
on_note_preferred (DetourRelay *self, DetourClient *client, gboolean preferred)
{
  if (client->is_preferred == preferred)
    return;
  client->is_preferred = preferred;
  if (self->now_us - client->login_us > HOME_SETTLE_US)
    detour_counter_add (preferred ? &self->counters.home_moves_in : &self->counters.home_moves_out, 1);
}

/* One answer at a time: who floods gets no more than one pong a round. */
static void
on_ping (DetourRelay *self, DetourClient *client, const guint8 *payload)
{
  detour_counter_add (&self->counters.pings, 1);
  if (client->has_pong)
    return;
  memcpy (client->pong, payload, DETOUR_FRAME_PING_SIZE);
  client->has_pong = TRUE;
  mark_dirty (self, client);
}

static void
on_watch_conns (DetourRelay *self, DetourClient *client)
{
  if (detour_key_equal (&client->peer->key, &self->server_key))
    return;
  self->port->watch (self->user, client);
}

static void
close_conn (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence, gpointer user)
{
  DetourRelay *self = user;

  self->port->close (self->user, handle);
}

static void
on_close_peer (DetourRelay *self, const guint8 *payload)
{
  DetourKey key;

  memcpy (key.bytes, payload, DETOUR_KEY_SIZE);
  detour_registry_each_conn (self->registry, &key, close_conn, self);
}

static void
on_frame (DetourRelay *self, DetourClient *client, guint8 *frame, const DetourFrame *parsed, Destination *destination)
{
  switch (parsed->type)
    {
    case DETOUR_FRAME_SEND_PACKET:
      on_send_packet (self, client, frame, DETOUR_FRAME_HEADER_SIZE + parsed->len, destination);
      break;
    case DETOUR_FRAME_FORWARD_PACKET:
      on_forward_packet (self, client, parsed->payload, parsed->len, destination);
      break;
    case DETOUR_FRAME_NOTE_PREFERRED:
      on_note_preferred (self, client, parsed->payload[0] != 0);
      break;
    case DETOUR_FRAME_PING:
      on_ping (self, client, parsed->payload);
      break;
    case DETOUR_FRAME_WATCH_CONNS:
      on_watch_conns (self, client);
      break;
    case DETOUR_FRAME_CLOSE_PEER:
      on_close_peer (self, parsed->payload);
      break;
    default:
      detour_counter_add (&self->counters.unknown_frames, 1);
      break;
    }
}

void
detour_relay_begin (DetourRelay *self, gint64 now_us)
{
  self->now_us = now_us;
}

DetourInput
detour_relay_input (DetourRelay *self, DetourClient *client, guint8 *data, gsize len, gsize *used, gint64 *resume_us,
                    DetourClose *why)
{
  Destination destination = { .is_known = FALSE };
  gsize at = 0;
  DetourInput result = DETOUR_INPUT_OK;

  while (TRUE)
    {
      DetourFrame frame;
      DetourFrameVerdict verdict = detour_frame_parse (data + at, len - at, client->is_mesh, &frame);

      if (verdict == DETOUR_FRAME_MORE)
        break;
      if (G_UNLIKELY (verdict != DETOUR_FRAME_OK))
        {
          if (frame.type == DETOUR_FRAME_PING)
            detour_counter_add (&self->counters.pings, 1);
          *why = verdict == DETOUR_FRAME_FORBIDDEN ? DETOUR_CLOSE_FORBIDDEN : DETOUR_CLOSE_FRAME;
          result = DETOUR_INPUT_CLOSE;
          break;
        }
      if (G_UNLIKELY (self->limits.receive_rate > 0) && !client->is_mesh
          && !detour_bucket_take (&client->rate, self->limits.receive_rate, self->limits.receive_burst,
                                  MIN (frame.len, DETOUR_FRAME_SEND_MAX), self->now_us))
        {
          gint64 missing = (gint64) MIN (frame.len, DETOUR_FRAME_SEND_MAX) * 1000000 - client->rate.millionths;

          *resume_us = self->now_us + missing / (gint64) self->limits.receive_rate + 1;
          detour_counter_add (&self->counters.rate_waits, 1);
          result = DETOUR_INPUT_PAUSE;
          break;
        }

      detour_registry_note_speech (self->registry, client->peer, client->handle);
      on_frame (self, client, data + at, &frame, &destination);
      at += DETOUR_FRAME_HEADER_SIZE + frame.len;
    }

  *used = at;
  return result;
}

/* Handing out ------------------------------------------------------------------------------------------------- */

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

/* Pong and keep-alive, before everything else. */
static gsize
gather_small (DetourRelay *self, DetourClient *client)
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
hand_out (DetourRelay *self, DetourQueueKind kind, guint n_frames, gsize len)
{
  self->handed_n[kind] += n_frames;
  self->handed_bytes[kind] += len - n_frames * DETOUR_FRAME_RECV_HEAD_SIZE;
}

static void
count_handed (DetourRelay *self, DetourClient *client)
{
  guint n = self->handed_n[DETOUR_QUEUE_DATA] + self->handed_n[DETOUR_QUEUE_DISCO];
  guint64 bytes = self->handed_bytes[DETOUR_QUEUE_DATA] + self->handed_bytes[DETOUR_QUEUE_DISCO];

  client->tx_packets += n;
  client->tx_bytes += bytes;
  detour_counter_add (&self->counters.packets_sent, n);
  detour_counter_add (&self->counters.bytes_sent, bytes);
}

guint
detour_relay_gather (DetourRelay *self, DetourClient *client, DetourSpan *spans, guint max, gsize limit, gsize *bytes)
{
  guint n = 0;
  gsize total = 0;
  gsize small;

  release_handed (self);
  memset (self->handed_n, 0, sizeof self->handed_n);
  memset (self->handed_bytes, 0, sizeof self->handed_bytes);

  /* A control frame that was cut at the limit goes on before anything else. */
  if (client->control_at == 0 && (small = gather_small (self, client)) > 0)
    {
      spans[n++] = (DetourSpan) { self->handed_small, small };
      total += small;
    }
  if (client->control != NULL && n < max && total < limit)
    {
      gsize len = MIN (client->control->len - client->control_at, limit - total);

      spans[n++] = (DetourSpan) { client->control->data + client->control_at, len };
      total += len;
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
      hand_out (self, packet->kind, 1, packet->len);
    }
  while (client->control == NULL && client->queue == NULL && client->first != 0 && n < max
         && (total == 0 || total + self->segments[client->first - 1].len <= limit))
    {
      Segment *segment = &self->segments[client->first - 1];

      spans[n++] = (DetourSpan) { segment->data, segment->len };
      total += segment->len;
      hand_out (self, segment->kind, segment->n_frames, segment->len);
      client->first = segment->next;
      if (client->first == 0)
        client->last = 0;
    }

  count_handed (self, client);
  *bytes = total;
  return n;
}

void
detour_relay_park (DetourRelay *self, DetourClient *client)
{
  release_handed (self);
  client->is_blocked = TRUE;
  client->progress_us = self->now_us;

  for (guint32 i = client->first; i != 0; i = self->segments[i - 1].next)
    {
      const Segment *segment = &self->segments[i - 1];

      for (guint32 at = 0; at < segment->len;)
        {
          const guint8 *frame = segment->data + at;
          guint32 len = DETOUR_FRAME_HEADER_SIZE + detour_frame_get_u32 (frame + 1);

          keep_copy (self, client, segment->kind, frame, len);
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
    mark_dirty (self, client);
}

void
detour_relay_write_failed (DetourRelay *self, DetourClient *client)
{
  for (guint kind = 0; kind < DETOUR_QUEUE_N_KINDS; kind++)
    {
      guint n = self->handed_n[kind];
      guint64 bytes = self->handed_bytes[kind];

      count_drop (self, DETOUR_DROP_WRITE_ERROR, kind, bytes, n);
      client->dropped_packets += n;
      client->tx_packets -= n;
      client->tx_bytes -= bytes;
    }
}

void
detour_relay_end (DetourRelay *self)
{
  release_handed (self);
  g_ptr_array_set_size (self->dirty, 0);
  self->next_dirty = 0;
  self->n_segments = 0;
}

gsize
detour_relay_waiting_bytes (const DetourClient *client)
{
  return detour_queue_n_bytes (client->queue) + (client->control != NULL ? client->control->len - client->control_at : 0);
}
