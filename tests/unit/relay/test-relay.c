/* test-relay.c: the rules of relaying, on one worker's engine with clients that exist only here.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-relay.h"

#define START_US  G_GINT64_CONSTANT (1000000000)
#define N_CLIENTS 4

/* A client and what it was handed so far. */
typedef struct {
  DetourClient client;
  GByteArray *got;
} Peer;

typedef struct {
  DetourRegistry *registry;
  DetourRelay *relay;
  Peer peers[N_CLIENTS];
  guint8 input[8 * 70000];
  gsize input_len;
  GArray *closed; /* of DetourHandle */
  guint n_forwarded;
  gboolean forward_full;
  guint n_watched;
  GArray *gone; /* of {id, key}: posted by the observer */
  GArray *late; /* of Late */
  gint64 now_us;
} Fixture;

/* A packet whose sender was gone when it came. */
typedef struct {
  DetourHandle handle;
  guint64 sender_id;
  DetourKey sender;
} Late;

static DetourKey
key_of (guint8 letter)
{
  DetourKey key;

  memset (key.bytes, letter, sizeof key.bytes);
  return key;
}

static DetourForward
on_forward (gpointer user, DetourHandle handle, guint64 sender_id, const DetourKey *sender,
            const guint8 *packet_data, gsize len)
{
  Fixture *f = user;

  if (f->forward_full)
    return DETOUR_FORWARD_FULL;
  f->n_forwarded++;
  g_assert_cmpuint (sender->bytes[0], ==, 'A');
  g_assert_cmpuint (len, ==, 10);
  return DETOUR_FORWARD_DONE;
}

static void
on_close (gpointer user, DetourHandle handle)
{
  g_array_append_val (((Fixture *) user)->closed, handle);
}

static void
on_watch (gpointer user, DetourClient *client)
{
  ((Fixture *) user)->n_watched++;
}

static void
on_sender_left (gpointer user, DetourHandle handle, guint64 sender_id, const DetourKey *sender)
{
  Late late = { handle, sender_id, *sender };

  g_array_append_val (((Fixture *) user)->late, late);
}

static const DetourRelayPort port = { on_forward, on_close, on_watch, on_sender_left };

static void
on_gone (const DetourSpace *space, const DetourGone *gone, guint n, guint from, gpointer user)
{
  g_array_append_vals (((Fixture *) user)->gone, gone, n);
}

static const DetourRelayLimits default_limits = {
  .queue = { .packets = 32, .bytes = 256 * 1024 },
};

static const DetourRelayLimits scarce_limits = {
  .queue = { .packets = 32, .bytes = 256 * 1024 },
  .queue_memory = 20000,
};

static void
setup (Fixture *f, gconstpointer data)
{
  DetourRegistryObserver observer = { .gone = on_gone, .user = f };
  DetourKey server = key_of ('S');

  memset (f, 0, sizeof *f);
  f->now_us = START_US;
  f->closed = g_array_new (FALSE, FALSE, sizeof (DetourHandle));
  f->late = g_array_new (FALSE, FALSE, sizeof (Late));
  f->gone = g_array_new (FALSE, FALSE, sizeof (DetourGone));
  f->registry = detour_registry_new (2, &observer);
  detour_registry_online (f->registry, 0);
  f->relay = detour_relay_new (f->registry, 0, &server, data != NULL ? data : &default_limits,
                               &port, f);
  detour_relay_begin (f->relay, f->now_us);
}

static void
join_as (Fixture *f, guint i, guint8 letter, guint worker)
{
  DetourKey key = key_of (letter);
  DetourHandle handle = DETOUR_HANDLE_MAKE (worker, i, i + 1);

  f->peers[i].got = g_byte_array_new ();
  if (worker == 0)
    detour_relay_join (f->relay, &f->peers[i].client, &key, handle);
  else
    f->peers[i].client.peer = detour_registry_join (detour_registry_common (f->registry), &key,
                                                    handle, &f->peers[i].client.presence);
  f->peers[i].client.handle = handle;
}

/* Client i has the key of n times the letter 'A' + i. */
static void
join (Fixture *f, guint i)
{
  join_as (f, i, (guint8) ('A' + i), 0);
}

static void
leave (Fixture *f, guint i)
{
  detour_relay_leave (f->relay, &f->peers[i].client);
}

/* Hands everything out, as the session does, and ends the round. */
static void
flush (Fixture *f)
{
  DetourClient *client;

  while ((client = detour_relay_next (f->relay)) != NULL)
    {
      DetourSpan spans[8];
      gsize len;
      guint n;

      while ((n = detour_relay_gather (f->relay, client, spans, G_N_ELEMENTS (spans), 16384, &len))
             > 0)
        for (guint i = 0; i < n; i++)
          {
            len -= spans[i].len;
            g_byte_array_append (((Peer *) client)->got, spans[i].data, (guint) spans[i].len);
            if (i == n - 1)
              g_assert_cmpuint (len, ==, 0);
          }
    }
  detour_relay_end (f->relay);
  f->input_len = 0;
  f->now_us += 1000;
  detour_relay_begin (f->relay, f->now_us);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  flush (f);
  for (guint i = 0; i < N_CLIENTS; i++)
    {
      if (f->peers[i].client.peer != NULL)
        leave (f, i);
      g_clear_pointer (&f->peers[i].got, g_byte_array_unref);
    }
  detour_relay_end (f->relay);
  detour_relay_free (f->relay);
  detour_registry_offline (f->registry, 0);
  detour_registry_free (f->registry);
  g_array_unref (f->closed);
  g_array_unref (f->gone);
  g_array_unref (f->late);
}

/* Frames into the input of this round. */
static guint8 *
frame (Fixture *f, guint8 type, gsize len)
{
  guint8 *at = f->input + f->input_len;

  g_assert_cmpuint (f->input_len + 5 + len, <=, sizeof f->input);
  detour_frame_put_header (at, type, (guint32) len);
  f->input_len += 5 + len;
  return at + 5;
}

static void
packet (Fixture *f, guint8 to, gsize len, guint8 fill)
{
  guint8 *payload = frame (f, DETOUR_FRAME_SEND_PACKET, 32 + len);

  memset (payload, to, 32);
  memset (payload + 32, fill, len);
}

static void
disco (Fixture *f, guint8 to, gsize len)
{
  guint8 *payload;

  packet (f, to, len, 0);
  payload = f->input + f->input_len - len;
  memcpy (payload, "\x54\x53\xf0\x9f\x92\xac", 6);
}

static DetourInput
give_from (Fixture *f, guint i, guint8 *data, gsize len, gsize *used, DetourClose *why,
           gint64 *resume_us)
{
  return detour_relay_input (f->relay, &f->peers[i].client, data, len, used, resume_us, why);
}

/* The whole input of this round comes from client i, and is good. */
static void
give (Fixture *f, guint i)
{
  gsize used;
  DetourClose why;
  gint64 resume_us;

  g_assert_cmpint (give_from (f, i, f->input, f->input_len, &used, &why, &resume_us), ==,
                   DETOUR_INPUT_OK);
  g_assert_cmpuint (used, ==, f->input_len);
}

/* Takes one frame from what a client got. */
static gsize
take (Fixture *f, guint i, guint8 type, guint8 *payload, gsize max)
{
  GByteArray *got = f->peers[i].got;
  gsize len;

  g_assert_cmpuint (got->len, >=, 5);
  g_assert_cmpuint (got->data[0], ==, type);
  len = detour_frame_get_u32 (got->data + 1);
  g_assert_cmpuint (got->len, >=, 5 + len);
  if (payload != NULL)
    memcpy (payload, got->data + 5, MIN (len, max));
  g_byte_array_remove_range (got, 0, (guint) (5 + len));
  return len;
}

static void
take_packet (Fixture *f, guint i, guint8 from, gsize len, guint8 fill)
{
  g_autofree guint8 *payload = g_malloc (32 + len + 1);

  g_assert_cmpuint (take (f, i, DETOUR_FRAME_RECV_PACKET, payload, 32 + len), ==, 32 + len);
  for (gsize k = 0; k < 32; k++)
    g_assert_cmpuint (payload[k], ==, from);
  for (gsize k = 0; k < len; k++)
    g_assert_cmpuint (payload[32 + k], ==, fill);
}

static void
take_gone (Fixture *f, guint i, guint8 who, guint8 reason)
{
  guint8 payload[33];

  g_assert_cmpuint (take (f, i, DETOUR_FRAME_PEER_GONE, payload, sizeof payload), ==, 33);
  g_assert_cmpuint (payload[0], ==, who);
  g_assert_cmpuint (payload[32], ==, reason);
}

static void
take_nothing (Fixture *f, guint i)
{
  g_assert_cmpuint (f->peers[i].got->len, ==, 0);
}

static guint64
dropped (Fixture *f, DetourDrop reason, DetourQueueKind kind)
{
  return detour_counter_get (&detour_relay_counters (f->relay)->packets_dropped[reason][kind]);
}

/* What the session does when the registry says that a key is gone. */
static void
spread_gone (Fixture *f)
{
  for (guint i = 0; i < f->gone->len; i++)
    {
      DetourGone *gone = &g_array_index (f->gone, DetourGone, i);

      detour_relay_peer_gone (f->relay, gone->id, &gone->key);
    }
  g_array_set_size (f->gone, 0);
}

/* ---------------------------------------------------------------------------------------------- */

static void
test_sizes (Fixture *f, gconstpointer data)
{
  static const gsize sizes[] = { 0, 1, 61, 62, 1437, 16384, 65535, 65536 };

  join (f, 0);
  join (f, 1);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      packet (f, 'B', sizes[i], (guint8) i);
      give (f, 0);
      flush (f);
      take_packet (f, 1, 'A', sizes[i], (guint8) i);
      take_nothing (f, 0);
    }
  g_assert_cmpuint (f->peers[0].client.rx_packets, ==, G_N_ELEMENTS (sizes));
  g_assert_cmpuint (f->peers[1].client.tx_packets, ==, G_N_ELEMENTS (sizes));
  g_assert_cmpuint (f->peers[1].client.tx_bytes, ==, f->peers[0].client.rx_bytes);
}

static void
test_to_itself (Fixture *f, gconstpointer data)
{
  join (f, 0);
  packet (f, 'A', 10, 7);
  give (f, 0);
  flush (f);
  take_packet (f, 0, 'A', 10, 7);
}

static void
test_order_and_runs (Fixture *f, gconstpointer data)
{
  join (f, 0);
  join (f, 1);
  join (f, 2);
  for (guint8 i = 0; i < 50; i++)
    {
      packet (f, i % 10 < 7 ? 'B' : 'C', 1000, i);
      if (i % 5 == 0)
        disco (f, 'B', 100);
    }
  give (f, 0);
  flush (f);
  for (guint8 i = 0; i < 50; i++)
    {
      take_packet (f, i % 10 < 7 ? 1 : 2, 'A', 1000, i);
      if (i % 5 == 0)
        g_assert_cmpuint (take (f, 1, DETOUR_FRAME_RECV_PACKET, NULL, 0), ==, 132);
    }
  take_nothing (f, 1);
  take_nothing (f, 2);
}

/* A run of frames becomes one span. */
static void
test_runs_are_one_span (Fixture *f, gconstpointer data)
{
  DetourSpan spans[8];
  DetourClient *client;
  gsize len;

  join (f, 0);
  join (f, 1);
  for (guint i = 0; i < 8; i++)
    packet (f, 'B', 1437, 1);
  give (f, 0);
  client = detour_relay_next (f->relay);
  g_assert_true (client == &f->peers[1].client);
  g_assert_cmpuint (detour_relay_gather (f->relay, client, spans, 8, 16384, &len), ==, 1);
  g_assert_cmpuint (len, ==, 8 * (1437 + 37));
  g_assert_true (spans[0].data == f->input);
  g_assert_null (detour_relay_next (f->relay));
}

static void
test_cut_everywhere (Fixture *f, gconstpointer data)
{
  gsize used;
  DetourClose why;
  gint64 resume_us;

  join (f, 0);
  join (f, 1);
  packet (f, 'B', 20, 1);
  for (gsize len = 0; len < f->input_len; len++)
    {
      g_autofree guint8 *copy = g_memdup2 (f->input, len);

      g_assert_cmpint (give_from (f, 0, copy, len, &used, &why, &resume_us), ==, DETOUR_INPUT_OK);
      g_assert_cmpuint (used, ==, 0);
    }
  give (f, 0);
  flush (f);
  take_packet (f, 1, 'A', 20, 1);
  take_nothing (f, 1);
}

static void
test_refused_frames (Fixture *f, gconstpointer data)
{
  static const struct {
    guint8 type;
    guint32 len;
    gboolean mesh;
    DetourClose why;
  } cases[] = {
    { DETOUR_FRAME_SEND_PACKET, 31, FALSE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_SEND_PACKET, 65569, FALSE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_NOTE_PREFERRED, 0, FALSE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_NOTE_PREFERRED, 2, FALSE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_PING, 7, FALSE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_PING, 1001, FALSE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_WATCH_CONNS, 1, TRUE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_WATCH_CONNS, 0, FALSE, DETOUR_CLOSE_FORBIDDEN },
    { DETOUR_FRAME_CLOSE_PEER, 31, TRUE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_CLOSE_PEER, 32, FALSE, DETOUR_CLOSE_FORBIDDEN },
    { DETOUR_FRAME_FORWARD_PACKET, 64, FALSE, DETOUR_CLOSE_FORBIDDEN },
    { DETOUR_FRAME_FORWARD_PACKET, 63, TRUE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_FORWARD_PACKET, 65601, TRUE, DETOUR_CLOSE_FRAME },
    { 0x42, 65569, FALSE, DETOUR_CLOSE_FRAME },
    { DETOUR_FRAME_CLIENT_INFO, 65569, TRUE, DETOUR_CLOSE_FRAME },
  };

  join (f, 0);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint8 header[5];
      gsize used;
      DetourClose why = DETOUR_N_CLOSES;
      gint64 resume_us;

      /* The header alone is enough. */
      detour_frame_put_header (header, cases[i].type, cases[i].len);
      f->peers[0].client.is_mesh = cases[i].mesh;
      g_assert_cmpint (give_from (f, 0, header, sizeof header, &used, &why, &resume_us), ==,
                       DETOUR_INPUT_CLOSE);
      g_assert_cmpint (why, ==, cases[i].why);
    }
  flush (f);
  take_nothing (f, 0);
}

static void
test_skipped_frames (Fixture *f, gconstpointer data)
{
  static const guint8 types[] = { 0x02, 0x05, 0x06, 0x0b, 0x13, 0x14, 0x42, 0xff };

  join (f, 0);
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      memset (frame (f, types[i], 65568), 1, 65568);
      give (f, 0);
      f->input_len = 0;
    }
  packet (f, 'A', 1, 1);
  give (f, 0);
  flush (f);
  take_packet (f, 0, 'A', 1, 1);
  g_assert_cmpuint (detour_counter_get (&detour_relay_counters (f->relay)->unknown_frames), ==,
                    G_N_ELEMENTS (types));
}

static void
test_not_here (Fixture *f, gconstpointer data)
{
  join (f, 0);

  /* Data says nothing, and takes no token. */
  for (guint i = 0; i < 10; i++)
    packet (f, 'Z', 100, 1);
  packet (f, 'Z', 61, 1);
  for (guint i = 0; i < 6; i++)
    disco (f, 'Z', 62);
  give (f, 0);
  flush (f);
  for (guint i = 0; i < 3; i++)
    take_gone (f, 0, 'Z', DETOUR_FRAME_GONE_NOT_HERE);
  take_nothing (f, 0);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_UNKNOWN_DEST, DETOUR_QUEUE_DATA), ==, 11);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_UNKNOWN_DEST, DETOUR_QUEUE_DISCO), ==, 6);

  /* One more a second, for all destinations together. */
  f->now_us += 1000000;
  detour_relay_begin (f->relay, f->now_us);
  disco (f, 'Y', 62);
  disco (f, 'Z', 62);
  give (f, 0);
  flush (f);
  take_gone (f, 0, 'Y', DETOUR_FRAME_GONE_NOT_HERE);
  take_nothing (f, 0);
}

static void
test_gone (Fixture *f, gconstpointer data)
{
  join (f, 0);
  join (f, 1);
  join (f, 2);
  packet (f, 'B', 10, 1);
  give (f, 0);
  flush (f);
  take_packet (f, 1, 'A', 10, 1);

  /* Only who received is told; who sent learns nothing. */
  leave (f, 0);
  spread_gone (f);
  flush (f);
  take_gone (f, 1, 'A', DETOUR_FRAME_GONE_DISCONNECTED);
  take_nothing (f, 1);
  take_nothing (f, 2);
  leave (f, 1);
  spread_gone (f);
  flush (f);
  take_nothing (f, 2);
}

static void
test_gone_again (Fixture *f, gconstpointer data)
{
  join (f, 1);
  for (guint round = 0; round < 2; round++)
    {
      g_clear_pointer (&f->peers[0].got, g_byte_array_unref);
      memset (&f->peers[0].client, 0, sizeof f->peers[0].client);
      join (f, 0);
      packet (f, 'B', 10, 1);
      give (f, 0);
      flush (f);
      take_packet (f, 1, 'A', 10, 1);
      leave (f, 0);
      spread_gone (f);
      flush (f);
      take_gone (f, 1, 'A', DETOUR_FRAME_GONE_DISCONNECTED);
    }
}

/* Packets arrive from another worker after their sender has left, before or after the notice came:
 * the receiver is told behind them, and only once. */
static void
test_late_packet (Fixture *f, gconstpointer data)
{
  guint8 late[37 + 4] = { 0 };
  DetourKey sender = key_of ('Q');

  join (f, 1);
  for (guint after = 0; after < 2; after++)
    {
      if (after)
        detour_relay_peer_gone (f->relay, 4711, &sender);
      for (guint i = 0; i < 2; i++)
        {
          detour_frame_put_recv_head (late, &sender, 4);
          detour_relay_deliver (f->relay, f->peers[1].client.handle, 4711, late, sizeof late);
        }
      if (!after)
        detour_relay_peer_gone (f->relay, 4711, &sender);
      g_assert_cmpuint (f->late->len, ==, 1);
      for (guint i = 0; i < f->late->len; i++)
        {
          const Late *one = &g_array_index (f->late, Late, i);

          detour_relay_settle_contact (f->relay, one->handle, one->sender_id, &one->sender);
        }
      g_array_set_size (f->late, 0);
      flush (f);
      take_packet (f, 1, 'Q', 4, 0);
      take_packet (f, 1, 'Q', 4, 0);
      take_gone (f, 1, 'Q', DETOUR_FRAME_GONE_DISCONNECTED);
      take_nothing (f, 1);
      f->peers[1].client.noted_sender = 0;
    }
  g_assert_cmpuint (detour_relay_waiting_bytes (&f->peers[1].client), ==, 0);
}

/* The packets of a sender and its leaving come in one round. */
static void
test_gone_in_order (Fixture *f, gconstpointer data)
{
  gsize first, used;
  DetourClose why;
  gint64 resume_us;

  join (f, 0);
  join (f, 1);
  join (f, 2);
  packet (f, 'B', 10, 1);
  packet (f, 'B', 10, 2);
  give (f, 0);
  leave (f, 0);
  spread_gone (f);
  first = f->input_len;
  packet (f, 'B', 10, 3);
  g_assert_cmpint (
      give_from (f, 2, f->input + first, f->input_len - first, &used, &why, &resume_us), ==,
      DETOUR_INPUT_OK);
  flush (f);
  take_packet (f, 1, 'A', 10, 1);
  take_packet (f, 1, 'A', 10, 2);
  take_gone (f, 1, 'A', DETOUR_FRAME_GONE_DISCONNECTED);
  take_packet (f, 1, 'C', 10, 3);
  take_nothing (f, 1);
}

/* The same for a receiver that does not read, over rounds, and with packets in both lines. */
static void
test_gone_in_order_when_blocked (Fixture *f, gconstpointer data)
{
  join (f, 0);
  join (f, 1);
  join (f, 2);
  packet (f, 'B', 10, 1);
  give (f, 0);
  leave (f, 0);
  spread_gone (f);
  g_assert_true (detour_relay_next (f->relay) == &f->peers[1].client);
  detour_relay_park (f->relay, &f->peers[1].client);
  flush (f);
  disco (f, 'B', 100);
  packet (f, 'B', 10, 2);
  give (f, 2);
  flush (f);
  leave (f, 2);
  spread_gone (f);
  g_assert_cmpuint (detour_relay_waiting_bytes (&f->peers[1].client), ==,
                    47 + 137 + 47 + 2 * DETOUR_FRAME_PEER_GONE_SIZE);

  detour_relay_unblock (f->relay, &f->peers[1].client);
  flush (f);
  take_packet (f, 1, 'A', 10, 1);
  take_gone (f, 1, 'A', DETOUR_FRAME_GONE_DISCONNECTED);
  take (f, 1, DETOUR_FRAME_RECV_PACKET, NULL, 0);
  take (f, 1, DETOUR_FRAME_RECV_PACKET, NULL, 0);
  take_gone (f, 1, 'C', DETOUR_FRAME_GONE_DISCONNECTED);
  take_nothing (f, 1);
}

/* Peers come, send a packet and go, while the receiver does not read: what it is owed has an end,
 * and it is not closed for what others do. */
static void
test_notices_are_limited (Fixture *f, gconstpointer data)
{
  join (f, 1);
  detour_relay_park (f->relay, &f->peers[1].client);
  for (guint i = 0; i < DETOUR_QUEUE_NOTICES_MAX + 100; i++)
    {
      memset (&f->peers[0], 0, sizeof f->peers[0]);
      join (f, 0);
      packet (f, 'B', 10, 1);
      give (f, 0);
      leave (f, 0);
      spread_gone (f);
      flush (f);
      g_clear_pointer (&f->peers[0].got, g_byte_array_unref);
    }
  g_assert_cmpuint (detour_queue_n_notices (f->peers[1].client.queue), ==,
                    DETOUR_QUEUE_NOTICES_MAX);
  g_assert_null (f->peers[1].client.control);
  g_assert_false (f->peers[1].client.is_overfull);
}

static void
test_duplicates (Fixture *f, gconstpointer data)
{
  join_as (f, 0, 'A', 0);
  join_as (f, 1, 'A', 0);
  join_as (f, 2, 'C', 0);

  /* The newest gets the packets, until another one speaks, whatever it says. */
  packet (f, 'A', 1, 1);
  give (f, 2);
  flush (f);
  take_packet (f, 1, 'C', 1, 1);
  frame (f, DETOUR_FRAME_NOTE_PREFERRED, 1)[0] = 1;
  give (f, 0);
  f->input_len = 0;
  packet (f, 'A', 1, 2);
  give (f, 2);
  flush (f);
  take_packet (f, 0, 'C', 1, 2);
  take_nothing (f, 1);

  /* The active one leaves: the other gets them, and nobody is told. */
  leave (f, 0);
  spread_gone (f);
  packet (f, 'A', 1, 3);
  give (f, 2);
  flush (f);
  take_packet (f, 1, 'C', 1, 3);
  take_nothing (f, 2);
}

static void
test_ping (Fixture *f, gconstpointer data)
{
  guint8 payload[8];

  join (f, 0);
  for (guint8 i = 0; i < 10; i++)
    memset (frame (f, DETOUR_FRAME_PING, i == 0 ? 8 : 1000), 'p' + i, i == 0 ? 8 : 1000);
  give (f, 0);
  flush (f);
  g_assert_cmpuint (take (f, 0, DETOUR_FRAME_PONG, payload, 8), ==, 8);
  g_assert_cmpmem (payload, 8, "pppppppp", 8);
  take_nothing (f, 0);
  g_assert_cmpuint (detour_counter_get (&detour_relay_counters (f->relay)->pings), ==, 10);
  g_assert_cmpuint (detour_counter_get (&detour_relay_counters (f->relay)->pongs), ==, 1);
}

static void
test_control_goes_first (Fixture *f, gconstpointer data)
{
  guint8 control[DETOUR_FRAME_HEADER_SIZE + 3];

  join (f, 0);
  join (f, 1);
  packet (f, 'A', 100, 1);
  give (f, 1);
  f->input_len += 0;
  memset (frame (f, DETOUR_FRAME_PING, 8), 'p', 8);
  g_assert_cmpint (give_from (f, 0, f->input + f->input_len - 13, 13, &(gsize) { 0 },
                              &(DetourClose) { 0 }, &(gint64) { 0 }),
                   ==, DETOUR_INPUT_OK);
  detour_relay_keep_alive (f->relay, &f->peers[0].client);
  detour_frame_put_header (control, DETOUR_FRAME_HEALTH, 3);
  memcpy (control + 5, "bad", 3);
  detour_relay_control (f->relay, &f->peers[0].client, control, sizeof control);
  flush (f);
  take (f, 0, DETOUR_FRAME_PONG, NULL, 0);
  take (f, 0, DETOUR_FRAME_KEEP_ALIVE, NULL, 0);
  take (f, 0, DETOUR_FRAME_HEALTH, NULL, 0);
  take_packet (f, 0, 'B', 100, 1);
  take_nothing (f, 0);
}

static void
test_greeting_goes_before_all (Fixture *f, gconstpointer data)
{
  guint8 greeting[DETOUR_FRAME_HEADER_SIZE + 3] = {
    DETOUR_FRAME_SERVER_INFO, 0, 0, 0, 3, 'y', 'e', 's'
  };

  join (f, 0);
  join (f, 1);
  detour_relay_greet (f->relay, &f->peers[0].client, greeting, sizeof greeting);
  packet (f, 'A', 100, 1);
  give (f, 1);
  memset (frame (f, DETOUR_FRAME_PING, 8), 'p', 8);
  g_assert_cmpint (give_from (f, 0, f->input + f->input_len - 13, 13, &(gsize) { 0 },
                              &(DetourClose) { 0 }, &(gint64) { 0 }),
                   ==, DETOUR_INPUT_OK);
  detour_relay_keep_alive (f->relay, &f->peers[0].client);
  flush (f);
  take (f, 0, DETOUR_FRAME_SERVER_INFO, NULL, 0);
  take_packet (f, 0, 'B', 100, 1);
  take (f, 0, DETOUR_FRAME_PONG, NULL, 0);
  take (f, 0, DETOUR_FRAME_KEEP_ALIVE, NULL, 0);
  take_nothing (f, 0);
}

/* More control bytes than fit a record: their stream stays whole, and nothing slips between its
 * parts. */
static void
test_long_control (Fixture *f, gconstpointer data)
{
  enum { N = 3000 };
  DetourSpan spans[8];
  DetourClient *client;
  gsize len;

  join (f, 0);
  for (guint i = 0; i < N; i++)
    {
      guint8 control[DETOUR_FRAME_HEADER_SIZE + 4];

      detour_frame_put_header (control, DETOUR_FRAME_HEALTH, 4);
      detour_frame_put_u32 (control + 5, i);
      detour_relay_control (f->relay, &f->peers[0].client, control, sizeof control);
    }
  client = detour_relay_next (f->relay);
  while (detour_relay_gather (f->relay, client, spans, 8, 16384, &len) > 0)
    {
      g_assert_cmpuint (len, <=, 16384);
      g_byte_array_append (f->peers[0].got, spans[0].data, (guint) spans[0].len);
      memset (frame (f, DETOUR_FRAME_PING, 8), 'p', 8);
      give (f, 0);
      f->input_len = 0;
      if (f->peers[0].got->len == N * 9)
        break;
    }
  for (guint i = 0; i < N; i++)
    {
      guint8 payload[4];

      take (f, 0, DETOUR_FRAME_HEALTH, payload, 4);
      g_assert_cmpuint (detour_frame_get_u32 (payload), ==, i);
    }
  flush (f);
  take (f, 0, DETOUR_FRAME_PONG, NULL, 0);
}

/* A mesh watcher that is always owed something: what was sent is given back. */
static void
test_control_is_compacted (Fixture *f, gconstpointer data)
{
  enum { FRAME = DETOUR_FRAME_HEADER_SIZE + 995 };
  guint8 control[FRAME] = { DETOUR_FRAME_HEALTH, 0, 0, 995 >> 8, 995 & 255 };
  DetourClient *client = &f->peers[0].client;
  gsize sent = 0;

  join (f, 0);
  client->is_mesh = TRUE;
  for (guint i = 0; i < 200; i++)
    detour_relay_control (f->relay, client, control, sizeof control);
  for (guint round = 0; round < 2000; round++)
    {
      DetourSpan spans[8];
      gsize len;

      detour_relay_control (f->relay, client, control, sizeof control);
      g_assert_cmpuint (detour_relay_gather (f->relay, client, spans, 8, FRAME, &len), ==, 1);
      g_assert_cmpuint (spans[0].data[0], ==, DETOUR_FRAME_HEALTH);
      sent += len;
      g_assert_cmpuint (client->control->len, <=, 2 * 201 * FRAME);
    }
  g_assert_cmpuint (sent, ==, 2000 * FRAME);
  g_assert_cmpuint (client->control->len - client->control_at, ==, 200 * FRAME);
}

/* All that waits in a worker has a limit, too. */
static void
test_queue_memory (Fixture *f, gconstpointer data)
{
  join (f, 0);
  join (f, 1);
  join (f, 2);
  detour_relay_park (f->relay, &f->peers[1].client);
  detour_relay_park (f->relay, &f->peers[2].client);
  packet (f, 'C', 1000, 100);
  for (guint8 i = 0; i < 30; i++)
    packet (f, 'B', 1000, i);
  give (f, 0);
  flush (f);

  /* 20 of 1,037 bytes fit: the small queue keeps what it has. */
  g_assert_cmpuint (detour_queue_n_packets (f->peers[2].client.queue), ==, 1);
  g_assert_cmpuint (detour_queue_n_packets (f->peers[1].client.queue), ==, 18);
  g_assert_cmpuint (f->peers[1].client.dropped_packets, ==, 12);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_QUEUE_HEAD, DETOUR_QUEUE_DATA), ==, 12);

  detour_relay_unblock (f->relay, &f->peers[1].client);
  flush (f);
  for (guint8 i = 12; i < 30; i++)
    take_packet (f, 1, 'A', 1000, i);
  for (guint8 i = 0; i < 30; i++)
    packet (f, 'C', 1000, i);
  give (f, 0);
  flush (f);
  g_assert_cmpuint (detour_queue_n_packets (f->peers[2].client.queue), ==, 19);
}

static void
test_blocked (Fixture *f, gconstpointer data)
{
  join (f, 0);
  join (f, 1);
  packet (f, 'B', 10, 0);
  give (f, 0);

  /* This round's packet is kept when the socket turns out to be full, and later ones behind it. */
  g_assert_true (detour_relay_next (f->relay) == &f->peers[1].client);
  detour_relay_park (f->relay, &f->peers[1].client);
  flush (f);
  for (guint8 i = 1; i < 40; i++)
    {
      packet (f, 'B', 1000, i);
      disco (f, 'B', 100);
      give (f, 0);
      flush (f);
    }
  take_nothing (f, 1);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_QUEUE_HEAD, DETOUR_QUEUE_DATA), ==, 40 - 32);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_QUEUE_HEAD, DETOUR_QUEUE_DISCO), ==, 39 - 32);
  g_assert_cmpuint (f->peers[1].client.dropped_packets, ==, 8 + 7);
  g_assert_cmpuint (detour_relay_waiting_bytes (&f->peers[1].client), ==, 32 * 1037 + 32 * 137);

  detour_relay_unblock (f->relay, &f->peers[1].client);
  packet (f, 'B', 5, 99);
  give (f, 0);
  flush (f);
  for (guint8 n_data = 8, n_disco = 0; n_data < 40 || n_disco < 32;)
    {
      gsize len = detour_frame_get_u32 (f->peers[1].got->data + 1);

      if (len == 132)
        {
          take (f, 1, DETOUR_FRAME_RECV_PACKET, NULL, 0);
          n_disco++;
        }
      else
        take_packet (f, 1, 'A', 1000, n_data++);
    }
  take_packet (f, 1, 'A', 5, 99);
  take_nothing (f, 1);
}

static void
take_health (Fixture *f, guint i, const char *text)
{
  guint8 payload[DETOUR_HEALTH_TEXT_MAX + 1] = { 0 };
  gsize len = take (f, i, DETOUR_FRAME_HEALTH, payload, DETOUR_HEALTH_TEXT_MAX);

  if (*text == '\0')
    g_assert_cmpuint (len, ==, 0);
  else
    g_assert_nonnull (strstr ((const char *) payload, text));
}

/* Only a client that takes extra frames is told anything: what changed, and the end of it. */
static void
test_health (Fixture *f, gconstpointer data)
{
  DetourClient *client = &f->peers[1].client;

  join (f, 0);
  join (f, 1);
  client->takes_extra = TRUE;
  detour_relay_tell_health (f->relay, client);
  detour_relay_set_health (f->relay, client, DETOUR_HEALTH_SLOWED, FALSE);
  flush (f);
  take_nothing (f, 1);

  for (guint i = 0; i < 2; i++)
    for (guint k = 0; k < 2; k++)
      detour_relay_set_health (f->relay, &f->peers[i].client, DETOUR_HEALTH_SLOWED, TRUE);
  detour_relay_announce (f->relay, "back at noon");
  detour_relay_announce (f->relay, "back at noon");
  flush (f);
  take_health (f, 1, "slowed down");
  take_health (f, 1, "back at noon; this device");
  take_nothing (f, 1);
  take_nothing (f, 0);
  g_assert_cmpuint (detour_relay_health (f->relay, client), ==,
                    DETOUR_HEALTH_SLOWED | DETOUR_HEALTH_ANNOUNCED);
  g_assert_cmpuint (detour_relay_health (f->relay, &f->peers[0].client), ==, 0);

  /* Whoever comes later hears of what is announced; one that takes less goes on to hear nothing. */
  f->peers[2].client.takes_extra = TRUE;
  join (f, 2);
  detour_relay_tell_health (f->relay, &f->peers[2].client);
  join (f, 3);
  detour_relay_tell_health (f->relay, &f->peers[3].client);
  detour_relay_announce (f->relay, NULL);
  flush (f);
  take_health (f, 2, "back at noon");
  take_health (f, 2, "");
  take_health (f, 1, "slowed down");
  take_nothing (f, 3);
  detour_relay_set_health (f->relay, client, DETOUR_HEALTH_SLOWED, FALSE);
  detour_relay_set_health (f->relay, client, DETOUR_HEALTH_SLOWED, FALSE);
  flush (f);
  take_health (f, 1, "");
  take_nothing (f, 1);
  take_nothing (f, 2);
  g_assert_cmpuint (detour_counter_get (&detour_relay_counters (f->relay)->health_texts), ==, 6);
}

/* A client that moves to another relay, where nothing is announced, is told that it is over. */
static void
test_health_is_carried_along (Fixture *f, gconstpointer data)
{
  g_autoptr (GHashTable) keys = g_hash_table_new (g_int64_hash, g_int64_equal);
  DetourClient *client = &f->peers[0].client;
  DetourClientState state;

  client->takes_extra = TRUE;
  join (f, 0);
  detour_relay_announce (f->relay, "back at noon");
  detour_relay_set_health (f->relay, client, DETOUR_HEALTH_DUPLICATE, TRUE);
  flush (f);
  take_health (f, 0, "back at noon");
  take_health (f, 0, "; another device");
  detour_relay_detach (f->relay, client, keys, &state);
  flush (f);
  g_byte_array_unref (f->peers[0].got);

  detour_relay_announce (f->relay, NULL);
  *client = (DetourClient) { .takes_extra = TRUE };
  join (f, 0);
  detour_relay_restore (f->relay, client, &state);
  detour_relay_tell_health (f->relay, client);
  detour_relay_set_health (f->relay, client, DETOUR_HEALTH_DUPLICATE, FALSE);
  flush (f);
  take_health (f, 0, "another device");
  take_health (f, 0, "");
  take_nothing (f, 0);
  detour_client_state_clear (&state);
}

/* A client that would end over them gets no packet longer than 65,504 bytes, whether it reads or
 * not; all others get them. */
static void
test_too_long (Fixture *f, gconstpointer data)
{
  static const gsize sizes[] = { 65504, 65505, 65536, 1 };

  join (f, 0);
  join (f, 1);
  join (f, 2);
  f->peers[1].client.ends_on_long = TRUE;
  for (guint round = 0; round < 2; round++)
    {
      for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
        {
          packet (f, 'B', sizes[i], (guint8) i);
          packet (f, 'C', sizes[i], (guint8) i);
          give (f, 0);
          flush (f);
        }
      if (round == 1)
        detour_relay_unblock (f->relay, &f->peers[1].client);
      flush (f);
      take_packet (f, 1, 'A', 65504, 0);
      take_packet (f, 1, 'A', 1, 3);
      take_nothing (f, 1);
      for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
        take_packet (f, 2, 'A', sizes[i], (guint8) i);
      detour_relay_park (f->relay, &f->peers[1].client);
    }
  g_assert_cmpuint (dropped (f, DETOUR_DROP_TOO_LONG, DETOUR_QUEUE_DATA), ==, 4);
  g_assert_cmpuint (f->peers[1].client.dropped_packets, ==, 4);
  g_assert_cmpuint (f->peers[1].client.dropped_long, ==, 4);
  g_assert_cmpuint (f->peers[1].client.tx_packets, ==, 4);
  g_assert_cmpuint (f->peers[2].client.dropped_packets, ==, 0);
}

/* A slow receiver may have long packets waiting too; one that has stalled is cut down to the limit
 * in bytes. */
static void
test_slow_and_stalled (Fixture *f, gconstpointer data)
{
  join (f, 0);
  join (f, 1);
  detour_relay_park (f->relay, &f->peers[1].client);
  for (guint i = 0; i < 30; i++)
    {
      packet (f, 'B', 65536, 1);
      give (f, 0);
      flush (f);
    }
  g_assert_cmpuint (dropped (f, DETOUR_DROP_QUEUE_HEAD, DETOUR_QUEUE_DATA), ==, 0);

  f->now_us += G_USEC_PER_SEC;
  detour_relay_begin (f->relay, f->now_us);
  packet (f, 'B', 1000, 1);
  give (f, 0);
  flush (f);
  g_assert_cmpuint (detour_relay_waiting_bytes (&f->peers[1].client), <=, 256 * 1024);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_QUEUE_HEAD, DETOUR_QUEUE_DATA), ==, 27);
}

static void
test_left_while_waiting (Fixture *f, gconstpointer data)
{
  join (f, 0);
  join (f, 1);
  detour_relay_park (f->relay, &f->peers[1].client);
  packet (f, 'B', 10, 0);
  give (f, 0);
  leave (f, 1);
  flush (f);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_GONE, DETOUR_QUEUE_DATA), ==, 1);

  /* And one that leaves in the very round in which a packet came for it. */
  join (f, 2);
  f->input_len = 0;
  packet (f, 'C', 10, 0);
  give (f, 0);
  leave (f, 2);
  flush (f);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_GONE, DETOUR_QUEUE_DATA), ==, 2);
}

static void
test_other_worker (Fixture *f, gconstpointer data)
{
  gsize used;
  DetourClose why;
  gint64 resume_us;

  join (f, 0);
  join_as (f, 1, 'B', 1);
  packet (f, 'B', 10, 0);
  give (f, 0);
  g_assert_cmpuint (f->n_forwarded, ==, 1);

  /* While the other worker is behind the packet stays where it is, unchanged, and is not counted.
   */
  f->forward_full = TRUE;
  f->input_len = 0;
  packet (f, 'B', 10, 0);
  g_assert_cmpint (give_from (f, 0, f->input, f->input_len, &used, &why, &resume_us), ==,
                   DETOUR_INPUT_STALL);
  g_assert_cmpuint (used, ==, 0);
  g_assert_cmpuint (f->peers[0].client.rx_packets, ==, 1);
  f->forward_full = FALSE;
  give (f, 0);
  g_assert_cmpuint (f->n_forwarded, ==, 2);
  g_assert_cmpuint (f->peers[0].client.rx_packets, ==, 2);

  /* The other way round, for one that is there and one that is not. */
  guint8 recv[37 + 3] = { 0 };
  DetourKey source = key_of ('B');

  detour_frame_put_recv_head (recv, &source, 3);
  detour_relay_deliver (f->relay, f->peers[0].client.handle, f->peers[1].client.peer->id, recv,
                        sizeof recv);
  detour_relay_deliver (f->relay, DETOUR_HANDLE_MAKE (0, 77, 5), f->peers[1].client.peer->id, recv,
                        sizeof recv);
  flush (f);
  take_packet (f, 0, 'B', 3, 0);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_GONE, DETOUR_QUEUE_DATA), ==, 1);

  detour_registry_leave (detour_registry_common (f->registry), f->peers[1].client.peer,
                         f->peers[1].client.handle);
  f->peers[1].client.peer = NULL;
}

static void
send_one (Fixture *f, guint from, guint8 to, guint8 fill)
{
  packet (f, to, 10, fill);
  give (f, from);
  flush (f);
}

/* The same key in two spaces: each is reached from its own space only, and is told of nobody else.
 * Client 0 is A and client 1 is B, both set apart; client 2 is B, client 3 is C, in common. */
static void
test_spaces (Fixture *f, gconstpointer data)
{
  DetourSpace *apart = detour_registry_open_space (f->registry);
  DetourRegistryStats stats;

  f->peers[0].client.space = apart;
  f->peers[1].client.space = apart;
  join_as (f, 0, 'A', 0);
  join_as (f, 1, 'B', 0);
  join_as (f, 2, 'B', 0);
  join_as (f, 3, 'C', 0);
  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.total_dups, ==, 0);
  detour_registry_close_space (apart);

  send_one (f, 0, 'B', 1);
  take_packet (f, 1, 'A', 10, 1);
  take_nothing (f, 2);
  send_one (f, 3, 'B', 2);
  take_packet (f, 2, 'C', 10, 2);
  take_nothing (f, 1);

  /* C is not here for A, nor A for C: the same as for a key that nobody has. */
  disco (f, 'C', 100);
  give (f, 0);
  flush (f);
  disco (f, 'A', 100);
  give (f, 3);
  flush (f);
  take_gone (f, 0, 'C', DETOUR_FRAME_GONE_NOT_HERE);
  take_gone (f, 3, 'A', DETOUR_FRAME_GONE_NOT_HERE);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_UNKNOWN_DEST, DETOUR_QUEUE_DISCO), ==, 2);

  /* B answers in both spaces, and leaves in one. */
  send_one (f, 1, 'A', 4);
  send_one (f, 2, 'C', 5);
  take_packet (f, 0, 'B', 10, 4);
  take_packet (f, 3, 'B', 10, 5);
  leave (f, 2);
  spread_gone (f);
  flush (f);
  take_gone (f, 3, 'B', DETOUR_FRAME_GONE_DISCONNECTED);
  take_nothing (f, 0);
  send_one (f, 0, 'B', 6);
  take_packet (f, 1, 'A', 10, 6);

  /* A contact that is taken along is looked for in the own space: there is a B for A, and for C
   * there is none. */
  DetourKey b = key_of ('B');

  detour_relay_add_contact (f->relay, &f->peers[0].client, &b);
  detour_relay_add_contact (f->relay, &f->peers[3].client, &b);
  flush (f);
  take_nothing (f, 0);
  take_gone (f, 3, 'B', DETOUR_FRAME_GONE_DISCONNECTED);

  leave (f, 0);
  leave (f, 1);
  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.n_spaces, ==, 1);
}

static void
test_mesh_frames (Fixture *f, gconstpointer data)
{
  guint8 *payload;

  join (f, 0);
  join (f, 1);
  f->peers[0].client.is_mesh = TRUE;

  payload = frame (f, DETOUR_FRAME_FORWARD_PACKET, 64 + 5);
  memset (payload, 'Q', 32);
  memset (payload + 32, 'B', 32);
  memset (payload + 64, 9, 5);
  /* Nobody here: dropped, and the mesh peer is told when it was disco. */
  payload = frame (f, DETOUR_FRAME_FORWARD_PACKET, 64 + 62);
  memset (payload, 'Q', 32);
  memset (payload + 32, 'Z', 32);
  memset (payload + 64, 0, 62);
  memcpy (payload + 64, "\x54\x53\xf0\x9f\x92\xac", 6);
  /* Without a source. */
  payload = frame (f, DETOUR_FRAME_FORWARD_PACKET, 64);
  memset (payload, 0, 32);
  memset (payload + 32, 'B', 32);
  frame (f, DETOUR_FRAME_WATCH_CONNS, 0);
  memset (frame (f, DETOUR_FRAME_CLOSE_PEER, 32), 'B', 32);
  memset (frame (f, DETOUR_FRAME_CLOSE_PEER, 32), 'Z', 32);
  give (f, 0);
  flush (f);
  take_packet (f, 1, 'Q', 5, 9);
  take_nothing (f, 1);
  take_gone (f, 0, 'Z', DETOUR_FRAME_GONE_NOT_HERE);
  take_nothing (f, 0);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD, DETOUR_QUEUE_DISCO), ==, 1);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD, DETOUR_QUEUE_DATA), ==, 1);
  g_assert_cmpuint (f->n_watched, ==, 1);
  g_assert_cmpuint (f->closed->len, ==, 1);
  g_assert_cmpuint (g_array_index (f->closed, DetourHandle, 0), ==, f->peers[1].client.handle);
}

/* The server's own key with the mesh key is this very server: it hears nothing of itself. */
static void
test_own_watcher (Fixture *f, gconstpointer data)
{
  join_as (f, 0, 'S', 0);
  f->peers[0].client.is_mesh = TRUE;
  frame (f, DETOUR_FRAME_WATCH_CONNS, 0);
  give (f, 0);
  g_assert_cmpuint (f->n_watched, ==, 0);
}

static const DetourRelayLimits slow_limits = {
  .queue = { .packets = 32, .bytes = 256 * 1024 },
  .receive_rate = 20000,
  .receive_burst = 1,
};

/* The example of the reference: 60,000-byte packets at 20,000 bytes a second. */
static void
test_rate (Fixture *f, gconstpointer data)
{
  static const gint64 expected_us[] = { 0, 2724800, 5726400, 8728000 };
  gsize at = 0, used;
  DetourClose why;
  gint64 resume_us;

  join (f, 0);
  for (guint i = 0; i < 4; i++)
    packet (f, 'Z', 60000, 1);
  for (guint i = 0; i < 4; i++)
    {
      g_assert_cmpint (f->now_us - START_US, >=, expected_us[i]);
      g_assert_cmpint (f->now_us - START_US, <, expected_us[i] + 50000);
      g_assert_cmpint (give_from (f, 0, f->input + at, f->input_len - at, &used, &why, &resume_us),
                       ==, i < 3 ? DETOUR_INPUT_PAUSE : DETOUR_INPUT_OK);
      g_assert_cmpuint (used, ==, 60037);
      at += used;
      f->now_us = resume_us;
      detour_relay_begin (f->relay, f->now_us);
    }

  /* A mesh peer is not slowed. */
  f->peers[1].client.is_mesh = TRUE;
  join (f, 1);
  give (f, 1);
}

/* A packet that has to come again, as another worker is behind, takes its share of the rate once.
 */
static void
test_rate_of_stalled (Fixture *f, gconstpointer data)
{
  gint64 resume_us;
  DetourClose why;
  gsize used;

  join (f, 0);
  join_as (f, 1, 'B', 1);
  /* All that the rate allows at once. */
  for (guint i = 0; i < (DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_SEND_MAX) / 47; i++)
    packet (f, 'B', 10, 0);
  for (guint i = 0; i < 2; i++)
    {
      f->forward_full = i == 0;
      g_assert_cmpint (give_from (f, 0, f->input, f->input_len, &used, &why, &resume_us), ==,
                       i == 0 ? DETOUR_INPUT_STALL : DETOUR_INPUT_OK);
    }
  g_assert_cmpuint (used, ==, f->input_len);
  detour_registry_leave (detour_registry_common (f->registry), f->peers[1].client.peer,
                         f->peers[1].client.handle);
  f->peers[1].client.peer = NULL;
}

/* How many of the packets in the input are taken at once. */
static guint
n_taken (Fixture *f, guint peer)
{
  DetourClose why;
  gint64 resume_us;
  gsize used;

  g_assert_cmpint (give_from (f, peer, f->input, f->input_len, &used, &why, &resume_us), !=,
                   DETOUR_INPUT_CLOSE);
  return (guint) (used / 60037);
}

/* Limits for all do not touch it, and it ends when it is taken away. */
static void
test_own_rate (Fixture *f, gconstpointer data)
{
  DetourRelayLimits limits = slow_limits;

  join (f, 0);
  join (f, 1);
  for (guint i = 0; i < 4; i++)
    packet (f, 'Z', 60000, 1);
  detour_relay_set_own_rate (f->relay, &f->peers[0].client, 100000, 3 * 60037);
  g_assert_cmpuint (n_taken (f, 0), ==, 3);
  g_assert_cmpuint (n_taken (f, 1), ==, 1);

  /* The same once more gives no full bucket. */
  detour_relay_set_own_rate (f->relay, &f->peers[0].client, 100000, 3 * 60037);
  detour_relay_set_limits (f->relay, &limits);
  g_assert_cmpuint (n_taken (f, 0), ==, 0);
  g_assert_cmpuint (n_taken (f, 1), ==, 0);

  limits.receive_burst = 2 * 60037;
  detour_relay_set_limits (f->relay, &limits);
  g_assert_cmpuint (n_taken (f, 0), ==, 0);
  g_assert_cmpuint (n_taken (f, 1), ==, 2);
  detour_relay_clear_own_rate (f->relay, &f->peers[0].client);
  g_assert_cmpuint (n_taken (f, 0), ==, 2);

  /* None at all. */
  detour_relay_set_own_rate (f->relay, &f->peers[0].client, 0, 0);
  g_assert_cmpuint (n_taken (f, 0), ==, 4);
}

/* A frame without a payload is not free. */
static void
test_rate_of_empty_frames (Fixture *f, gconstpointer data)
{
  DetourClose why;
  gint64 resume_us;
  gsize used;

  join (f, 0);
  for (guint i = 0; i < 20000; i++)
    frame (f, 0xf0, 0);
  g_assert_cmpint (give_from (f, 0, f->input, f->input_len, &used, &why, &resume_us), ==,
                   DETOUR_INPUT_PAUSE);
  g_assert_cmpuint (used, <=, DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_SEND_MAX);
  g_assert_cmpuint (used, >, DETOUR_FRAME_SEND_MAX - DETOUR_FRAME_HEADER_SIZE);
}

static void
test_home (Fixture *f, gconstpointer data)
{
  const DetourRelayCounters *counters = detour_relay_counters (f->relay);

  join (f, 0);
  frame (f, DETOUR_FRAME_NOTE_PREFERRED, 1)[0] = 1;
  give (f, 0);
  g_assert_true (f->peers[0].client.is_preferred);
  g_assert_cmpuint (detour_counter_get (&counters->home_moves_in), ==, 0);

  f->now_us += 6 * G_USEC_PER_SEC;
  detour_relay_begin (f->relay, f->now_us);
  give (f, 0);
  g_assert_cmpuint (detour_counter_get (&counters->home_moves_in), ==, 0);
  f->input_len = 0;
  frame (f, DETOUR_FRAME_NOTE_PREFERRED, 1)[0] = 0;
  give (f, 0);
  frame (f, DETOUR_FRAME_NOTE_PREFERRED, 1)[0] = 0xff;
  give (f, 0);
  g_assert_cmpuint (detour_counter_get (&counters->home_moves_out), ==, 1);
  g_assert_cmpuint (detour_counter_get (&counters->home_moves_in), ==, 1);
}

static void
test_write_failed (Fixture *f, gconstpointer data)
{
  DetourSpan spans[8];
  DetourClient *client;
  gsize len;

  join (f, 0);
  join (f, 1);
  packet (f, 'B', 10, 0);
  give (f, 0);
  client = detour_relay_next (f->relay);
  g_assert_cmpuint (detour_relay_gather (f->relay, client, spans, 8, 16384, &len), ==, 1);
  detour_relay_write_failed (f->relay, client);
  g_assert_cmpuint (dropped (f, DETOUR_DROP_WRITE_ERROR, DETOUR_QUEUE_DATA), ==, 1);
  g_assert_cmpuint (client->tx_packets, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add (name, Fixture, NULL, setup, func, teardown)
  ADD ("/relay/all-sizes", test_sizes);
  ADD ("/relay/to-itself", test_to_itself);
  ADD ("/relay/order-of-a-run", test_order_and_runs);
  ADD ("/relay/a-run-is-one-span", test_runs_are_one_span);
  ADD ("/relay/frame-cut-everywhere", test_cut_everywhere);
  ADD ("/relay/refused-frames", test_refused_frames);
  ADD ("/relay/skipped-frames", test_skipped_frames);
  ADD ("/relay/not-here", test_not_here);
  ADD ("/relay/gone", test_gone);
  ADD ("/relay/gone-again", test_gone_again);
  ADD ("/relay/gone-comes-behind-packets", test_gone_in_order);
  ADD ("/relay/gone-comes-behind-packets-that-wait", test_gone_in_order_when_blocked);
  ADD ("/relay/notices-that-wait-are-limited", test_notices_are_limited);
  ADD ("/relay/late-packet-of-a-sender-that-left", test_late_packet);
  ADD ("/relay/duplicates", test_duplicates);
  ADD ("/relay/one-pong-at-a-time", test_ping);
  ADD ("/relay/greeting-goes-before-all", test_greeting_goes_before_all);
  ADD ("/relay/control-goes-first", test_control_goes_first);
  ADD ("/relay/health", test_health);
  ADD ("/relay/health-is-carried-along", test_health_is_carried_along);
  ADD ("/relay/packets-too-long-for-their-receiver", test_too_long);
  ADD ("/relay/control-longer-than-a-record", test_long_control);
  ADD ("/relay/control-that-was-sent-is-given-back", test_control_is_compacted);
  ADD ("/relay/blocked-receiver", test_blocked);
  ADD ("/relay/slow-and-stalled-receiver", test_slow_and_stalled);
  ADD ("/relay/receiver-leaves-while-packets-wait", test_left_while_waiting);
  ADD ("/relay/other-worker", test_other_worker);
  ADD ("/relay/spaces-are-apart", test_spaces);
  ADD ("/relay/mesh-frames", test_mesh_frames);
  ADD ("/relay/own-watcher", test_own_watcher);
  ADD ("/relay/home", test_home);
  ADD ("/relay/write-failed", test_write_failed);
  g_test_add ("/relay/receive-rate", Fixture, &slow_limits, setup, test_rate, teardown);
  g_test_add ("/relay/receive-rate-of-stalled", Fixture, &slow_limits, setup, test_rate_of_stalled,
              teardown);
  g_test_add ("/relay/receive-rate-of-empty-frames", Fixture, &slow_limits, setup,
              test_rate_of_empty_frames, teardown);
  g_test_add ("/relay/own-rate", Fixture, &slow_limits, setup, test_own_rate, teardown);
  g_test_add ("/relay/queue-memory", Fixture, &scarce_limits, setup, test_queue_memory, teardown);
  return g_test_run ();
}
