/* detour-inherited.c: listening sockets of the program that ran before, until somebody listens
 * there again.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-inherited.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "detour-socket.h"

typedef struct {
  int fd;
  char *asked;
} InheritedSocket;

struct _DetourInherited {
  GArray *sockets; /* of InheritedSocket */
};

DetourInherited *
detour_inherited_new (void)
{
  DetourInherited *self = g_new0 (DetourInherited, 1);

  self->sockets = g_array_new (FALSE, FALSE, sizeof (InheritedSocket));
  return self;
}

/* Returns: its descriptor. */
static int
inherited_remove (DetourInherited *self, guint index)
{
  InheritedSocket *entry = &g_array_index (self->sockets, InheritedSocket, index);
  int fd = entry->fd;

  g_free (entry->asked);
  g_array_remove_index (self->sockets, index);
  return fd;
}

static void
inherited_close (int fd)
{
  DetourSocketFileId file = detour_socket_file_id (fd);

  detour_socket_remove_file (fd, &file);
  close (fd);
}

void
detour_inherited_free (DetourInherited *self)
{
  while (self->sockets->len > 0)
    inherited_close (inherited_remove (self, 0));
  g_array_unref (self->sockets);
  g_free (self);
}

guint
detour_inherited_count (const DetourInherited *self)
{
  return self->sockets->len;
}

/* What a socket is bound to. */
typedef struct {
  struct sockaddr_storage address;
  gboolean is_dual; /* of IPv6: takes IPv4 as well */
} Bound;

static gboolean
inherited_look (int fd, Bound *bound)
{
  socklen_t len = sizeof bound->address;
  int only_ipv6 = 0;
  socklen_t n = sizeof only_ipv6;

  memset (bound, 0, sizeof *bound);
  if (getsockname (fd, (struct sockaddr *) &bound->address, &len) < 0)
    return FALSE;
  if (bound->address.ss_family == AF_INET6
      && getsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, &n) == 0)
    bound->is_dual = only_ipv6 == 0;
  return TRUE;
}

/* The file of a Unix socket goes with the directory that a service manager makes anew at a restart.
 */
static gboolean
inherited_lost_file (int fd)
{
  Bound bound;

  return inherited_look (fd, &bound) && bound.address.ss_family == AF_UNIX
      && detour_socket_file_id (fd).inode == 0;
}

void
detour_inherited_add (DetourInherited *self, int fd, const char *asked)
{
  InheritedSocket entry = { fd, NULL };

  if (inherited_lost_file (fd))
    {
      close (fd);
      return;
    }
  entry.asked = g_strdup (asked);
  g_array_append_val (self->sockets, entry);
}

static guint16
inherited_port (const Bound *bound)
{
  if (bound->address.ss_family == AF_INET)
    return g_ntohs (((const struct sockaddr_in *) &bound->address)->sin_port);
  if (bound->address.ss_family == AF_INET6)
    return g_ntohs (((const struct sockaddr_in6 *) &bound->address)->sin6_port);
  return 0;
}

/* Every address: of both families where the host has both. */
static gboolean
inherited_is_everywhere (const Bound *bound, int family)
{
  guint8 bytes[16], any[16] = { 0 };

  if (!detour_address_bytes ((const struct sockaddr *) &bound->address, bytes))
    return FALSE;
  if (bound->address.ss_family == AF_INET)
    memcpy (any + 10, "\xff\xff", 2); /* as an IPv4 address is written there */
  if (memcmp (bytes, any, sizeof any) != 0)
    return FALSE;
  if (family == AF_UNSPEC)
    return bound->is_dual || bound->address.ss_family == AF_INET;
  return bound->address.ss_family == family && !bound->is_dual;
}

static gboolean
inherited_is_at (const Bound *bound, const DetourAddress *address, int family)
{
  struct sockaddr_storage wanted;
  guint8 have[16], want[16];
  socklen_t len;

  if (address->path[0] != '\0')
    return bound->address.ss_family == AF_UNIX
        && strcmp (((const struct sockaddr_un *) &bound->address)->sun_path, address->path) == 0;
  if (inherited_port (bound) != address->port || address->port == 0)
    return FALSE;
  if (address->host[0] == '\0')
    return inherited_is_everywhere (bound, family);
  return detour_address_to_sockaddr (address, &wanted, &len)
      && wanted.ss_family == bound->address.ss_family && !bound->is_dual
      && detour_address_bytes ((const struct sockaddr *) &bound->address, have)
      && detour_address_bytes ((const struct sockaddr *) &wanted, want)
      && memcmp (have, want, sizeof have) == 0;
}

/* A port that the system chose and the address of a name are known by how they were written. */
static gboolean
inherited_is_known_by_text (const DetourAddress *address)
{
  struct sockaddr_storage storage;
  socklen_t len;

  return address->path[0] == '\0'
      && (address->port == 0
          || (address->host[0] != '\0' && !detour_address_to_sockaddr (address, &storage, &len)));
}

int
detour_inherited_take (DetourInherited *self, const char *asked, const DetourAddress *address,
                       int family)
{
  gboolean by_text = inherited_is_known_by_text (address);

  for (guint i = 0; self != NULL && i < self->sockets->len; i++)
    {
      const InheritedSocket *entry = &g_array_index (self->sockets, InheritedSocket, i);
      Bound bound;

      if (by_text ? g_strcmp0 (entry->asked, asked) == 0
                  : inherited_look (entry->fd, &bound) && inherited_is_at (&bound, address, family))
        return inherited_remove (self, i);
    }
  return -1;
}

gboolean
detour_inherited_drop_port (DetourInherited *self, guint16 port)
{
  gboolean dropped = FALSE;

  for (guint i = self->sockets->len; i-- > 0;)
    {
      Bound bound;

      if (inherited_look (g_array_index (self->sockets, InheritedSocket, i).fd, &bound) && port != 0
          && inherited_port (&bound) == port)
        {
          inherited_close (inherited_remove (self, i));
          dropped = TRUE;
        }
    }
  return dropped;
}
