/* test-tls-credentials.c: which certificate a client gets, in which order, and what outlives what.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "test-tls-host.h"
#include "test-tls-peer.h"
#include "tls-channel-gnutls.h"

static const DetourChannelClass *const cls = &tls_channel_gnutls_class;
static const char *const alpn[] = { "http/1.1", NULL };

static TlsCredentials *
credentials_new (TestHost *host)
{
  TlsConfig config = { .alpn = alpn };
  g_autoptr (GError) error = NULL;
  TlsCredentials *credentials = tls_credentials_new (test_host_instance (host), &config, &error);

  g_assert_no_error (error);
  return credentials;
}

static void
publish_one (TestHost *host, const char *name)
{
  const char *names[] = { name, NULL };
  g_autoptr (DetourCert) cert = test_cert_new (GNUTLS_PK_ECDSA, 1, names);

  test_host_publish (host, &cert, 1);
}

/* Name of the leaf that a client gets. */
static char *
leaf_for (TlsCredentials *credentials, const char *sni, const char *local)
{
  struct sockaddr_storage address = { 0 };
  struct sockaddr_in *in = (struct sockaddr_in *) &address;
  TestPeer *peer = test_peer_new (TEST_PEER_TLS13, sni, NULL);
  gpointer channel;
  char *name;

  in->sin_family = AF_INET;
  if (local != NULL)
    inet_pton (AF_INET, local, &in->sin_addr);
  channel = tls_channel_gnutls_new (credentials, &address);
  test_peer_handshake_ok (peer, cls, channel);
  name = test_peer_cert_name (peer, 0);
  test_peer_free (peer);
  cls->free (channel);
  return name;
}

static void
choice (void)
{
  static const struct {
    const char *sni, *local, *leaf;
  } cases[] = {
    { "two.example", NULL, "two.example" },
    { "one.example", "192.0.2.3", "one.example" },
    { NULL, "192.0.2.3", "192.0.2.3" },
    { "other.example", "192.0.2.3", "192.0.2.3" },
    { "other.example", "192.0.2.4", "one.example" },
    { NULL, NULL, "one.example" },
  };
  static const char *const names[3][2] = { { "one.example" }, { "two.example" }, { "192.0.2.3" } };
  TestHost *host = test_host_new ();
  TlsCredentials *credentials = credentials_new (host);
  DetourCert *certs[3];

  for (guint i = 0; i < 3; i++)
    certs[i] = test_cert_new (GNUTLS_PK_ECDSA, 1, names[i]);
  test_host_publish (host, certs, 3);
  for (guint i = 0; i < 3; i++)
    detour_cert_unref (certs[i]);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *leaf = leaf_for (credentials, cases[i].sni, cases[i].local);

      g_assert_cmpstr (leaf, ==, cases[i].leaf);
    }
  tls_credentials_unref (credentials);
  test_host_free (host);
}

/* Leaf, its issuers in their order, the meta certificate last, whatever the key of the leaf. */
static void
order (void)
{
  static const gnutls_pk_algorithm_t algorithms[] = { GNUTLS_PK_ECDSA, GNUTLS_PK_RSA,
                                                      GNUTLS_PK_EDDSA_ED25519 };
  static const char *const versions[] = { TEST_PEER_TLS12, TEST_PEER_TLS13 };
  static const char *const names[] = { "leaf.example", NULL };

  for (guint i = 0; i < G_N_ELEMENTS (algorithms); i++)
    {
      TestHost *host = test_host_new ();
      TlsCredentials *credentials = credentials_new (host);
      g_autoptr (DetourCert) cert = test_cert_new (algorithms[i], 3, names);

      test_host_publish (host, &cert, 1);
      for (guint j = 0; j < G_N_ELEMENTS (versions); j++)
        {
          gpointer channel = tls_channel_gnutls_new (credentials, NULL);
          TestPeer *peer = test_peer_new (versions[j], NULL, NULL);
          g_autofree char *all = NULL;
          char *sent[6];

          test_peer_handshake_ok (peer, cls, channel);
          for (guint k = 0; k < 6; k++)
            sent[k] = test_peer_cert_name (peer, k);
          all = g_strjoinv (" ", sent);
          g_assert_cmpstr (
              all, ==,
              "leaf.example issuer 1 issuer 2 "
              "derpkeya0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf");
          for (guint k = 0; k < 4; k++)
            g_free (sent[k]);
          test_peer_free (peer);
          cls->free (channel);
        }
      tls_credentials_unref (credentials);
      test_host_free (host);
    }
}

static void
renewal (void)
{
  TestHost *host = test_host_new ();
  TlsCredentials *credentials = credentials_new (host);
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  publish_one (host, "before.example");
  before = leaf_for (credentials, NULL, NULL);
  publish_one (host, "after.example");
  after = leaf_for (credentials, NULL, NULL);
  g_assert_cmpstr (before, ==, "before.example");
  g_assert_cmpstr (after, ==, "after.example");
  tls_credentials_unref (credentials);
  test_host_free (host);
}

static void
none (void)
{
  TestHost *host = test_host_new ();
  TlsCredentials *credentials = credentials_new (host);
  gpointer channel = tls_channel_gnutls_new (credentials, NULL);
  TestPeer *peer = test_peer_new ("NORMAL", "relay.example", NULL);
  const char *reason = NULL;
  g_autofree char *leaf = NULL;
  g_autofree char *trouble = NULL;
  g_autofree char *no_trouble = NULL;
  int rc;

  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "no certificate to serve*");
  g_assert_cmpint (test_peer_handshake (peer, cls, channel, (TestPace) { 0 }, &rc, &reason), ==,
                   DETOUR_CHANNEL_BAD);
  g_test_assert_expected_messages ();
  g_assert_nonnull (reason);
  g_assert_cmpint (rc, ==, GNUTLS_E_FATAL_ALERT_RECEIVED);
  g_assert_cmpint (gnutls_alert_get (peer->session), ==, GNUTLS_A_INTERNAL_ERROR);
  trouble = test_host_trouble (host);
  g_assert_cmpstr (trouble, ==, "no certificate to serve");
  test_peer_free (peer);
  cls->free (channel);

  publish_one (host, "late.example");
  leaf = leaf_for (credentials, NULL, NULL);
  g_assert_cmpstr (leaf, ==, "late.example");
  no_trouble = test_host_trouble (host);
  g_assert_null (no_trouble);
  tls_credentials_unref (credentials);
  test_host_free (host);
}

static void
unusable (void)
{
  static const char *const names[] = { "broken.example", NULL };
  TestHost *host = test_host_new ();
  TlsCredentials *credentials = credentials_new (host);
  g_autoptr (GBytes) junk = g_bytes_new_static ("junk", 4);
  g_autoptr (DetourCert) cert = detour_cert_new (&junk, 1, (const guint8 *) "junk", 4, names, 0, 1);

  test_host_publish (host, &cert, 1);
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING,
                         "certificate for broken.example cannot be served*");
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "no certificate to serve*");
  for (guint i = 0; i < 2; i++) /* said once, not for each client */
    {
      gpointer channel = tls_channel_gnutls_new (credentials, NULL);
      TestPeer *peer = test_peer_new ("NORMAL", NULL, NULL);
      const char *reason = NULL;
      int rc;

      g_assert_cmpint (test_peer_handshake (peer, cls, channel, (TestPace) { 0 }, &rc, &reason), ==,
                       DETOUR_CHANNEL_BAD);
      test_peer_free (peer);
      cls->free (channel);
    }
  g_test_assert_expected_messages ();
  tls_credentials_unref (credentials);
  test_host_free (host);
}

/* The instance stops: its connections go on without it, and a hello that comes too late fails
 * cleanly. */
static void
outlives (void)
{
  TestHost *host = test_host_new ();
  DetourListenerSpec spec = *test_host_start (host);
  TestPeer *peer = test_peer_new (TEST_PEER_TLS13, NULL, NULL);
  TestPeer *late = test_peer_new (TEST_PEER_TLS13, NULL, NULL);
  const DetourAccepted accepted = { .listener = "transport/https" };
  gpointer channel, late_channel;
  struct iovec span = { (void *) "still here", 10 };
  g_autoptr (GByteArray) heard = NULL;
  const char *reason = NULL;
  ssize_t n;
  int rc;

  g_assert_true (spec.channel == cls);
  publish_one (host, "relay.example");
  channel = spec.accept (spec.user, &accepted);
  late_channel = spec.accept (spec.user, &accepted);
  test_peer_handshake_ok (peer, cls, channel);
  test_host_stop (host);
  test_host_free (host);

  test_peer_seal (peer, cls, channel, &span, 1);
  heard = test_peer_read (peer, &n);
  g_assert_cmpmem (heard->data, heard->len, "still here", 10);
  g_assert_cmpint (test_peer_handshake (late, cls, late_channel, (TestPace) { 0 }, &rc, &reason),
                   ==, DETOUR_CHANNEL_BAD);
  test_peer_free (peer);
  test_peer_free (late);
  cls->free (channel);
  cls->free (late_channel);
}

static gpointer
shake_hands (gpointer credentials)
{
  for (guint i = 0; i < 25; i++)
    g_free (leaf_for (credentials, "relay.example", NULL));
  return NULL;
}

/* The handshake pool has several threads, and certificates change under them. */
static void
threads (void)
{
  TestHost *host = test_host_new ();
  TlsCredentials *credentials = credentials_new (host);
  GThread *pool[4];

  publish_one (host, "relay.example");
  for (guint i = 0; i < G_N_ELEMENTS (pool); i++)
    pool[i] = g_thread_new ("pool", shake_hands, credentials);
  for (guint i = 0; i < 20; i++)
    publish_one (host, "relay.example");
  for (guint i = 0; i < G_N_ELEMENTS (pool); i++)
    g_thread_join (pool[i]);
  g_assert_cmpuint (test_host_counter (host, "handshakes_tls13"), ==, 25 * G_N_ELEMENTS (pool));
  tls_credentials_unref (credentials);
  test_host_free (host);
}

static void
settings (void)
{
  static const struct {
    const char *lines, *complaint;
  } cases[] = {
    { "listen = :443", NULL },
    { "socket = relay", NULL },
    { "listen = :443\nalpn = http/1.1; http/1.0\nmin-version = 1.3\nrecord-layer = gnutls", NULL },
    { "cert = main", "listen: not set" },
    { "listen = :443\nalpn = h2", "HTTP/2 is not spoken here" },
    { "listen = :443\nalpn = acme-tls/1", "is answered by every listener" },
    { "listen = :443\nalpn = 012345678901234567890123456789012", "has 33 characters" },
    { "listen = :443\nalpn = 1;2;3;4;5;6;7;8", "8 protocols" },
    { "listen = :443\nmin-version = 1.1", "min-version: \"1.1\"" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *complaint = NULL;
      TestHost *host = test_host_new_with (cases[i].lines, &complaint);

      if (cases[i].complaint == NULL)
        {
          g_assert_cmpstr (complaint, ==, NULL);
          test_host_start (host);
          test_host_free (host);
          continue;
        }
      g_assert_nonnull (complaint);
      g_test_message ("%s", complaint);
      g_assert_nonnull (strstr (complaint, cases[i].complaint));
    }
}

/* What was made for the listener goes with it; a leak ends the test. */
static void
refused_listener (void)
{
  TestHost *host = test_host_new ();

  test_host_start_refused (host);
  test_host_start (host);
  test_host_stop (host);
  test_host_start_refused (host);
  test_host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tls-credentials/by-name-then-address-then-default", choice);
  g_test_add_func ("/tls-credentials/meta-certificate-comes-last", order);
  g_test_add_func ("/tls-credentials/new-certificate-is-served-at-once", renewal);
  g_test_add_func ("/tls-credentials/no-certificate", none);
  g_test_add_func ("/tls-credentials/unusable-certificate-is-said-once", unusable);
  g_test_add_func ("/tls-credentials/channel-outlives-the-instance", outlives);
  g_test_add_func ("/tls-credentials/threads-share-them", threads);
  g_test_add_func ("/tls-credentials/settings", settings);
  g_test_add_func ("/tls-credentials/refused-listener", refused_listener);
  return g_test_run ();
}
