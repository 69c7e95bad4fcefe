/* detour-address-key.c: the part of a client address by which limits count connections.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-address-key.h"

#include <string.h>

#include "detour-address.h"

DetourAddressKey
detour_address_key_of (const struct sockaddr *peer)
{
  guint8 ip[16];

  if (!detour_address_bytes (peer, ip))
    return (DetourAddressKey) { 0, 0 };
  return detour_address_key_of_bytes (ip);
}

DetourAddressKey
detour_address_key_of_bytes (const guint8 ip[16])
{
  DetourAddressKey key;
  guint64 halves[2];

  memcpy (halves, ip, sizeof halves);
  key.high = GUINT64_FROM_BE (halves[0]);
  key.low = GUINT64_FROM_BE (halves[1]);

  /* ::1 keeps its last bits, or it would be all zero. */
  if (key.high != 0)
    key.low = 0;
  return key;
}

guint
detour_address_key_hash (gconstpointer key)
{
  const DetourAddressKey *self = key;

  return (guint) (((self->high ^ self->low) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)) >> 32);
}

gboolean
detour_address_key_equal (gconstpointer a, gconstpointer b)
{
  const DetourAddressKey *x = a, *y = b;

  return x->high == y->high && x->low == y->low;
}
