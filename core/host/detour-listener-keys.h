/* detour-listener-keys.h: what the keys that listeners have in common say.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

/**
 * detour_listener_keys_find_owner:
 * @text: `USER`, `USER:GROUP` or `:GROUP`
 * @uid: (out): -1: not named
 * @gid: (out): -1: not named
 *
 * Main thread: asks the host's databases.
 */
gboolean detour_listener_keys_find_owner (const char *text, uid_t *uid, gid_t *gid, GError **error);

G_END_DECLS
