/* detourctl-local-api.h: asks the tailscaled of this host, over its LocalAPI.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * detourctl_local_api_get:
 * @socket: (nullable): path of its socket; NULL: where it usually is
 * @path: "/localapi/v0/derpmap"
 * @max: bytes the answer may have
 * @limit_ms: how long it may take; 0: as long as it likes
 * @len: (out): bytes of what is given back, which are terminated
 *
 * Blocking.
 *
 * Returns: (nullable): the body of an answer with status 200, free with g_free(); NULL with @error
 */
char *detourctl_local_api_get (const char *socket, const char *path, gsize max, gint64 limit_ms,
                               gsize *len, GError **error);

G_END_DECLS
