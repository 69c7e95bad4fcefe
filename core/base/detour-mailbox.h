/* detour-mailbox.h: calls from any thread to the main thread, dropped when their receiver is gone.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _DetourMailbox DetourMailbox;

typedef void (*DetourMailboxFunc) (gpointer data);

/* Main thread, as detour_mailbox_free(). */
DetourMailbox *detour_mailbox_new (void);

/**
 * detour_mailbox_free:
 *
 * Drops what waits. No thread may post any more; detour_mailbox_close() comes first where threads
 * still run.
 */
void detour_mailbox_free (DetourMailbox *self);

/**
 * detour_mailbox_post:
 * @self: (nullable): NULL: a receiver that lives as long as the process
 * @func: called on the main thread, from its loop, never from inside this call; owns @data
 * @drop: (nullable): called instead of @func when the receiver is gone: from
 *   detour_mailbox_close(), or from inside this call when the mailbox is closed already
 *
 * Calls of one mailbox happen in the order in which they were posted. Exactly one of @func and
 * @drop is called. Any thread.
 */
void detour_mailbox_post (DetourMailbox *self, DetourMailboxFunc func, gpointer data,
                          DetourMailboxFunc drop);

/**
 * detour_mailbox_close:
 *
 * Drops what waits, and from now on whatever is posted. May be called by a @func of the same
 * mailbox, and again. Main thread.
 */
void detour_mailbox_close (DetourMailbox *self);
/* Takes calls again after a close. Main thread. */
void detour_mailbox_open (DetourMailbox *self);

G_END_DECLS
