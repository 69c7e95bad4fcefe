/* ace-address.h: which addresses are of the public Internet, so that a tunnel may lead there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* FALSE for every address that a stranger may not reach through this host: private, loopback,
 * link-local, shared (100.64/10), multicast, documentation, reserved, and such an IPv4 address
 * inside an IPv6 one. Nothing but what is known to be global is TRUE. */
gboolean ace_address_is_global (const struct sockaddr *address);

/* By which the tunnels of a client are counted: its address, or its /64. For g_free(). */
char *ace_address_source (const struct sockaddr *peer);

/* As the log shows a peer: 192.0.2.1:443, [2001:db8::1]:443. For g_free(). */
char *ace_address_text (const struct sockaddr *peer);

G_END_DECLS
