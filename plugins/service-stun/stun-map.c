/* stun-map.c: addresses reported to clients of some networks instead of their observed address.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stun-map.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

typedef struct {
  int family;
  guint bits;
  guint8 network[16];
  guint8 address[16];
} Entry;

struct _StunMap {
  GArray *entries; /* Entry, in the order of the file */
};

StunMap *
stun_map_new (void)
{
  StunMap *self = g_new0 (StunMap, 1);

  self->entries = g_array_new (FALSE, TRUE, sizeof (Entry));
  return self;
}

void
stun_map_free (StunMap *self)
{
  g_array_unref (self->entries);
  g_free (self);
}

static guint
stun_map_size_of (int family)
{
  return family == AF_INET ? 4 : 16;
}

static gboolean
stun_map_has_prefix (const guint8 *address, const guint8 *network, guint bits)
{
  guint rest = bits % 8;

  if (memcmp (address, network, bits / 8) != 0)
    return FALSE;
  return rest == 0 || (address[bits / 8] ^ network[bits / 8]) >> (8 - rest) == 0;
}

/* A correct network has no bits set beyond its length. */
static gboolean
stun_map_has_host_bits (const Entry *entry)
{
  static const guint8 zero[16];
  guint8 rest[16];
  guint whole = entry->bits / 8;

  memcpy (rest, entry->network, sizeof rest);
  memset (rest, 0, whole);
  if (entry->bits % 8 != 0)
    rest[whole] &= (guint8) (0xff >> entry->bits % 8);
  return memcmp (rest, zero, stun_map_size_of (entry->family)) != 0;
}

const char *
stun_map_add (StunMap *self, const char *text)
{
  const char *equals = strchr (text, '=');
  g_autofree char *network = NULL;
  g_autofree char *address = NULL;
  Entry entry = { 0 };
  char *slash;
  guint64 bits;

  if (equals == NULL)
    return "write NETWORK/BITS=ADDRESS, such as 10.0.0.0/8=192.0.2.1";
  network = g_strstrip (g_strndup (text, (gsize) (equals - text)));
  address = g_strstrip (g_strdup (equals + 1));
  slash = strchr (network, '/');
  if (slash != NULL)
    *slash = '\0';
  entry.family = strchr (network, ':') != NULL ? AF_INET6 : AF_INET;
  if (inet_pton (entry.family, network, entry.network) != 1)
    return "what stands before the = is not a network; write 10.0.0.0/8 or 2001:db8::/32";
  if (inet_pton (entry.family, address, entry.address) != 1)
    return "what stands behind the = is not an address of the same family";

  entry.bits = 8 * stun_map_size_of (entry.family);
  if (slash != NULL)
    {
      if (!g_ascii_string_to_unsigned (slash + 1, 10, 0, entry.bits, &bits, NULL))
        return "a network has 0 to 32 bits in IPv4, 0 to 128 in IPv6";
      entry.bits = (guint) bits;
    }
  if (stun_map_has_host_bits (&entry))
    return "the network has bits set behind its length";
  for (guint i = 0; i < self->entries->len; i++)
    {
      const Entry *other = &g_array_index (self->entries, Entry, i);

      if (other->family == entry.family && other->bits == entry.bits
          && memcmp (other->network, entry.network, sizeof entry.network) == 0)
        return "the network comes twice";
    }
  g_array_append_val (self->entries, entry);
  return NULL;
}

gboolean
stun_map_apply (const StunMap *self, const struct sockaddr *source, struct sockaddr_storage *told)
{
  struct sockaddr_in *in = (struct sockaddr_in *) told;
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) told;
  const Entry *best = NULL;
  guint8 *address;

  memcpy (told, source, source->sa_family == AF_INET ? sizeof *in : sizeof *in6);
  if (told->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED (&in6->sin6_addr))
    {
      struct sockaddr_in plain = { .sin_family = AF_INET, .sin_port = in6->sin6_port };

      memcpy (&plain.sin_addr, in6->sin6_addr.s6_addr + 12, sizeof plain.sin_addr);
      memcpy (told, &plain, sizeof plain);
    }
  address = told->ss_family == AF_INET ? (guint8 *) &in->sin_addr : in6->sin6_addr.s6_addr;
  for (guint i = 0; i < self->entries->len; i++)
    {
      const Entry *entry = &g_array_index (self->entries, Entry, i);

      if (entry->family == told->ss_family
          && stun_map_has_prefix (address, entry->network, entry->bits)
          && (best == NULL || entry->bits > best->bits))
        best = entry;
    }
  if (best != NULL)
    memcpy (address, best->address, stun_map_size_of (best->family));
  return best != NULL;
}
