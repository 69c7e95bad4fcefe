/* test-tls-link.c: a channel of the relay and its GnuTLS client, all in memory: the fixture of
 * what both record layers do.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-link.h"

const TestVariant test_tls12 = { TEST_PEER_TLS12, FALSE, "gnutls" };
const TestVariant test_tls13 = { TEST_PEER_TLS13, FALSE, "gnutls" };
const TestVariant test_tls12_exports = { TEST_PEER_TLS12, TRUE, "gnutls" };
const TestVariant test_exported = { TEST_PEER_TLS13, TRUE, "export" };

void
test_link_setup_with (TestLink *self, const TestVariant *variant, const char *alpn,
                      gboolean tls13_only)
{
  static const char *const names[] = { "relay.example", NULL };
  static const char *const protocols[] = { "http/1.1", NULL };
  TlsConfig config = { .alpn = protocols, .tls13_only = tls13_only, .exports = variant->exports };
  g_autoptr (DetourCert) cert = test_cert_new (GNUTLS_PK_ECDSA, 1, names);
  g_autoptr (GError) error = NULL;

  self->variant = variant;
  self->host = test_host_new ();
  test_host_publish (self->host, &cert, 1);
  self->credentials = tls_credentials_new (test_host_instance (self->host), &config, &error);
  g_assert_no_error (error);
  self->cls = &tls_channel_gnutls_class;
  self->channel = tls_channel_gnutls_new (self->credentials, NULL);
  self->peer = test_peer_new (variant->priorities, "relay.example", alpn);
}

void
test_link_setup (TestLink *self, gconstpointer variant)
{
  test_link_setup_with (self, variant, NULL, FALSE);
}

void
test_link_teardown (TestLink *self, gconstpointer variant)
{
  test_peer_free (self->peer);
  self->cls->free (self->channel);
  tls_credentials_unref (self->credentials);
  test_host_free (self->host);
}

void
test_link_settle (TestLink *self)
{
  self->channel = self->cls->settle (self->channel, &self->cls);
  g_assert_cmpstr (self->cls->name, ==, self->variant->layer);
}

void
test_link_shake_hands (TestLink *self)
{
  test_peer_handshake_ok (self->peer, self->cls, self->channel);
  test_link_settle (self);
}

void
test_link_write (TestLink *self, gconstpointer data, gsize len)
{
  while (len > 0)
    {
      ssize_t n = gnutls_record_send (self->peer->session, data, len);

      g_assert_cmpint (n, >, 0);
      data = (const guint8 *) data + n;
      len -= (gsize) n;
    }
}
