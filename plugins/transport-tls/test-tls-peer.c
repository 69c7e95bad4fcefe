/* test-tls-peer.c: a TLS client in memory, and certificates for the server it talks to.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-peer.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

static gnutls_x509_privkey_t
test_key_new (gnutls_pk_algorithm_t algorithm)
{
  gnutls_x509_privkey_t key;
  unsigned bits = algorithm == GNUTLS_PK_RSA ? 2048
                : algorithm == GNUTLS_PK_EDDSA_ED25519
                    ? GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_ED25519)
                    : GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1);

  g_assert_cmpint (gnutls_x509_privkey_init (&key), ==, 0);
  g_assert_cmpint (gnutls_x509_privkey_generate (key, algorithm, bits, 0), ==, 0);
  return key;
}

static gnutls_x509_crt_t
test_crt_new (gnutls_x509_privkey_t key, gnutls_x509_crt_t issuer, gnutls_x509_privkey_t issuer_key,
              const char *common_name, const char *const *names)
{
  gnutls_x509_crt_t crt;

  gnutls_x509_crt_init (&crt);
  gnutls_x509_crt_set_version (crt, 3);
  gnutls_x509_crt_set_serial (crt, "\x11", 1);
  gnutls_x509_crt_set_key (crt, key);
  gnutls_x509_crt_set_activation_time (crt, time (NULL) - 3600);
  gnutls_x509_crt_set_expiration_time (crt, time (NULL) + 3600);
  gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
                                 (unsigned) strlen (common_name));
  for (guint i = 0; names != NULL && names[i] != NULL; i++)
    gnutls_x509_crt_set_subject_alt_name (crt, GNUTLS_SAN_DNSNAME, names[i],
                                          (unsigned) strlen (names[i]), GNUTLS_FSAN_APPEND);
  g_assert_cmpint (
      gnutls_x509_crt_sign2 (crt, issuer != NULL ? issuer : crt, issuer_key, GNUTLS_DIG_SHA256, 0),
      ==, 0);
  return crt;
}

static GBytes *
test_crt_der (gnutls_x509_crt_t crt)
{
  gnutls_datum_t der;
  GBytes *bytes;

  gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_DER, &der);
  bytes = g_bytes_new (der.data, der.size);
  gnutls_free (der.data);
  return bytes;
}

DetourCert *
test_cert_new (gnutls_pk_algorithm_t algorithm, guint n_chain, const char *const *names)
{
  g_autoptr (GPtrArray) chain = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  gnutls_x509_privkey_t key = test_key_new (algorithm);
  gnutls_x509_privkey_t ca_key = test_key_new (GNUTLS_PK_ECDSA);
  gnutls_x509_crt_t ca = test_crt_new (ca_key, NULL, ca_key, "issuer 1", NULL);
  gnutls_x509_crt_t leaf = test_crt_new (key, ca, ca_key, names[0], names);
  gnutls_datum_t der;
  DetourCert *cert;

  g_ptr_array_add (chain, test_crt_der (leaf));
  for (guint i = 1; i < n_chain; i++)
    {
      g_autofree char *name = g_strdup_printf ("issuer %u", i);
      gnutls_x509_crt_t crt = test_crt_new (ca_key, ca, ca_key, name, NULL);

      g_ptr_array_add (chain, test_crt_der (crt));
      gnutls_x509_crt_deinit (crt);
    }
  gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &der);
  cert = detour_cert_new ((GBytes *const *) chain->pdata, chain->len, der.data, der.size, names,
                          time (NULL) - 3600, time (NULL) + 3600);
  gnutls_free (der.data);
  gnutls_x509_crt_deinit (leaf);
  gnutls_x509_crt_deinit (ca);
  gnutls_x509_privkey_deinit (ca_key);
  gnutls_x509_privkey_deinit (key);
  return cert;
}

TestPeer *
test_peer_new (const char *priorities, const char *sni, const char *alpn)
{
  TestPeer *self = g_new0 (TestPeer, 1);

  self->sent = g_byte_array_new ();
  self->received = g_byte_array_new ();
  gnutls_certificate_allocate_credentials (&self->credentials);
  gnutls_init (&self->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS);
  g_assert_cmpint (gnutls_priority_set_direct (self->session, priorities, NULL), ==, 0);
  gnutls_credentials_set (self->session, GNUTLS_CRD_CERTIFICATE, self->credentials);
  if (sni != NULL)
    gnutls_server_name_set (self->session, GNUTLS_NAME_DNS, sni, strlen (sni));
  if (alpn != NULL)
    {
      g_auto (GStrv) names = g_strsplit (alpn, ",", -1);
      gnutls_datum_t protocols[8];
      guint n = 0;

      for (; names[n] != NULL; n++)
        protocols[n] = (gnutls_datum_t) { (unsigned char *) names[n],
                                          (unsigned) strlen (names[n]) };
      gnutls_alpn_set_protocols (self->session, protocols, n, 0);
    }
  test_wire_init (&self->wire, self->session, self->received, self->sent);
  gnutls_handshake_set_timeout (self->session, GNUTLS_INDEFINITE_TIMEOUT);
  return self;
}

void
test_peer_free (TestPeer *self)
{
  gnutls_deinit (self->session);
  gnutls_certificate_free_credentials (self->credentials);
  g_byte_array_unref (self->sent);
  g_byte_array_unref (self->received);
  g_free (self);
}

/* One call, with blocks of exactly the promised size, so that reading or writing past an end is
 * caught. */
static DetourChannelResult
test_peer_step (TestPeer *self, const DetourChannelClass *cls, gpointer channel, gsize len,
                gsize room, const char **reason)
{
  g_autofree guint8 *in = len > 0 ? g_memdup2 (self->sent->data, len) : NULL;
  DetourBuffer out = { g_malloc (room), 0, room };
  gsize used = 0;
  DetourChannelResult result = cls->handshake (channel, in, len, &used, &out, reason);

  g_assert_cmpuint (used, <=, len);
  g_assert_cmpuint (out.len, <=, room);
  if (result == DETOUR_CHANNEL_MORE && used < len)
    g_assert_cmpuint (out.len, ==, room); /* the one reason to leave bytes */
  g_byte_array_append (self->received, out.data, (guint) out.len);
  g_byte_array_remove_range (self->sent, 0, (guint) used);
  g_free (out.data);
  return result;
}

DetourChannelResult
test_peer_handshake (TestPeer *self, const DetourChannelClass *cls, gpointer channel, TestPace pace,
                     int *client_rc, const char **reason)
{
  DetourChannelResult result = DETOUR_CHANNEL_MORE;
  gsize room = pace.room > 0 ? pace.room : DETOUR_CHANNEL_FEED_SLACK;
  int rc = GNUTLS_E_AGAIN;

  result = test_peer_step (self, cls, channel, 0, room, reason);
  g_assert_cmpint (result, ==, DETOUR_CHANNEL_MORE);
  while (result != DETOUR_CHANNEL_BAD && result != DETOUR_CHANNEL_WAIT
         && (result == DETOUR_CHANNEL_MORE || rc != 0))
    {
      gboolean moved = FALSE;

      if (rc != 0)
        rc = gnutls_handshake (self->session);
      while (result == DETOUR_CHANNEL_MORE && self->sent->len > 0)
        {
          gsize len = pace.step > 0 ? MIN (pace.step, self->sent->len) : self->sent->len;

          result = test_peer_step (self, cls, channel, len, room, reason);
          moved = TRUE;
        }
      if (rc != 0 && gnutls_error_is_fatal (rc) && !moved)
        break;
    }
  if (rc != 0 && !gnutls_error_is_fatal (rc) && result != DETOUR_CHANNEL_WAIT)
    rc = gnutls_handshake (self->session); /* the alert, if there is one */
  *client_rc = rc;
  return result;
}

void
test_peer_handshake_ok (TestPeer *self, const DetourChannelClass *cls, gpointer channel)
{
  const char *reason = NULL;
  int rc;
  DetourChannelResult result = test_peer_handshake (self, cls, channel, (TestPace) { 0 }, &rc,
                                                    &reason);

  g_assert_cmpstr (reason, ==, NULL);
  g_assert_cmpint (result, ==, DETOUR_CHANNEL_OK);
  g_assert_cmpint (rc, ==, 0);
}

DetourChannelResult
test_peer_feed (TestPeer *self, const DetourChannelClass *cls, gpointer channel, gsize step,
                GByteArray *plain, gboolean *reply)
{
  return test_wire_feed (self->sent, cls, channel, step, plain, reply);
}

gsize
test_peer_seal (TestPeer *self, const DetourChannelClass *cls, gpointer channel,
                const struct iovec *spans, guint n)
{
  gsize sum = 0;
  DetourBuffer out = { NULL };

  for (guint i = 0; i < n; i++)
    sum += spans[i].iov_len;
  out.cap = DETOUR_CHANNEL_SEAL_BOUND (sum);
  out.data = g_malloc (out.cap);
  g_assert_true (cls->seal (channel, spans, n, &out));
  g_assert_cmpuint (out.len, <=, out.cap);
  g_byte_array_append (self->received, out.data, (guint) out.len);
  g_free (out.data);
  return out.len;
}

GByteArray *
test_peer_read (TestPeer *self, ssize_t *rc)
{
  GByteArray *plain = g_byte_array_new ();
  guint8 block[DETOUR_CHANNEL_RECORD_MAX];

  do /* AGAIN may just mean that a record had no data */
    {
      *rc = gnutls_record_recv (self->session, block, sizeof block);
      if (*rc > 0)
        g_byte_array_append (plain, block, (guint) *rc);
    }
  while (*rc > 0 || (*rc == GNUTLS_E_AGAIN && self->received->len > 0));
  return plain;
}

char *
test_peer_cert_name (TestPeer *self, guint i)
{
  unsigned n;
  const gnutls_datum_t *list = gnutls_certificate_get_peers (self->session, &n);
  gnutls_x509_crt_t crt;
  char name[256];
  size_t len = sizeof name;

  if (i >= n)
    return NULL;
  gnutls_x509_crt_init (&crt);
  g_assert_cmpint (gnutls_x509_crt_import (crt, &list[i], GNUTLS_X509_FMT_DER), ==, 0);
  g_assert_cmpint (
      gnutls_x509_crt_get_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len), ==, 0);
  gnutls_x509_crt_deinit (crt);
  return g_strdup (name);
}
