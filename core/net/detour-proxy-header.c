/* detour-proxy-header.c: the header of the PROXY protocol, with which a proxy says whose connection
 * it hands on.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * After "The PROXY protocol, versions 1 and 2" of HAProxy's documentation. */
#include "config.h"

#include "detour-proxy-header.h"

#include "detour-address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Version 1: a line of text. */
#define V1_WORD "PROXY "
#define V1_MAX  107u /* bytes, with CR and LF */

/* Version 2: a signature, version and command, family and transport, length of what follows. */
static const guint8 v2_signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                         0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };
#define V2_HEAD    16u
#define V2_LOCAL   0u
#define V2_PROXY   1u
#define V2_STREAM  1u
#define V2_CRC_TLV 0x03u

typedef enum { V2_UNSPEC, V2_INET, V2_INET6, V2_UNIX, V2_N_FAMILIES } Family;

/* Bytes of the addresses of a family. */
static const guint8 v2_block[V2_N_FAMILIES] = { 0, 12, 36, 216 };

static DetourProxyHeaderResult
proxy_header_refuse (DetourProxyHeader *out, const char *why)
{
  memset (out, 0, sizeof *out);
  out->why = why;
  return DETOUR_PROXY_HEADER_BAD;
}

static void
proxy_header_set_v4 (struct sockaddr_storage *out, const guint8 *host, guint16 port)
{
  struct sockaddr_in *in = (struct sockaddr_in *) out;

  in->sin_family = AF_INET;
  memcpy (&in->sin_addr, host, 4);
  in->sin_port = g_htons (port);
}

static void
proxy_header_set_v6 (struct sockaddr_storage *out, const guint8 *host, guint16 port)
{
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) out;

  in6->sin6_family = AF_INET6;
  memcpy (&in6->sin6_addr, host, sizeof in6->sin6_addr);
  in6->sin6_port = g_htons (port);
  /* Proxies write both sides in IPv6 when only one of them is IPv4. */
  detour_address_unmap (out);
}

/* Version 1 ------------------------------------------------------------------------------------ */

/* Decimal, without sign or leading zeros. */
static gboolean
proxy_header_parse_port (const char *text, guint16 *port)
{
  guint value = 0;

  if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
    return FALSE;
  for (; *text != '\0'; text++)
    {
      if (!g_ascii_isdigit (*text))
        return FALSE;
      value = value * 10 + (guint) (*text - '0');
      if (value > G_MAXUINT16)
        return FALSE;
    }
  *port = (guint16) value;
  return TRUE;
}

/* inet_pton() takes neither leading zeros nor a zone. */
static gboolean
proxy_header_parse_host (gboolean is_v6, const char *host, const char *port,
                         struct sockaddr_storage *out)
{
  guint8 bytes[16];
  guint16 number;

  if (!proxy_header_parse_port (port, &number)
      || inet_pton (is_v6 ? AF_INET6 : AF_INET, host, bytes) != 1)
    return FALSE;
  if (is_v6)
    proxy_header_set_v6 (out, bytes, number);
  else
    proxy_header_set_v4 (out, bytes, number);
  return TRUE;
}

/* Cuts @line at its blanks. FALSE: there are not @n words. */
static gboolean
proxy_header_split (char *line, char **words, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      words[i] = line;
      line = strchr (line, ' ');
      if ((line == NULL) != (i + 1 == n))
        return FALSE;
      if (line != NULL)
        *line++ = '\0';
    }
  return TRUE;
}

/* @line: behind "PROXY ", without its end. */
static DetourProxyHeaderResult
proxy_header_parse_line (char *line, DetourProxyHeader *out)
{
  char *words[5];
  gboolean is_v6;

  if (g_str_equal (line, "UNKNOWN") || g_str_has_prefix (line, "UNKNOWN "))
    return DETOUR_PROXY_HEADER_OK;
  if (!proxy_header_split (line, words, G_N_ELEMENTS (words)))
    return proxy_header_refuse (out, "the line has not five words behind PROXY");
  is_v6 = g_str_equal (words[0], "TCP6");
  if (!is_v6 && !g_str_equal (words[0], "TCP4"))
    return proxy_header_refuse (out, "the line is neither for TCP4 nor TCP6 nor UNKNOWN");
  if (!proxy_header_parse_host (is_v6, words[1], words[3], &out->source)
      || !proxy_header_parse_host (is_v6, words[2], words[4], &out->destination))
    return proxy_header_refuse (out, "the line has no two addresses of its family with ports");
  return DETOUR_PROXY_HEADER_OK;
}

static DetourProxyHeaderResult
proxy_header_parse_v1 (const guint8 *data, gsize len, DetourProxyHeader *out)
{
  gsize n = MIN (len, V1_MAX);
  const guint8 *end = memchr (data, '\n', n);
  char line[V1_MAX + 1];
  gsize n_line;

  if (end == NULL)
    return n < V1_MAX
             ? DETOUR_PROXY_HEADER_MORE
             : proxy_header_refuse (out, "the line does not end within 107 bytes, as it has to");
  n_line = (gsize) (end - data) - strlen (V1_WORD);
  if (end[-1] != '\r')
    return proxy_header_refuse (out, "the line does not end with CR and LF");
  memcpy (line, data + strlen (V1_WORD), n_line - 1);
  line[n_line - 1] = '\0';
  if (memchr (line, '\0', n_line - 1) != NULL || memchr (line, '\r', n_line - 1) != NULL)
    return proxy_header_refuse (out, "there is a control character in the line");
  out->len = (gsize) (end - data) + 1;
  return proxy_header_parse_line (line, out);
}

/* Version 2 ------------------------------------------------------------------------------------ */

/* Continues a CRC-32C (reflected polynomial 0x82f63b78); a header is short and comes once for a
 * connection, so a table of 16 is enough. */
static guint32
proxy_header_crc (guint32 crc, const guint8 *data, gsize len)
{
  static const guint32 table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                     0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                     0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                     0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };

  for (gsize i = 0; i < len; i++)
    {
      crc ^= data[i];
      crc = (crc >> 4) ^ table[crc & 15];
      crc = (crc >> 4) ^ table[crc & 15];
    }
  return crc;
}

/* The checksum is over the whole header with its own four bytes as zeros. */
static gboolean
proxy_header_crc_holds (const guint8 *data, gsize len, gsize place)
{
  static const guint8 zeros[4] = { 0 };
  guint32 crc = proxy_header_crc (0xffffffff, data, place);
  guint32 written;

  crc = proxy_header_crc (crc, zeros, sizeof zeros);
  crc = ~proxy_header_crc (crc, data + place + 4, len - place - 4);
  memcpy (&written, data + place, sizeof written);
  return crc == GUINT32_FROM_BE (written);
}

/* What follows the addresses: one type, two bytes of length, the value. None of them is used, but
 * they must be whole. */
static DetourProxyHeaderResult
proxy_header_check_tlvs (const guint8 *data, gsize start, DetourProxyHeader *out)
{
  gsize crc_place = 0;

  for (gsize pos = start; pos < out->len;)
    {
      gsize n;

      if (out->len - pos < 3)
        return proxy_header_refuse (out, "a field behind the addresses is cut");
      n = (gsize) data[pos + 1] << 8 | data[pos + 2];
      if (out->len - pos - 3 < n)
        return proxy_header_refuse (out, "a field behind the addresses is longer than the header");
      if (data[pos] == V2_CRC_TLV && (n != 4 || crc_place != 0))
        return proxy_header_refuse (out, "the header has no proper checksum");
      if (data[pos] == V2_CRC_TLV)
        crc_place = pos + 3;
      pos += 3 + n;
    }
  if (crc_place != 0 && !proxy_header_crc_holds (data, out->len, crc_place))
    return proxy_header_refuse (out, "the checksum is wrong");
  return DETOUR_PROXY_HEADER_OK;
}

static guint16
proxy_header_read_port (const guint8 *data)
{
  return (guint16) (data[0] << 8 | data[1]);
}

static void
proxy_header_read_block (Family family, const guint8 *block, DetourProxyHeader *out)
{
  if (family == V2_INET)
    {
      proxy_header_set_v4 (&out->source, block, proxy_header_read_port (block + 8));
      proxy_header_set_v4 (&out->destination, block + 4, proxy_header_read_port (block + 10));
    }
  else if (family == V2_INET6)
    {
      proxy_header_set_v6 (&out->source, block, proxy_header_read_port (block + 32));
      proxy_header_set_v6 (&out->destination, block + 16, proxy_header_read_port (block + 34));
    }
}

/* The first 16 bytes are there. */
static DetourProxyHeaderResult
proxy_header_parse_v2 (const guint8 *data, gsize len, DetourProxyHeader *out)
{
  guint command = data[12] & 15, family = data[13] >> 4, transport = data[13] & 15;
  gsize n = (gsize) data[14] << 8 | data[15];

  if (data[12] >> 4 != 2 || command > V2_PROXY)
    return proxy_header_refuse (out, "version or command is unknown");
  /* What a proxy sends for itself is skipped unread: senders differ in what they put there. */
  if (command == V2_PROXY && (family >= V2_N_FAMILIES || transport > 2))
    return proxy_header_refuse (out, "family or transport is unknown");
  if (V2_HEAD + n > DETOUR_PROXY_HEADER_MAX)
    return proxy_header_refuse (out, "it is longer than 4096 bytes");
  if (command == V2_PROXY && transport != 0 && n < v2_block[family])
    return proxy_header_refuse (out, "it is too short for its addresses");
  if (len < V2_HEAD + n)
    return DETOUR_PROXY_HEADER_MORE;

  out->len = V2_HEAD + n;
  if (command == V2_LOCAL || family == V2_UNSPEC || transport == 0)
    return DETOUR_PROXY_HEADER_OK;
  if (transport == V2_STREAM)
    proxy_header_read_block (family, data + V2_HEAD, out);
  return proxy_header_check_tlvs (data, V2_HEAD + v2_block[family], out);
}

/* ---------------------------------------------------------------------------------------------- */

DetourProxyHeaderResult
detour_proxy_header_parse (const guint8 *data, gsize len, DetourProxyHeader *out)
{
  memset (out, 0, sizeof *out);
  if (len == 0)
    return DETOUR_PROXY_HEADER_MORE;
  if (memcmp (data, v2_signature, MIN (len, sizeof v2_signature)) == 0)
    return len < V2_HEAD ? DETOUR_PROXY_HEADER_MORE : proxy_header_parse_v2 (data, len, out);
  if (memcmp (data, V1_WORD, MIN (len, strlen (V1_WORD))) == 0)
    return len <= strlen (V1_WORD) ? DETOUR_PROXY_HEADER_MORE
                                   : proxy_header_parse_v1 (data, len, out);
  return DETOUR_PROXY_HEADER_NONE;
}

/* Writing -------------------------------------------------------------------------------------- */

static guint16
proxy_header_port_of (const struct sockaddr *address)
{
  return address->sa_family == AF_INET6
           ? ((const struct sockaddr_in6 *) (const void *) address)->sin6_port
           : ((const struct sockaddr_in *) (const void *) address)->sin_port;
}

/* One side in IPv6 makes both so. */
static gsize
proxy_header_write_v1 (const guint8 *source, const guint8 *destination, gboolean is_v6,
                       guint16 source_port, guint16 destination_port, guint8 *out)
{
  char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], line[DETOUR_PROXY_HEADER_WRITE_MAX + 1];
  int family = is_v6 ? AF_INET6 : AF_INET;
  guint skip = is_v6 ? 0 : 12;

  inet_ntop (family, source + skip, from, sizeof from);
  inet_ntop (family, destination + skip, to, sizeof to);
  g_snprintf (line, sizeof line, "PROXY TCP%d %s %s %u %u\r\n", is_v6 ? 6 : 4, from, to,
              g_ntohs (source_port), g_ntohs (destination_port));
  memcpy (out, line, strlen (line));
  return strlen (line);
}

static gsize
proxy_header_write_v2 (const guint8 *source, const guint8 *destination, gboolean is_v6,
                       guint16 source_port, guint16 destination_port, guint8 *out)
{
  guint skip = is_v6 ? 0 : 12, n = 16 - skip;

  memcpy (out, v2_signature, sizeof v2_signature);
  out[12] = 2 << 4 | V2_PROXY;
  out[13] = (guint8) ((is_v6 ? V2_INET6 : V2_INET) << 4 | V2_STREAM);
  out[14] = 0;
  out[15] = v2_block[is_v6 ? V2_INET6 : V2_INET];
  memcpy (out + V2_HEAD, source + skip, n);
  memcpy (out + V2_HEAD + n, destination + skip, n);
  memcpy (out + V2_HEAD + 2 * n, &source_port, 2);
  memcpy (out + V2_HEAD + 2 * n + 2, &destination_port, 2);
  return V2_HEAD + out[15];
}

gsize
detour_proxy_header_write (guint version, const struct sockaddr *source,
                           const struct sockaddr *destination, guint8 *out)
{
  static const guint8 local[4] = { 2 << 4 | V2_LOCAL, 0, 0, 0 };
  static const char unknown[] = "PROXY UNKNOWN\r\n";
  struct sockaddr_storage mapped[2] = { 0 };
  guint8 bytes[2][16];

  if (!detour_address_bytes (source, bytes[0]) || !detour_address_bytes (destination, bytes[1]))
    {
      if (version == 1)
        {
          memcpy (out, unknown, strlen (unknown));
          return strlen (unknown);
        }
      memcpy (out, v2_signature, sizeof v2_signature);
      memcpy (out + sizeof v2_signature, local, sizeof local);
      return V2_HEAD;
    }
  for (guint i = 0; i < 2; i++)
    proxy_header_set_v6 (&mapped[i], bytes[i], 0);
  return (version == 1 ? proxy_header_write_v1 : proxy_header_write_v2) (
      bytes[0], bytes[1], mapped[0].ss_family == AF_INET6 || mapped[1].ss_family == AF_INET6,
      proxy_header_port_of (source), proxy_header_port_of (destination), out);
}
