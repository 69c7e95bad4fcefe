/* test-tls-secrets.c: secrets of live GnuTLS sessions: channels of both sides made of them, and
 * when none is made.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-secrets.h"

#include <gnutls/x509.h>
#include <string.h>

#include "test-tls-forge.h"
#include "test-tls-pair.h"
#include "tls-thread.h"

static const DetourChannelClass *const cls = &tls_channel_export_class;

/* One end of a connection in memory. */
typedef struct {
  gnutls_session_t session;
  GByteArray *received;
  TestWire wire;
  TlsSecrets secrets;
} End;

static int
end_secret (gnutls_session_t session, gnutls_record_encryption_level_t level, const void *read,
            const void *write, size_t len)
{
  End *self = gnutls_session_get_ptr (session);

  tls_secrets_note (&self->secrets, level, read, write, len);
  return 0;
}

static void
end_init (End *self, GByteArray *received, GByteArray *sent, unsigned flags, const char *priorities,
          gnutls_certificate_credentials_t credentials)
{
  memset (self, 0, sizeof *self);
  self->received = received;
  gnutls_init (&self->session, flags | GNUTLS_NONBLOCK);
  g_assert_cmpint (gnutls_priority_set_direct (self->session, priorities, NULL), ==, 0);
  gnutls_credentials_set (self->session, GNUTLS_CRD_CERTIFICATE, credentials);
  test_wire_init (&self->wire, self->session, received, sent);
  gnutls_session_set_ptr (self->session, self);
  gnutls_handshake_set_secret_function (self->session, end_secret);
}

typedef struct {
  gnutls_certificate_credentials_t server_credentials;
  gnutls_certificate_credentials_t client_credentials;
  End server;
  End client;
} Ends;

/* A GnuTLS server that gives tickets, and a GnuTLS client; the handshake is over. */
static void
ends_init (Ends *self, const char *priorities)
{
  static const char *const names[] = { "relay.example", NULL };
  g_autoptr (DetourCert) cert = test_cert_new (GNUTLS_PK_ECDSA, 1, names);
  GByteArray *to_server = g_byte_array_new ();
  GByteArray *to_client = g_byte_array_new ();
  GBytes *key = detour_cert_private_key (cert);
  GBytes *const *chain;
  gnutls_datum_t key_der, cert_der, ticket_key;
  int server_rc = GNUTLS_E_AGAIN;
  int client_rc = GNUTLS_E_AGAIN;

  g_assert_cmpuint (detour_cert_chain (cert, &chain), ==, 1);
  key_der = (gnutls_datum_t) { (unsigned char *) g_bytes_get_data (key, NULL),
                               (unsigned) g_bytes_get_size (key) };
  cert_der = (gnutls_datum_t) { (unsigned char *) g_bytes_get_data (chain[0], NULL),
                                (unsigned) g_bytes_get_size (chain[0]) };
  gnutls_certificate_allocate_credentials (&self->server_credentials);
  gnutls_certificate_allocate_credentials (&self->client_credentials);
  g_assert_cmpint (gnutls_certificate_set_x509_key_mem (self->server_credentials, &cert_der,
                                                        &key_der, GNUTLS_X509_FMT_DER),
                   >=, 0);
  end_init (&self->server, to_server, to_client, GNUTLS_SERVER, priorities,
            self->server_credentials);
  end_init (&self->client, to_client, to_server, GNUTLS_CLIENT, priorities,
            self->client_credentials);
  gnutls_session_ticket_key_generate (&ticket_key);
  gnutls_session_ticket_enable_server (self->server.session, &ticket_key);
  gnutls_free (ticket_key.data);
  for (guint i = 0; i < 20 && (server_rc != 0 || client_rc != 0); i++)
    {
      if (client_rc != 0)
        client_rc = gnutls_handshake (self->client.session);
      if (server_rc != 0)
        server_rc = gnutls_handshake (self->server.session);
    }
  g_assert_cmpint (client_rc, ==, 0);
  g_assert_cmpint (server_rc, ==, 0);
}

static void
ends_clear (Ends *self)
{
  gnutls_deinit (self->server.session);
  gnutls_deinit (self->client.session);
  g_byte_array_unref (self->server.received);
  g_byte_array_unref (self->client.received);
  gnutls_certificate_free_credentials (self->server_credentials);
  gnutls_certificate_free_credentials (self->client_credentials);
}

static void
feed_end (End *end, gpointer channel, const char *expected)
{
  gsize room = end->received->len + DETOUR_CHANNEL_FEED_SLACK;
  DetourBuffer plain = { g_malloc (room), 0, room };
  gboolean reply = FALSE;

  g_assert_cmpint (cls->feed (channel, end->received->data, end->received->len, &plain, &reply), ==,
                   DETOUR_CHANNEL_OK);
  g_byte_array_set_size (end->received, 0);
  g_assert_cmpmem (plain.data, plain.len, expected, strlen (expected));
  g_free (plain.data);
}

static void
seal_to (End *end, gpointer channel, const char *text)
{
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (100)];
  DetourBuffer out = { room, 0, sizeof room };
  struct iovec span = { (void *) text, strlen (text) };

  g_assert_true (cls->seal (channel, &span, 1, &out));
  g_byte_array_append (end->received, out.data, (guint) out.len);
}

static void
expect_end (End *end, const char *text)
{
  char block[100];
  ssize_t n;

  do
    n = gnutls_record_recv (end->session, block, sizeof block);
  while (n == GNUTLS_E_AGAIN && end->received->len > 0);
  g_assert_cmpint (n, ==, strlen (text));
  g_assert_cmpmem (block, (gsize) n, text, strlen (text));
}

/* The side that dialled, as a mesh link has it: tickets and all that a GnuTLS server sends. */
static void
dialled (gconstpointer data)
{
  g_autofree char *priorities = g_strconcat (TEST_PEER_TLS13 ":-CIPHER-ALL:+", (const char *) data,
                                             NULL);
  gpointer channel;
  Ends ends;

  ends_init (&ends, priorities);
  channel = tls_secrets_export (&ends.client.secrets, ends.client.session, TRUE, NULL);
  g_assert_nonnull (channel);
  g_assert_cmpuint (ends.client.received->len, >, 0); /* the tickets */
  for (guint i = 0; i < 3; i++)
    {
      seal_to (&ends.server, channel, "ping");
      expect_end (&ends.server, "ping");
      g_assert_cmpint (gnutls_record_send (ends.server.session, "pong", 4), ==, 4);
      feed_end (&ends.client, channel, "pong");
      g_assert_cmpint (
          gnutls_session_key_update (ends.server.session, i % 2 == 0 ? GNUTLS_KU_PEER : 0), ==, 0);
    }
  cls->free (channel);
  ends_clear (&ends);
}

static void
not_exported (void)
{
  static const char *const priorities[] = {
    "NORMAL:-VERS-ALL:+VERS-TLS1.2",
    TEST_PEER_TLS13 ":-CIPHER-ALL:+AES-128-CCM",
    TEST_PEER_TLS13 ":-CIPHER-ALL:+AES-128-CCM-8",
  };

  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      Ends ends;

      ends_init (&ends, priorities[i]);
      g_assert_null (tls_secrets_export (&ends.client.secrets, ends.client.session, TRUE, NULL));
      g_assert_null (tls_secrets_export (&ends.server.secrets, ends.server.session, FALSE, NULL));
      ends_clear (&ends);
    }
}

/* Secrets that are not those of the session, or were not caught. */
static void
wrong_secrets (void)
{
  TlsSecrets secrets;
  Ends ends;

  ends_init (&ends, TEST_PEER_TLS13);
  secrets = ends.server.secrets;
  secrets.read[0] ^= 1;
  g_assert_null (tls_secrets_export (&secrets, ends.server.session, FALSE, NULL));
  secrets = ends.server.secrets;
  secrets.write[31] ^= 1;
  g_assert_null (tls_secrets_export (&secrets, ends.server.session, FALSE, NULL));
  secrets = ends.server.secrets;
  secrets.read_len = 0;
  g_assert_null (tls_secrets_export (&secrets, ends.server.session, FALSE, NULL));
  tls_secrets_wipe (&secrets);
  g_assert_null (tls_secrets_export (&secrets, ends.server.session, FALSE, NULL));
  ends_clear (&ends);
}

/* GnuTLS opened a record that nobody has read yet. */
static void
pending_data (void)
{
  gpointer channel;
  char byte;
  Ends ends;

  ends_init (&ends, TEST_PEER_TLS13);
  g_assert_cmpint (gnutls_record_send (ends.client.session, "ab", 2), ==, 2);
  g_assert_cmpint (gnutls_record_recv (ends.server.session, &byte, 1), ==, 1);
  g_assert_null (tls_secrets_export (&ends.server.secrets, ends.server.session, FALSE, NULL));
  g_assert_cmpint (gnutls_record_recv (ends.server.session, &byte, 1), ==, 1);

  /* It goes on from where GnuTLS was, though that is not the beginning. */
  channel = tls_secrets_export (&ends.server.secrets, ends.server.session, FALSE, NULL);
  g_assert_nonnull (channel);
  g_assert_cmpint (gnutls_record_send (ends.client.session, "cd", 2), ==, 2);
  feed_end (&ends.server, channel, "cd");
  cls->free (channel);
  ends_clear (&ends);
}

static void
set_seq (gnutls_session_t session, gboolean read, guint64 seq)
{
  unsigned char bytes[8];

  for (guint i = 0; i < sizeof bytes; i++)
    bytes[i] = (unsigned char) (seq >> (56 - 8 * i));
  g_assert_cmpint (gnutls_record_set_state (session, read ? 1 : 0, bytes), ==, 0);
}

/* A real client takes our change of keys, and changes its own when it is asked to. */
static void
client_at_the_limit (void)
{
  TlsExportStart start = { .read_seq = TLS_KEYS_RECORDS_MAX - 3,
                           .write_seq = TLS_KEYS_RECORDS_MAX - 2 };
  struct iovec span = { (void *) "pong", 4 };
  gboolean replied = FALSE;
  gpointer channel;
  TestPair pair;

  test_pair_init (&pair, TEST_PEER_TLS13);
  start.cipher = tls_channel_export_keys (pair.exported, TRUE)->cipher;
  start.read_secret = tls_channel_export_keys (pair.exported, TRUE)->secret;
  start.write_secret = tls_channel_export_keys (pair.exported, FALSE)->secret;
  channel = tls_channel_export_new (&start);
  set_seq (pair.peer->session, FALSE, start.read_seq);
  set_seq (pair.peer->session, TRUE, start.write_seq);

  for (guint i = 0; i < 8; i++)
    {
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      g_autoptr (GByteArray) heard = NULL;
      gboolean reply = FALSE;
      ssize_t rc;

      g_assert_cmpint (gnutls_record_send (pair.peer->session, "ping", 4), ==, 4);
      g_assert_cmpint (test_peer_feed (pair.peer, cls, channel, 0, plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
      g_assert_cmpmem (plain->data, plain->len, "ping", 4);
      replied = replied || reply;
      test_peer_seal (pair.peer, cls, channel, &span, 1);
      heard = test_peer_read (pair.peer, &rc);
      g_assert_cmpmem (heard->data, heard->len, "pong", 4);
    }
  g_assert_true (replied);
  g_assert_cmpuint (tls_channel_export_keys (channel, TRUE)->seq, <, 8);
  g_assert_cmpuint (tls_channel_export_keys (channel, FALSE)->seq, <, 8);
  cls->free (channel);
  test_pair_clear (&pair);
}

static int
catch_handshake_secret (gnutls_session_t session, gnutls_record_encryption_level_t level,
                        const void *read, const void *write, size_t len)
{
  TlsKeys *keys = gnutls_session_get_ptr (session);

  if (level == GNUTLS_ENCRYPTION_LEVEL_HANDSHAKE && write != NULL && len == 32)
    g_assert_true (tls_keys_init (keys, TLS_CIPHER_AES_128_GCM, write, 0));
  return 0;
}

/* A KeyUpdate behind Finished in one record, under the keys of the handshake: what GnuTLS read and
 * did not use yet is seen, and stays with it. */
static void
more_behind_finished (void)
{
  static const char *const names[] = { "relay.example", NULL };
  static const char *const protocols[] = { "http/1.1", NULL };
  TlsConfig config = { .alpn = protocols, .exports = TRUE };
  g_autoptr (DetourCert) cert = test_cert_new (GNUTLS_PK_ECDSA, 1, names);
  const DetourChannelClass *now = &tls_channel_gnutls_class;
  TestHost *host = test_host_new ();
  TestPeer *peer = test_peer_new (TEST_PEER_TLS13 ":-CIPHER-ALL:+AES-128-GCM", "relay.example",
                                  NULL);
  guint8 room[DETOUR_CHANNEL_FEED_SLACK];
  DetourBuffer out = { room, 0, sizeof room };
  TlsCredentials *credentials;
  const char *reason = NULL;
  DetourChannelResult result;
  TlsKeys keys = { 0 };
  TlsKeys read_keys;
  TestForge forge;
  gpointer channel;
  gsize used;
  gsize at = 0;

  test_host_publish (host, &cert, 1);
  credentials = tls_credentials_new (test_host_instance (host), &config, NULL);
  channel = tls_channel_gnutls_new (credentials, NULL);
  gnutls_session_set_ptr (peer->session, &keys);
  gnutls_handshake_set_secret_function (peer->session, catch_handshake_secret);
  gnutls_handshake (peer->session);
  g_assert_cmpint (
      now->handshake (channel, peer->sent->data, peer->sent->len, &used, &out, &reason), ==,
      DETOUR_CHANNEL_MORE);
  g_byte_array_set_size (peer->sent, 0);
  g_byte_array_append (peer->received, out.data, (guint) out.len);
  g_assert_cmpint (gnutls_handshake (peer->session), ==, 0);

  /* Past the ChangeCipherSpec that means nothing, to the record with Finished. */
  while (peer->sent->data[at] != TLS_TYPE_DATA)
    at += 5u + ((gsize) peer->sent->data[at + 3] << 8 | peer->sent->data[at + 4]);
  read_keys = keys;
  test_forge_init (&forge, &keys, &read_keys);
  test_forge_raw (&forge, peer->sent->data, at);
  g_byte_array_append (forge.received, peer->sent->data + at, peer->sent->len - (guint) at);
  {
    g_autoptr (GByteArray) text = g_byte_array_new ();
    struct iovec sealed = { forge.received->data + TLS_RECORD_HEAD_SIZE, 36 + 1 };

    g_assert_cmpuint (forge.received->len, ==, TLS_RECORD_OVERHEAD + 36);
    g_byte_array_set_size (text, 36 + 1 + TLS_AEAD_TAG_SIZE);
    g_assert_true (tls_thread_open (tls_thread_get (), &forge.read, forge.received->data,
                                    (TlsText) { &sealed, 0, sealed.iov_len },
                                    forge.received->data + TLS_RECORD_HEAD_SIZE + sealed.iov_len,
                                    text->data));
    memcpy (text->data + 36, "\x18\0\0\1\0", 5);
    test_forge_record (&forge, TLS_TYPE_HANDSHAKE, text->data, 36 + 5, 0);
  }
  out.len = 0;
  result = now->handshake (channel, forge.sent->data, forge.sent->len, &used, &out, &reason);
  g_test_message ("result %d: %s", result, reason);
  g_assert_cmpint (result, ==, DETOUR_CHANNEL_OK);
  g_assert_cmpuint (used, ==, forge.sent->len);
  channel = now->settle (channel, &now);
  g_assert_true (now == &tls_channel_gnutls_class);
  g_assert_cmpuint (test_host_counter (host, "connections_not_exported"), ==, 1);

  test_forge_clear (&forge);
  now->free (channel);
  test_peer_free (peer);
  tls_credentials_unref (credentials);
  test_host_free (host);
}

int
main (int argc, char **argv)
{
  static const char *const ciphers[] = { "AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305" };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (ciphers); i++)
    {
      g_autofree char *path = g_strconcat ("/tls-secrets/dialled", "/", ciphers[i], NULL);

      g_test_add_data_func (path, ciphers[i], dialled);
    }
  g_test_add_func ("/tls-secrets/other-ciphers-and-versions-stay", not_exported);
  g_test_add_func ("/tls-secrets/wrong-secrets", wrong_secrets);
  g_test_add_func ("/tls-secrets/data-that-gnutls-holds", pending_data);
  g_test_add_func ("/tls-secrets/client-at-the-limit-of-keys", client_at_the_limit);
  g_test_add_func ("/tls-secrets/more-behind-finished", more_behind_finished);
  return g_test_run ();
}
