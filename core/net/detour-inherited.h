/* detour-inherited.h: listening sockets of the program that ran before, until somebody listens
 * there again.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A socket that stays open over the change loses no connection that waits in it, and its port may
 * be one that could not be bound again. */
#pragma once

#include <glib.h>

#include "detour-address.h"

G_BEGIN_DECLS

typedef struct _DetourInherited DetourInherited; /* main thread */

DetourInherited *detour_inherited_new (void);
/* Closes what nobody took, and removes the files of Unix sockets. */
void detour_inherited_free (DetourInherited *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourInherited, detour_inherited_free)

/* @fd: taken, and closed if nobody could reach it any more; @asked: whose it is, and the address as
 * it was written in the configuration */
void detour_inherited_add (DetourInherited *self, int fd, const char *asked);
guint detour_inherited_count (const DetourInherited *self);

/**
 * detour_inherited_take:
 * @self: (nullable): NULL: there are none
 * @asked: the same as it is written now; @address: what it says
 * @family: as for detour_socket_listen()
 *
 * Returns: a listening, non-blocking descriptor with other options than it may need now; -1: none
 *   is bound to just that.
 */
int detour_inherited_take (DetourInherited *self, const char *asked, const DetourAddress *address,
                           int family);

/* Closes those at @port that nobody took, which keep another one from being bound: of `:443`, when
 * `192.0.2.1:443` is wanted. TRUE: there was one. */
gboolean detour_inherited_drop_port (DetourInherited *self, guint16 port);

G_END_DECLS
