/* detour-daemon-user.h: which user the daemon runs as, for programs that root starts.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <pwd.h>

G_BEGIN_DECLS

/**
 * detour_daemon_user:
 * @state_directory: (nullable): where the daemon keeps its state
 *
 * The user that owns that directory, or else the one that the service unit names.
 *
 * Returns: (nullable): as getpwuid(); NULL: this is not root, or there is no such user.
 */
const struct passwd *detour_daemon_user (const char *state_directory);

G_END_DECLS
