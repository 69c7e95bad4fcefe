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

/* The file of a Unix socket. */
typedef struct {
  guint mode;  /* 0: as the umask has it */
  uid_t owner; /* -1: the process's own */
  gid_t group; /* -1: the process's own */
} DetourSocketFile;

/* Which file a socket was bound to: another process may have put its own in that place since. */
typedef struct {
  guint64 device, inode; /* both 0: none */
} DetourSocketFileId;

/**
 * detour_socket_listen:
 * @family: AF_INET or AF_INET6 for that one alone, AF_UNSPEC for both; a Unix socket has neither
 * @options: set on the listening socket, from which accepted ones inherit them; ignored for Unix
 * sockets
 * @file: (nullable): of a Unix socket; nobody can connect before it is as it says
 *
 * Binds and listens, dual stack for the empty host and both families. An address that this host
 * does not have yet is bound all the same, and works from the moment it has it. A stale Unix socket
 * that nobody serves is replaced. Main thread: looks up a host name.
 *
 * Returns: a non-blocking descriptor, or -1 with @error set.
 */
int detour_socket_listen (const DetourAddress *address, int family,
                          const DetourSocketOptions *options, const DetourSocketFile *file,
                          GError **error);

/* The file of a Unix socket that was bound to a path; none for others. */
DetourSocketFileId detour_socket_file_id (int fd);
/* Removes the file if it is still the one that @fd was bound to. */
void detour_socket_remove_file (int fd, const DetourSocketFileId *id);

/* The socket is bound to an address that this host does not have now, so that nobody reaches it. */
gboolean detour_socket_is_absent (int fd);

/* Connections to a TCP socket that listens are refused, and those that wait are reset; it keeps its
 * address, so that nobody else can take it meanwhile, unless the system chose the port. */
void detour_socket_pause (int fd);
/* Listens again at @bound. FALSE with errno. */
gboolean detour_socket_resume (int fd, const struct sockaddr_storage *bound);

/* Changes the options of a listening socket for those that come after. */
void detour_socket_set_options (int fd, const DetourSocketOptions *options);

/* As an accepted one is, for a connection that this side made. */
void detour_socket_set_connected (int fd, const DetourSocketOptions *options);

/* A connection that waits, non-blocking, with its peer in @peer; -1 with errno. */
int detour_socket_accept (int listener, struct sockaddr_storage *peer);

G_END_DECLS
