/* test-session-record.c: tests of sessions that are written down and read back: random ones, cut
 * ones, and those of a newer program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-session-record.h"

#include <string.h>

#include "detour-channel-stack.h"

enum { TAG = 77 };

static guint
test_below (guint n)
{
  return (guint) g_test_rand_int_range (0, (gint32) n);
}

static guint64
test_number (void)
{
  return (guint64) (guint32) g_test_rand_int () << test_below (32);
}

static void
test_fill (guint8 *out, gsize len)
{
  for (gsize i = 0; i < len; i++)
    out[i] = (guint8) test_below (256);
}

static GByteArray *
test_array (guint max)
{
  guint len = test_below (max);
  GByteArray *array = g_byte_array_new ();

  g_byte_array_set_size (array, len + 1);
  test_fill (array->data, array->len);
  return array;
}

static void
test_fill_queue (DetourQueue **queue)
{
  static const DetourQueueLimits limits = { 100, 1 << 20 };

  for (guint n = 1 + test_below (30); n > 0; n--)
    {
      gsize len = DETOUR_FRAME_RECV_HEAD_SIZE + test_below (400);
      guint8 frame[DETOUR_FRAME_RECV_HEAD_SIZE + 400];
      DetourKey key;

      test_fill (frame, len);
      test_fill (key.bytes, sizeof key.bytes);
      if (test_below (4) == 0)
        {
          detour_queue_push_notice (
              queue, NULL, frame,
              detour_frame_put_peer_gone (frame, &key, DETOUR_FRAME_GONE_DISCONNECTED));
          continue;
        }
      detour_frame_put_header (frame, DETOUR_FRAME_RECV_PACKET,
                               (guint32) (len - DETOUR_FRAME_HEADER_SIZE));
      if (test_below (3) == 0 && len >= DETOUR_FRAME_RECV_HEAD_SIZE + 62)
        memcpy (frame + DETOUR_FRAME_RECV_HEAD_SIZE, "TS\xf0\x9f\x92\xac", 6);
      detour_queue_push (queue, NULL, &limits,
                         detour_queue_kind_of (frame + DETOUR_FRAME_RECV_HEAD_SIZE,
                                               len - DETOUR_FRAME_RECV_HEAD_SIZE),
                         frame, len, NULL, NULL);
    }
}

static GArray *
test_contacts (void)
{
  GArray *contacts = g_array_new (FALSE, FALSE, sizeof (DetourKey));

  g_array_set_size (contacts, 1 + test_below (20));
  test_fill ((guint8 *) contacts->data, contacts->len * sizeof (DetourKey));
  return contacts;
}

static DetourVerdict *
test_verdict (void)
{
  return detour_verdict_new (&(DetourVerdict) {
      .result = (DetourAuthResult) test_below (3),
      .flags = (DetourVerdictFlags) test_below (16),
      .instance = "auth/friends",
      .label = test_below (2) > 0 ? "Grüße" : NULL,
      .class_ = test_below (2) > 0 ? "friends" : NULL,
      .reason = test_below (2) > 0 ? "" : NULL,
      .until_us = (gint64) (test_number () >> 1),
  });
}

static void
test_fill_client (DetourClientState *client)
{
  *client = (DetourClientState) {
    .output = test_below (2) > 0 ? test_array (500) : NULL,
    .contacts = test_below (2) > 0 ? test_contacts () : NULL,
    .login_us = (gint64) (test_number () >> 1),
    .rx_packets = test_number (),
    .rx_bytes = test_number (),
    .tx_packets = test_number (),
    .tx_bytes = test_number (),
    .dropped_packets = test_number (),
    .dropped_long = (guint32) g_test_rand_int (),
    .bucket = { (gint64) (test_number () >> 1), (gint64) (test_number () >> 1) },
    .is_active = test_below (2) > 0,
    .is_preferred = test_below (2) > 0,
    .is_watcher = test_below (2) > 0,
    .was_told = test_below (2) > 0,
    .is_hushed = test_below (2) > 0,
    .health = test_below (16) & ~(guint) DETOUR_HEALTH_DUPLICATE,
  };
  if (test_below (2) > 0)
    test_fill_queue (&client->queue);
}

static void
test_fill_link (DetourSession *session)
{
  DetourRelayLinkCounters *counters;
  guint8 frame[DETOUR_FRAME_FORWARD_HEAD_SIZE + 100];
  static const DetourQueueLimits limits = { 100, 1 << 20 };

  session->link = detour_link_tie_new (&session->key, test_below (2) > 0 ? "west" : "");
  session->keys = test_below (2) > 0 ? test_contacts () : NULL;
  counters = &session->link->relay.counters;
  counters->packets.value = test_number ();
  counters->bytes.value = test_number ();
  for (guint i = 0; i < DETOUR_N_DROPS; i++)
    counters->packets_dropped[i].value = test_number ();
  test_fill (frame, sizeof frame);
  detour_frame_put_header (frame, DETOUR_FRAME_FORWARD_PACKET,
                           sizeof frame - DETOUR_FRAME_HEADER_SIZE);
  detour_queue_push (&session->client.queue, NULL, &limits, DETOUR_QUEUE_DATA, frame, sizeof frame,
                     NULL, NULL);
}

static DetourSession *
test_session (void)
{
  DetourSession *session = g_new0 (DetourSession, 1);
  DetourPresence *presence = &session->presence;

  session->fd = -1;
  session->channel = (DetourChannel) { &detour_channel_plain, NULL };
  session->number = test_number ();
  session->listener = g_intern_string (test_below (2) > 0 ? "transport/https" : "transport/http");
  session->address_key = (DetourAddressKey) { test_number (), test_number () };
  session->sealed = test_below (2) > 0 ? test_array (1000) : NULL;
  session->input = test_below (2) > 0 ? test_array (1000) : NULL;
  session->owes_reply = test_below (2) > 0;
  session->was_slowed = test_below (2) > 0;
  session->window_kib = (guint16) test_below (65536);
  session->watched_by = test_below (3);
  session->watched_events = test_below (6);
  session->keep_alive_us = (gint64) (test_number () >> 1);
  test_fill (session->key.bytes, sizeof session->key.bytes);
  test_fill (presence->ip, sizeof presence->ip);
  presence->port = (guint16) test_below (65536);
  presence->flags = (guint8) (1 + test_below (15));
  presence->name_len = (guint8) test_below (DETOUR_FRAME_APP_NAME_MAX + 1);
  test_fill ((guint8 *) presence->name, presence->name_len);
  session->is_mesh = test_below (2) > 0;
  session->traits = (DetourClientTraits) { (DetourClientKind) test_below (DETOUR_N_CLIENT_KINDS),
                                           test_below (2) > 0, test_below (2) > 0 };
  session->verdict = test_below (4) > 0 ? test_verdict () : NULL;
  test_fill_client (&session->client);
  if (test_below (3) == 0)
    test_fill_link (session);
  return session;
}

/* Comparing ------------------------------------------------------------------------------------ */

static void
test_compare_arrays (const GByteArray *a, const GByteArray *b)
{
  g_assert_true ((a == NULL) == (b == NULL));
  if (a != NULL)
    g_assert_cmpmem (a->data, a->len, b->data, b->len);
}

static void
test_note_queued (const DetourQueued *queued, gpointer user)
{
  g_byte_array_append (user, &queued->kind, 1);
  g_byte_array_append (user, queued->frame, queued->len);
}

static void
test_compare_queues (const DetourQueue *a, const DetourQueue *b)
{
  g_autoptr (GByteArray) left = g_byte_array_new (), right = g_byte_array_new ();

  g_assert_cmpuint (detour_queue_n_packets (a), ==, detour_queue_n_packets (b));
  g_assert_cmpuint (detour_queue_n_bytes (a), ==, detour_queue_n_bytes (b));
  detour_queue_each (a, test_note_queued, left);
  detour_queue_each (b, test_note_queued, right);
  test_compare_arrays (left, right);
}

static void
test_compare_clients (const DetourClientState *a, const DetourClientState *b)
{
  test_compare_arrays (a->output, b->output);
  test_compare_queues (a->queue, b->queue);
  g_assert_true ((a->contacts == NULL) == (b->contacts == NULL));
  if (a->contacts != NULL)
    g_assert_cmpmem (a->contacts->data, a->contacts->len * sizeof (DetourKey), b->contacts->data,
                     b->contacts->len * sizeof (DetourKey));
  g_assert_cmpint (a->login_us, ==, b->login_us);
  g_assert_cmpuint (a->rx_packets, ==, b->rx_packets);
  g_assert_cmpuint (a->rx_bytes, ==, b->rx_bytes);
  g_assert_cmpuint (a->tx_packets, ==, b->tx_packets);
  g_assert_cmpuint (a->tx_bytes, ==, b->tx_bytes);
  g_assert_cmpuint (a->dropped_packets, ==, b->dropped_packets);
  g_assert_cmpuint (a->dropped_long, ==, b->dropped_long);
  g_assert_cmpint (a->bucket.at_us, ==, b->bucket.at_us);
  g_assert_cmpint (a->bucket.millionths, ==, b->bucket.millionths);
  g_assert_true (a->is_active == b->is_active && a->is_preferred == b->is_preferred
                 && a->is_watcher == b->is_watcher && a->was_told == b->was_told
                 && a->is_hushed == b->is_hushed && a->health == b->health);
}

static void
test_compare (const DetourSession *a, const DetourSession *b)
{
  g_assert_cmpstr (detour_channel_stack_way (&a->channel), ==,
                   detour_channel_stack_way (&b->channel));
  g_assert_cmpuint (a->number, ==, b->number);
  g_assert_true (a->listener == b->listener);
  g_assert_true (detour_address_key_equal (&a->address_key, &b->address_key));
  test_compare_arrays (a->sealed, b->sealed);
  test_compare_arrays (a->input, b->input);
  g_assert_cmpuint (a->window_kib, ==, b->window_kib);
  g_assert_true (a->watched_by == b->watched_by && a->watched_events == b->watched_events);
  g_assert_true (a->owes_reply == b->owes_reply && a->was_slowed == b->was_slowed
                 && a->is_mesh == b->is_mesh && a->keep_alive_us == b->keep_alive_us);
  g_assert_cmpmem (&a->key, sizeof a->key, &b->key, sizeof b->key);
  g_assert_cmpmem (&a->presence, sizeof a->presence, &b->presence, sizeof b->presence);
  g_assert_true (a->traits.kind == b->traits.kind && a->traits.takes_extra == b->traits.takes_extra
                 && a->traits.ends_on_long == b->traits.ends_on_long);
  g_assert_true ((a->verdict == NULL) == (b->verdict == NULL));
  if (a->verdict != NULL)
    {
      g_assert_true (detour_verdict_equal (a->verdict, b->verdict));
      g_assert_cmpint (a->verdict->until_us, ==, b->verdict->until_us);
    }
  test_compare_clients (&a->client, &b->client);
  g_assert_true ((a->link == NULL) == (b->link == NULL));
  if (a->link == NULL)
    return;
  g_assert_cmpstr (a->link->name, ==, b->link->name);
  g_assert_true (detour_key_equal (&a->key, &b->link->relay.peer.key));
  g_assert_true ((a->keys == NULL) == (b->keys == NULL));
  if (a->keys != NULL)
    g_assert_cmpmem (a->keys->data, a->keys->len * sizeof (DetourKey), b->keys->data,
                     b->keys->len * sizeof (DetourKey));
  g_assert_cmpmem (&a->link->relay.counters, sizeof a->link->relay.counters,
                   &b->link->relay.counters, sizeof b->link->relay.counters);
}

/* Tests ---------------------------------------------------------------------------------------- */

static DetourRecordItem
test_write (DetourRecord *record, const DetourSession *session, guint32 fd)
{
  DetourRecordReader reader;
  DetourRecordItem item;

  detour_record_empty (record);
  g_assert_true (detour_session_record_write (record, TAG, session, fd));
  reader = (DetourRecordReader) { record->data, record->len };
  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
  g_assert_cmpuint (reader.left, ==, 0);
  return item;
}

static void
test_random (void)
{
  g_autoptr (DetourChannelTable) table = detour_channel_table_new ();
  g_auto (DetourRecord) record = { NULL };

  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (DetourSession) session = test_session ();
      guint32 fd = (guint32) g_test_rand_int ();
      DetourRecordItem item = test_write (&record, session, fd);
      g_auto (DetourSessionRecord) read = { NULL };
      const char *reason = NULL;

      g_assert_true (detour_session_record_read (&item, table, &read, &reason));
      g_assert_cmpuint (read.fd, ==, fd);
      g_assert_null (read.tenant);
      g_assert_cmpint (read.session->fd, ==, -1);
      test_compare (session, read.session);
    }
}

/* Whatever is missing at the end, it is refused or the session is without what came last; nothing
 * is read that is not there. */
static void
test_cut (void)
{
  g_autoptr (DetourChannelTable) table = detour_channel_table_new ();
  g_auto (DetourRecord) record = { NULL };
  g_autoptr (DetourSession) session = test_session ();
  DetourRecordItem item = test_write (&record, session, 3);
  gsize n_good = 0;

  for (gsize len = 0; len < item.len; len++)
    {
      g_autofree guint8 *copy = g_memdup2 (item.data, MAX (len, 1));
      DetourRecordItem cut = { TAG, copy, len };
      DetourSessionRecord read;
      const char *reason = NULL;

      if (detour_session_record_read (&cut, table, &read, &reason))
        {
          n_good++;
          detour_session_record_clear (&read);
        }
      else
        g_assert_nonnull (reason);
    }
  g_assert_cmpuint (n_good, <, 100);
}

static gboolean
test_reads_with (guint16 tag)
{
  g_autoptr (DetourChannelTable) table = detour_channel_table_new ();
  g_auto (DetourRecord) record = { NULL };
  g_autoptr (DetourSession) session = test_session ();
  DetourRecordItem item = test_write (&record, session, 3);
  g_auto (DetourRecord) longer = { NULL };
  g_auto (DetourSessionRecord) read = { NULL };
  DetourRecordReader reader = detour_record_inside (&item);
  DetourRecordItem inner;
  const char *reason = NULL;

  detour_record_put (&longer, tag, "new", 3);
  while (detour_record_next (&reader, &inner) == DETOUR_RECORD_ITEM)
    detour_record_put (&longer, inner.tag, inner.data, inner.len);
  item = (DetourRecordItem) { TAG, longer.data, longer.len };
  return detour_session_record_read (&item, table, &read, &reason);
}

/* What a newer program wrote is left out, unless that would do harm. */
static void
test_newer (void)
{
  g_assert_true (test_reads_with (1000));
  g_assert_false (test_reads_with (1000 | DETOUR_RECORD_MUST));
}

/* A reader is told beforehand of all tags that it has to know. */
static void
test_tags (void)
{
  g_auto (DetourRecord) tags = { NULL };
  g_auto (DetourRecord) more = { NULL };
  DetourRecordReader reader;
  DetourRecordItem known, item;

  detour_session_record_write_tags (&tags, TAG);
  reader = (DetourRecordReader) { tags.data, tags.len };
  g_assert_cmpint (detour_record_next (&reader, &known), ==, DETOUR_RECORD_ITEM);
  g_assert_true (detour_session_record_knows_tags (&known));
  for (guint i = 0; i < 100; i++)
    {
      g_auto (DetourRecord) record = { NULL };
      g_autoptr (DetourSession) session = test_session ();
      DetourRecordItem inner;

      item = test_write (&record, session, 3);
      reader = detour_record_inside (&item);
      while (detour_record_next (&reader, &inner) == DETOUR_RECORD_ITEM)
        if ((inner.tag & DETOUR_RECORD_MUST) != 0)
          {
            DetourRecordReader list = detour_record_inside (&known);
            DetourRecordItem tag = { 0 };

            while (tag.tag != inner.tag)
              g_assert_cmpint (detour_record_next (&list, &tag), ==, DETOUR_RECORD_ITEM);
          }
    }
  detour_record_put (&more, 1000 | DETOUR_RECORD_MUST, NULL, 0);
  item = (DetourRecordItem) { TAG, more.data, more.len };
  g_assert_false (detour_session_record_knows_tags (&item));
}

/* Another thing twice, or a session without the half of it, is no session. */
static void
test_without (void)
{
  const guint16 musts[] = { 1 | DETOUR_RECORD_MUST, 2 | DETOUR_RECORD_MUST,
                            6 | DETOUR_RECORD_MUST };
  g_autoptr (DetourChannelTable) table = detour_channel_table_new ();
  g_auto (DetourRecord) record = { NULL };
  g_autoptr (DetourSession) session = test_session ();
  DetourRecordItem item = test_write (&record, session, 3);

  for (guint i = 0; i < G_N_ELEMENTS (musts); i++)
    {
      g_auto (DetourRecord) shorter = { NULL };
      DetourRecordReader reader = detour_record_inside (&item);
      DetourSessionRecord read;
      DetourRecordItem inner, rest;
      const char *reason = NULL;

      while (detour_record_next (&reader, &inner) == DETOUR_RECORD_ITEM)
        if (inner.tag != musts[i])
          detour_record_put (&shorter, inner.tag, inner.data, inner.len);
      rest = (DetourRecordItem) { TAG, shorter.data, shorter.len };
      g_assert_false (detour_session_record_read (&rest, table, &read, &reason));
    }
}

static const DetourChannelClass silent_class = { .name = "silent" };

/* A record layer that cannot be written down is said so, and leaves nothing behind. */
static void
test_cannot_go (void)
{
  g_auto (DetourRecord) record = { NULL };
  DetourSession *session = test_session ();

  session->channel = (DetourChannel) { &silent_class, NULL };
  g_assert_false (detour_session_record_write (&record, TAG, session, 3));
  g_assert_cmpuint (record.len, ==, 0);
  session->channel = (DetourChannel) { NULL };
  detour_session_free (session);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session-record/random", test_random);
  g_test_add_func ("/session-record/cut", test_cut);
  g_test_add_func ("/session-record/newer", test_newer);
  g_test_add_func ("/session-record/tags", test_tags);
  g_test_add_func ("/session-record/without", test_without);
  g_test_add_func ("/session-record/cannot-go", test_cannot_go);
  return g_test_run ();
}
