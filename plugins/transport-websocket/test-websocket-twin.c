/* test-websocket-twin.c: a second implementation reads what we write, and writes what we read.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The other one is wslay. The plugin does not use it itself: it takes off a mask byte by byte,
 * keeps 4 KiB for each connection, and a state that cannot be written down. */
#include "config.h"

#include "websocket-channel.h"

#include <string.h>

#ifdef HAVE_WSLAY
#include <wslay/wslay.h>

#define SEED_TURNS 300

typedef struct {
  wslay_event_context_ptr context;
  GByteArray *wire;  /* from or to the other side */
  gsize at;          /* of `wire`, so far */
  GByteArray *plain; /* payloads of messages */
  GByteArray *pongs;
  guint close_code;
} Twin;

static ssize_t
twin_send (wslay_event_context_ptr context, const uint8_t *data, size_t len, int flags, void *user)
{
  Twin *twin = user;

  g_byte_array_append (twin->wire, data, (guint) len);
  return (ssize_t) len;
}

static ssize_t
twin_recv (wslay_event_context_ptr context, uint8_t *room, size_t len, int flags, void *user)
{
  Twin *twin = user;
  gsize n = MIN (len, twin->wire->len - twin->at);

  if (n == 0)
    {
      wslay_event_set_error (context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
  memcpy (room, twin->wire->data + twin->at, n);
  twin->at += n;
  return (ssize_t) n;
}

static int
twin_mask (wslay_event_context_ptr context, uint8_t *room, size_t len, void *user)
{
  for (size_t i = 0; i < len; i++)
    room[i] = (uint8_t) g_test_rand_int ();
  return 0;
}

static void
twin_message (wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *message,
              void *user)
{
  Twin *twin = user;

  if (message->opcode == WSLAY_BINARY_FRAME)
    g_byte_array_append (twin->plain, message->msg, (guint) message->msg_length);
  else if (message->opcode == WSLAY_PONG)
    g_byte_array_append (twin->pongs, message->msg, (guint) message->msg_length);
  else if (message->opcode == WSLAY_CONNECTION_CLOSE)
    twin->close_code = message->status_code;
  else
    g_assert_not_reached ();
}

static void
twin_init (Twin *twin)
{
  static const struct wslay_event_callbacks callbacks = {
    .recv_callback = twin_recv,
    .send_callback = twin_send,
    .genmask_callback = twin_mask,
    .on_msg_recv_callback = twin_message,
  };

  *twin = (Twin) { .wire = g_byte_array_new (),
                   .plain = g_byte_array_new (),
                   .pongs = g_byte_array_new () };
  g_assert_cmpint (wslay_event_context_client_init (&twin->context, &callbacks, twin), ==, 0);
}

static void
twin_clear (Twin *twin)
{
  wslay_event_context_free (twin->context);
  g_byte_array_unref (twin->wire);
  g_byte_array_unref (twin->plain);
  g_byte_array_unref (twin->pongs);
}

static GByteArray *
random_bytes (gsize len)
{
  GByteArray *bytes = g_byte_array_sized_new ((guint) len);

  for (gsize i = 0; i < len; i++)
    {
      const guint8 byte = (guint8) g_test_rand_int ();

      g_byte_array_append (bytes, &byte, 1);
    }
  return bytes;
}

static gsize
random_length (void)
{
  static const gsize most[] = { 2, 130, 2000, 70000 };

  return (gsize) g_test_rand_int_range (0, (gint32) most[g_test_rand_int_range (0, 4)]);
}

typedef struct {
  const GByteArray *bytes;
  gsize at;
} Source;

/* Parts of a message as they come, each a fragment. */
static ssize_t
twin_read_part (wslay_event_context_ptr context, uint8_t *room, size_t len,
                const union wslay_event_msg_source *from, int *end, void *user)
{
  Source *source = from->data;
  gsize wish = random_length ();
  gsize n = MIN (MIN (len, wish), source->bytes->len - source->at);

  if (n > 0)
    memcpy (room, source->bytes->data + source->at, n);
  source->at += n;
  *end = source->at == source->bytes->len;
  return (ssize_t) n;
}

static void
feed_in_pieces (gpointer self, const GByteArray *wire, GByteArray *plain, GByteArray *answers)
{
  for (gsize at = 0; at < wire->len;)
    {
      gsize wish = random_length () + 1;
      gsize n = MIN (wire->len - at, wish);
      g_autofree guint8 *room = g_malloc (n);
      guint8 reply_room[DETOUR_CHANNEL_SEAL_BOUND (0)];
      DetourBuffer out = { room, 0, n };
      DetourBuffer answer = { reply_room, 0, sizeof reply_room };
      gboolean reply = FALSE;

      g_assert_cmpint (websocket_channel_class.feed (self, wire->data + at, n, &out, &reply), ==,
                       DETOUR_CHANNEL_OK);
      g_byte_array_append (plain, out.data, (guint) out.len);
      if (reply)
        g_assert_true (websocket_channel_class.seal (self, NULL, 0, &answer));
      g_byte_array_append (answers, answer.data, (guint) answer.len);
      at += n;
    }
}

static void
test_it_writes (void)
{
  for (guint turn = 0; turn < SEED_TURNS; turn++)
    {
      gpointer self = websocket_channel_new (0);
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      g_autoptr (GByteArray) answers = g_byte_array_new ();
      g_autoptr (GByteArray) bytes = random_bytes (random_length ());
      Source source = { bytes, 0 };
      const struct wslay_event_fragmented_msg parts = { .opcode = WSLAY_BINARY_FRAME,
                                                        .source = { .data = &source },
                                                        .read_callback = twin_read_part };
      const struct wslay_event_msg whole = { WSLAY_BINARY_FRAME, bytes->data, bytes->len };
      const struct wslay_event_msg ping = { WSLAY_PING, bytes->data, MIN (bytes->len, 125) };
      Twin twin;

      twin_init (&twin);
      wslay_event_queue_fragmented_msg (twin.context, &parts);
      wslay_event_queue_msg (twin.context, &ping);
      wslay_event_queue_msg (twin.context, &whole);
      while (wslay_event_want_write (twin.context))
        g_assert_cmpint (wslay_event_send (twin.context), ==, 0);
      feed_in_pieces (self, twin.wire, plain, answers);
      g_assert_cmpuint (plain->len, ==, 2 * bytes->len);
      g_assert_cmpmem (plain->data, bytes->len, bytes->data, bytes->len);
      g_assert_cmpmem (plain->data + bytes->len, bytes->len, bytes->data, bytes->len);

      /* It takes our answer for what it is. */
      g_byte_array_set_size (twin.wire, 0);
      g_byte_array_append (twin.wire, answers->data, answers->len);
      g_assert_cmpint (wslay_event_recv (twin.context), ==, 0);
      g_assert_cmpmem (twin.pongs->data, twin.pongs->len, ping.msg, ping.msg_length);
      twin_clear (&twin);
      websocket_channel_class.free (self);
    }
}

static void
test_it_reads (void)
{
  for (guint turn = 0; turn < SEED_TURNS; turn++)
    {
      gpointer self = websocket_channel_new (0);
      g_autoptr (GByteArray) bytes = random_bytes (random_length ());
      gsize cut = bytes->len / 3;
      const struct iovec spans[] = { { bytes->data, cut },
                                     { bytes->data + cut, bytes->len - cut } };
      gsize cap = DETOUR_CHANNEL_SEAL_BOUND (bytes->len) + DETOUR_CHANNEL_SEAL_BOUND (0);
      g_autofree guint8 *room = g_malloc (cap);
      DetourBuffer out = { room, 0, cap };
      Twin twin;

      twin_init (&twin);
      g_assert_true (websocket_channel_class.seal (self, spans, G_N_ELEMENTS (spans), &out));
      websocket_channel_class.close (self, &out);
      g_byte_array_append (twin.wire, out.data, (guint) out.len);
      g_assert_cmpint (wslay_event_recv (twin.context), ==, 0);
      g_assert_cmpmem (twin.plain->data, twin.plain->len, bytes->data, bytes->len);
      g_assert_cmpuint (twin.close_code, ==, 1000);
      twin_clear (&twin);
      websocket_channel_class.free (self);
    }
}

#else

static void
test_it_writes (void)
{
  g_test_skip ("built without wslay (Debian: libwslay-dev)");
}

#define test_it_reads test_it_writes

#endif

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/websocket-twin/reads-what-we-write", test_it_reads);
  g_test_add_func ("/websocket-twin/writes-what-we-read", test_it_writes);
  return g_test_run ();
}
