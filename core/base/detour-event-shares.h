/* detour-event-shares.h: how much of a ring of events is about clients from one address.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An IPv4 address counts as a whole, an IPv6 address by its first 64 bits. Addresses beyond those
 * that the table has room for push out others, so what is known of one may be too little, never too
 * much. No lock. */
#pragma once

#include "detour-event-ring.h"

G_BEGIN_DECLS

/* All zero: nothing is known. */
typedef struct {
  guint64 source; /* hash of the address; 0: none */
  guint64 begin;  /* place from which on `bytes` were written */
  gsize bytes;
  guint64 rest_1; /* place + 1 of the record of those that were not written; 0: none */
} DetourEventShare;

#define DETOUR_EVENT_SHARES 1024u

/* @shares: (array length=DETOUR_EVENT_SHARES). @address: (nullable): "192.0.2.1:80",
 * "[2001:db8::1]:80", or without port and brackets. NULL: it is none of IP, and has no share. */
DetourEventShare *detour_event_share_find (DetourEventShare *shares, const DetourEventRing *ring,
                                           const char *address);
/* Another record of @size bytes: TRUE and it is counted, or it is too much for one address. */
gboolean detour_event_share_take (DetourEventShare *self, const DetourEventRing *ring, gsize size);

G_END_DECLS
