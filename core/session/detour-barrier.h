/* detour-barrier.h: a message that overtakes no other one on its way through two sets of loops.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Something may be on its way from loop to loop, as a client is that was let in: from a handshake
 * thread to a worker. A barrier goes the same way behind it, through all loops of the first set and
 * then all of the second, so that it arrives when everything before it has. */
#pragma once

#include <glib.h>

#include "detour-loop.h"
#include "detour-mailbox.h"

G_BEGIN_DECLS

/**
 * detour_barrier_send:
 * @first: (array length=n_first): one or more
 * @second: (array length=n_second): one or more
 *
 * Posts @done to @mailbox when each message is handled that was posted to a loop of @first before
 * this call, and each that a loop of @first posted to one of @second while it handled those. @drop
 * as in detour_mailbox_post(). The loops and the mailbox must be there until then, or until the
 * loops are freed. Any thread.
 */
void detour_barrier_send (DetourLoop *const *first, guint n_first, DetourLoop *const *second,
                          guint n_second, DetourMailbox *mailbox, DetourMailboxFunc done,
                          gpointer data, DetourMailboxFunc drop);

G_END_DECLS
