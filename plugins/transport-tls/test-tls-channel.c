/* test-tls-channel.c: both record layers against a GnuTLS client, all in memory.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "test-tls-host.h"
#include "test-tls-peer.h"
#include "tls-channel-gnutls.h"

typedef struct {
  const char *priorities;
  gboolean exports;
} Variant;

static const Variant tls12 = { TEST_PEER_TLS12, FALSE };
static const Variant tls13 = { TEST_PEER_TLS13, FALSE };
static const Variant normal = { "NORMAL", FALSE };
static const Variant not_tls13 = { TEST_PEER_TLS12, TRUE };
static const Variant exported = { TEST_PEER_TLS13, TRUE };

typedef struct {
  TestHost *host;
  TlsCredentials *credentials;
  const DetourChannelClass *cls;
  gpointer channel;
  TestPeer *peer;
} Fixture;

static void
setup_with (Fixture *f, const Variant *variant, const char *alpn, gboolean tls13_only)
{
  static const char *const names[] = { "relay.example", NULL };
  static const char *const protocols[] = { "http/1.1", NULL };
  TlsConfig config = { .alpn = protocols, .tls13_only = tls13_only, .exports = variant->exports };
  g_autoptr (DetourCert) cert = test_cert_new (GNUTLS_PK_ECDSA, 1, names);
  g_autoptr (GError) error = NULL;

  f->host = test_host_new ();
  test_host_publish (f->host, &cert, 1);
  f->credentials = tls_credentials_new (test_host_instance (f->host), &config, &error);
  g_assert_no_error (error);
  f->cls = &tls_channel_gnutls_class;
  f->channel = tls_channel_gnutls_new (f->credentials, NULL);
  f->peer = test_peer_new (variant->priorities, "relay.example", alpn);
}

static void
setup (Fixture *f, gconstpointer variant)
{
  setup_with (f, variant, NULL, FALSE);
}

/* As core does once the handshake is over. */
static void
settle (Fixture *f, gconstpointer data)
{
  const Variant *variant = data;

  f->channel = f->cls->settle (f->channel, &f->cls);
  g_assert_cmpstr (f->cls->name, ==, variant->exports ? "export" : "gnutls");
}

static void
shake_hands (Fixture *f, gconstpointer variant)
{
  test_peer_handshake_ok (f->peer, f->cls, f->channel);
  settle (f, variant);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  test_peer_free (f->peer);
  f->cls->free (f->channel);
  tls_credentials_unref (f->credentials);
  test_host_free (f->host);
}

static void
write_peer (Fixture *f, gconstpointer data, gsize len)
{
  while (len > 0)
    {
      ssize_t n = gnutls_record_send (f->peer->session, data, len);

      g_assert_cmpint (n, >, 0);
      data = (const guint8 *) data + n;
      len -= (gsize) n;
    }
}

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
info (Fixture *f, gconstpointer variant)
{
  gboolean is_tls13 = variant != &tls12;
  DetourChannelInfo known = { NULL };

  shake_hands (f, variant);
  f->cls->info (f->channel, &known);
  g_assert_cmpstr (known.version, ==, is_tls13 ? "1.3" : "1.2");
  g_assert_cmpstr (known.cipher, ==, "AES-128-GCM");
  g_assert_cmpstr (known.sni, ==, "relay.example");
  g_assert_cmpuint (test_host_counter (f->host, "handshakes_tls13"), ==, is_tls13);
  g_assert_cmpuint (test_host_counter (f->host, "handshakes_tls12"), ==, !is_tls13);
  g_assert_cmpuint (test_host_counter (f->host, "connections_exported"), ==, variant == &exported);
  g_assert_cmpuint (test_host_counter (f->host, "connections_not_exported"), ==, 0);
}

/* TLS 1.2 stays with GnuTLS, and that is counted. */
static void
not_exported (Fixture *f, gconstpointer variant)
{
  struct iovec span = { (void *) "still here", 10 };
  g_autoptr (GByteArray) heard = NULL;
  ssize_t rc;

  test_peer_handshake_ok (f->peer, f->cls, f->channel);
  f->channel = f->cls->settle (f->channel, &f->cls);
  g_assert_true (f->cls == &tls_channel_gnutls_class);
  g_assert_cmpuint (test_host_counter (f->host, "connections_exported"), ==, 0);
  g_assert_cmpuint (test_host_counter (f->host, "connections_not_exported"), ==, 1);
  test_peer_seal (f->peer, f->cls, f->channel, &span, 1);
  heard = test_peer_read (f->peer, &rc);
  g_assert_cmpmem (heard->data, heard->len, "still here", 10);
}

/* Server's order: a client that prefers other ciphers still gets the cheapest. */
static void
server_order (Fixture *f, gconstpointer variant)
{
  g_autofree char *wish = g_strconcat (((const Variant *) variant)->priorities, ":-CIPHER-ALL:+CHACHA20-POLY1305:+AES-256-GCM:+AES-128-GCM", NULL);
  DetourChannelInfo known = { NULL };

  gnutls_priority_set_direct (f->peer->session, wish, NULL);
  shake_hands (f, variant);
  f->cls->info (f->channel, &known);
  g_assert_cmpstr (known.cipher, ==, "AES-128-GCM");
}

/* Any cut of the client's bytes, any room for ours. */
static void
fragments (Fixture *f, gconstpointer variant)
{
  static const TestPace paces[] = { { 1, 0 }, { 2, 0 }, { 7, 0 }, { 0, 1 }, { 0, 100 }, { 1, 1 }, { 5, 3 } };

  for (guint i = 0; i < G_N_ELEMENTS (paces); i++)
    {
      TestPeer *peer = test_peer_new (((const Variant *) variant)->priorities, "relay.example", NULL);
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      const char *reason = NULL;
      gboolean reply = FALSE;
      int rc;

      f->cls->free (f->channel);
      f->cls = &tls_channel_gnutls_class;
      f->channel = tls_channel_gnutls_new (f->credentials, NULL);
      g_assert_cmpint (test_peer_handshake (peer, f->cls, f->channel, paces[i], &rc, &reason), ==, DETOUR_CHANNEL_OK);
      g_assert_cmpint (rc, ==, 0);
      settle (f, variant);
      g_assert_cmpint (gnutls_record_send (peer->session, "hello", 5), ==, 5);
      g_assert_cmpint (test_peer_feed (peer, f->cls, f->channel, 1, plain, &reply), ==, DETOUR_CHANNEL_OK);
      g_assert_cmpmem (plain->data, plain->len, "hello", 5);
      g_assert_false (reply);
      test_peer_free (peer);
    }
}

/* What the client sends behind its last handshake message stays in the span for feed(). */
static void
leftover (Fixture *f, gconstpointer variant)
{
  const char *reason = NULL;
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  guint8 room[DETOUR_CHANNEL_FEED_SLACK];
  DetourBuffer out = { room, 0, sizeof room };
  gboolean reply = FALSE;
  gsize used = 0;

  gnutls_handshake (f->peer->session);
  g_assert_cmpint (f->cls->handshake (f->channel, f->peer->sent->data, f->peer->sent->len, &used, &out, &reason), ==,
                   DETOUR_CHANNEL_MORE);
  g_assert_cmpuint (used, ==, f->peer->sent->len);
  g_byte_array_set_size (f->peer->sent, 0);
  g_byte_array_append (f->peer->received, out.data, (guint) out.len);
  g_assert_cmpint (gnutls_handshake (f->peer->session), ==, 0);
  write_peer (f, "early", 5);
  out.len = 0;
  g_assert_cmpint (f->cls->handshake (f->channel, f->peer->sent->data, f->peer->sent->len, &used, &out, &reason), ==,
                   DETOUR_CHANNEL_OK);
  g_assert_cmpuint (used, <, f->peer->sent->len);
  g_byte_array_remove_range (f->peer->sent, 0, (guint) used);
  settle (f, variant);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==, DETOUR_CHANNEL_OK);
  g_assert_cmpmem (plain->data, plain->len, "early", 5);
}

static void
feed_bulk (Fixture *f, gconstpointer variant)
{
  static const gsize steps[] = { 0, 1, 5, 16406, 65536 };
  g_autoptr (GByteArray) text = pattern (100000);

  shake_hands (f, variant);
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      gboolean reply = FALSE;

      gsize len = steps[i] == 0 || steps[i] > 1000 ? text->len : 20000;

      write_peer (f, text->data, len);
      g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, steps[i], plain, &reply), ==, DETOUR_CHANNEL_OK);
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
seal_sizes (Fixture *f, gconstpointer variant)
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

  shake_hands (f, variant);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      struct iovec spans[4];
      gsize sum = 0;
      g_autoptr (GByteArray) plain = NULL;
      ssize_t rc;

      for (guint j = 0; j < 4; j++)
        {
          spans[j] = (struct iovec){ text->data + sum, cases[i].spans[j] };
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
seal_nothing (Fixture *f, gconstpointer variant)
{
  shake_hands (f, variant);
  g_assert_cmpuint (test_peer_seal (f->peer, f->cls, f->channel, NULL, 0), ==, 0);
}

static void
close_ours (Fixture *f, gconstpointer variant)
{
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (0)];
  DetourBuffer out = { room, 0, sizeof room };
  g_autoptr (GByteArray) plain = NULL;
  ssize_t rc;

  shake_hands (f, variant);
  f->cls->close (f->channel, &out);
  g_assert_cmpuint (out.len, >, 0);
  g_byte_array_append (f->peer->received, out.data, (guint) out.len);
  plain = test_peer_read (f->peer, &rc);
  g_assert_cmpint (rc, ==, 0);
}

static void
close_theirs (Fixture *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  gboolean reply = FALSE;

  shake_hands (f, variant);
  write_peer (f, "last", 4);
  gnutls_bye (f->peer->session, GNUTLS_SHUT_WR);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==, DETOUR_CHANNEL_CLOSED);
  g_assert_cmpmem (plain->data, plain->len, "last", 4);
}

/* The client changes its keys, and wants ours changed or does not: both go on. */
static void
key_update (Fixture *f, gconstpointer variant)
{
  static const unsigned flags[] = { GNUTLS_KU_PEER, 0, 0, GNUTLS_KU_PEER, GNUTLS_KU_PEER };
  struct iovec span = { (void *) "pong", 4 };

  shake_hands (f, variant);
  for (guint i = 0; i < G_N_ELEMENTS (flags); i++)
    {
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      g_autoptr (GByteArray) heard = NULL;
      gboolean reply = FALSE;
      ssize_t rc;

      g_assert_cmpint (gnutls_session_key_update (f->peer->session, flags[i]), ==, 0);
      write_peer (f, "ping", 4);
      g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==, DETOUR_CHANNEL_OK);
      g_assert_cmpmem (plain->data, plain->len, "ping", 4);
      test_peer_seal (f->peer, f->cls, f->channel, &span, 1);
      g_assert_cmpuint (count_records (f->peer->received), ==, flags[i] == GNUTLS_KU_PEER ? 2 : 1);
      heard = test_peer_read (f->peer, &rc);
      g_assert_cmpint (rc, ==, GNUTLS_E_AGAIN);
      g_assert_cmpmem (heard->data, heard->len, "pong", 4);
    }
}

static void
renegotiation (Fixture *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GByteArray) heard = NULL;
  gboolean reply = FALSE;
  ssize_t rc;

  shake_hands (f, variant);
  g_assert_cmpint (gnutls_handshake (f->peer->session), ==, GNUTLS_E_AGAIN);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==, DETOUR_CHANNEL_BAD);
  g_assert_true (reply);
  g_assert_cmpuint (test_peer_seal (f->peer, f->cls, f->channel, NULL, 0), >, 0);
  heard = test_peer_read (f->peer, &rc);
  g_assert_cmpint (gnutls_alert_get (f->peer->session), ==, GNUTLS_A_NO_RENEGOTIATION);
}

/* One flipped bit in a record: an alert waits, and nothing of the record is shown. */
static void
broken_record (Fixture *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GByteArray) heard = NULL;
  gboolean reply = FALSE;
  ssize_t rc;

  shake_hands (f, variant);
  write_peer (f, "whole", 5);
  write_peer (f, "broken", 6);
  f->peer->sent->data[f->peer->sent->len - 1] ^= 1;
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==, DETOUR_CHANNEL_BAD);
  g_assert_cmpmem (plain->data, plain->len, "whole", 5);
  g_assert_true (reply);
  test_peer_seal (f->peer, f->cls, f->channel, NULL, 0);
  heard = test_peer_read (f->peer, &rc);
  g_assert_cmpint (rc, ==, GNUTLS_E_FATAL_ALERT_RECEIVED);
  g_assert_cmpint (gnutls_alert_get (f->peer->session), ==, GNUTLS_A_BAD_RECORD_MAC);
}

/* A record without data: nothing but padding in TLS 1.3, a warning before. */
static void
write_useless (Fixture *f)
{
  if (gnutls_protocol_get_version (f->peer->session) == GNUTLS_TLS1_3)
    g_assert_cmpint (gnutls_record_send2 (f->peer->session, "", 0, 16, 0), ==, 0);
  else
    g_assert_cmpint (gnutls_alert_send (f->peer->session, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED), ==, 0);
}

static void
useless_records (Fixture *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  gboolean reply = FALSE;

  shake_hands (f, variant);
  for (guint i = 0; i < 200; i++)
    write_useless (f);
  g_assert_cmpuint (f->peer->sent->len, >, 0);
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==, DETOUR_CHANNEL_BAD);
  g_assert_cmpuint (plain->len, ==, 0);
}

/* A few of them between others do no harm. */
static void
some_useless (Fixture *f, gconstpointer variant)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  gboolean reply = FALSE;

  shake_hands (f, variant);
  for (guint i = 0; i < 40; i++)
    {
      write_useless (f);
      write_useless (f);
      write_peer (f, "x", 1);
    }
  g_assert_cmpint (test_peer_feed (f->peer, f->cls, f->channel, 0, plain, &reply), ==, DETOUR_CHANNEL_OK);
  g_assert_cmpuint (plain->len, ==, 40);
}

/* Refusing such a peer or splitting its records would be dearer than what the reference does: not to listen. */
static void
small_records (Fixture *f, gconstpointer variant)
{
  g_autoptr (GByteArray) text = pattern (16384);
  struct iovec span = { text->data, text->len };

  gnutls_record_set_max_recv_size (f->peer->session, 1024);
  shake_hands (f, variant);
  test_peer_seal (f->peer, f->cls, f->channel, &span, 1);
  g_assert_cmpuint (count_records (f->peer->received), ==, 1);
}

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
    { "\x16\x03\x01\xff\xff\x01\0\0\0\0", 10, "\x15\x03", 2 },       /* a record longer than any may be */
    { "\x16\x03\x01\0\x04\x02\0\0\0", 9, "\x15\x03", 2 },           /* a server's hello */
    { "\x17\x03\x03\0\x01x", 6, "\x15\x03", 2 },                    /* data before the handshake */
    { "\x15\x03\x01\0\x02\x02\x28", 7, "", 0 },                     /* an alert: no alert in return */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint step = 0; step < 2; step++)
      {
        Fixture f;
        const char *reason = NULL;
        int rc;

        /* Cut into single bytes HTTP is not recognised, and gets an alert like the rest. */
        if (i == 0 && step == 1)
          continue;
        setup_with (&f, &normal, NULL, FALSE);
        gnutls_handshake (f.peer->session);
        g_byte_array_set_size (f.peer->sent, 0);
        g_byte_array_append (f.peer->sent, (const guint8 *) cases[i].bytes, (guint) cases[i].len);
        g_assert_cmpint (test_peer_handshake (f.peer, f.cls, f.channel, (TestPace){ .step = step }, &rc, &reason), ==,
                         DETOUR_CHANNEL_BAD);
        g_assert_nonnull (reason);
        g_test_message ("case %u: %s", i, reason);
        g_assert_cmpuint (test_host_counter (f.host, "handshakes_failed"), ==, 1);
        teardown (&f, NULL);
      }
}

/* Every byte of a client's hello, damaged one at a time: whatever comes of it, nothing breaks. */
static void
damaged_hello (Fixture *f, gconstpointer variant)
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
  static const Variant *const variants[] = { &tls12, &tls13 };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint j = 0; j < G_N_ELEMENTS (variants); j++)
      {
        Fixture f;
        const char *reason = NULL;
        int rc;

        setup_with (&f, variants[j], cases[i].offer, FALSE);
        g_assert_cmpint (test_peer_handshake (f.peer, f.cls, f.channel, (TestPace){ 0 }, &rc, &reason), ==,
                         cases[i].result);
        if (cases[i].result == DETOUR_CHANNEL_BAD)
          {
            g_assert_cmpint (rc, ==, GNUTLS_E_FATAL_ALERT_RECEIVED);
            g_assert_cmpint (gnutls_alert_get (f.peer->session), ==, GNUTLS_A_NO_APPLICATION_PROTOCOL);
          }
        teardown (&f, NULL);
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
    { TEST_PEER_TLS12, TRUE, GNUTLS_A_HANDSHAKE_FAILURE }, /* as GnuTLS puts it */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fixture f;
      const char *reason = NULL;
      int rc;

      setup_with (&f, &(Variant){ cases[i].priorities, FALSE }, NULL, cases[i].tls13_only);
      g_assert_cmpint (test_peer_handshake (f.peer, f.cls, f.channel, (TestPace){ 0 }, &rc, &reason), ==,
                       DETOUR_CHANNEL_BAD);
      g_assert_nonnull (reason);
      g_assert_cmpint (rc, ==, GNUTLS_E_FATAL_ALERT_RECEIVED);
      g_assert_cmpint (gnutls_alert_get (f.peer->session), ==, cases[i].alert);
      teardown (&f, NULL);
    }
}

#define BEFORE(path, function)                                                                                         \
  g_test_add (path "/tls12", Fixture, &tls12, setup, function, teardown);                                              \
  g_test_add (path "/tls13", Fixture, &tls13, setup, function, teardown)
#define TLS13(path, function)                                                                                          \
  g_test_add (path "/tls13", Fixture, &tls13, setup, function, teardown);                                              \
  g_test_add (path "/export", Fixture, &exported, setup, function, teardown)
#define ALL(path, function)                                                                                            \
  g_test_add (path "/tls12", Fixture, &tls12, setup, function, teardown);                                              \
  TLS13 (path, function)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ALL ("/tls-channel/info-after-handshake", info);
  g_test_add ("/tls-channel/tls12-is-not-exported", Fixture, &not_tls13, setup, not_exported, teardown);
  ALL ("/tls-channel/server-chooses-the-cipher", server_order);
  ALL ("/tls-channel/any-fragmentation", fragments);
  /* In TLS 1.2 the server has the last word. */
  TLS13 ("/tls-channel/bytes-behind-the-handshake-are-left", leftover);
  ALL ("/tls-channel/feed-any-span", feed_bulk);
  ALL ("/tls-channel/one-record-for-each-16384-bytes", seal_sizes);
  ALL ("/tls-channel/nothing-to-seal", seal_nothing);
  ALL ("/tls-channel/our-goodbye", close_ours);
  ALL ("/tls-channel/their-goodbye", close_theirs);
  TLS13 ("/tls-channel/key-update", key_update);
  g_test_add ("/tls-channel/no-renegotiation/tls12", Fixture, &tls12, setup, renegotiation, teardown);
  ALL ("/tls-channel/broken-record", broken_record);
  ALL ("/tls-channel/flood-of-useless-records", useless_records);
  ALL ("/tls-channel/some-useless-records", some_useless);
  ALL ("/tls-channel/wish-for-small-records-is-not-heard", small_records);
  g_test_add_func ("/tls-channel/garbage", garbage);
  BEFORE ("/tls-channel/damaged-hello", damaged_hello);
  g_test_add_func ("/tls-channel/alpn", alpn);
  g_test_add_func ("/tls-channel/old-versions", old_versions);
  return g_test_run ();
}
