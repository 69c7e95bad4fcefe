/* detour-event-shares.c: how much of a ring of events is about clients from one address.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-event-shares.h"

#include <string.h>

#include "detour-address.h"

/* One address may have this part of a ring. */
#define PART 4u

/* FNV-1a; 0 is no result. */
static guint64
event_shares_hash (const guint8 *bytes, gsize n)
{
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325);

  for (gsize i = 0; i < n; i++)
    hash = (hash ^ bytes[i]) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash != 0 ? hash : 1;
}

/* With a port, as connections have it, or without one, as the admission is asked about it. */
static gboolean
event_shares_read (const char *address, guint8 bytes[16])
{
  DetourCidr alone;
  DetourAddress with_port;
  struct sockaddr_storage peer;
  socklen_t len;

  if (detour_cidr_parse (address, &alone, NULL))
    {
      memcpy (bytes, alone.bytes, sizeof alone.bytes);
      return TRUE;
    }
  return detour_address_parse (address, &with_port, NULL)
      && detour_address_to_sockaddr (&with_port, &peer, &len)
      && detour_address_bytes ((const struct sockaddr *) &peer, bytes);
}

/* 0: it is no address of IP. */
static guint64
event_shares_source (const char *address)
{
  struct in6_addr ip;

  if (!event_shares_read (address, ip.s6_addr))
    return 0;
  return IN6_IS_ADDR_V4MAPPED (&ip) ? event_shares_hash (ip.s6_addr + 12, 4)
                                    : event_shares_hash (ip.s6_addr, 8);
}

DetourEventShare *
detour_event_share_find (DetourEventShare *shares, const DetourEventRing *ring, const char *address)
{
  guint64 source = address != NULL ? event_shares_source (address) : 0;
  DetourEventShare *self = &shares[source % DETOUR_EVENT_SHARES];

  if (source == 0)
    return NULL;
  /* What was written before the ring's whole length is gone. */
  if (self->source != source || ring->end - self->begin >= ring->cap)
    *self = (DetourEventShare) { .source = source, .begin = ring->end };
  return self;
}

gboolean
detour_event_share_take (DetourEventShare *self, const DetourEventRing *ring, gsize size)
{
  if (self->bytes + size > ring->cap / PART)
    return FALSE;
  self->bytes += size;
  return TRUE;
}
