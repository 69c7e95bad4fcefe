/* detour-early-contacts.h: who received packets over the mesh from senders that are not known yet.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A packet and the word that its sender is at another relay come over two connections, and the
 * packet may be first. A sender without an id cannot be among the contacts, so its key is kept here
 * with the receiver until it leaves. Each worker has a table for its own connections. Thread: that
 * worker. */
#pragma once

#include "detour-registry.h"

G_BEGIN_DECLS

/* Two that have the same place displace each other, and the receiver of the older one is not told.
 */
#define DETOUR_EARLY_CONTACTS_BITS 8

typedef struct {
  DetourKey sender;
  DetourHandle receiver; /* NONE: free */
} DetourEarlyContact;

/* All zero is empty, and has no memory. */
typedef struct {
  DetourEarlyContact *places;
  guint n;
} DetourEarlyContacts;

void detour_early_contacts_clear (DetourEarlyContacts *self);

/* For every packet of a sender that is not known. */
void detour_early_contacts_note (DetourEarlyContacts *self, const DetourKey *sender,
                                 DetourHandle receiver);

typedef void (*DetourEarlyContactsFunc) (DetourHandle receiver, gpointer user);

/* Forgets all of @sender, and calls @func for each receiver, which may have left. */
void detour_early_contacts_take (DetourEarlyContacts *self, const DetourKey *sender,
                                 DetourEarlyContactsFunc func, gpointer user);

G_END_DECLS
