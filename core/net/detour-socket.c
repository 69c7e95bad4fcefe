/* detour-socket.c: listening TCP and Unix sockets with the options that all connections have.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-socket.h"

#include <errno.h>
#include <gio/gio.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

/* Interval of keep-alive probes, and the number of unanswered ones that ends a connection. */
#define KEEP_ALIVE_INTERVAL_S 15
#define KEEP_ALIVE_PROBES     9

static void
socket_set_int (int fd, int level, int option, int value)
{
  /* The options only improve behaviour, so a kernel without one of them is no error. */
  if (setsockopt (fd, level, option, &value, sizeof value) < 0)
    g_debug ("socket option %d/%d: %s", level, option, g_strerror (errno));
}

void
detour_socket_set_options (int fd, const DetourSocketOptions *options)
{
  socket_set_int (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int) options->user_timeout_ms);
  socket_set_int (fd, SOL_SOCKET, SO_KEEPALIVE, options->keep_alive_s > 0);
  if (options->keep_alive_s > 0)
    {
      socket_set_int (fd, IPPROTO_TCP, TCP_KEEPIDLE, (int) MIN (options->keep_alive_s, 32767));
      socket_set_int (fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL_S);
      socket_set_int (fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_ALIVE_PROBES);
    }
}

void
detour_socket_set_connected (int fd, const DetourSocketOptions *options)
{
  socket_set_int (fd, IPPROTO_TCP, TCP_NODELAY, 1);
  socket_set_int (fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, DETOUR_SOCKET_NOTSENT_LOWAT);
  detour_socket_set_options (fd, options);
}

static int
socket_fail (int fd, const char *what, GError **error)
{
  int saved = errno;

  if (fd >= 0)
    close (fd);
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved), "%s: %s", what,
               g_strerror (saved));
  return -1;
}

/* Removes a socket file that a dead process left. If a process still serves it, it stays, and
 * bind() fails. */
static void
socket_remove_stale (const struct sockaddr_un *address)
{
  struct stat st;
  int fd;

  if (lstat (address->sun_path, &st) < 0 || !S_ISSOCK (st.st_mode))
    return;
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return;
  if (connect (fd, (const struct sockaddr *) address, sizeof *address) < 0 && errno == ECONNREFUSED)
    unlink (address->sun_path);
  close (fd);
}

static gboolean
socket_set_file (const char *path, const DetourSocketFile *file)
{
  return ((file->owner == (uid_t) -1 && file->group == (gid_t) -1)
          || lchown (path, file->owner, file->group) == 0)
      && (file->mode == 0 || chmod (path, file->mode) == 0);
}

static int
socket_listen_unix (const DetourAddress *address, const DetourSocketFile *file, GError **error)
{
  struct sockaddr_un un = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return socket_fail (fd, "cannot make a socket", error);
  g_strlcpy (un.sun_path, address->path, sizeof un.sun_path);
  socket_remove_stale (&un);
  if (bind (fd, (struct sockaddr *) &un, sizeof un) < 0)
    return socket_fail (fd, "cannot bind", error);
  /* The kernel refuses connections until listen(). */
  if (file != NULL && !socket_set_file (un.sun_path, file))
    {
      int saved = errno;

      unlink (un.sun_path);
      errno = saved;
      return socket_fail (fd, "cannot set owner and permissions of the file", error);
    }
  if (listen (fd, BACKLOG) < 0)
    return socket_fail (fd, "cannot listen", error);
  return fd;
}

/* The path of a Unix socket; FALSE: it is none, or has no path. */
static gboolean
socket_path_of (int fd, struct sockaddr_un *un)
{
  socklen_t len = sizeof *un;

  memset (un, 0, sizeof *un);
  return getsockname (fd, (struct sockaddr *) un, &len) == 0 && un->sun_family == AF_UNIX
      && un->sun_path[0] == '/';
}

DetourSocketFileId
detour_socket_file_id (int fd)
{
  struct sockaddr_un un;
  struct stat st;

  if (!socket_path_of (fd, &un) || lstat (un.sun_path, &st) < 0)
    return (DetourSocketFileId) { 0, 0 };
  return (DetourSocketFileId) { st.st_dev, st.st_ino };
}

void
detour_socket_remove_file (int fd, const DetourSocketFileId *id)
{
  DetourSocketFileId now = detour_socket_file_id (fd);
  struct sockaddr_un un;

  if (id->inode != 0 && now.inode == id->inode && now.device == id->device
      && socket_path_of (fd, &un))
    unlink (un.sun_path);
}

/* Binds to an address that this host may get later only: of an interface that is still coming up,
 * of a VPN, or one that moves between hosts. The kernel serves it from the moment it is there. */
static int
socket_bind_early (int fd, const struct sockaddr *sockaddr, socklen_t len)
{
  if (sockaddr->sa_family == AF_INET6)
    socket_set_int (fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
  else
    socket_set_int (fd, IPPROTO_IP, IP_FREEBIND, 1);
  return bind (fd, sockaddr, len);
}

static int
socket_listen_tcp (const struct sockaddr *sockaddr, socklen_t len, gboolean dual,
                   const DetourSocketOptions *options, GError **error)
{
  int fd = socket (sockaddr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return socket_fail (fd, "cannot make a socket", error);

  socket_set_int (fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (sockaddr->sa_family == AF_INET6)
    socket_set_int (fd, IPPROTO_IPV6, IPV6_V6ONLY, !dual);
  detour_socket_set_connected (fd, options);

  if (bind (fd, sockaddr, len) < 0
      && (errno != EADDRNOTAVAIL || socket_bind_early (fd, sockaddr, len) < 0))
    return socket_fail (fd, "cannot bind", error);
  if (listen (fd, BACKLOG) < 0)
    return socket_fail (fd, "cannot listen", error);
  return fd;
}

static int
socket_listen_everywhere (guint16 port, int family, const DetourSocketOptions *options,
                          GError **error)
{
  const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = g_htons (port) };
  const struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = g_htons (port) };
  gboolean dual = family == AF_UNSPEC;
  int fd = -1;

  if (family != AF_INET)
    {
      fd = socket_listen_tcp ((const struct sockaddr *) &any6, sizeof any6, dual, options, error);
      /* This host has no IPv6 at all. */
      if (fd >= 0 || !dual || !g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED))
        return fd;
      g_clear_error (error);
    }
  return socket_listen_tcp ((const struct sockaddr *) &any, sizeof any, FALSE, options, error);
}

static int
socket_listen_by_name (const DetourAddress *address, int family, const DetourSocketOptions *options,
                       GError **error)
{
  struct addrinfo hints = { .ai_family = family,
                            .ai_socktype = SOCK_STREAM,
                            .ai_flags = AI_PASSIVE };
  struct addrinfo *found = NULL;
  char port[8];
  int code, fd;

  g_snprintf (port, sizeof port, "%u", address->port);
  code = getaddrinfo (address->host, port, &hints, &found);
  if (code != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_HOST_NOT_FOUND,
                   "cannot look up %s: %s; write its address, which need not be there yet, or put "
                   "the name into /etc/hosts",
                   address->host, gai_strerror (code));
      return -1;
    }
  fd = socket_listen_tcp (found->ai_addr, found->ai_addrlen, FALSE, options, error);
  freeaddrinfo (found);
  return fd;
}

int
detour_socket_listen (const DetourAddress *address, int family, const DetourSocketOptions *options,
                      const DetourSocketFile *file, GError **error)
{
  struct sockaddr_storage storage;
  socklen_t len;

  if (address->path[0] != '\0')
    return socket_listen_unix (address, file, error);
  if (address->host[0] == '\0')
    return socket_listen_everywhere (address->port, family, options, error);
  if (!detour_address_to_sockaddr (address, &storage, &len))
    return socket_listen_by_name (address, family, options, error);
  if (family != AF_UNSPEC && family != storage.ss_family)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "not an %s address",
                   family == AF_INET ? "IPv4" : "IPv6");
      return -1;
    }
  return socket_listen_tcp ((struct sockaddr *) &storage, len, FALSE, options, error);
}

gboolean
detour_socket_is_absent (int fd)
{
  struct sockaddr_storage bound = { 0 };
  socklen_t len = sizeof bound;
  gboolean absent;
  int probe;

  if (getsockname (fd, (struct sockaddr *) &bound, &len) < 0)
    return FALSE;
  /* Port 0, because a taken port would say nothing about the address. */
  if (bound.ss_family == AF_INET)
    ((struct sockaddr_in *) &bound)->sin_port = 0;
  else if (bound.ss_family == AF_INET6)
    ((struct sockaddr_in6 *) &bound)->sin6_port = 0;
  else
    return FALSE;
  probe = socket (bound.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0)
    return FALSE;
  absent = bind (probe, (struct sockaddr *) &bound, len) < 0 && errno == EADDRNOTAVAIL;
  close (probe);
  return absent;
}

/* The kernel lets go of a port that it chose itself. Others that may reuse an address could have
 * that of a socket which does not listen, if it may be reused as well. */
void
detour_socket_pause (int fd)
{
  socket_set_int (fd, SOL_SOCKET, SO_REUSEADDR, 0);
  if (shutdown (fd, SHUT_RD) < 0)
    g_warning ("cannot stop listening: %s", g_strerror (errno));
}

gboolean
detour_socket_resume (int fd, const struct sockaddr_storage *bound)
{
  socklen_t len = bound->ss_family == AF_INET6 ? sizeof (struct sockaddr_in6)
                                               : sizeof (struct sockaddr_in);

  socket_set_int (fd, SOL_SOCKET, SO_REUSEADDR, 1);
  /* One that has kept its port cannot be bound again, and needs no right to. */
  if (bind (fd, (const struct sockaddr *) bound, len) < 0 && errno == EADDRINUSE)
    return FALSE;
  return listen (fd, BACKLOG) == 0;
}

int
detour_socket_accept (int listener, struct sockaddr_storage *peer)
{
  socklen_t len = sizeof *peer;

  memset (peer, 0, sizeof *peer);
  return accept4 (listener, (struct sockaddr *) peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
}
