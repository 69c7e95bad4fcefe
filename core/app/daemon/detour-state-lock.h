/* detour-state-lock.h: says to other programs on this host that a relay runs with a state
 * directory.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any number of relays may have one, as it was before there was the lock: it only answers the
 * question whether there is one. It needs no file, and is gone with the process. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Returns: a descriptor that holds it; -1 where the file system has no locks. */
int detour_state_lock_take (const char *state);
/* No relay runs with it, or nobody can say. */
gboolean detour_state_lock_is_free (const char *state);

G_END_DECLS
