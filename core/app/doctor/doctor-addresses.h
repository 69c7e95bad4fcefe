/* doctor-addresses.h: the addresses of this host, and which of them the world can use.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Of all interfaces that are up, each once. Of GInetAddress. */
GPtrArray *doctor_addresses_own (void);

gboolean doctor_addresses_has (const GPtrArray *addresses, GInetAddress *address);

/* Those of the world in @addresses, of that family, as "203.0.113.5, 203.0.113.6"; "" when there is
 * none. Free with g_free(). */
char *doctor_addresses_public_text (const GPtrArray *addresses, GSocketFamily family);

G_END_DECLS
