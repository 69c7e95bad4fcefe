/* test-stun-message.c: which datagrams are Binding requests, and the bytes of the answers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stun-message.h"

#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>

/* A client's request with the transaction id 00 01 … 0b. */
static const guint8 example[] = {
  0x00, 0x01, 0x00, 0x14, 0x21, 0x12, 0xa4, 0x42, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05,
  0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x80, 0x22, 0x00, 0x08, 0x74, 0x61, 0x69, 0x6c,
  0x6e, 0x6f, 0x64, 0x65, 0x80, 0x28, 0x00, 0x04, 0x8a, 0xab, 0xad, 0x90,
};

/* Another way to the same sum, one bit a step. */
static guint32
slow_crc32 (const guint8 *data, gsize len)
{
  guint32 crc = 0xffffffff;

  for (gsize i = 0; i < len; i++)
    {
      crc ^= data[i];
      for (guint bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    }
  return ~crc;
}

static void
add (GByteArray *self, const char *hex)
{
  for (const char *p = hex; *p != '\0'; p++)
    if (g_ascii_isxdigit (p[0]) && g_ascii_isxdigit (p[1]))
      {
        guint8 byte = (guint8) (g_ascii_xdigit_value (p[0]) << 4 | g_ascii_xdigit_value (p[1]));

        g_byte_array_append (self, &byte, 1);
        p++;
      }
}

/* The fingerprint that is right for what stands before it. */
static void
add_fingerprint (GByteArray *self)
{
  guint32 sum = GUINT32_TO_BE (slow_crc32 (self->data, self->len) ^ 0x5354554e);

  add (self, "80280004");
  g_byte_array_append (self, (const guint8 *) &sum, 4);
}

/* In a block of exactly that size, so that a sanitizer sees a read one byte too far. */
static StunVerdict
parse (const guint8 *data, gsize len, gboolean any)
{
  g_autofree guint8 *copy = g_malloc (MAX (len, 1));

  if (len > 0)
    memcpy (copy, data, len);
  return stun_request_parse (copy, len, any);
}

static void
test_example (void)
{
  g_assert_cmpint (parse (example, sizeof example, FALSE), ==, STUN_OK);
  g_assert_cmpint (parse (example, sizeof example, TRUE), ==, STUN_OK);
}

#define HEADER   "0001 0014 2112a442 000102030405060708090a0b "
#define SOFTWARE "8022 0008 7461696c6e6f6465 "

static void
test_table (void)
{
  static const struct {
    const char *what, *head; /* everything before the fingerprint */
    gboolean fingerprint;    /* a right one follows */
    const char *tail;        /* everything behind it */
    StunVerdict verdict, any;
  } cases[] = {
    { "client's request", HEADER SOFTWARE, TRUE, "", STUN_OK, STUN_OK },
    { "header length 0", "0001 0000 2112a442 000102030405060708090a0b" SOFTWARE, TRUE, "", STUN_OK,
      STUN_OK },
    { "header length beyond the end", "0001 ffff 2112a442 000102030405060708090a0b" SOFTWARE, TRUE,
      "", STUN_OK, STUN_OK },
    { "one attribute more before the fingerprint", HEADER SOFTWARE "0003 0004 00000000", TRUE, "",
      STUN_OK, STUN_OK },
    { "attribute with padding", HEADER "0099 0001 aa000000" SOFTWARE, TRUE, "", STUN_OK, STUN_OK },
    { "second SOFTWARE is the client's", HEADER "8022 0003 61626300" SOFTWARE, TRUE, "", STUN_OK,
      STUN_OK },
    { "SOFTWARE other123", HEADER "8022 0008 6f74686572313233", TRUE, "", STUN_SOFTWARE, STUN_OK },
    { "SOFTWARE tailnodeX", HEADER "8022 0009 7461696c6e6f646558000000", TRUE, "", STUN_SOFTWARE,
      STUN_OK },
    { "SOFTWARE tailnod", HEADER "8022 0007 7461696c6e6f6400", TRUE, "", STUN_SOFTWARE, STUN_OK },
    { "no SOFTWARE", HEADER, TRUE, "", STUN_SOFTWARE, STUN_OK },
    { "wrong fingerprint", HEADER SOFTWARE "8028 0004 00000000", FALSE, "", STUN_FINGERPRINT,
      STUN_FINGERPRINT },
    { "fingerprint of five bytes", HEADER SOFTWARE "8028 0005 0000000000000000", FALSE, "",
      STUN_FINGERPRINT, STUN_FINGERPRINT },
    { "empty fingerprint", HEADER SOFTWARE "8028 0000", FALSE, "", STUN_FINGERPRINT,
      STUN_FINGERPRINT },
    { "no fingerprint", HEADER SOFTWARE, FALSE, "", STUN_FINGERPRINT, STUN_OK },
    { "attribute behind the fingerprint", HEADER SOFTWARE, TRUE, "0003 0004 00000000",
      STUN_FINGERPRINT, STUN_OK },
    { "two stray bytes", HEADER SOFTWARE, TRUE, "0000", STUN_ATTRIBUTES, STUN_ATTRIBUTES },
    { "value cut off", HEADER SOFTWARE "8028 0004 0000", FALSE, "", STUN_ATTRIBUTES,
      STUN_ATTRIBUTES },
    { "padding cut off", HEADER SOFTWARE "0099 0001 aa", FALSE, "", STUN_ATTRIBUTES,
      STUN_ATTRIBUTES },
    { "attribute longer than everything", HEADER "8022 ffff 74", FALSE, "", STUN_ATTRIBUTES,
      STUN_ATTRIBUTES },
    { "bare header", HEADER, FALSE, "", STUN_SOFTWARE, STUN_OK },
    { "Binding indication", "0011 0014 2112a442 000102030405060708090a0b" SOFTWARE, TRUE, "",
      STUN_TYPE, STUN_TYPE },
    { "Binding response", "0101 0014 2112a442 000102030405060708090a0b" SOFTWARE, TRUE, "",
      STUN_TYPE, STUN_TYPE },
    { "wrong cookie", "0001 0014 2112a443 000102030405060708090a0b" SOFTWARE, TRUE, "", STUN_COOKIE,
      STUN_COOKIE },
    { "top bit", "8001 0014 2112a442 000102030405060708090a0b" SOFTWARE, TRUE, "", STUN_COOKIE,
      STUN_COOKIE },
    { "second bit", "4001 0014 2112a442 000102030405060708090a0b" SOFTWARE, TRUE, "", STUN_COOKIE,
      STUN_COOKIE },
    { "19 bytes", "0001 0014 2112a442 000102030405060708090a", FALSE, "", STUN_SHORT, STUN_SHORT },
    { "nothing", "", FALSE, "", STUN_SHORT, STUN_SHORT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GByteArray) data = g_byte_array_new ();

      g_test_message ("%s", cases[i].what);
      add (data, cases[i].head);
      if (cases[i].fingerprint)
        add_fingerprint (data);
      add (data, cases[i].tail);
      g_assert_cmpint (parse (data->data, data->len, FALSE), ==, cases[i].verdict);
      g_assert_cmpint (parse (data->data, data->len, TRUE), ==, cases[i].any);
    }
}

static void
test_prefixes (void)
{
  for (gsize len = 0; len < sizeof example; len++)
    g_assert_cmpint (parse (example, len, FALSE), !=, STUN_OK);
}

static void
test_flipped_bits (void)
{
  for (guint bit = 0; bit < 8 * sizeof example; bit++)
    {
      guint8 copy[sizeof example];

      memcpy (copy, example, sizeof copy);
      copy[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_cmpint (parse (copy, sizeof copy, FALSE), !=, STUN_OK);
    }
}

static void
make_source (struct sockaddr_storage *out, const char *address, guint port)
{
  memset (out, 0, sizeof *out);
  if (strchr (address, ':') == NULL)
    {
      struct sockaddr_in *in = (struct sockaddr_in *) out;

      in->sin_family = AF_INET;
      in->sin_port = htons ((guint16) port);
      g_assert_cmpint (inet_pton (AF_INET, address, &in->sin_addr), ==, 1);
    }
  else
    {
      struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) out;

      in6->sin6_family = AF_INET6;
      in6->sin6_port = htons ((guint16) port);
      g_assert_cmpint (inet_pton (AF_INET6, address, &in6->sin6_addr), ==, 1);
    }
}

static void
test_response (void)
{
  static const struct {
    const char *address;
    guint port;
    const char *hex;
  } cases[] = {
    { "127.0.0.1", 56043, "0101000c 2112a442 000102030405060708090a0b 00200008 0001fbf9 5e12a443" },
    { "::ffff:127.0.0.1", 56043,
      "0101000c 2112a442 000102030405060708090a0b 00200008 0001fbf9 5e12a443" },
    /* 2001:0db8:0001:0002:0003:0004:0005:0006 with 2112a442 0001…0b on top */
    { "2001:db8:1:2:3:4:5:6", 0x1234,
      "01010018 2112a442 000102030405060708090a0b 00200014 00023326 0113a9fa 00000201 04060603 "
      "080c0a0d" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GByteArray) expected = g_byte_array_new ();
      guint8 response[STUN_RESPONSE_MAX];
      struct sockaddr_storage source;
      gsize len;

      make_source (&source, cases[i].address, cases[i].port);
      add (expected, cases[i].hex);
      len = stun_response_build (example, (struct sockaddr *) &source, response);
      g_assert_cmpmem (response, len, expected->data, expected->len);
    }
}

/* The shortest request of all, a bare header, is answered, and the answer has at most one and a
 * half times its bytes on the wire: 48 bytes in and 60 out over IPv4, 68 and 92 over IPv6. */
static void
test_amplification (void)
{
  static const struct {
    const char *address;
    gsize headers, response;
  } cases[] = {
    { "192.0.2.1", 28, 32 },
    { "::ffff:192.0.2.1", 28, 32 },
    { "2001:db8::1", 48, 44 },
  };
  guint8 header[STUN_HEADER_SIZE] = { 0 };

  memcpy (header, example, sizeof header);
  g_assert_cmpint (parse (header, sizeof header, TRUE), ==, STUN_OK);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint8 response[STUN_RESPONSE_MAX];
      struct sockaddr_storage source;
      gsize len;

      make_source (&source, cases[i].address, 1);
      len = stun_response_build (header, (struct sockaddr *) &source, response);
      g_assert_cmpuint (len, ==, cases[i].response);
      g_assert_cmpuint (2 * (cases[i].headers + len), <=, 3 * (cases[i].headers + sizeof header));
    }
}

static void
test_other_family (void)
{
  struct sockaddr source = { .sa_family = AF_UNIX };
  guint8 response[STUN_RESPONSE_MAX];

  g_assert_cmpuint (stun_response_build (example, &source, response), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stun-message/request-of-a-client", test_example);
  g_test_add_func ("/stun-message/what-is-accepted", test_table);
  g_test_add_func ("/stun-message/every-prefix-is-refused", test_prefixes);
  g_test_add_func ("/stun-message/every-flipped-bit-is-refused", test_flipped_bits);
  g_test_add_func ("/stun-message/response-bytes", test_response);
  g_test_add_func ("/stun-message/response-does-not-amplify", test_amplification);
  g_test_add_func ("/stun-message/response-to-another-family-is-none", test_other_family);
  return g_test_run ();
}
