/* test-hello-name.c: the name in a ClientHello, however it comes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-hello-name.h"

#include <gnutls/gnutls.h>
#include <string.h>

static gssize
push (gnutls_transport_ptr_t user, const void *data, size_t len)
{
  g_byte_array_append (user, data, (guint) len);
  return (gssize) len;
}

static gssize
pull (gnutls_transport_ptr_t user, void *data, size_t len)
{
  return -1;
}

static int
pull_timeout (gnutls_transport_ptr_t user, unsigned ms)
{
  return 0;
}

/* What a real client begins with. */
static GByteArray *
make_hello (const char *name, const char *priority)
{
  GByteArray *out = g_byte_array_new ();
  gnutls_certificate_credentials_t credentials;
  gnutls_session_t session;

  g_assert_cmpint (gnutls_certificate_allocate_credentials (&credentials), ==, 0);
  g_assert_cmpint (gnutls_init (&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK), ==, 0);
  g_assert_cmpint (gnutls_priority_set_direct (session, priority, NULL), ==, 0);
  g_assert_cmpint (gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, credentials), ==, 0);
  if (name != NULL)
    g_assert_cmpint (gnutls_server_name_set (session, GNUTLS_NAME_DNS, name, strlen (name)), ==, 0);
  gnutls_transport_set_ptr (session, out);
  gnutls_transport_set_push_function (session, push);
  gnutls_transport_set_pull_function (session, pull);
  gnutls_transport_set_pull_timeout_function (session, pull_timeout);
  g_assert_cmpint (gnutls_handshake (session), <, 0);
  gnutls_deinit (session);
  gnutls_certificate_free_credentials (credentials);
  g_assert_cmpuint (out->len, >, 50);
  return out;
}

/* The same message in records of @size bytes. */
static GByteArray *
cut_records (const GByteArray *hello, guint size)
{
  GByteArray *out = g_byte_array_new ();

  for (guint at = 5; at < hello->len; at += size)
    {
      guint n = MIN (size, hello->len - at);
      const guint8 head[5] = { 22, 3, 1, (guint8) (n >> 8), (guint8) n };

      g_byte_array_append (out, head, sizeof head);
      g_byte_array_append (out, hello->data + at, n);
    }
  return out;
}

static void
assert_found (const guint8 *data, gsize len, DetourHelloNameResult expected, const char *name)
{
  g_autofree guint8 *room = g_malloc (DETOUR_HELLO_NAME_MESSAGE_MAX);
  g_autofree guint8 *exact = g_memdup2 (data, len);
  char found[DETOUR_HELLO_NAME_SIZE];

  g_assert_cmpint (detour_hello_name_find (exact, len, room, found), ==, expected);
  g_assert_cmpstr (found, ==, expected == DETOUR_HELLO_NAME_FOUND ? name : "");
}

static void
test_every_cut (void)
{
  static const char *const priorities[] = { "NORMAL", "NORMAL:-VERS-ALL:+VERS-TLS1.2" };
  static const guint sizes[] = { 16384, 200, 7, 1 };

  for (guint p = 0; p < G_N_ELEMENTS (priorities); p++)
    for (guint s = 0; s < G_N_ELEMENTS (sizes); s++)
      {
        g_autoptr (GByteArray) hello = make_hello ("WWW.example.com", priorities[p]);
        g_autoptr (GByteArray) cut = cut_records (hello, sizes[s]);

        for (guint n = 0; n < cut->len; n++)
          assert_found (cut->data, n, DETOUR_HELLO_NAME_MORE, NULL);
        assert_found (cut->data, cut->len, DETOUR_HELLO_NAME_FOUND, "www.example.com");
        g_byte_array_append (cut, (const guint8 *) "\x14\x03\x03\0\x01\x01", 6);
        assert_found (cut->data, cut->len, DETOUR_HELLO_NAME_FOUND, "www.example.com");
      }
}

static void
test_none (void)
{
  static const struct {
    const char *bytes;
    gsize len;
  } cases[] = {
    { "GET / HTTP/1.1\r\n", 1 },
    { "\x15\x03\x01", 1 },
    { "\x16\x02", 2 },
    { "\x16\x03\x01\x00\x00", 5 },
    { "\x16\x03\x01\x40\x01", 5 },
    { "\x16\x03\x01\x00\x04\x02", 6 },
    { "\x16\x03\x01\x40\x00\x01\x01\x00\x00", 9 }, /* a message of 64 KiB */
    { "\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9 }, /* an empty one */
    { "\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", 11 },
  };
  g_autoptr (GByteArray) nameless = make_hello (NULL, "NORMAL");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_found ((const guint8 *) cases[i].bytes, cases[i].len, DETOUR_HELLO_NAME_NONE, NULL);
  assert_found (nameless->data, nameless->len, DETOUR_HELLO_NAME_NONE, NULL);
}

/* Names that DNS does not have are nobody's. */
static void
test_odd_names (void)
{
  g_autoptr (GByteArray) hello = make_hello ("www.example.com", "NORMAL");
  static const char odd[] = { '\0', ' ', '*', ':', '\xe4', '/', '\n' };

  for (guint i = 0; i < G_N_ELEMENTS (odd); i++)
    {
      g_autoptr (GByteArray) spoiled = cut_records (hello, 16384);
      char *place = memmem (spoiled->data, spoiled->len, "www.example.com", 15);

      g_assert_nonnull (place);
      place[3] = odd[i];
      assert_found (spoiled->data, spoiled->len, DETOUR_HELLO_NAME_NONE, NULL);
    }
}

/* Records of one byte, without end: it is given up. */
static void
test_endless (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GByteArray) cut = NULL;

  g_byte_array_append (bytes, (const guint8 *) "\0\0\0\0\0\x01\x00\x3f\xff", 9);
  g_byte_array_set_size (bytes, 9 + 0x3fff);
  memset (bytes->data + 9, 0, 0x3fff);
  cut = cut_records (bytes, 1);
  assert_found (cut->data, DETOUR_HELLO_NAME_BYTES_MAX - 1, DETOUR_HELLO_NAME_MORE, NULL);
  assert_found (cut->data, DETOUR_HELLO_NAME_BYTES_MAX, DETOUR_HELLO_NAME_NONE, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hello-name/every-cut", test_every_cut);
  g_test_add_func ("/hello-name/none", test_none);
  g_test_add_func ("/hello-name/odd-names", test_odd_names);
  g_test_add_func ("/hello-name/endless", test_endless);
  return g_test_run ();
}
