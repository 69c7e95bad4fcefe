/* detourctl-dial-resolve.h: looks up a name in both families, with a limit.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Blocking; any thread. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * detourctl_dial_resolve:
 * @host: a name or an address
 *
 * Returns: (nullable): array of GInetAddress, each once, IPv6 and IPv4 in the order of the
 * resolver; NULL with @error set, G_RESOLVER_ERROR_NOT_FOUND when the name has no address, another
 * one when nobody could say.
 */
GPtrArray *detourctl_dial_resolve (const char *host, gint64 limit_us, GError **error);

G_END_DECLS
