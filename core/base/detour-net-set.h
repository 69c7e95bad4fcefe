/* detour-net-set.h: networks, to be asked whether an address is in one of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sorted, so that a question takes as many steps as the number of networks has bits. */
#pragma once

#include "detour-address.h"

G_BEGIN_DECLS

/* Immutable, reference-counted, any thread. */
typedef struct _DetourNetSet DetourNetSet;

/* @nets: (array length=n): in any order; they may lie in each other */
DetourNetSet *detour_net_set_new (const DetourCidr *nets, guint n);
DetourNetSet *detour_net_set_ref (DetourNetSet *self);
void detour_net_set_unref (DetourNetSet *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourNetSet, detour_net_set_unref)

/* @self: (nullable): NULL has none. @bytes: as detour_address_bytes() gives them */
gboolean detour_net_set_has_bytes (const DetourNetSet *self, const guint8 bytes[16]);
/* FALSE for addresses that are no IP address. */
gboolean detour_net_set_has (const DetourNetSet *self, const struct sockaddr *address);

G_END_DECLS
