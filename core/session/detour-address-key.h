/* detour-address-key.h: the part of a client address by which limits count connections.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An IPv4 address counts as a whole. An IPv6 address counts by its first 64 bits, because one
 * customer has all the addresses behind them. */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* Halves of the address, IPv4 as ::ffff:a.b.c.d. All zero: no address, as of a Unix socket; such
 * connections are under no limit for each address. */
typedef struct {
  guint64 high, low;
} DetourAddressKey;

DetourAddressKey detour_address_key_of (const struct sockaddr *peer);
/* @ip: IPv6, or IPv4 mapped; zero: no address */
DetourAddressKey detour_address_key_of_bytes (const guint8 ip[16]);

static inline gboolean
detour_address_key_is_none (const DetourAddressKey *self)
{
  return (self->high | self->low) == 0;
}

/* For hash tables whose keys point to a DetourAddressKey. */
guint detour_address_key_hash (gconstpointer key);
gboolean detour_address_key_equal (gconstpointer a, gconstpointer b);

G_END_DECLS
