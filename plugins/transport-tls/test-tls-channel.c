/* test-tls-channel.c: data, goodbyes and alerts of both record layers, against a GnuTLS client.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-link.h"

/* Bytes that differ from place to place. */
static GByteArray *
pattern (gsize len)
{
  GByteArray *bytes = g_byte_array_sized_new ((guint) len);

  g_byte_array_set_size (bytes, (guint) len);
  for (gsize i = 0; i < len; i++)
    bytes->data[i] = (guint8) (i * 31 + (i >> 8));
  return bytes;
}

static void
feed_bulk (TestLink *f, gconstpointer variant)
{
  static const gsize steps[] = { 0, 1, 5, 16406, 65536 };
  g_autoptr (GByteArray) text = pattern (100000);

  test_link_shake_hands (f);
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      gboolean reply = FALSE;

      gsize len = steps[i] == 0 || steps[i] > 1000 ? text->len : 20000;

      test_link_write (f, text->data, len);
      g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, steps[i], plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
      g_assert_cmpmem (plain->data, plain->len, text->data, len);
      g_assert_false (reply);
    }
}

/* Records of the wire, by their heads. */
static guint
count_records (GByteArray *wire)
{
  guint n = 0;

  for (gsize at = 0; at < wire->len; n++)
    {
      g_assert_cmpuint (wire->len - at, >=, 5);
      g_assert_cmpuint (wire->data[at], ==, 23);
      at += 5u + ((gsize) wire->data[at + 3] << 8 | wire->data[at + 4]);
      g_assert_cmpuint (at, <=, wire->len);
    }
  return n;
}

static void
seal_sizes (TestLink *f, gconstpointer variant)
{
  static const struct {
    gsize spans[4];
    guint records;
  } cases[] = {
    { { 1 }, 1 },
    { { 16384 }, 1 },
    { { 16385 }, 2 },
    { { 1, 16383 }, 1 },
    { { 5, 1400, 5, 1400 }, 1 },
    { { 8192, 8191, 1 }, 1 },
    { { 1, 16384 }, 2 },
    { { 16384, 1 }, 2 },
    { { 0, 10, 0, 10 }, 1 },
    { { 65536 }, 4 },
    { { 100, 65536, 16284, 16384 }, 6 },
  };
  g_autoptr (GByteArray) text = pattern (100000);

  test_link_shake_hands (f);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      struct iovec spans[4];
      gsize sum = 0;
      g_autoptr (GByteArray) plain = NULL;
      ssize_t rc;

      for (guint j = 0; j < 4; j++)
        {
          spans[j] = (struct iovec) { text->data + sum, cases[i].spans[j] };
          sum += cases[i].spans[j];
        }
      test_peer_seal (f->peer, f->cls, f->channel, spans, 4);
      g_assert_cmpuint (count_records (f->peer->received), ==, cases[i].records);
      plain = test_peer_read (f->peer, &rc);
      g_assert_cmpint (rc, ==, GNUTLS_E_AGAIN);
      g_assert_cmpmem (plain->data, plain->len, text->data, sum);
    }
}

static void
seal_nothing (TestLink *f, gconstpointer variant)
{
  test_link_shake_hands (f);
  g_assert_cmpuint (test_peer_seal (f->peer, f->cls, f->channel, NULL, 0), ==, 0);
}

static void
close_ours (TestLink *f, gconstpointer variant)
{
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (0)];
  DetourBuffer out = { room, 0, sizeof room };
  g_autoptr (GByteArray) plain = NULL;
  ssize_t rc;

  test_link_shake_hands (f);
  f->cls->close (f->channel, &out);
  g_assert_cmpuint (out.len, >, 0);
  g_byte_array_append (f->peer->received, out.data, (guint) out.len);
  plain = test_peer_read (f->peer, &rc);
  g_assert_cmpint (rc, ==, 0);
}

static void
close_theirs (TestLink *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  gboolean reply = FALSE;

  test_link_shake_hands (f);
  test_link_write (f, "last", 4);
  gnutls_bye (f->peer->session, GNUTLS_SHUT_WR);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==,
                   DETOUR_CHANNEL_CLOSED);
  g_assert_cmpmem (plain->data, plain->len, "last", 4);
}

/* The client changes its keys, and wants ours changed or does not: both go on. */
static void
key_update (TestLink *f, gconstpointer variant)
{
  static const unsigned flags[] = { GNUTLS_KU_PEER, 0, 0, GNUTLS_KU_PEER, GNUTLS_KU_PEER };
  struct iovec span = { (void *) "pong", 4 };

  test_link_shake_hands (f);
  for (guint i = 0; i < G_N_ELEMENTS (flags); i++)
    {
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      g_autoptr (GByteArray) heard = NULL;
      gboolean reply = FALSE;
      ssize_t rc;

      g_assert_cmpint (gnutls_session_key_update (f->peer->session, flags[i]), ==, 0);
      test_link_write (f, "ping", 4);
      g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
      g_assert_cmpmem (plain->data, plain->len, "ping", 4);
      test_peer_seal (f->peer, f->cls, f->channel, &span, 1);
      g_assert_cmpuint (count_records (f->peer->received), ==, flags[i] == GNUTLS_KU_PEER ? 2 : 1);
      heard = test_peer_read (f->peer, &rc);
      g_assert_cmpint (rc, ==, GNUTLS_E_AGAIN);
      g_assert_cmpmem (heard->data, heard->len, "pong", 4);
    }
}

static void
renegotiation (TestLink *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GByteArray) heard = NULL;
  gboolean reply = FALSE;
  ssize_t rc;

  test_link_shake_hands (f);
  g_assert_cmpint (gnutls_handshake (f->peer->session), ==, GNUTLS_E_AGAIN);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==,
                   DETOUR_CHANNEL_BAD);
  g_assert_true (reply);
  g_assert_cmpuint (test_peer_seal (f->peer, f->cls, f->channel, NULL, 0), >, 0);
  heard = test_peer_read (f->peer, &rc);
  g_assert_cmpint (gnutls_alert_get (f->peer->session), ==, GNUTLS_A_NO_RENEGOTIATION);
}

/* One flipped bit in a record: an alert waits, and nothing of the record is shown. */
static void
broken_record (TestLink *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GByteArray) heard = NULL;
  gboolean reply = FALSE;
  ssize_t rc;

  test_link_shake_hands (f);
  test_link_write (f, "whole", 5);
  test_link_write (f, "broken", 6);
  f->peer->sent->data[f->peer->sent->len - 1] ^= 1;
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==,
                   DETOUR_CHANNEL_BAD);
  g_assert_cmpmem (plain->data, plain->len, "whole", 5);
  g_assert_true (reply);
  test_peer_seal (f->peer, f->cls, f->channel, NULL, 0);
  heard = test_peer_read (f->peer, &rc);
  g_assert_cmpint (rc, ==, GNUTLS_E_FATAL_ALERT_RECEIVED);
  g_assert_cmpint (gnutls_alert_get (f->peer->session), ==, GNUTLS_A_BAD_RECORD_MAC);
}

/* A record without data: nothing but padding in TLS 1.3, a warning before. */
static void
write_useless (TestLink *f)
{
  if (gnutls_protocol_get_version (f->peer->session) == GNUTLS_TLS1_3)
    g_assert_cmpint (gnutls_record_send2 (f->peer->session, "", 0, 16, 0), ==, 0);
  else
    g_assert_cmpint (
        gnutls_alert_send (f->peer->session, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED), ==, 0);
}

static void
useless_records (TestLink *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  gboolean reply = FALSE;

  test_link_shake_hands (f);
  for (guint i = 0; i < 200; i++)
    write_useless (f);
  g_assert_cmpuint (f->peer->sent->len, >, 0);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==,
                   DETOUR_CHANNEL_BAD);
  g_assert_cmpuint (plain->len, ==, 0);
}

/* A few of them between others do no harm. */
static void
some_useless (TestLink *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  gboolean reply = FALSE;

  test_link_shake_hands (f);
  for (guint i = 0; i < 40; i++)
    {
      write_useless (f);
      write_useless (f);
      test_link_write (f, "x", 1);
    }
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==,
                   DETOUR_CHANNEL_OK);
  g_assert_cmpuint (plain->len, ==, 40);
}

/* Refusing such a peer or splitting its records would be dearer than what the reference does: not
 * to listen. */
static void
small_records (TestLink *f, gconstpointer variant)
{
  g_autoptr (GByteArray) text = pattern (16384);
  struct iovec span = { text->data, text->len };

  gnutls_record_set_max_recv_size (f->peer->session, 1024);
  test_link_shake_hands (f);
  test_peer_seal (f->peer, f->cls, f->channel, &span, 1);
  g_assert_cmpuint (count_records (f->peer->received), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_LINK_ADD_ALL ("/tls-channel/feed-any-span", feed_bulk);
  TEST_LINK_ADD_ALL ("/tls-channel/one-record-for-each-16384-bytes", seal_sizes);
  TEST_LINK_ADD_ALL ("/tls-channel/nothing-to-seal", seal_nothing);
  TEST_LINK_ADD_ALL ("/tls-channel/our-goodbye", close_ours);
  TEST_LINK_ADD_ALL ("/tls-channel/their-goodbye", close_theirs);
  TEST_LINK_ADD_TLS13 ("/tls-channel/key-update", key_update);
  TEST_LINK_ADD ("/tls-channel/no-renegotiation/tls12", &test_tls12, renegotiation);
  TEST_LINK_ADD_ALL ("/tls-channel/broken-record", broken_record);
  TEST_LINK_ADD_ALL ("/tls-channel/flood-of-useless-records", useless_records);
  TEST_LINK_ADD_ALL ("/tls-channel/some-useless-records", some_useless);
  TEST_LINK_ADD_ALL ("/tls-channel/wish-for-small-records-is-not-heard", small_records);
  return g_test_run ();
}
