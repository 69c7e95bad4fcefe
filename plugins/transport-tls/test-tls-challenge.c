/* test-tls-challenge.c: how tls-alpn-01 is answered in the handshake.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gnutls/x509.h>
#include <string.h>

#include "test-tls-link.h"

#define TOKEN      "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
#define AUTH       TOKEN ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
#define ACME       "acme-tls/1"
#define OID        "1.3.6.1.5.5.7.1.31"
#define V6_REVERSE "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"

static const guint8 v4[] = { 192, 0, 2, 1 };
static const guint8 v6[] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5 };

typedef struct {
  DetourChannelResult result;
  int rc;
  gnutls_alert_description_t alert;
  gnutls_x509_crt_t cert; /* of the relay; NULL: none was seen */
  guint n_certs;
  gboolean ended; /* the relay said goodbye */
} Seen;

static gnutls_x509_crt_t
leaf_of (gnutls_session_t session, guint *n)
{
  const gnutls_datum_t *list = gnutls_certificate_get_peers (session, n);
  gnutls_x509_crt_t cert;

  if (list == NULL)
    return NULL;
  gnutls_x509_crt_init (&cert);
  g_assert_cmpint (gnutls_x509_crt_import (cert, &list[0], GNUTLS_X509_FMT_DER), ==, 0);
  return cert;
}

static void
ask (TestLink *f, const TestVariant *variant, const char *sni, const char *offer, Seen *seen)
{
  const char *reason = NULL;
  g_autoptr (GByteArray) plain = NULL;
  ssize_t rc;

  f->cls->free (f->channel);
  f->channel = tls_channel_gnutls_new (f->credentials, NULL);
  test_peer_free (f->peer);
  f->peer = test_peer_new (variant->priorities, sni, offer);
  *seen = (Seen) { 0 };
  seen->result = test_peer_handshake (f->peer, f->cls, f->channel, (TestPace) { 0 }, &seen->rc,
                                      &reason);
  seen->alert = gnutls_alert_get (f->peer->session);
  if (seen->rc == 0)
    {
      seen->cert = leaf_of (f->peer->session, &seen->n_certs);
      plain = test_peer_read (f->peer, &rc);
      seen->ended = rc == 0;
      g_assert_cmpuint (plain->len, ==, 0);
    }
}

static void
seen_clear (Seen *seen)
{
  if (seen->cert != NULL)
    gnutls_x509_crt_deinit (seen->cert);
  seen->cert = NULL;
}

static void
assert_says (gnutls_x509_crt_t cert, const char *name, const guint8 *address, gsize address_len)
{
  guint8 text[256], extension[64], subject[256], issuer[256];
  size_t len = sizeof text, subject_len = sizeof subject, issuer_len = sizeof issuer;
  unsigned critical = 0, n_identifiers = 0;
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 expected[34] = { 0x04, 32 };
  gsize digest_len = 32;
  gnutls_x509_trust_list_t trust;
  unsigned verdict = 0;

  if (name != NULL)
    {
      g_assert_cmpint (gnutls_x509_crt_get_subject_alt_name (cert, 0, text, &len, NULL), ==,
                       GNUTLS_SAN_DNSNAME);
      g_assert_cmpmem (text, len, name, strlen (name));
    }
  else
    {
      g_assert_cmpint (gnutls_x509_crt_get_subject_alt_name (cert, 0, text, &len, NULL), ==,
                       GNUTLS_SAN_IPADDRESS);
      g_assert_cmpmem (text, len, address, address_len);
    }
  len = sizeof text;
  g_assert_cmpint (gnutls_x509_crt_get_subject_alt_name (cert, 1, text, &len, NULL), ==,
                   GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);

  g_checksum_update (sum, (const guchar *) AUTH, -1);
  g_checksum_get_digest (sum, expected + 2, &digest_len);
  for (unsigned i = 0;; i++)
    {
      char oid[64];
      size_t oid_len = sizeof oid;

      if (gnutls_x509_crt_get_extension_info (cert, i, oid, &oid_len, &critical) < 0)
        break;
      if (strcmp (oid, OID) != 0)
        continue;
      n_identifiers++;
      g_assert_true (critical);
      len = sizeof extension;
      g_assert_cmpint (gnutls_x509_crt_get_extension_data (cert, i, extension, &len), ==, 0);
      g_assert_cmpmem (extension, len, expected, sizeof expected);
    }
  g_assert_cmpuint (n_identifiers, ==, 1);

  g_assert_cmpint (gnutls_x509_crt_get_dn (cert, (char *) subject, &subject_len), ==, 0);
  g_assert_cmpint (gnutls_x509_crt_get_issuer_dn (cert, (char *) issuer, &issuer_len), ==, 0);
  g_assert_cmpmem (subject, subject_len, issuer, issuer_len);
  g_assert_cmpint (gnutls_x509_crt_get_version (cert), ==, 3);
  /* Signed by its own key. */
  gnutls_x509_trust_list_init (&trust, 0);
  gnutls_x509_trust_list_add_cas (trust, &cert, 1, 0);
  g_assert_cmpint (gnutls_x509_trust_list_verify_crt2 (trust, &cert, 1, NULL, 0, 0, &verdict, NULL),
                   ==, 0);
  g_assert_cmpuint (verdict, ==, 0);
  gnutls_x509_trust_list_deinit (trust, 0);
}

static void
answers (void)
{
  static const struct {
    const char *identifier, *sni, *name;
    const guint8 *address;
    gsize address_len;
  } cases[] = {
    { "relay.example", "relay.example", "relay.example" },
    { "Relay.Example", "RELAY.example", "relay.example" },
    { "192.0.2.1", "1.2.0.192.in-addr.arpa", NULL, v4, sizeof v4 },
    { "2001:db8::5", V6_REVERSE, NULL, v6, sizeof v6 },
  };
  static const char *const names[] = { "relay.example", NULL };
  static const TestVariant *const variants[] = { &test_tls12, &test_tls13, &test_exported };

  for (guint j = 0; j < G_N_ELEMENTS (variants); j++)
    for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
      {
        g_autoptr (DetourCert) cert = test_cert_new (GNUTLS_PK_ECDSA, 1, names);
        TestLink f;
        Seen seen;
        DetourHost *host;

        test_link_setup_with (&f, variants[j], NULL, FALSE);
        host = test_host_instance (f.host);
        test_host_publish (f.host, &cert, 1);
        g_assert_true (detour_host_present_challenge (host, "tls-alpn-01", cases[i].identifier,
                                                      TOKEN, AUTH, NULL));
        /* Who asks for more than the challenge gets no more than the challenge. */
        for (guint k = 0; k < 2; k++)
          {
            ask (&f, variants[j], cases[i].sni, k == 0 ? ACME : "http/1.1," ACME, &seen);
            g_assert_cmpint (seen.rc, ==, 0);
            g_assert_cmpint (seen.result, ==, DETOUR_CHANNEL_CLOSED);
            g_assert_true (seen.ended);
            g_assert_cmpuint (seen.n_certs, ==, 1);
            assert_says (seen.cert, cases[i].name, cases[i].address, cases[i].address_len);
            seen_clear (&seen);
          }
        /* Everybody else is served as ever. */
        ask (&f, variants[j], "relay.example", "http/1.1", &seen);
        g_assert_cmpint (seen.result, ==, DETOUR_CHANNEL_OK);
        g_assert_cmpuint (seen.n_certs, ==, 2);
        seen_clear (&seen);

        detour_host_withdraw_challenge (host, "tls-alpn-01", cases[i].identifier, TOKEN);
        ask (&f, variants[j], cases[i].sni, ACME, &seen);
        g_assert_cmpint (seen.result, ==, DETOUR_CHANNEL_BAD);
        test_link_teardown (&f, NULL);
      }
}

/* The certificate of the relay is no answer. */
static void
nothing_waits (void)
{
  static const char *const names[] = { "relay.example", NULL };
  static const TestVariant *const variants[] = { &test_tls12, &test_tls13 };
  static const struct {
    const char *sni, *offer;
  } cases[] = {
    { "relay.example", ACME },
    { "relay.example", "http/1.1," ACME },
    { NULL, ACME },
    { "other.example", ACME },
  };

  for (guint j = 0; j < G_N_ELEMENTS (variants); j++)
    for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
      {
        g_autoptr (DetourCert) cert = test_cert_new (GNUTLS_PK_ECDSA, 1, names);
        TestLink f;
        Seen seen;

        test_link_setup_with (&f, variants[j], NULL, FALSE);
        test_host_publish (f.host, &cert, 1);
        if (i >= 2)
          g_assert_true (detour_host_present_challenge (test_host_instance (f.host), "tls-alpn-01",
                                                        "relay.example", TOKEN, AUTH, NULL));
        ask (&f, variants[j], cases[i].sni, cases[i].offer, &seen);
        g_assert_cmpint (seen.result, ==, DETOUR_CHANNEL_BAD);
        g_assert_cmpint (seen.rc, ==, GNUTLS_E_FATAL_ALERT_RECEIVED);
        g_assert_cmpint (seen.alert, ==, GNUTLS_A_UNRECOGNIZED_NAME);
        g_assert_null (test_host_trouble (f.host));
        test_link_teardown (&f, NULL);
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tls-challenge/answers", answers);
  g_test_add_func ("/tls-challenge/nothing-waits", nothing_waits);
  return g_test_run ();
}
