/* ace-address.c: which addresses are of the public Internet, so that a tunnel may lead there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "ace-address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* The IANA registries of special-purpose addresses: what is not globally reachable, and multicast.
 */
static const struct {
  guint32 network;
  guint8 bits;
} not_global_v4[] = {
  { 0x00000000, 8 },  /* "this network" */
  { 0x0a000000, 8 },  /* private */
  { 0x64400000, 10 }, /* shared by customers of a network, and tailnets */
  { 0x7f000000, 8 },  /* loopback */
  { 0xa9fe0000, 16 }, /* link-local, with what clouds tell their machines */
  { 0xac100000, 12 }, /* private */
  { 0xc0000000, 24 }, /* of protocols */
  { 0xc0000200, 24 }, /* documentation */
  { 0xc0586300, 24 }, /* relays of 6to4, which were given up */
  { 0xc0a80000, 16 }, /* private */
  { 0xc6120000, 15 }, /* benchmarks */
  { 0xc6336400, 24 }, /* documentation */
  { 0xcb007100, 24 }, /* documentation */
  { 0xe0000000, 4 },  /* multicast */
  { 0xf0000000, 4 },  /* reserved, and broadcast */
};

/* Of 2000::/3, outside of which nothing is global but IPv4 addresses behind a NAT64. */
static const struct {
  guint8 network[4];
  guint8 bits;
} not_global_v6[] = {
  { { 0x20, 0x01, 0x00, 0x00 }, 23 }, /* of protocols: Teredo, ORCHID, benchmarks */
  { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
  { { 0x20, 0x02, 0x00, 0x00 }, 16 }, /* 6to4 */
  { { 0x3f, 0xff, 0x00, 0x00 }, 20 }, /* documentation */
};

static const guint8 mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };
static const guint8 nat64_prefix[12] = { 0x00, 0x64, 0xff, 0x9b };

static guint32
ace_address_word (const guint8 *bytes)
{
  guint32 word;

  memcpy (&word, bytes, sizeof word);
  return GUINT32_FROM_BE (word);
}

static gboolean
ace_address_has_prefix (guint32 address, guint32 network, guint bits)
{
  return (address ^ network) >> (32 - bits) == 0;
}

static gboolean
ace_address_is_global_v4 (guint32 address)
{
  for (gsize i = 0; i < G_N_ELEMENTS (not_global_v4); i++)
    if (ace_address_has_prefix (address, not_global_v4[i].network, not_global_v4[i].bits))
      return FALSE;
  return TRUE;
}

static gboolean
ace_address_is_global_v6 (const guint8 bytes[16])
{
  if (memcmp (bytes, mapped_prefix, sizeof mapped_prefix) == 0
      || memcmp (bytes, nat64_prefix, sizeof nat64_prefix) == 0)
    return ace_address_is_global_v4 (ace_address_word (bytes + 12));
  if (bytes[0] >> 5 != 1)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (not_global_v6); i++)
    if (ace_address_has_prefix (ace_address_word (bytes),
                                ace_address_word (not_global_v6[i].network), not_global_v6[i].bits))
      return FALSE;
  return TRUE;
}

gboolean
ace_address_is_global (const struct sockaddr *address)
{
  const struct sockaddr_in *v4 = (const struct sockaddr_in *) (gconstpointer) address;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) (gconstpointer) address;

  if (address->sa_family == AF_INET)
    return ace_address_is_global_v4 (g_ntohl (v4->sin_addr.s_addr));
  return address->sa_family == AF_INET6 && ace_address_is_global_v6 (v6->sin6_addr.s6_addr);
}

char *
ace_address_source (const struct sockaddr *peer)
{
  const struct sockaddr_in *v4 = (const struct sockaddr_in *) (gconstpointer) peer;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) (gconstpointer) peer;

  if (peer->sa_family == AF_INET)
    return g_strdup_printf ("%08x", g_ntohl (v4->sin_addr.s_addr));
  if (peer->sa_family == AF_INET6
      && memcmp (v6->sin6_addr.s6_addr, mapped_prefix, sizeof mapped_prefix) == 0)
    return g_strdup_printf ("%08x", ace_address_word (v6->sin6_addr.s6_addr + 12));
  if (peer->sa_family == AF_INET6)
    return g_strdup_printf ("%08x%08x", ace_address_word (v6->sin6_addr.s6_addr),
                            ace_address_word (v6->sin6_addr.s6_addr + 4));
  return g_strdup ("");
}

char *
ace_address_text (const struct sockaddr *peer)
{
  const struct sockaddr_in *v4 = (const struct sockaddr_in *) (gconstpointer) peer;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) (gconstpointer) peer;
  char host[INET6_ADDRSTRLEN];

  if (peer->sa_family == AF_INET && inet_ntop (AF_INET, &v4->sin_addr, host, sizeof host) != NULL)
    return g_strdup_printf ("%s:%u", host, g_ntohs (v4->sin_port));
  if (peer->sa_family != AF_INET6)
    return g_strdup ("");
  if (memcmp (v6->sin6_addr.s6_addr, mapped_prefix, sizeof mapped_prefix) == 0
      && inet_ntop (AF_INET, v6->sin6_addr.s6_addr + 12, host, sizeof host) != NULL)
    return g_strdup_printf ("%s:%u", host, g_ntohs (v6->sin6_port));
  if (inet_ntop (AF_INET6, &v6->sin6_addr, host, sizeof host) == NULL)
    return g_strdup ("");
  return g_strdup_printf ("[%s]:%u", host, g_ntohs (v6->sin6_port));
}
