/* test-doctor.c: tests of what `detourctl doctor` understands of others: STUN, addresses, TLS.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detourctl-dial-report.h"
#include "detourctl-stun.h"
#include "detourctl-address.h"

static const guint8 transaction[DETOURCTL_STUN_TRANSACTION_SIZE] = { 0, 1, 2, 3, 4,  5,
                                                                     6, 7, 8, 9, 10, 11 };

/* As the reference sends it. */
static void
test_stun_request (void)
{
  static const guint8 expected[DETOURCTL_STUN_REQUEST_SIZE] = {
    0x00, 0x01, 0x00, 0x14, 0x21, 0x12, 0xa4, 0x42, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05,
    0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x80, 0x22, 0x00, 0x08, 0x74, 0x61, 0x69, 0x6c,
    0x6e, 0x6f, 0x64, 0x65, 0x80, 0x28, 0x00, 0x04, 0x8a, 0xab, 0xad, 0x90,
  };
  guint8 request[DETOURCTL_STUN_REQUEST_SIZE];

  detourctl_stun_request (transaction, request);
  g_assert_cmpmem (request, sizeof request, expected, sizeof expected);
}

static char *
parse_stun (const guint8 *data, gsize len)
{
  /* Exactly as long, so that a byte too far is seen. */
  g_autofree guint8 *copy = g_memdup2 (data, len);
  g_autoptr (GInetSocketAddress) told = detourctl_stun_parse (copy, len, transaction);
  g_autofree char *text = NULL;

  if (told == NULL)
    return NULL;
  text = g_inet_address_to_string (g_inet_socket_address_get_address (told));
  return g_strdup_printf ("%s %u", text, g_inet_socket_address_get_port (told));
}

static void
assert_stun (const guint8 *data, gsize len, const char *expected)
{
  g_autofree char *text = parse_stun (data, len);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_stun_answer (void)
{
  static const guint8 ipv4[] = {
    0x01, 0x01, 0x00, 0x0c, 0x21, 0x12, 0xa4, 0x42, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
    0x08, 0x09, 0x0a, 0x0b, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xfb, 0xf9, 0x5e, 0x12, 0xa4, 0x43,
  };
  guint8 other[sizeof ipv4];

  assert_stun (ipv4, sizeof ipv4, "127.0.0.1 56043");
  for (gsize len = 0; len < sizeof ipv4; len++)
    g_assert_null (parse_stun (ipv4, len));
  /* Another transaction, another type, no cookie, lengths that lie. */
  for (guint at = 0; at < 20; at++)
    {
      memcpy (other, ipv4, sizeof other);
      other[at] ^= 0x80;
      g_assert_null (parse_stun (other, sizeof other));
    }
  memcpy (other, ipv4, sizeof other);
  other[23] = 0xff;
  g_assert_null (parse_stun (other, sizeof other));
  /* A plain address, and an attribute before it whose padding is longer than what is left. */
  memcpy (other, ipv4, sizeof other);
  other[21] = 0x01;
  assert_stun (other, sizeof other, "94.18.164.67 64505");
  other[21] = 0x77;
  g_assert_null (parse_stun (other, sizeof other));
}

static void
test_addresses (void)
{
  static const struct {
    const char *text;
    gboolean is_local, is_private;
  } cases[] = {
    { "127.0.0.1", TRUE, TRUE },     { "::1", TRUE, TRUE },
    { "0.0.0.0", TRUE, TRUE },       { "169.254.1.1", TRUE, TRUE },
    { "fe80::1", TRUE, TRUE },       { "10.1.2.3", FALSE, TRUE },
    { "172.17.0.1", FALSE, TRUE },   { "192.168.1.1", FALSE, TRUE },
    { "100.64.0.1", FALSE, TRUE },   { "100.127.0.1", FALSE, TRUE },
    { "fd00::1", FALSE, TRUE },      { "100.128.0.1", FALSE, FALSE },
    { "203.0.113.5", FALSE, FALSE }, { "2001:db8::5", FALSE, FALSE },
    { "172.32.0.1", FALSE, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GInetAddress) address = g_inet_address_new_from_string (cases[i].text);

      g_assert_cmpint (detourctl_address_is_local (address), ==, cases[i].is_local);
      g_assert_cmpint (detourctl_address_is_private (address), ==, cases[i].is_private);
    }
}

static void
test_tls (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourctlDialTls) tls = detourctl_dial_tls_parse (
      "{\"error\": null, \"version\": \"TLS1.3\", \"trouble\": \"no\", \"name_fits\": true, "
      "\"chain\": [{\"subject\": \"CN=a\", \"names\": [\"a\", \"b\"], \"not_after\": 7, "
      "\"self_signed\": true, \"sha256\": \"ab\"}]}",
      &error);
  const DetourctlDialCert *cert;

  g_assert_no_error (error);
  g_assert_true (tls->error == NULL && tls->server_key == NULL && tls->name_fits);
  g_assert_cmpuint (tls->certs->len, ==, 1);
  cert = tls->certs->pdata[0];
  g_assert_cmpstr (cert->names[1], ==, "b");
  g_assert_true (cert->is_self_signed && cert->not_after == 7);
  g_assert_null (detourctl_dial_tls_parse ("[]", &error));
  g_assert_nonnull (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/doctor/stun-request", test_stun_request);
  g_test_add_func ("/doctor/stun-answer", test_stun_answer);
  g_test_add_func ("/doctor/addresses", test_addresses);
  g_test_add_func ("/doctor/tls", test_tls);
  return g_test_run ();
}
