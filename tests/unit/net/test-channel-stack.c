/* test-channel-stack.c: channels over channels, and how they are written down and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-channel-stack.h"
#include "detour-channel-table.h"
#include "test-upper-channel.h"

#include <string.h>

/* The upper channel under another name, to have two. */
static DetourChannelClass lower_class;

static DetourChannelTable *table;

static DetourChannel
two_layers (void)
{
  DetourChannel channel = { &lower_class, test_upper_channel_new () };

  detour_channel_stack_push (&channel,
                             (DetourChannel) { &test_upper_channel, test_upper_channel_new () });
  g_assert_true (channel.cls == &detour_channel_stack);
  return channel;
}

/* What the peer of two layers writes for @inner, bytes of the upper layer. */
static GByteArray *
wrap (const GByteArray *inner)
{
  GByteArray *wire = g_byte_array_new ();

  test_upper_put_frame (wire, inner->data, inner->len);
  return wire;
}

static GByteArray *
message (void)
{
  g_autoptr (GByteArray) inner = g_byte_array_new ();

  test_upper_put_frame (inner, "one", 3);
  test_upper_put_frame (inner, "", 0);
  test_upper_put_frame (inner, "three", 5);
  return wrap (inner);
}

static DetourChannelResult
feed (DetourChannel *channel, const guint8 *data, gsize len, GByteArray *plain, gboolean *reply)
{
  g_autofree guint8 *room = g_malloc (len + DETOUR_CHANNEL_FEED_SLACK);
  DetourBuffer out = { room, 0, len + DETOUR_CHANNEL_FEED_SLACK };
  DetourChannelResult result = detour_channel_feed (channel, data, len, &out, reply);

  g_byte_array_append (plain, room, (guint) out.len);
  return result;
}

/* Cut anywhere, and carried over to another process at the cut. */
static void
carried_at_any_byte (void)
{
  g_autoptr (GByteArray) wire = message ();

  for (guint cut = 0; cut <= wire->len; cut++)
    {
      DetourChannel channel = two_layers ();
      DetourChannel other;
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      g_autoptr (GBytes) saved = NULL;
      g_autofree guint8 *exact = NULL;
      const char *reason;
      gboolean reply;

      g_assert_cmpint (feed (&channel, wire->data, cut, plain, &reply), ==, DETOUR_CHANNEL_OK);
      g_assert_false (reply);
      saved = detour_channel_save (&channel);
      detour_channel_clear (&channel);
      exact = g_memdup2 (g_bytes_get_data (saved, NULL), g_bytes_get_size (saved));
      g_assert_true (
          detour_channel_restore (table, exact, g_bytes_get_size (saved), &other, &reason));
      g_assert_cmpint (feed (&other, wire->data + cut, wire->len - cut, plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
      g_assert_cmpmem (plain->data, plain->len, "onethree", 8);
      detour_channel_clear (&other);
    }
}

static void
sealed_twice (void)
{
  DetourChannel channel = two_layers ();
  DetourChannel peer = two_layers ();
  struct iovec spans[] = { { (gpointer) "hel", 3 }, { (gpointer) "lo", 2 } };
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (5)];
  DetourBuffer out = { room, 0, sizeof room };
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  gboolean reply;

  g_assert_true (detour_channel_seal (&channel, spans, 2, &out));
  g_assert_cmpuint (out.len, ==, 5 + 2 * 2);
  g_assert_cmpint (feed (&peer, room, out.len, plain, &reply), ==, DETOUR_CHANNEL_OK);
  g_assert_cmpmem (plain->data, plain->len, "hello", 5);

  /* Nothing to say is nothing on the wire, for the lower one as well. */
  out.len = 0;
  g_assert_true (detour_channel_seal (&channel, NULL, 0, &out));
  g_assert_cmpuint (out.len, ==, 0);

  /* Both say goodbye, the upper one first, so the peer hears of it as data of the lower one. */
  detour_channel_close (&channel, &out);
  g_assert_cmpuint (out.len, ==, 2 + 2 + 2);
  g_assert_cmpint (feed (&peer, room, 4, plain, &reply), ==, DETOUR_CHANNEL_CLOSED);
  detour_channel_clear (&channel);
  detour_channel_clear (&peer);
}

/* The upper one has an answer: seal() without spans sends it through the lower one. */
static void
reply_of_the_upper_one (void)
{
  g_autoptr (GByteArray) inner = g_byte_array_new ();
  g_autoptr (GByteArray) wire = NULL;
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  DetourChannel channel = two_layers ();
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (0)];
  DetourBuffer out = { room, 0, sizeof room };
  gboolean reply;

  test_upper_put_frame (inner, "x", 1);
  test_upper_put_ping (inner);
  wire = wrap (inner);
  g_assert_cmpint (feed (&channel, wire->data, wire->len, plain, &reply), ==, DETOUR_CHANNEL_OK);
  g_assert_cmpmem (plain->data, plain->len, "x", 1);
  g_assert_true (reply);
  g_assert_true (detour_channel_seal (&channel, NULL, 0, &out));
  g_assert_cmpuint (out.len, ==, 2 + 2);
  detour_channel_clear (&channel);
}

static void
reply_of_the_lower_one (void)
{
  g_autoptr (GByteArray) wire = g_byte_array_new ();
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  DetourChannel channel = two_layers ();
  gboolean reply;

  test_upper_put_ping (wire);
  g_assert_cmpint (feed (&channel, wire->data, wire->len, plain, &reply), ==, DETOUR_CHANNEL_OK);
  g_assert_true (reply);
  detour_channel_clear (&channel);
}

/* What came before a goodbye still counts. */
static void
goodbyes (void)
{
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GByteArray) inner = g_byte_array_new ();
      g_autoptr (GByteArray) wire = NULL;
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      DetourChannel channel = two_layers ();
      gboolean reply;

      test_upper_put_frame (inner, "last", 4);
      if (i == 0)
        test_upper_put_goodbye (inner);
      wire = wrap (inner);
      if (i == 1)
        test_upper_put_goodbye (wire);
      g_assert_cmpint (feed (&channel, wire->data, wire->len, plain, &reply), ==,
                       DETOUR_CHANNEL_CLOSED);
      g_assert_cmpmem (plain->data, plain->len, "last", 4);
      detour_channel_clear (&channel);
    }
}

static void
broken (void)
{
  g_autoptr (GByteArray) inner = g_byte_array_new ();
  g_autoptr (GByteArray) wire = NULL;
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  DetourChannel channel = two_layers ();
  const guint8 bad[] = { 0xff, 0xf0 };
  gboolean reply;

  g_byte_array_append (inner, bad, sizeof bad);
  wire = wrap (inner);
  g_assert_cmpint (feed (&channel, wire->data, wire->len, plain, &reply), ==, DETOUR_CHANNEL_BAD);
  detour_channel_clear (&channel);
}

static void
over_plain (void)
{
  DetourChannel channel = { &detour_channel_plain, NULL };

  detour_channel_stack_push (&channel,
                             (DetourChannel) { &test_upper_channel, test_upper_channel_new () });
  g_assert_true (channel.cls == &test_upper_channel);
  detour_channel_clear (&channel);
}

/* As many as there may be. */
static void
tower (void)
{
  DetourChannel channel = two_layers ();
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GBytes) saved = NULL;
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (2)];
  DetourBuffer out = { room, 0, sizeof room };
  struct iovec span = { (gpointer) "hi", 2 };
  DetourChannel other;
  const char *reason;
  gboolean reply;

  for (guint i = 1; i < DETOUR_CHANNEL_STACK_MAX; i++)
    detour_channel_stack_push (&channel,
                               (DetourChannel) { &test_upper_channel, test_upper_channel_new () });
  saved = detour_channel_save (&channel);
  g_assert_true (detour_channel_restore (table, g_bytes_get_data (saved, NULL),
                                         g_bytes_get_size (saved), &other, &reason));
  g_assert_true (detour_channel_seal (&channel, &span, 1, &out));
  g_assert_cmpuint (out.len, ==, 2 + 2 * (DETOUR_CHANNEL_STACK_MAX + 1));
  g_assert_cmpint (feed (&other, room, out.len, plain, &reply), ==, DETOUR_CHANNEL_OK);
  g_assert_cmpmem (plain->data, plain->len, "hi", 2);
  detour_channel_clear (&channel);
  detour_channel_clear (&other);
}

/* ---- the table ------------------------------------------------------------------------------- */

static void
names (void)
{
  static const DetourChannelClass twin = { .name = "upper" };
  static const DetourChannelClass stack = { .name = "stack" };
  g_autoptr (DetourChannelTable) own = detour_channel_table_new ();

  g_assert_true (detour_channel_table_find (own, "plain") == &detour_channel_plain);
  g_assert_null (detour_channel_table_find (own, "upper"));
  g_assert_true (detour_channel_table_add (own, &test_upper_channel));
  g_assert_true (detour_channel_table_add (own, &test_upper_channel));
  g_assert_false (detour_channel_table_add (own, &twin));
  g_assert_false (detour_channel_table_add (own, &stack));
  detour_channel_table_remove (own, &test_upper_channel);
  g_assert_true (detour_channel_table_find (own, "upper") == &test_upper_channel);
  detour_channel_table_remove (own, &test_upper_channel);
  g_assert_null (detour_channel_table_find (own, "upper"));
  g_assert_true (detour_channel_table_add (own, &twin));
}

static void
refused (void)
{
  DetourChannel channel = two_layers ();
  g_autoptr (GBytes) saved = detour_channel_save (&channel);
  g_autoptr (DetourChannelTable) empty = detour_channel_table_new ();
  gsize len = g_bytes_get_size (saved);
  g_autofree guint8 *longer = g_malloc0 (len + 1);
  const char *reason;
  DetourChannel other;

  detour_channel_clear (&channel);
  memcpy (longer, g_bytes_get_data (saved, NULL), len);
  g_assert_false (detour_channel_restore (table, longer, len + 1, &other, &reason));
  for (gsize n = 0; n < len; n++)
    {
      g_autofree guint8 *prefix = g_memdup2 (longer, n);

      /* The first part alone is a channel of its own. */
      if (detour_channel_restore (table, prefix, n, &other, &reason))
        {
          g_assert_true (other.cls == &test_upper_channel);
          detour_channel_clear (&other);
        }
      g_assert_null (other.cls);
    }
  g_assert_false (detour_channel_restore (empty, longer, len, &other, &reason));
  g_assert_nonnull (strstr (reason, "no transport"));
}

static void
plain (void)
{
  DetourChannel channel = { &detour_channel_plain, NULL };
  g_autoptr (GBytes) saved = detour_channel_save (&channel);
  DetourChannel other;
  const char *reason;

  g_assert_true (detour_channel_restore (table, g_bytes_get_data (saved, NULL),
                                         g_bytes_get_size (saved), &other, &reason));
  g_assert_true (detour_channel_is_plain (&other));
}

static void
one_that_cannot_be_saved (void)
{
  DetourChannelClass mute = test_upper_channel;
  DetourChannel channel = two_layers ();

  mute.save = NULL;
  detour_channel_stack_push (&channel, (DetourChannel) { &mute, test_upper_channel_new () });
  g_assert_null (detour_channel_save (&channel));
  detour_channel_clear (&channel);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  lower_class = test_upper_channel;
  lower_class.name = "lower";
  table = detour_channel_table_new ();
  g_assert_true (detour_channel_table_add (table, &lower_class));
  g_assert_true (detour_channel_table_add (table, &test_upper_channel));
  g_test_add_func ("/channel-stack/carried-at-any-byte", carried_at_any_byte);
  g_test_add_func ("/channel-stack/sealed-twice", sealed_twice);
  g_test_add_func ("/channel-stack/reply-of-the-upper-one", reply_of_the_upper_one);
  g_test_add_func ("/channel-stack/reply-of-the-lower-one", reply_of_the_lower_one);
  g_test_add_func ("/channel-stack/goodbyes", goodbyes);
  g_test_add_func ("/channel-stack/broken", broken);
  g_test_add_func ("/channel-stack/over-plain", over_plain);
  g_test_add_func ("/channel-stack/tower", tower);
  g_test_add_func ("/channel-table/names", names);
  g_test_add_func ("/channel-table/refused", refused);
  g_test_add_func ("/channel-table/plain", plain);
  g_test_add_func ("/channel-table/one-that-cannot-be-saved", one_that_cannot_be_saved);
  status = g_test_run ();
  detour_channel_table_free (table);
  return status;
}
