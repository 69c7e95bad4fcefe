/* stun-message.c: parses STUN Binding requests and builds success responses.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stun-message.h"

#include <netinet/in.h>
#include <string.h>

#define MAGIC_COOKIE          0x2112a442u
#define BINDING_REQUEST       0x0001u
#define BINDING_SUCCESS       0x0101u
#define ATTRIBUTE_XOR_MAPPED  0x0020u
#define ATTRIBUTE_SOFTWARE    0x8022u
#define ATTRIBUTE_FINGERPRINT 0x8028u
#define FINGERPRINT_MASK      0x5354554eu
#define FINGERPRINT_SIZE      8 /* of the whole attribute */
#define FAMILY_IPV4           1
#define FAMILY_IPV6           2

static inline guint16
stun_message_get_u16 (const guint8 *p)
{
  return (guint16) (p[0] << 8 | p[1]);
}

static inline guint32
stun_message_get_u32 (const guint8 *p)
{
  return (guint32) stun_message_get_u16 (p) << 16 | stun_message_get_u16 (p + 2);
}

static inline void
stun_message_put_u16 (guint8 *p, guint value)
{
  p[0] = (guint8) (value >> 8);
  p[1] = (guint8) value;
}

static inline void
stun_message_put_u32 (guint8 *p, guint32 value)
{
  stun_message_put_u16 (p, value >> 16);
  stun_message_put_u16 (p + 2, value & 0xffff);
}

/* CRC-32 of IEEE 802.3, four bits a step: a request has 32 bytes to sum. */
static guint32
stun_message_crc32 (const guint8 *data, gsize len)
{
  static const guint32 table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
  };
  guint32 crc = 0xffffffff;

  for (gsize i = 0; i < len; i++)
    {
      crc = table[(crc ^ data[i]) & 15] ^ crc >> 4;
      crc = table[(crc ^ data[i] >> 4) & 15] ^ crc >> 4;
    }
  return ~crc;
}

/* Result of reading the attributes. */
typedef struct {
  gboolean marked; /* a SOFTWARE has the value of Tailscale's clients */
  guint last_type;
  const guint8 *fingerprint; /* value of the last FINGERPRINT of four bytes; NULL: none */
} Attributes;

/* FALSE: @data is not a list of attributes that are each padded to four bytes, padding included. */
static gboolean
stun_message_read_attributes (Attributes *self, const guint8 *data, gsize len)
{
  static const char mark[] = "tailnode";

  while (len > 0)
    {
      gsize size, padded;

      if (len < 4)
        return FALSE;
      size = stun_message_get_u16 (data + 2);
      padded = (size + 3) & ~(gsize) 3;
      if (len - 4 < padded)
        return FALSE;

      self->last_type = stun_message_get_u16 (data);
      if (self->last_type == ATTRIBUTE_SOFTWARE && size == strlen (mark)
          && memcmp (data + 4, mark, size) == 0)
        self->marked = TRUE;
      if (self->last_type == ATTRIBUTE_FINGERPRINT && size == 4)
        self->fingerprint = data + 4;
      data += 4 + padded;
      len -= 4 + padded;
    }
  return TRUE;
}

StunVerdict
stun_request_parse (const guint8 *data, gsize len, gboolean any)
{
  Attributes attributes = { FALSE, 0, NULL };

  if (len < STUN_HEADER_SIZE)
    return STUN_SHORT;
  if ((data[0] & 0xc0) != 0 || stun_message_get_u32 (data + 4) != MAGIC_COOKIE)
    return STUN_COOKIE;
  if (stun_message_get_u16 (data) != BINDING_REQUEST)
    return STUN_TYPE;
  if (!stun_message_read_attributes (&attributes, data + STUN_HEADER_SIZE, len - STUN_HEADER_SIZE))
    return STUN_ATTRIBUTES;
  if (!any && !attributes.marked)
    return STUN_SOFTWARE;
  if (any && attributes.last_type != ATTRIBUTE_FINGERPRINT)
    return STUN_OK;
  if (attributes.last_type != ATTRIBUTE_FINGERPRINT || attributes.fingerprint == NULL
      || stun_message_get_u32 (attributes.fingerprint)
             != (stun_message_crc32 (data, len - FINGERPRINT_SIZE) ^ FINGERPRINT_MASK))
    return STUN_FINGERPRINT;
  return STUN_OK;
}

/* The shortest request is a bare header. Counted as they are on the wire, with the headers of UDP
 * and IP, the answer to it must not be longer than one and a half times the request: otherwise
 * somebody who forges addresses could multiply traffic with it. */
#define WIRE_IPV4(payload) (20 + 8 + (payload))
#define WIRE_IPV6(payload) (40 + 8 + (payload))
G_STATIC_ASSERT (2 * WIRE_IPV4 (STUN_HEADER_SIZE + 12) <= 3 * WIRE_IPV4 (STUN_HEADER_SIZE));
G_STATIC_ASSERT (2 * WIRE_IPV6 (STUN_RESPONSE_MAX) <= 3 * WIRE_IPV6 (STUN_HEADER_SIZE));

gsize
stun_response_build (const guint8 *request, const struct sockaddr *source, guint8 *out)
{
  const guint8 *address;
  gsize address_size, size;
  guint port;

  if (source->sa_family == AF_INET)
    {
      const struct sockaddr_in *in = (const struct sockaddr_in *) (gconstpointer) source;

      address = (const guint8 *) &in->sin_addr;
      address_size = 4;
      port = ntohs (in->sin_port);
    }
  else if (source->sa_family == AF_INET6)
    {
      const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) (gconstpointer) source;
      gboolean mapped = IN6_IS_ADDR_V4MAPPED (&in6->sin6_addr);

      address = in6->sin6_addr.s6_addr + (mapped ? 12 : 0);
      address_size = mapped ? 4 : 16;
      port = ntohs (in6->sin6_port);
    }
  else
    return 0;

  size = STUN_HEADER_SIZE + 8 + address_size;
  stun_message_put_u16 (out, BINDING_SUCCESS);
  stun_message_put_u16 (out + 2, (guint) size - STUN_HEADER_SIZE);
  stun_message_put_u32 (out + 4, MAGIC_COOKIE);
  memcpy (out + 8, request + 8, STUN_TRANSACTION_SIZE);
  stun_message_put_u16 (out + 20, ATTRIBUTE_XOR_MAPPED);
  stun_message_put_u16 (out + 22, (guint) address_size + 4);
  out[24] = 0;
  out[25] = address_size == 4 ? FAMILY_IPV4 : FAMILY_IPV6;
  stun_message_put_u16 (out + 26, port ^ MAGIC_COOKIE >> 16);
  /* The mask is the cookie followed by the transaction id, as in the header. */
  for (gsize i = 0; i < address_size; i++)
    out[28 + i] = address[i] ^ out[4 + i];
  return size;
}
