/* test-proxy-header.c: headers of the PROXY protocol, right ones, wrong ones and cut ones.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-address.h"
#include "detour-proxy-header.h"

#include <string.h>

#define SIGNATURE "0d0a0d0a000d0a515549540a"
#define BLOCK4    "cb007107c6336402ca6c01bb"
#define BLOCK6                       \
  "20010db8000000000000000000000007" \
  "20010db8ffff00000000000000000002ca6c01bb"
#define ZEROS37 "00000000000000000000000000000000000000000000000000000000000000000000000000"

static GByteArray *
bytes_of_hex (const char *hex)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; *hex != '\0'; hex += 2)
    {
      guint8 byte = (guint8) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));

      g_byte_array_append (bytes, &byte, 1);
    }
  return bytes;
}

static GByteArray *
bytes_of_text (const char *text)
{
  return g_byte_array_append (g_byte_array_new (), (const guint8 *) text, (guint) strlen (text));
}

/* In a block of exactly that size, so that a read behind its end is caught. */
static DetourProxyHeaderResult
parse (const guint8 *data, gsize len, DetourProxyHeader *header)
{
  g_autofree guint8 *exact = g_memdup2 (data, len);

  return detour_proxy_header_parse (exact != NULL ? exact : (const guint8 *) "", len, header);
}

static void
assert_address (const struct sockaddr_storage *address, const char *expected)
{
  char text[DETOUR_ADDRESS_TEXT_MAX];

  if (expected == NULL)
    g_assert_cmpint (address->ss_family, ==, AF_UNSPEC);
  else
    g_assert_cmpstr (detour_address_format ((const struct sockaddr *) address, text), ==, expected);
}

/* The whole header, each beginning of it, and the header with a client's bytes behind it. */
static void
assert_accepted (const GByteArray *bytes, const char *source, const char *destination)
{
  g_autoptr (GByteArray) longer = g_byte_array_new ();
  DetourProxyHeader header;

  for (gsize n = 0; n < bytes->len; n++)
    g_assert_cmpint (parse (bytes->data, n, &header), ==, DETOUR_PROXY_HEADER_MORE);
  g_byte_array_append (longer, bytes->data, bytes->len);
  g_byte_array_append (longer, (const guint8 *) "\x16\x03\x01\x02\0\1\r\n", 8);
  for (gsize n = bytes->len; n <= longer->len; n++)
    {
      g_assert_cmpint (parse (longer->data, n, &header), ==, DETOUR_PROXY_HEADER_OK);
      g_assert_cmpuint (header.len, ==, bytes->len);
      assert_address (&header.source, source);
      assert_address (&header.destination, destination);
      g_assert_null (header.why);
    }
}

/* More bytes make it no better, and fewer may be too few to know. */
static void
assert_refused (const GByteArray *bytes)
{
  DetourProxyHeaderResult result = DETOUR_PROXY_HEADER_MORE;

  for (gsize n = 0; n <= bytes->len; n++)
    {
      DetourProxyHeaderResult before = result;
      DetourProxyHeader header;

      result = parse (bytes->data, n, &header);
      g_assert_true (result == DETOUR_PROXY_HEADER_MORE || result == DETOUR_PROXY_HEADER_BAD);
      g_assert_true (before == DETOUR_PROXY_HEADER_MORE || result == before);
      g_assert_true ((header.why != NULL) == (result == DETOUR_PROXY_HEADER_BAD));
      g_assert_cmpuint (header.len, ==, 0);
      assert_address (&header.source, NULL);
    }
  g_assert_cmpint (result, ==, DETOUR_PROXY_HEADER_BAD);
}

#define CLIENT4 "203.0.113.7:51820"
#define SERVER4 "198.51.100.2:443"
#define CLIENT6 "[2001:db8::7]:51820"
#define SERVER6 "[2001:db8:ffff::2]:443"

static void
test_v1 (void)
{
  static const struct {
    const char *line, *source, *destination;
  } cases[] = {
    { "PROXY TCP4 203.0.113.7 198.51.100.2 51820 443\r\n", CLIENT4, SERVER4 },
    { "PROXY TCP6 2001:db8::7 2001:db8:ffff::2 51820 443\r\n", CLIENT6, SERVER6 },
    { "PROXY TCP6 2001:DB8:0:0::7 2001:db8:FFFF::2 51820 443\r\n", CLIENT6, SERVER6 },
    { "PROXY TCP6 ::ffff:203.0.113.7 2001:db8:ffff::2 51820 443\r\n", CLIENT4, SERVER6 },
    { "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", "255.255.255.255:65535", "0.0.0.0:0" },
    { "PROXY UNKNOWN\r\n", NULL, NULL },
    { "PROXY UNKNOWN ffff:f...f:ffff 1 2 whatever there is\r\n", NULL, NULL },
    /* As long as a line may be. */
    { "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
      NULL, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GByteArray) bytes = bytes_of_text (cases[i].line);

      assert_accepted (bytes, cases[i].source, cases[i].destination);
    }
  g_assert_cmpuint (strlen (cases[7].line), ==, 107);
}

static void
test_v1_refused (void)
{
  static const char *const lines[] = {
    "PROXY TCP4 203.0.113.07 198.51.100.2 51820 443\r\n",
    "PROXY TCP4 203.0.113.7 198.51.100.2 051820 443\r\n",
    "PROXY TCP4 203.0.113.7 198.51.100.2 65536 443\r\n",
    "PROXY TCP4 203.0.113.7 198.51.100.2 +1 443\r\n",
    "PROXY TCP4 203.0.113.7 198.51.100.2 1 \r\n",
    "PROXY TCP4 203.0.113.7 198.51.100.2 1 443 \r\n",
    "PROXY TCP4 203.0.113.7 198.51.100.2 1 443 5\r\n",
    "PROXY TCP4 203.0.113.7 198.51.100.2 1\r\n",
    "PROXY TCP4 203.0.113.7 198.51.100 1 2\r\n",
    "PROXY  TCP4 203.0.113.7 198.51.100.2 1 2\r\n",
    "PROXY TCP4  203.0.113.7 198.51.100.2 1 2\r\n",
    "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 203.0.113.7 198.51.100.2 1 2\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "PROXY TCP6 [::1] [::1] 1 2\r\n",
    "PROXY TCP6 1::2::3 ::1 1 2\r\n",
    "PROXY tcp4 203.0.113.7 198.51.100.2 1 2\r\n",
    "PROXY TCP5 203.0.113.7 198.51.100.2 1 2\r\n",
    "PROXY UNKNOWNS\r\n",
    "PROXY \r\n",
    "PROXY UNKNOWN\n",
    "PROXY TCP4 203.0.113.7 198.51.100.2 1 443\n",
    "PROXY TCP4 203.0.113.7 198.51.100.2 1 443\r\r\n",
    "PROXY TCP4 203.0.113.7\r 198.51.100.2 1 443\r\n",
    /* One byte longer than a line may be, and one that never ends. */
    "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n",
    "PROXY UNKNOWN ............................................................................"
    "..............................................................",
  };
  g_autoptr (GByteArray) nul = bytes_of_hex ("50524f585920544350340032300d0a");

  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autoptr (GByteArray) bytes = bytes_of_text (lines[i]);

      assert_refused (bytes);
    }
  assert_refused (nul);
}

static void
test_v2 (void)
{
  static const struct {
    const char *hex, *source, *destination;
  } cases[] = {
    { SIGNATURE "2111000c" BLOCK4, CLIENT4, SERVER4 },
    { SIGNATURE "21210024" BLOCK6, CLIENT6, SERVER6 },
    /* LOCAL, with nothing, with addresses, with fields but no addresses, with anything. */
    { SIGNATURE "20000000", NULL, NULL },
    { SIGNATURE "2011000c" BLOCK4, NULL, NULL },
    { SIGNATURE "20110054030004bce5951f04004a" ZEROS37 ZEROS37, NULL, NULL },
    { SIGNATURE "20110054030004bce5951e04004a" ZEROS37 ZEROS37, NULL, NULL },
    { SIGNATURE "20ff0003deadbe", NULL, NULL },
    /* No family, no transport, datagrams. */
    { SIGNATURE "21000003deadbe", NULL, NULL },
    { SIGNATURE "21100003deadbe", NULL, NULL },
    { SIGNATURE "2112000c" BLOCK4, NULL, NULL },
    /* A checksum behind a field that pads, and before one. */
    { SIGNATURE "21110018" BLOCK4 "04000200000300043078ba7c", CLIENT4, SERVER4 },
    { SIGNATURE "21110023" BLOCK4 "030004c6de909002000d72656c61792e6578616d706c65", CLIENT4,
      SERVER4 },
    { SIGNATURE "21210046" BLOCK6
                "010008687474702f312e3102000d72656c61792e6578616d706c650300043ce954e6",
      CLIENT6, SERVER6 },
    /* What proxies say about TLS, and where they are. */
    { SIGNATURE "21110037" BLOCK4 "2000280100000000210007544c5376312e33230016544c535f4145535f"
                "3132385f47434d5f534841323536",
      CLIENT4, SERVER4 },
    { SIGNATURE "21110026" BLOCK4 "ea001701767063652d3031323334353637383961626364656630", CLIENT4,
      SERVER4 },
    { SIGNATURE "2111000f" BLOCK4 "ff0000", CLIENT4, SERVER4 },
    /* A client of IPv4 in a header for IPv6. */
    { SIGNATURE "21210024"
                "00000000000000000000ffffcb00710720010db8ffff00000000000000000002ca6c01bb",
      CLIENT4, SERVER6 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GByteArray) bytes = bytes_of_hex (cases[i].hex);

      g_test_message ("%s", cases[i].hex);
      assert_accepted (bytes, cases[i].source, cases[i].destination);
    }
}

static void
test_v2_refused (void)
{
  static const char *const headers[] = {
    /* Checksum wrong, of a wrong length, there twice. */
    SIGNATURE "21110018" BLOCK4 "04000200000300043078ba7d",
    SIGNATURE "21110012" BLOCK4 "030003000000",
    SIGNATURE "21110023" BLOCK4 "030004c6de90900300040000000002000672656c617900",
    /* Addresses cut, a field too long, a field cut. */
    SIGNATURE "2111000bcb007107c6336402ca6c01",
    SIGNATURE "2111000f" BLOCK4 "040001",
    SIGNATURE "2111000e" BLOCK4 "0400",
    SIGNATURE "2111000d" BLOCK4 "04",
    SIGNATURE "21210023" BLOCK6,
    SIGNATURE "213100d7",
    /* Version, command, family and transport that nobody knows. */
    SIGNATURE "1111000c" BLOCK4,
    SIGNATURE "3111000c" BLOCK4,
    SIGNATURE "2211000c" BLOCK4,
    SIGNATURE "2141000c" BLOCK4,
    SIGNATURE "2113000c" BLOCK4,
    /* One byte longer than what is read, and as long as it can say. */
    SIGNATURE "21110ff1" BLOCK4,
    SIGNATURE "2000ffff",
  };

  for (guint i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      g_autoptr (GByteArray) bytes = bytes_of_hex (headers[i]);

      g_test_message ("%s", headers[i]);
      assert_refused (bytes);
    }
}

/* As long as a header may be: one field of padding. */
static void
test_v2_longest (void)
{
  g_autoptr (GByteArray) bytes = bytes_of_hex (SIGNATURE "21110ff0" BLOCK4 "040fe1");
  DetourProxyHeader header;

  g_byte_array_set_size (bytes, DETOUR_PROXY_HEADER_MAX);
  memset (bytes->data + 31, 0, DETOUR_PROXY_HEADER_MAX - 31);
  g_assert_cmpint (parse (bytes->data, bytes->len - 1, &header), ==, DETOUR_PROXY_HEADER_MORE);
  g_assert_cmpint (parse (bytes->data, bytes->len, &header), ==, DETOUR_PROXY_HEADER_OK);
  assert_address (&header.source, CLIENT4);
}

/* Unix sockets: 216 bytes that are no address here. */
static void
test_v2_unix (void)
{
  g_autoptr (GByteArray) bytes = bytes_of_hex (SIGNATURE "213100d8");

  g_byte_array_set_size (bytes, 16 + 216);
  memset (bytes->data + 16, 'x', 216);
  assert_accepted (bytes, NULL, NULL);
}

/* What clients begin with. */
static void
test_none (void)
{
  static const char *const beginnings[] = { "\x16\x03\x01", "GET /", "POST /derp",  "PUT /",
                                            "PROXIES ",     "PROXy", "\r\n\r\nGET", "proxy TCP4 " };
  DetourProxyHeader header;

  for (guint i = 0; i < G_N_ELEMENTS (beginnings); i++)
    g_assert_cmpint (parse ((const guint8 *) beginnings[i], strlen (beginnings[i]), &header), ==,
                     DETOUR_PROXY_HEADER_NONE);
  g_assert_cmpint (parse ((const guint8 *) "P", 1, &header), ==, DETOUR_PROXY_HEADER_MORE);
  g_assert_cmpint (parse ((const guint8 *) "\r\n", 2, &header), ==, DETOUR_PROXY_HEADER_MORE);
}

static void
set_address (struct sockaddr_storage *out, const char *text)
{
  DetourAddress address;
  socklen_t len;

  g_assert_true (detour_address_parse (text, &address, NULL));
  g_assert_true (detour_address_to_sockaddr (&address, out, &len));
}

/* What is written reads as what was meant, and is what the documentation has. */
static void
test_write (void)
{
  static const struct {
    const char *source, *destination, *line;
  } cases[] = {
    { CLIENT4, SERVER4, "PROXY TCP4 203.0.113.7 198.51.100.2 51820 443\r\n" },
    { CLIENT6, SERVER6, "PROXY TCP6 2001:db8::7 2001:db8:ffff::2 51820 443\r\n" },
    { CLIENT4, SERVER6, "PROXY TCP6 ::ffff:203.0.113.7 2001:db8:ffff::2 51820 443\r\n" },
    { "[::ffff:203.0.113.7]:51820", SERVER4, "PROXY TCP4 203.0.113.7 198.51.100.2 51820 443\r\n" },
    { "unix:/run/socket", SERVER4, "PROXY UNKNOWN\r\n" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint version = 1; version <= 2; version++)
      {
        guint8 out[DETOUR_PROXY_HEADER_WRITE_MAX];
        struct sockaddr_storage source, destination;
        DetourProxyHeader header;
        gsize n;

        set_address (&source, cases[i].source);
        set_address (&destination, cases[i].destination);
        n = detour_proxy_header_write (version, (struct sockaddr *) &source,
                                       (struct sockaddr *) &destination, out);
        if (version == 1)
          g_assert_cmpmem (out, n, cases[i].line, strlen (cases[i].line));
        g_assert_cmpint (parse (out, n, &header), ==, DETOUR_PROXY_HEADER_OK);
        g_assert_cmpuint (header.len, ==, n);
        assert_address (&header.source, i == 4 ? NULL : i == 1 ? CLIENT6 : CLIENT4);
        assert_address (&header.destination, i == 4 ? NULL : cases[i].destination);
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/proxy-header/v1", test_v1);
  g_test_add_func ("/proxy-header/v1-refused", test_v1_refused);
  g_test_add_func ("/proxy-header/v2", test_v2);
  g_test_add_func ("/proxy-header/v2-refused", test_v2_refused);
  g_test_add_func ("/proxy-header/v2-longest", test_v2_longest);
  g_test_add_func ("/proxy-header/v2-unix", test_v2_unix);
  g_test_add_func ("/proxy-header/write", test_write);
  g_test_add_func ("/proxy-header/none", test_none);
  return g_test_run ();
}
