/* detour-socket.h: listening TCP and Unix sockets with the options that all connections have.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>

#include "detour-address.h"

G_BEGIN_DECLS

/* Unsent bytes above which the kernel reports a socket as not writable. It limits what the kernel
 * buffers for a receiver that does not read, which would be megabytes otherwise. */
#define DETOUR_SOCKET_NOTSENT_LOWAT (128 * 1024)

typedef struct {
  guint user_timeout_ms; /* TCP_USER_TIMEOUT; 0: the kernel's own */
  guint keep_alive_s;    /* idle seconds before TCP probes; 0: no probes */
} DetourSocketOptions;

/**
 * detour_socket_listen:
 * @family: AF_INET or AF_INET6 for that one alone, AF_UNSPEC for both; a Unix socket has neither
 * @options: set on the listening socket, from which accepted ones inherit them; ignored for Unix
 * sockets
 *
 * Binds and listens, dual stack for the empty host and both families. An address that this host
 * does not have yet is bound all the same, and works from the moment it has it. A stale Unix socket
 * that nobody serves is replaced. Main thread: looks up a host name.
 *
 * Returns: a non-blocking descriptor, or -1 with @error set.
 */
int detour_socket_listen (const DetourAddress *address, int family,
                          const DetourSocketOptions *options, GError **error);

/* The socket is bound to an address that this host does not have now, so that nobody reaches it. */
gboolean detour_socket_is_absent (int fd);

/* Changes the options of a listening socket for those that come after. */
void detour_socket_set_options (int fd, const DetourSocketOptions *options);

/* A connection that waits, non-blocking, with its peer in @peer; -1 with errno. */
int detour_socket_accept (int listener, struct sockaddr_storage *peer);

G_END_DECLS
