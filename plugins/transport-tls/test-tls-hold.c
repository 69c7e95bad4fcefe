/* test-tls-hold.c: handshakes that come before there is any certificate, while one is expected.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "test-tls-link.h"

static const char *const names[] = { "relay.example", NULL };
static const TestVariant *const variants[] = { &test_tls12, &test_tls13, &test_exported };

/* One call without bytes from the peer; what comes back is given to the client. */
static DetourChannelResult
poke (TestLink *f)
{
  guint8 room[DETOUR_CHANNEL_FEED_SLACK];
  DetourBuffer out = { room, 0, sizeof room };
  const char *reason = NULL;
  gsize used;
  DetourChannelResult result = f->cls->handshake (f->channel, (const guint8 *) "", 0, &used, &out,
                                                  &reason);

  g_byte_array_append (f->peer->received, room, (guint) out.len);
  return result;
}

static void
begin (TestLink *f, const TestVariant *variant, const char *offer)
{
  test_link_setup_with (f, variant, offer, FALSE);
  test_host_publish (f->host, NULL, 0);
  detour_host_expect_certs (test_host_instance (f->host));
  f->cls->free (f->channel);
  f->channel = tls_channel_gnutls_new (f->credentials, NULL);
}

static DetourChannelResult
ask (TestLink *f, int *rc)
{
  const char *reason = NULL;

  return test_peer_handshake (f->peer, f->cls, f->channel, (TestPace) { 0 }, rc, &reason);
}

static void
until_it_is_published (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (variants); i++)
    {
      g_autoptr (DetourCert) cert = test_cert_new (GNUTLS_PK_ECDSA, 1, names);
      g_autofree char *name = NULL;
      TestLink f;
      int rc;

      begin (&f, variants[i], "http/1.1");
      g_assert_cmpint (ask (&f, &rc), ==, DETOUR_CHANNEL_WAIT);
      g_assert_cmpint (poke (&f), ==, DETOUR_CHANNEL_WAIT);
      g_assert_null (test_host_trouble (f.host));
      test_host_publish (f.host, &cert, 1);
      g_assert_cmpint (ask (&f, &rc), ==, DETOUR_CHANNEL_OK);
      g_assert_cmpint (rc, ==, 0);
      name = test_peer_cert_name (f.peer, 0);
      g_assert_cmpstr (name, ==, "relay.example");
      test_link_settle (&f);
      test_link_teardown (&f, NULL);
    }
}

/* The time is over. */
static void
in_vain (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (variants); i++)
    {
      guint8 room[DETOUR_CHANNEL_SEAL_BOUND (0)];
      DetourBuffer out = { room, 0, sizeof room };
      TestLink f;
      int rc;

      begin (&f, variants[i], "http/1.1");
      g_assert_cmpint (ask (&f, &rc), ==, DETOUR_CHANNEL_WAIT);
      f.cls->close (f.channel, &out);
      g_byte_array_append (f.peer->received, room, (guint) out.len);
      g_assert_cmpint (gnutls_handshake (f.peer->session), ==, GNUTLS_E_FATAL_ALERT_RECEIVED);
      g_assert_cmpint (gnutls_alert_get (f.peer->session), ==, GNUTLS_A_INTERNAL_ERROR);
      test_link_teardown (&f, NULL);
    }
}

/* A challenge is answered now or never: the certificate may wait for it. */
static void
challenges_do_not_wait (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (variants); i++)
    {
      TestLink f;
      int rc;

      begin (&f, variants[i], DETOUR_CHALLENGE_PROTOCOL);
      g_assert_cmpint (ask (&f, &rc), ==, DETOUR_CHANNEL_BAD);
      g_assert_cmpint (gnutls_alert_get (f.peer->session), ==, GNUTLS_A_UNRECOGNIZED_NAME);
      test_link_teardown (&f, NULL);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tls-hold/until-it-is-published", until_it_is_published);
  g_test_add_func ("/tls-hold/in-vain", in_vain);
  g_test_add_func ("/tls-hold/challenges-do-not-wait", challenges_do_not_wait);
  return g_test_run ();
}
