/* detour-contacts.h: which clients of a worker received packets from which peers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Relations between a sender, whose packets were delivered, and the connection that received them:
 * the receiver is told when the sender leaves. Each worker has a table for its own connections.
 * Thread: that worker.
 *
 * 28 to 40 bytes a relation, and the same once for each sender and each receiver that has any. */
typedef struct _DetourContacts DetourContacts;

#define DETOUR_CONTACTS_SENDER_MAX ((G_GUINT64_CONSTANT (1) << 40) - 1)
/* Instead of the id of a sender that has none: see detour-early-contacts.h. */
#define DETOUR_CONTACTS_SENDER_UNKNOWN G_MAXUINT64
/* The largest slot. */
#define DETOUR_CONTACTS_SLOT_MAX 0xfffffeu

typedef void (*DetourContactsFunc) (guint32 slot, gpointer user);

DetourContacts *detour_contacts_new (void);
void detour_contacts_free (DetourContacts *self);

/**
 * detour_contacts_add:
 * @sender: id of the peer a packet came from (DetourPeer.id), at most DETOUR_CONTACTS_SENDER_MAX
 * @slot: the connection it goes to
 *
 * For every packet: one probe of a hash table when the relation is there.
 *
 * A packet may come from another worker after its sender left and the notice was given: so when
 * this returns TRUE and the sender is not known to live, look it up, and call
 * detour_contacts_remove() if it is gone.
 *
 * Returns: TRUE when the relation is new.
 */
gboolean detour_contacts_add (DetourContacts *self, guint64 sender, guint32 slot);

/* Forgets one relation. FALSE: there was none. */
gboolean detour_contacts_remove (DetourContacts *self, guint64 sender, guint32 slot);

/* Forgets every relation of @sender and calls @func for each receiver. @func may not call this
 * table. */
void detour_contacts_sender_gone (DetourContacts *self, guint64 sender, DetourContactsFunc func,
                                  gpointer user);

typedef void (*DetourContactsSenderFunc) (guint64 sender, gpointer user);

/* Calls @func for each sender of which @slot has received something. */
void detour_contacts_each_sender (const DetourContacts *self, guint32 slot,
                                  DetourContactsSenderFunc func, gpointer user);

/* Forgets every relation of @slot, so that it can be given to another connection. */
void detour_contacts_receiver_left (DetourContacts *self, guint32 slot);

/* Relations. */
guint detour_contacts_size (const DetourContacts *self);

/* Bytes held. */
gsize detour_contacts_memory (const DetourContacts *self);

G_END_DECLS
