/* detour-store.h: the socket that the service manager keeps for the program that it starts next.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It is in the manager's store of descriptors from the beginning on, and empty. What a program
 * leaves in it when it ends in order is there for one reader, once. An empty one says that the
 * program before did not end in order. */
#pragma once

#include "detour-handover.h"

G_BEGIN_DECLS

/* A new one. Returns: the end to write to, which is closed with the program; -1: the manager has no
 * store ($FDSTORE). */
int detour_store_open (void);
/* FALSE: the manager did not want it, or has given it up. */
gboolean detour_store_is_kept (int fd);
/* The program ends in order, and leaves nothing. */
void detour_store_close (int fd);

/* The manager passed the one of the program before. */
gboolean detour_store_is_passed (void);
/* What that left in it. NULL: nothing, and the log says what is lost, or there is no such socket.
 * The manager's store is empty afterwards. */
DetourHandover *detour_store_take (void);

/* The record of that, which stays in it. -1: there is none. */
int detour_store_peek (void);

G_END_DECLS
