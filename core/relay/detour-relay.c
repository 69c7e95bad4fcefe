/* detour-relay.c: the protocol engine of one worker: decides about frames of clients, counts,
 * collects and hands out.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-relay-private.h"

/* Notices that a peer is not here: so many at once, then one a second. */
#define NOT_HERE_BURST 3
#define NOT_HERE_RATE  1

/* A change of home within this time after the login is the client finding its place, not a move. */
#define HOME_SETTLE_US (5 * G_USEC_PER_SEC)

DetourRelay *
detour_relay_new (DetourRegistry *registry, guint worker, const DetourKey *server_key,
                  const DetourRelayLimits *limits, const DetourRelayPort *port, gpointer user)
{
  DetourRelay *self = g_new0 (DetourRelay, 1);

  self->registry = registry;
  self->contacts = detour_contacts_new ();
  self->port = port;
  self->user = user;
  self->worker = worker;
  self->server_key = *server_key;
  self->slots = g_ptr_array_new ();
  self->dirty = g_ptr_array_new ();
  self->max_segments = 256;
  self->segments = g_new (DetourSegment, self->max_segments);
  detour_relay_set_limits (self, limits);
  return self;
}

void
detour_relay_free (DetourRelay *self)
{
  detour_outgoing_release (self);
  detour_contacts_free (self->contacts);
  detour_early_contacts_clear (&self->early);
  g_ptr_array_unref (self->slots);
  g_ptr_array_unref (self->dirty);
  g_free (self->segments);
  g_free (self->heads);
  g_free (self->announcement);
  g_free (self);
}

/* The client begins with a full bucket of the new size; nothing happens when nothing changes. A
 * mesh connection has no rate. */
static void
relay_set_rate (DetourRelay *self, DetourClient *client, guint64 rate, guint64 burst)
{
  /* A frame for which no bucket is large enough would wait for ever. */
  G_STATIC_ASSERT (DETOUR_FRAME_UNKNOWN_MAX <= DETOUR_FRAME_SEND_MAX);
  burst = MAX (burst, DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_SEND_MAX);
  if (rate == 0 || client->is_mesh)
    {
      g_clear_pointer (&client->rate, g_free);
      return;
    }
  if (client->rate == NULL)
    client->rate = g_new0 (DetourClientRate, 1);
  else if (client->rate->rate == rate && client->rate->burst == burst)
    return;
  client->rate->rate = rate;
  client->rate->burst = burst;
  detour_bucket_init (&client->rate->bucket, burst, self->now_us);
}

void
detour_relay_set_own_rate (DetourRelay *self, DetourClient *client, guint64 rate, guint64 burst)
{
  client->has_own_rate = TRUE;
  relay_set_rate (self, client, rate, burst);
}

void
detour_relay_clear_own_rate (DetourRelay *self, DetourClient *client)
{
  client->has_own_rate = FALSE;
  relay_set_rate (self, client, self->limits.receive_rate, self->limits.receive_burst);
}

void
detour_relay_set_limits (DetourRelay *self, const DetourRelayLimits *limits)
{
  self->limits = *limits;
  self->budget.max_bytes = limits->queue_memory > 0 ? limits->queue_memory : G_MAXSIZE;

  for (guint i = 0; i < self->slots->len; i++)
    {
      DetourClient *client = g_ptr_array_index (self->slots, i);

      if (client != NULL && !client->has_own_rate)
        relay_set_rate (self, client, limits->receive_rate, limits->receive_burst);
    }
}

const DetourRelayCounters *
detour_relay_counters (const DetourRelay *self)
{
  return &self->counters;
}

/* For numbers of clients now. */
#define MINUS_ONE G_MAXUINT64

/* Joining -------------------------------------------------------------------------------------- */

void
detour_relay_join (DetourRelay *self, DetourClient *client, const DetourKey *key,
                   DetourHandle handle)
{
  guint32 slot = DETOUR_HANDLE_SLOT (handle);

  if (self->slots->len <= slot)
    g_ptr_array_set_size (self->slots, (int) slot + 1);
  g_assert (g_ptr_array_index (self->slots, slot) == NULL);
  g_ptr_array_index (self->slots, slot) = client;

  client->handle = handle;
  client->login_us = self->now_us;
  detour_bucket_init (&client->not_here, NOT_HERE_BURST, self->now_us);
  relay_set_rate (self, client, self->limits.receive_rate, self->limits.receive_burst);
  if (client->space == NULL)
    client->space = detour_registry_common (self->registry);
  client->peer = detour_registry_join (client->space, key, handle, &client->presence);
  if (client->presence.flags & DETOUR_FRAME_PRESENT_NOT_IDEAL)
    detour_counter_add (&self->counters.not_ideal, 1);
}

void
detour_relay_leave (DetourRelay *self, DetourClient *client)
{
  guint32 slot = DETOUR_HANDLE_SLOT (client->handle);

  if (client->is_link)
    {
      detour_relay_leave_link (self, client);
      return;
    }
  if (client->presence.flags & DETOUR_FRAME_PRESENT_NOT_IDEAL)
    detour_counter_add (&self->counters.not_ideal, MINUS_ONE);
  if (client->is_preferred)
    detour_counter_add (&self->counters.homes, MINUS_ONE);
  detour_registry_leave (client->space, client->peer, client->handle);
  client->peer = NULL;
  client->is_gone = TRUE;
  g_clear_pointer (&client->rate, g_free);
  g_ptr_array_index (self->slots, slot) = NULL;
  detour_contacts_receiver_left (self->contacts, slot);
  detour_outgoing_forget (self, client);
}

void
detour_relay_each_sender (const DetourRelay *self, const DetourClient *client,
                          DetourRelaySenderFunc func, gpointer user)
{
  detour_contacts_each_sender (self->contacts, DETOUR_HANDLE_SLOT (client->handle), func, user);
}

DetourClient *
detour_relay_find (DetourRelay *self, DetourHandle handle)
{
  guint32 slot = DETOUR_HANDLE_SLOT (handle);
  DetourClient *client = slot < self->slots->len ? g_ptr_array_index (self->slots, slot) : NULL;

  return client != NULL && client->handle == handle ? client : NULL;
}

/* From clients --------------------------------------------------------------------------------- */

void
detour_relay_deliver (DetourRelay *self, DetourHandle handle, guint64 sender_id, guint8 *frame,
                      gsize len)
{
  DetourClient *client = detour_relay_find (self, handle);
  gsize head;

  if (G_LIKELY (client != NULL && !client->is_link))
    {
      detour_outgoing_deliver (self, client, sender_id,
                               detour_queue_kind_of (frame + DETOUR_FRAME_RECV_HEAD_SIZE,
                                                     len - DETOUR_FRAME_RECV_HEAD_SIZE),
                               frame, len);
      return;
    }
  if (client != NULL)
    {
      detour_outgoing_pass_on (self, client, frame, len);
      return;
    }
  head = frame[0] == DETOUR_FRAME_FORWARD_PACKET ? DETOUR_FRAME_FORWARD_HEAD_SIZE
                                                 : DETOUR_FRAME_RECV_HEAD_SIZE;
  detour_relay_count_drop (self, DETOUR_DROP_GONE, detour_queue_kind_of (frame + head, len - head),
                           len - head, 1);
}

/* Packets of one read for clients of this server, counted when all of them are through. */
typedef struct {
  guint64 packets[DETOUR_QUEUE_N_KINDS];
  guint64 bytes;
} PacketCounts;

/* Where the packets of one read went last: they come in runs. Good within one call of
 * detour_relay_input(). */
typedef struct {
  DetourKey key;
  DetourHandle handle;  /* NONE: unknown */
  DetourClient *client; /* NULL: of another worker, or left */
  DetourHandle link;    /* where there is no handle: behind which it is; NONE: behind none */
  gboolean is_known;
} Destination;

static void
relay_look_up (DetourRelay *self, const DetourClient *client, Destination *destination,
               const guint8 *key)
{
  DetourPeer *peer;

  if (destination->is_known && memcmp (destination->key.bytes, key, DETOUR_KEY_SIZE) == 0)
    return;

  memcpy (destination->key.bytes, key, DETOUR_KEY_SIZE);
  peer = detour_registry_find (client->space, &destination->key);
  destination->handle = peer != NULL ? detour_peer_active (peer) : DETOUR_HANDLE_NONE;
  destination->client = NULL;
  if (destination->handle != DETOUR_HANDLE_NONE
      && DETOUR_HANDLE_WORKER (destination->handle) == self->worker)
    destination->client = detour_relay_find (self, destination->handle);
  destination->link = DETOUR_HANDLE_NONE;
  if (G_UNLIKELY (destination->handle == DETOUR_HANDLE_NONE)
      && detour_registry_is_common (client->space))
    {
      peer = detour_registry_find_remote (self->registry, &destination->key);
      if (peer != NULL)
        destination->link = detour_peer_active (peer);
    }
  destination->is_known = TRUE;
}

/* Only the sender of a disco packet is told that the peer is not here, and not too often. */
static void
relay_say_not_here (DetourRelay *self, DetourClient *client, DetourQueueKind kind,
                    const DetourKey *key)
{
  guint8 frame[DETOUR_FRAME_PEER_GONE_SIZE];

  if (kind != DETOUR_QUEUE_DISCO
      || !detour_bucket_take (&client->not_here, NOT_HERE_RATE, NOT_HERE_BURST, 1, self->now_us))
    return;
  detour_frame_put_peer_gone (frame, key, DETOUR_FRAME_GONE_NOT_HERE);
  detour_counter_add (&self->counters.gone_not_here, 1);
  detour_outgoing_notice (self, client, frame, sizeof frame);
}

/* A packet at its place in the input, with room for the head of a RecvPacket in front. */
typedef struct {
  guint8 *data;
  gsize len;
  DetourQueueKind kind;
  const DetourKey *sender;
  guint64 sender_id;
} Packet;

/* To another relay of the mesh. FALSE: as relay_route(). */
static gboolean
relay_pass_on (DetourRelay *self, DetourHandle link, const Packet *packet)
{
  guint8 *payload = packet->data - DETOUR_KEY_SIZE;
  gsize len = DETOUR_KEY_SIZE + packet->len;
  DetourForward forward = DETOUR_FORWARD_NOWHERE;
  DetourClient *client;

  if (DETOUR_HANDLE_WORKER (link) != self->worker)
    forward = self->port->pass_on (self->user, link, packet->sender, payload, len);
  else if ((client = detour_relay_find (self, link)) != NULL)
    {
      detour_outgoing_forward (self, client, packet->kind, packet->sender, payload, len);
      forward = DETOUR_FORWARD_DONE;
    }
  if (forward == DETOUR_FORWARD_NOWHERE)
    detour_relay_count_drop (self, DETOUR_DROP_GONE, packet->kind, packet->len, 1);
  return forward != DETOUR_FORWARD_FULL;
}

/* FALSE: the worker of the destination has no room now; nothing was changed. */
static inline gboolean
relay_route (DetourRelay *self, DetourClient *client, const Destination *destination,
             const Packet *packet, DetourDrop unknown)
{
  DetourForward forward;

  if (G_LIKELY (destination->client != NULL))
    {
      guint8 *frame = packet->data - DETOUR_FRAME_RECV_HEAD_SIZE;

      detour_frame_put_recv_head (frame, packet->sender, (guint32) packet->len);
      detour_outgoing_deliver (self, destination->client, packet->sender_id, packet->kind, frame,
                               DETOUR_FRAME_RECV_HEAD_SIZE + packet->len);
      return TRUE;
    }
  if (destination->handle == DETOUR_HANDLE_NONE)
    {
      /* What came over the mesh is never passed on. */
      if (unknown == DETOUR_DROP_UNKNOWN_DEST && destination->link != DETOUR_HANDLE_NONE)
        return relay_pass_on (self, destination->link, packet);
      detour_relay_count_drop (self, unknown, packet->kind, packet->len, 1);
      relay_say_not_here (self, client, packet->kind, &destination->key);
      return TRUE;
    }

  forward = DETOUR_FORWARD_NOWHERE;
  if (DETOUR_HANDLE_WORKER (destination->handle) != self->worker)
    forward = self->port->forward (self->user, destination->handle, packet->sender_id,
                                   packet->sender, packet->data, packet->len);
  if (forward == DETOUR_FORWARD_NOWHERE)
    detour_relay_count_drop (self, DETOUR_DROP_GONE, packet->kind, packet->len, 1);
  return forward != DETOUR_FORWARD_FULL;
}

/* Which of the sizes @len is: the position of the highest bit of (len - 1) / 32, which costs no
 * branch. The parser lets nothing longer than DETOUR_FRAME_PACKET_MAX pass. */
static inline guint
relay_size_of (gsize len)
{
  G_STATIC_ASSERT (DETOUR_FRAME_PACKET_MAX <= 32u << (DETOUR_N_PACKET_SIZES - 1));
  return 31u - (guint) __builtin_clz ((guint) ((len - (len > 0)) >> 5) | 1u);
}

static inline gboolean
relay_on_send_packet (DetourRelay *self, DetourClient *client, guint8 *payload, gsize len,
                      Destination *destination, PacketCounts *counts)
{
  Packet packet = {
    .data = payload + DETOUR_KEY_SIZE,
    .len = len - DETOUR_KEY_SIZE,
    .sender = &client->peer->key,
    .sender_id = client->peer->id,
  };

  packet.kind = detour_queue_kind_of (packet.data, packet.len);
  relay_look_up (self, client, destination, payload);
  if (!relay_route (self, client, destination, &packet, DETOUR_DROP_UNKNOWN_DEST))
    return FALSE;

  counts->packets[packet.kind]++;
  counts->bytes += packet.len;
  detour_counter_add (&self->counters.packet_sizes[relay_size_of (packet.len)], 1);
  return TRUE;
}

static inline void
relay_add_counts (DetourRelay *self, DetourClient *client, const PacketCounts *counts)
{
  for (guint kind = 0; kind < DETOUR_QUEUE_N_KINDS; kind++)
    {
      detour_counter_add (&self->counters.packets_received[kind], counts->packets[kind]);
      client->rx_packets += counts->packets[kind];
    }
  detour_counter_add (&self->counters.bytes_received, counts->bytes);
  client->rx_bytes += counts->bytes;
}

/* Only to clients of this server: a forwarded packet is never forwarded again. */
static gboolean
relay_on_forward_packet (DetourRelay *self, DetourClient *client, guint8 *payload, gsize len,
                         Destination *destination)
{
  DetourKey sender;
  Packet packet = {
    .data = payload + 2 * DETOUR_KEY_SIZE,
    .len = len - 2 * DETOUR_KEY_SIZE,
    .sender = &sender,
  };
  const DetourPeer *peer;

  memcpy (sender.bytes, payload, DETOUR_KEY_SIZE);
  packet.kind = detour_queue_kind_of (packet.data, packet.len);
  relay_look_up (self, client, destination, payload + DETOUR_KEY_SIZE);
  peer = detour_registry_find_anywhere (client->space, &sender);
  packet.sender_id = peer != NULL ? peer->id : DETOUR_CONTACTS_SENDER_UNKNOWN;

  /* Without a sender's key the receiver would take packet bytes for one. */
  if (detour_key_is_zero (&sender))
    detour_relay_count_drop (self, DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD, packet.kind, packet.len, 1);
  else if (!relay_route (self, client, destination, &packet, DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD))
    return FALSE;

  __atomic_store_n (&client->rx_packets, client->rx_packets + 1, __ATOMIC_RELAXED);
  __atomic_store_n (&client->rx_bytes, client->rx_bytes + packet.len, __ATOMIC_RELAXED);
  detour_counter_add (&self->counters.packets_forwarded_in, 1);
  return TRUE;
}

static void
relay_on_note_preferred (DetourRelay *self, DetourClient *client, gboolean preferred)
{
  if (client->is_preferred == preferred)
    return;
  client->is_preferred = preferred;
  detour_counter_add (&self->counters.homes, preferred ? 1 : MINUS_ONE);
  if (self->now_us - client->login_us > HOME_SETTLE_US)
    detour_counter_add (preferred ? &self->counters.home_moves_in : &self->counters.home_moves_out,
                        1);
}

/* One answer at a time: a client that floods gets no more than one pong a round. */
static void
relay_on_ping (DetourRelay *self, DetourClient *client, const guint8 *payload)
{
  detour_counter_add (&self->counters.pings, 1);
  if (client->has_pong)
    return;
  memcpy (client->pong, payload, DETOUR_FRAME_PING_SIZE);
  client->has_pong = TRUE;
  detour_outgoing_mark (self, client);
}

static void
relay_on_watch_conns (DetourRelay *self, DetourClient *client)
{
  if (detour_key_equal (&client->peer->key, &self->server_key))
    return;
  self->port->watch (self->user, client);
}

static void
relay_close_conn (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
                  gpointer user)
{
  DetourRelay *self = user;

  self->port->close (self->user, handle);
}

static void
relay_on_close_peer (DetourRelay *self, const DetourClient *client, const guint8 *payload)
{
  DetourKey key;

  memcpy (key.bytes, payload, DETOUR_KEY_SIZE);
  detour_registry_each_conn (client->space, &key, relay_close_conn, self);
}

/* FALSE: the frame must come again. */
static gboolean
relay_on_frame (DetourRelay *self, DetourClient *client, const DetourFrame *parsed,
                Destination *destination, PacketCounts *counts)
{
  switch (parsed->type)
    {
    case DETOUR_FRAME_SEND_PACKET:
      return relay_on_send_packet (self, client, parsed->payload, parsed->len, destination, counts);
    case DETOUR_FRAME_FORWARD_PACKET:
      return relay_on_forward_packet (self, client, parsed->payload, parsed->len, destination);
    case DETOUR_FRAME_NOTE_PREFERRED:
      relay_on_note_preferred (self, client, parsed->payload[0] != 0);
      break;
    case DETOUR_FRAME_PING:
      relay_on_ping (self, client, parsed->payload);
      break;
    case DETOUR_FRAME_WATCH_CONNS:
      relay_on_watch_conns (self, client);
      break;
    case DETOUR_FRAME_CLOSE_PEER:
      relay_on_close_peer (self, client, parsed->payload);
      break;
    default:
      detour_counter_add (&self->counters.unknown_frames, 1);
      break;
    }
  return TRUE;
}

void
detour_relay_begin (DetourRelay *self, gint64 now_us)
{
  self->now_us = now_us;
}

DetourInput
detour_relay_input (DetourRelay *self, DetourClient *client, guint8 *data, gsize len, gsize *used,
                    gint64 *resume_us, DetourClose *why)
{
  Destination destination = { .is_known = FALSE };
  PacketCounts counts = { { 0 } };
  DetourClientRate *rate = client->rate;
  gsize at = 0, allowed = G_MAXSIZE; /* by its rate */
  guint32 paused_size = 0;
  DetourInput result = DETOUR_INPUT_OK;

  if (G_UNLIKELY (client->is_link))
    return detour_relay_link_input (self, client, data, len, used, why);
  if (G_UNLIKELY (rate != NULL))
    allowed = detour_bucket_tokens (&rate->bucket, rate->rate, rate->burst, self->now_us);

  while (TRUE)
    {
      DetourFrame frame;
      DetourFrameVerdict verdict = DETOUR_FRAME_OK;
      guint32 size;

      if (!detour_frame_parse_send (data + at, len - at, &frame))
        verdict = detour_frame_parse (data + at, len - at, client->is_mesh, &frame);

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
      size = DETOUR_FRAME_HEADER_SIZE + frame.len;
      if (G_UNLIKELY (at + size > allowed))
        {
          paused_size = size;
          result = DETOUR_INPUT_PAUSE;
          break;
        }

      detour_registry_note_speech (self->registry, client->peer, client->handle);
      if (G_UNLIKELY (!relay_on_frame (self, client, &frame, &destination, &counts)))
        {
          result = DETOUR_INPUT_STALL;
          break;
        }
      at += size;
    }

  relay_add_counts (self, client, &counts);
  if (G_UNLIKELY (rate != NULL))
    {
      detour_bucket_spend (&rate->bucket, at);
      if (result == DETOUR_INPUT_PAUSE)
        {
          *resume_us = self->now_us
                     + detour_bucket_wait_us (&rate->bucket, rate->rate, paused_size);
          detour_counter_add (&self->counters.rate_waits, 1);
        }
    }
  *used = at;
  return result;
}
