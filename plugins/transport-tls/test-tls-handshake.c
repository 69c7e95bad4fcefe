/* test-tls-handshake.c: the handshake with a GnuTLS client, and with what is none: what is agreed,
 * refused and left over.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-link.h"

#include <string.h>

static void
info (TestLink *f, gconstpointer variant)
{
  gboolean is_tls13 = f->variant != &test_tls12;
  DetourChannelInfo known = { NULL };

  test_link_shake_hands (f);
  f->cls->info (f->channel, &known);
  g_assert_cmpstr (known.version, ==, is_tls13 ? "1.3" : "1.2");
  g_assert_cmpstr (known.cipher, ==, "AES-128-GCM");
  g_assert_cmpstr (known.sni, ==, "relay.example");
  g_assert_cmpuint (test_host_counter (f->host, "handshakes_tls13"), ==, is_tls13);
  g_assert_cmpuint (test_host_counter (f->host, "handshakes_tls12"), ==, !is_tls13);
  g_assert_cmpuint (test_host_counter (f->host, "connections_exported"), ==,
                    f->variant == &test_exported);
  g_assert_cmpuint (test_host_counter (f->host, "connections_not_exported"), ==, 0);
}

/* TLS 1.2 stays with GnuTLS, and that is counted. */
static void
not_exported (TestLink *f, gconstpointer variant)
{
  struct iovec span = { (void *) "still here", 10 };
  g_autoptr (GByteArray) heard = NULL;
  ssize_t rc;

  test_link_shake_hands (f);
  g_assert_cmpuint (test_host_counter (f->host, "connections_exported"), ==, 0);
  g_assert_cmpuint (test_host_counter (f->host, "connections_not_exported"), ==, 1);
  test_peer_seal (f->peer, f->cls, f->channel, &span, 1);
  heard = test_peer_read (f->peer, &rc);
  g_assert_cmpmem (heard->data, heard->len, "still here", 10);
}

/* Server's order: a client that prefers other ciphers still gets the cheapest. */
static void
server_order (TestLink *f, gconstpointer variant)
{
  g_autofree char *wish = g_strconcat (
      f->variant->priorities, ":-CIPHER-ALL:+CHACHA20-POLY1305:+AES-256-GCM:+AES-128-GCM", NULL);
  DetourChannelInfo known = { NULL };

  gnutls_priority_set_direct (f->peer->session, wish, NULL);
  test_link_shake_hands (f);
  f->cls->info (f->channel, &known);
  g_assert_cmpstr (known.cipher, ==, "AES-128-GCM");
}

/* Any cut of the client's bytes, any room for ours. */
static void
fragments (TestLink *f, gconstpointer variant)
{
  static const TestPace paces[] = { { 1, 0 },   { 2, 0 }, { 7, 0 }, { 0, 1 },
                                    { 0, 100 }, { 1, 1 }, { 5, 3 } };

  for (guint i = 0; i < G_N_ELEMENTS (paces); i++)
    {
      TestPeer *peer = test_peer_new (f->variant->priorities, "relay.example", NULL);
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      const char *reason = NULL;
      gboolean reply = FALSE;
      int rc;

      f->cls->free (f->channel);
      f->cls = &tls_channel_gnutls_class;
      f->channel = tls_channel_gnutls_new (f->credentials, NULL);
      g_assert_cmpint (test_peer_handshake (peer, f->cls, f->channel, paces[i], &rc, &reason), ==,
                       DETOUR_CHANNEL_OK);
      g_assert_cmpint (rc, ==, 0);
      test_link_settle (f);
      g_assert_cmpint (gnutls_record_send (peer->session, "hello", 5), ==, 5);
      g_assert_cmpint (test_peer_feed (peer, f->cls, f->channel, 1, plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
      g_assert_cmpmem (plain->data, plain->len, "hello", 5);
      g_assert_false (reply);
      test_peer_free (peer);
    }
}

/* What the client sends behind its last handshake message stays in the span for feed(). */
static void
leftover (TestLink *f, gconstpointer variant)
{
  const char *reason = NULL;
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  guint8 room[DETOUR_CHANNEL_FEED_SLACK];
  DetourBuffer out = { room, 0, sizeof room };
  gboolean reply = FALSE;
  gsize used = 0;

  gnutls_handshake (f->peer->session);
  g_assert_cmpint (
      f->cls->handshake (f->channel, f->peer->sent->data, f->peer->sent->len, &used, &out, &reason),
      ==, DETOUR_CHANNEL_MORE);
  g_assert_cmpuint (used, ==, f->peer->sent->len);
  g_byte_array_set_size (f->peer->sent, 0);
  g_byte_array_append (f->peer->received, out.data, (guint) out.len);
  g_assert_cmpint (gnutls_handshake (f->peer->session), ==, 0);
  test_link_write (f, "early", 5);
  out.len = 0;
  g_assert_cmpint (
      f->cls->handshake (f->channel, f->peer->sent->data, f->peer->sent->len, &used, &out, &reason),
      ==, DETOUR_CHANNEL_OK);
  g_assert_cmpuint (used, <, f->peer->sent->len);
  g_byte_array_remove_range (f->peer->sent, 0, (guint) used);
  test_link_settle (f);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==,
                   DETOUR_CHANNEL_OK);
  g_assert_cmpmem (plain->data, plain->len, "early", 5);
}

static const TestVariant normal = { "NORMAL", FALSE, "gnutls" };

typedef struct {
  const char *bytes;
  gsize len;
  const char *answer; /* how the output begins */
  gsize answer_len;
} Garbage;

static void
garbage (void)
{
  static const Garbage cases[] = {
    { "GET /derp HTTP/1.1\r\n\r\n", 22, "HTTP/1.0 400 ", 13 },
    { "SSH-2.0-OpenSSH_9.2\r\n", 21, "\x15\x03", 2 },
    { "\0\0\0\0\0\0\0\0\0\0\0\0", 12, "\x15\x03", 2 },
    { "\x16\x03\x01\xff\xff\x01\0\0\0\0", 10, "\x15\x03", 2 }, /* a record longer than any may be */
    { "\x16\x03\x01\0\x04\x02\0\0\0", 9, "\x15\x03", 2 },      /* a server's hello */
    { "\x17\x03\x03\0\x01x", 6, "\x15\x03", 2 },               /* data before the handshake */
    { "\x15\x03\x01\0\x02\x02\x28", 7, "", 0 },                /* an alert: no alert in return */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint step = 0; step < 2; step++)
      {
        TestLink f;
        const char *reason = NULL;
        int rc;

        /* Cut into single bytes HTTP is not recognised, and gets an alert like the rest. */
        if (i == 0 && step == 1)
          continue;
        test_link_setup_with (&f, &normal, NULL, FALSE);
        gnutls_handshake (f.peer->session);
        g_byte_array_set_size (f.peer->sent, 0);
        g_byte_array_append (f.peer->sent, (const guint8 *) cases[i].bytes, (guint) cases[i].len);
        g_assert_cmpint (test_peer_handshake (f.peer, f.cls, f.channel, (TestPace) { .step = step },
                                              &rc, &reason),
                         ==, DETOUR_CHANNEL_BAD);
        g_assert_nonnull (reason);
        g_test_message ("case %u: %s", i, reason);
        g_assert_cmpuint (test_host_counter (f.host, "handshakes_failed"), ==, 1);
        test_link_teardown (&f, NULL);
      }
}

/* A record for each @step bytes of @message. */
static void
cut_into_records (GByteArray *out, const guint8 *message, gsize len, gsize step)
{
  for (gsize at = 0; at < len; at += step)
    {
      gsize n = MIN (step, len - at);
      const guint8 head[] = { 0x16, 3, 1, (guint8) (n >> 8), (guint8) n };

      g_byte_array_append (out, head, sizeof head);
      g_byte_array_append (out, message + at, (guint) n);
    }
}

/* A real hello in as many records as it has bytes, and in some more ways. */
static void
cut_hello (TestLink *f, gconstpointer variant)
{
  static const gsize steps[] = { 1, 2, 3, 4, 5, 15, 100 };

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    for (gsize span = 0; span < 2; span++)
      {
        TestPeer *peer = test_peer_new (f->variant->priorities, "relay.example", NULL);
        g_autofree guint8 *message = NULL;
        const char *reason = NULL;
        gsize len;
        int rc;

        f->cls->free (f->channel);
        f->cls = &tls_channel_gnutls_class;
        f->channel = tls_channel_gnutls_new (f->credentials, NULL);
        gnutls_handshake (peer->session);
        len = peer->sent->len - 5;
        g_assert_cmpuint (len, >, 17 * steps[0]);
        message = g_memdup2 (peer->sent->data + 5, len);
        g_byte_array_set_size (peer->sent, 0);
        cut_into_records (peer->sent, message, len, steps[i]);
        g_assert_cmpint (test_peer_handshake (peer, f->cls, f->channel, (TestPace) { .step = span },
                                              &rc, &reason),
                         ==, DETOUR_CHANNEL_OK);
        g_assert_cmpint (rc, ==, 0);
        test_link_settle (f);
        test_peer_free (peer);
      }
}

static DetourChannelResult
offer (TestLink *f, const GByteArray *bytes, const char **reason)
{
  gsize at = 0;

  while (at < bytes->len)
    {
      guint8 room[DETOUR_CHANNEL_FEED_SLACK];
      DetourBuffer out = { room, 0, sizeof room };
      gsize used = 0;
      DetourChannelResult result = f->cls->handshake (
          f->channel, bytes->data + at, MIN (bytes->len - at, 4096), &used, &out, reason);

      if (result != DETOUR_CHANNEL_MORE)
        {
          g_byte_array_append (f->peer->received, out.data, (guint) out.len);
          return result;
        }
      g_assert_cmpuint (used, >, 0);
      at += used;
    }
  return DETOUR_CHANNEL_MORE;
}

/* An unfinished hello may hold 16 KiB, whatever it announces and however it is cut. */
static void
long_hello (void)
{
  static const gsize steps[] = { 1, 7, 1024, 16384 };
  static const guint announced[] = { 17000, 0x20000, 0xffffff };

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    for (guint k = 0; k < G_N_ELEMENTS (announced); k++)
      {
        TestLink f;
        g_autoptr (GByteArray) most = g_byte_array_new ();
        g_autoptr (GByteArray) more = g_byte_array_new ();
        guint8 message[16384] = { 1, (guint8) (announced[k] >> 16), (guint8) (announced[k] >> 8),
                                  (guint8) announced[k] };
        const char *reason = NULL;

        cut_into_records (most, message, sizeof message, steps[i]);
        cut_into_records (more, message, 1, 1);
        test_link_setup_with (&f, &normal, NULL, FALSE);
        g_assert_cmpint (offer (&f, most, &reason), ==, DETOUR_CHANNEL_MORE);
        g_assert_cmpint (offer (&f, more, &reason), ==, DETOUR_CHANNEL_BAD);
        g_assert_cmpstr (reason, ==, "more than 16 KiB of handshake messages");
        g_assert_cmpint (f.peer->received->data[0], ==, 0x15); /* an alert */
        g_assert_cmpint (f.peer->received->data[6], ==, GNUTLS_A_UNEXPECTED_MESSAGE);
        g_assert_cmpuint (test_host_counter (f.host, "handshakes_failed"), ==, 1);
        test_link_teardown (&f, NULL);
      }
}

/* Records that bring nothing, in the middle of a hello: a few do no harm, many in a row end the
 * handshake. */
static void
useless_records (void)
{
  static const guint8 change_cipher_spec[] = { 0x14, 3, 3, 0, 1, 1 };

  for (guint n = 16; n < 18; n++)
    {
      TestLink f;
      g_autoptr (GByteArray) bytes = g_byte_array_new ();
      g_autofree guint8 *message = NULL;
      const char *reason = NULL;
      gsize len;

      test_link_setup_with (&f, &normal, NULL, FALSE);
      gnutls_handshake (f.peer->session);
      len = f.peer->sent->len - 5;
      message = g_memdup2 (f.peer->sent->data + 5, len);
      g_byte_array_set_size (f.peer->sent, 0);
      cut_into_records (bytes, message, len / 2, len);
      for (guint i = 0; i < n; i++)
        g_byte_array_append (bytes, change_cipher_spec, sizeof change_cipher_spec);
      cut_into_records (f.peer->sent, message + len / 2, len - len / 2, len);
      g_assert_cmpint (offer (&f, bytes, &reason), ==,
                       n == 16 ? DETOUR_CHANNEL_MORE : DETOUR_CHANNEL_BAD);
      if (n == 16)
        test_peer_handshake_ok (f.peer, f.cls, f.channel);
      else
        g_assert_cmpstr (reason, ==, "too many records in a row that bring nothing");
      test_link_teardown (&f, NULL);
    }
}

/* Every byte of a client's hello, damaged one at a time: whatever comes of it, nothing breaks. */
static void
damaged_hello (TestLink *f, gconstpointer variant)
{
  guint refused = 0;
  guint len;

  gnutls_handshake (f->peer->session);
  len = f->peer->sent->len;
  for (guint i = 0; i < len; i++)
    {
      g_autofree guint8 *hello = g_memdup2 (f->peer->sent->data, len);
      g_autofree guint8 *room = g_malloc (DETOUR_CHANNEL_FEED_SLACK);
      DetourBuffer out = { room, 0, DETOUR_CHANNEL_FEED_SLACK };
      gpointer channel = tls_channel_gnutls_new (f->credentials, NULL);
      const char *reason = NULL;
      gsize used = 0;

      hello[i] ^= 0xff;
      switch (f->cls->handshake (channel, hello, len, &used, &out, &reason))
        {
        case DETOUR_CHANNEL_BAD:
          g_assert_nonnull (reason);
          refused++;
          break;
        case DETOUR_CHANNEL_MORE:
          g_assert_cmpuint (used, ==, len);
          break;
        default:
          g_assert_not_reached ();
        }
      f->cls->free (channel);
    }
  g_assert_cmpuint (refused, >, len / 8);
}

static void
alpn (void)
{
  static const struct {
    const char *offer;
    DetourChannelResult result;
  } cases[] = {
    { NULL, DETOUR_CHANNEL_OK },
    { "http/1.1", DETOUR_CHANNEL_OK },
    { "h2", DETOUR_CHANNEL_BAD },
  };
  static const TestVariant *const variants[] = { &test_tls12, &test_tls13 };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint j = 0; j < G_N_ELEMENTS (variants); j++)
      {
        TestLink f;
        const char *reason = NULL;
        int rc;

        test_link_setup_with (&f, variants[j], cases[i].offer, FALSE);
        g_assert_cmpint (
            test_peer_handshake (f.peer, f.cls, f.channel, (TestPace) { 0 }, &rc, &reason), ==,
            cases[i].result);
        if (cases[i].result == DETOUR_CHANNEL_BAD)
          {
            g_assert_cmpint (rc, ==, GNUTLS_E_FATAL_ALERT_RECEIVED);
            g_assert_cmpint (gnutls_alert_get (f.peer->session), ==,
                             GNUTLS_A_NO_APPLICATION_PROTOCOL);
          }
        test_link_teardown (&f, NULL);
      }
}

static void
old_versions (void)
{
  static const struct {
    const char *priorities;
    gboolean tls13_only;
    gnutls_alert_description_t alert;
  } cases[] = {
    { "NORMAL:-VERS-ALL:+VERS-TLS1.1", FALSE, GNUTLS_A_PROTOCOL_VERSION },
    { TEST_PEER_TLS12, TRUE, GNUTLS_A_PROTOCOL_VERSION },
    /* The version is right, and no cipher is. */
    { "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-CCM", TRUE, GNUTLS_A_HANDSHAKE_FAILURE },
    { "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CCM", FALSE, GNUTLS_A_HANDSHAKE_FAILURE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      TestLink f;
      const char *reason = NULL;
      int rc;

      test_link_setup_with (&f, &(TestVariant) { cases[i].priorities, FALSE, "gnutls" }, NULL,
                            cases[i].tls13_only);
      g_assert_cmpint (
          test_peer_handshake (f.peer, f.cls, f.channel, (TestPace) { 0 }, &rc, &reason), ==,
          DETOUR_CHANNEL_BAD);
      g_assert_nonnull (reason);
      g_assert_cmpint (rc, ==, GNUTLS_E_FATAL_ALERT_RECEIVED);
      g_assert_cmpint (gnutls_alert_get (f.peer->session), ==, cases[i].alert);
      test_link_teardown (&f, NULL);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_LINK_ADD_ALL ("/tls-handshake/what-was-agreed", info);
  TEST_LINK_ADD ("/tls-handshake/tls12-is-not-exported", &test_tls12_exports, not_exported);
  TEST_LINK_ADD_ALL ("/tls-handshake/server-chooses-the-cipher", server_order);
  TEST_LINK_ADD_ALL ("/tls-handshake/any-fragmentation", fragments);
  /* In TLS 1.2 the server has the last word. */
  TEST_LINK_ADD_TLS13 ("/tls-handshake/bytes-behind-the-handshake-are-left", leftover);
  g_test_add_func ("/tls-handshake/garbage", garbage);
  TEST_LINK_ADD_ALL ("/tls-handshake/hello-in-many-records", cut_hello);
  g_test_add_func ("/tls-handshake/hello-of-more-than-16-kib", long_hello);
  g_test_add_func ("/tls-handshake/useless-records-in-the-hello", useless_records);
  TEST_LINK_ADD_GNUTLS ("/tls-handshake/damaged-hello", damaged_hello);
  g_test_add_func ("/tls-handshake/alpn", alpn);
  g_test_add_func ("/tls-handshake/old-versions", old_versions);
  return g_test_run ();
}
