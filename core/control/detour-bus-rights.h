/* detour-bus-rights.h: whether a caller on the system bus may do what it asks for.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Root and the user that the daemon runs as may do everything, and members of the group that may
 * read on the control socket may read. About all others polkit is asked, where it is installed;
 * where it is not, they may do nothing. */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef enum {
  DETOUR_RIGHT_READ,
  DETOUR_RIGHT_CHANGE,
  DETOUR_RIGHT_UPGRADE,
} DetourRight;

/* @call may go on. */
typedef void (*DetourBusRightsFunc) (GDBusMethodInvocation *call, gpointer user);

/**
 * detour_bus_rights_ask:
 * @readers: the group that may read, or DETOUR_NO_GROUP
 * @cancellable: to be cancelled when @user is not there any more; @call gets an error then
 *
 * Calls @func when the caller of @call may do it, later and from the main loop. Otherwise it gets
 * an error. Main thread.
 */
void detour_bus_rights_ask (GDBusMethodInvocation *call, DetourRight right, gid_t readers,
                            GCancellable *cancellable, DetourBusRightsFunc func, gpointer user);

G_END_DECLS
