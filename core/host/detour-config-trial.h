/* detour-config-trial.h: whether this host lets a configuration start: folders, ports, transports.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/socket.h>

#include "detour-address.h"
#include "detour-config-errors.h"
#include "detour-config.h"

G_BEGIN_DECLS

/**
 * detour_config_try:
 * @state_directory: where the daemon would keep its state
 * @any_port: the daemon may bind low ports though this process may not
 *
 * For a configuration that is good by itself, before somebody starts it: what a start would find
 * out is added to @errors. Makes and changes nothing; sockets that it binds are closed at once. A
 * daemon that runs already is expected to have its ports. What only the rights of this process may
 * be to blame for is a warning. Main thread.
 */
void detour_config_try (const DetourConfig *config, const char *state_directory, gboolean any_port,
                        DetourConfigErrors *errors);

/* What detour_port_owner() begins with when the port is that of a relay. */
#define DETOUR_PORT_OWNER_RELAY "detourd ("

/* 0, or the errno with which @address cannot be had at the moment; it is given back at once. @dual:
 * @address is that of all addresses of IPv6, and those of IPv4 are wanted, too; on a host without
 * IPv6, those alone. */
int detour_config_try_bind (const struct sockaddr *address, socklen_t len, gboolean dual,
                            gboolean udp);

/**
 * detour_config_try_listener:
 * @address: that of @listener, parsed
 * @number: (out): as of detour_config_try_bind(), with the families that the listener would have
 *
 * Returns: FALSE where nothing can be tried: for a name, which is looked up only as the relay
 *   starts, for a Unix socket, which is made anew by it, and for a port that the system chooses.
 */
gboolean detour_config_try_listener (const DetourConfigListener *listener,
                                     const DetourAddress *address, int *number);

/* A remedy for bind() that failed with @number at @port, to stand behind its text: begins with
 * "; ", or is empty. Free with g_free(). */
char *detour_config_bind_remedy (int number, guint port, gboolean udp);

G_END_DECLS
