/* detourctl-address.h: internet addresses: which of them the world can use, how they are written.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Whether it is of this host or link alone. Pure. */
gboolean detourctl_address_is_local (GInetAddress *address);
/* Whether it is of a network behind address translation, or one that is no network. Local ones
 * count. Pure. */
gboolean detourctl_address_is_private (GInetAddress *address);

/* "203.0.113.5:443", "[2001:db8::5]:443"; free with g_free(). Pure. */
char *detourctl_address_place (GInetAddress *address, guint16 port);

G_END_DECLS
