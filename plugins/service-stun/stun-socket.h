/* stun-socket.h: UDP sockets that report the destination of each datagram.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/**
 * stun_socket_parse:
 * @text: 192.0.2.1:3478, [2001:db8::1]:3478, or :3478 for every address
 *
 * Returns: FALSE when @text has another form; names are not looked up.
 */
gboolean stun_socket_parse (const char *text, struct sockaddr_storage *out)
    G_GNUC_WARN_UNUSED_RESULT;

/**
 * stun_socket_open:
 * @only_ipv6: when @address is of IPv6: leave IPv4 to another socket
 *
 * Binds a socket that tells where datagrams were sent to. Every address of IPv6 means every one of
 * IPv4 on a host without IPv6. An address that this host does not have yet is bound all the same,
 * and works from the moment it has it.
 *
 * Returns: descriptor; -1 with errno set.
 */
int stun_socket_open (const struct sockaddr_storage *address, gboolean only_ipv6);

/* The socket is bound to an address that this host does not have now. */
gboolean stun_socket_is_absent (int fd);

/* ADDRESS:PORT that the socket is bound to; free with g_free(). */
char *stun_socket_name (int fd);

G_END_DECLS
