/* test-tls-pair.c: both record layers behind one handshake with a GnuTLS client.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-pair.h"

void
test_pair_init (TestPair *self, const char *priorities)
{
  static const char *const names[] = { "relay.example", NULL };
  static const char *const protocols[] = { "http/1.1", NULL };
  TlsConfig config = { .alpn = protocols, .exports = TRUE };
  g_autoptr (DetourCert) cert = test_cert_new (GNUTLS_PK_ECDSA, 1, names);
  g_autoptr (GError) error = NULL;

  self->host = test_host_new ();
  test_host_publish (self->host, &cert, 1);
  self->credentials = tls_credentials_new (test_host_instance (self->host), &config, &error);
  g_assert_no_error (error);
  self->gnutls = tls_channel_gnutls_new (self->credentials, NULL);
  self->peer = test_peer_new (priorities, "relay.example", NULL);
  test_peer_handshake_ok (self->peer, &tls_channel_gnutls_class, self->gnutls);
  self->exported = tls_channel_gnutls_export (self->gnutls);
  g_assert_nonnull (self->exported);
}

void
test_pair_clear (TestPair *self)
{
  tls_channel_export_class.free (self->exported);
  tls_channel_gnutls_class.free (self->gnutls);
  test_peer_free (self->peer);
  tls_credentials_unref (self->credentials);
  test_host_free (self->host);
}
