/* stun-socket.c: UDP sockets that report the destination of each datagram.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stun-socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* A burst of requests waits here while the thread is busy; the kernel may grant less. */
#define RECEIVE_BUFFER_BYTES (1024 * 1024)

gboolean
stun_socket_parse (const char *text, struct sockaddr_storage *out)
{
  const struct addrinfo hints = {
    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
    .ai_socktype = SOCK_DGRAM,
  };
  g_autofree char *host = NULL;
  const char *colon = strrchr (text, ':');
  struct addrinfo *found = NULL;

  if (colon == NULL)
    return FALSE;
  if (colon == text)
    host = g_strdup ("::");
  else if (*text == '[' && colon[-1] == ']')
    host = g_strndup (text + 1, (gsize) (colon - text) - 2);
  else
    host = g_strndup (text, (gsize) (colon - text));
  /* An IPv6 address without brackets would be split at the wrong colon. */
  if (*text != '[' && colon != text && strchr (host, ':') != NULL)
    return FALSE;
  if (getaddrinfo (host, colon + 1, &hints, &found) != 0)
    return FALSE;
  memset (out, 0, sizeof *out);
  memcpy (out, found->ai_addr, found->ai_addrlen);
  freeaddrinfo (found);
  return TRUE;
}

static gboolean
stun_socket_is_any_ipv6 (const struct sockaddr_storage *address)
{
  const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) address;

  return address->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED (&in6->sin6_addr);
}

/* Binds to an address that this host may get later only; it works from the moment it is there. */
static int
stun_socket_bind_early (int fd, const struct sockaddr_storage *address, socklen_t size)
{
  int on = 1;

  if (address->ss_family == AF_INET6)
    setsockopt (fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
  else
    setsockopt (fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  return bind (fd, (const struct sockaddr *) address, size);
}

int
stun_socket_open (const struct sockaddr_storage *address, gboolean only_ipv6)
{
  int family = address->ss_family;
  struct sockaddr_storage bound = *address;
  socklen_t size = family == AF_INET ? sizeof (struct sockaddr_in) : sizeof (struct sockaddr_in6);
  int on = 1, off = 0, receive_bytes = RECEIVE_BUFFER_BYTES;
  int fd = socket (family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0 && errno == EAFNOSUPPORT && stun_socket_is_any_ipv6 (address) && !only_ipv6)
    {
      struct sockaddr_in any = {
        .sin_family = AF_INET,
        .sin_port = ((const struct sockaddr_in6 *) address)->sin6_port,
      };

      memcpy (&bound, &any, sizeof any);
      size = sizeof any;
      family = AF_INET;
      fd = socket (family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
  if (fd < 0)
    return -1;

  /* Where these options do not work the kernel chooses the sender's address of replies, which is
   * counted. */
  setsockopt (fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  if (family == AF_INET6)
    {
      setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, only_ipv6 ? &on : &off, sizeof on);
      setsockopt (fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    }
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);

  if (bind (fd, (const struct sockaddr *) &bound, size) != 0
      && (errno != EADDRNOTAVAIL || stun_socket_bind_early (fd, &bound, size) != 0))
    {
      int saved = errno;

      close (fd);
      errno = saved;
      return -1;
    }
  return fd;
}

gboolean
stun_socket_is_absent (int fd)
{
  struct sockaddr_storage address = { 0 };
  socklen_t size = sizeof address;
  gboolean absent;
  int probe;

  if (getsockname (fd, (struct sockaddr *) &address, &size) != 0)
    return FALSE;
  /* Port 0, because a taken port would say nothing about the address. */
  if (address.ss_family == AF_INET)
    ((struct sockaddr_in *) &address)->sin_port = 0;
  else
    ((struct sockaddr_in6 *) &address)->sin6_port = 0;
  probe = socket (address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0)
    return FALSE;
  absent = bind (probe, (const struct sockaddr *) &address, size) != 0 && errno == EADDRNOTAVAIL;
  close (probe);
  return absent;
}

char *
stun_socket_name (int fd)
{
  struct sockaddr_storage address = { 0 };
  socklen_t size = sizeof address;
  char host[NI_MAXHOST], port[NI_MAXSERV];

  if (getsockname (fd, (struct sockaddr *) &address, &size) != 0
      || getnameinfo ((const struct sockaddr *) &address, size, host, sizeof host, port,
                      sizeof port, NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM)
             != 0)
    return g_strdup ("?");
  return g_strdup_printf (address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
