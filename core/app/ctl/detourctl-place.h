/* detourctl-place.h: reads a whole text from where somebody said it is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * detourctl_place_read:
 * @place: a file, `-` for standard input, a URL of http or https, or `tailscaled:`, with the path
 *   of its socket behind it where that is not the usual one: the DERP map that it has got
 * @max: bytes it may have
 * @limit_ms: how long a server may take; 0: as long as it likes
 * @len: (out): bytes of what is given back, which are terminated
 *
 * Returns: (nullable): free with g_free(); NULL with @error, whose message names @place
 */
char *detourctl_place_read (const char *place, gsize max, gint64 limit_ms, gsize *len,
                            GError **error);

/**
 * detourctl_place_set_missing:
 * @url: what was asked for
 * @fault: why detour-fetch could not be started
 *
 * Sets @error: that the program is missing, and the package that has it where that is known.
 */
void detourctl_place_set_missing (const char *url, const GError *fault, GError **error);

G_END_DECLS
