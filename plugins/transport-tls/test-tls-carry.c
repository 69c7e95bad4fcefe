/* test-tls-carry.c: a connection's channel is written down and read back by its name, as another
 * process would do it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-link.h"

#include "detour-channel-stack.h"
#include "detour-channel-table.h"
#include "test-upper-channel.h"

static DetourChannel
carry_over (TestLink *f, DetourChannel channel)
{
  g_autoptr (GBytes) saved = detour_channel_save (&channel);
  const char *reason;
  DetourChannel other;

  g_assert_nonnull (saved);
  detour_channel_clear (&channel);
  g_assert_true (detour_channel_restore (test_host_channels (f->host),
                                         g_bytes_get_data (saved, NULL), g_bytes_get_size (saved),
                                         &other, &reason));
  return other;
}

/* Both ways; the last byte of a record comes after the channel was carried over. */
static void
by_name (TestLink *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GByteArray) answer = NULL;
  struct iovec span = { (gpointer) "answer", 6 };
  DetourChannel channel;
  gboolean reply;
  ssize_t rc;

  test_host_start (f->host);
  test_link_shake_hands (f);
  channel = carry_over (f, (DetourChannel) { f->cls, f->channel });
  g_assert_true (channel.cls == f->cls);
  f->channel = channel.self;

  test_link_write (f, "question", 8);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 1, plain, &reply), ==,
                   DETOUR_CHANNEL_OK);
  g_assert_cmpmem (plain->data, plain->len, "question", 8);
  f->channel = carry_over (f, (DetourChannel) { f->cls, f->channel }).self;
  test_peer_seal (f->peer, f->cls, f->channel, &span, 1);
  answer = test_peer_read (f->peer, &rc);
  g_assert_cmpmem (answer->data, answer->len, "answer", 6);
}

/* With a channel over it, as a WebSocket would be. */
static void
with_one_over_it (TestLink *f, gconstpointer variant)
{
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GByteArray) answer = NULL;
  g_autoptr (GByteArray) expected = g_byte_array_new ();
  struct iovec span = { (gpointer) "answer", 6 };
  DetourChannel channel;
  gboolean reply;
  ssize_t rc;

  test_host_start (f->host);
  g_assert_true (detour_channel_table_add (test_host_channels (f->host), &test_upper_channel));
  test_link_shake_hands (f);
  channel = (DetourChannel) { f->cls, f->channel };
  detour_channel_stack_push (&channel,
                             (DetourChannel) { &test_upper_channel, test_upper_channel_new () });
  channel = carry_over (f, channel);
  f->cls = channel.cls;
  f->channel = channel.self;

  test_upper_put_frame (frame, "question", 8);
  test_link_write (f, frame->data, frame->len);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 1, plain, &reply), ==,
                   DETOUR_CHANNEL_OK);
  g_assert_cmpmem (plain->data, plain->len, "question", 8);
  test_peer_seal (f->peer, f->cls, f->channel, &span, 1);
  answer = test_peer_read (f->peer, &rc);
  test_upper_put_frame (expected, "answer", 6);
  g_assert_cmpmem (answer->data, answer->len, expected->data, expected->len);
}

/* Of a transport that does not run nothing is read back. */
static void
only_while_it_runs (TestLink *f, gconstpointer variant)
{
  DetourChannelTable *table = test_host_channels (f->host);
  const char *name;

  test_link_shake_hands (f);
  name = f->cls->name;
  g_assert_null (detour_channel_table_find (table, name));
  test_host_start (f->host);
  g_assert_true (detour_channel_table_find (table, name) == f->cls);
  test_host_stop (f->host);
  g_assert_null (detour_channel_table_find (table, name));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_LINK_ADD ("/tls-carry/by-name", &test_exported, by_name);
  TEST_LINK_ADD ("/tls-carry/with-one-over-it", &test_exported, with_one_over_it);
  TEST_LINK_ADD ("/tls-carry/only-while-it-runs", &test_exported, only_while_it_runs);
  return g_test_run ();
}
