/* detourctl-address.c: internet addresses: which of them the world can use, how they are written.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-address.h"

gboolean
detourctl_address_is_local (GInetAddress *address)
{
  return g_inet_address_get_is_loopback (address) || g_inet_address_get_is_link_local (address)
      || g_inet_address_get_is_any (address);
}

gboolean
detourctl_address_is_private (GInetAddress *address)
{
  const guint8 *bytes = g_inet_address_to_bytes (address);
  /* 100.64.0.0/10 of providers, and of tailnets; fc00::/7. */
  gboolean is_shared = g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4
                         ? bytes[0] == 100 && (bytes[1] & 0xc0) == 64
                         : (bytes[0] & 0xfe) == 0xfc;

  return is_shared || detourctl_address_is_local (address)
      || g_inet_address_get_is_site_local (address);
}

char *
detourctl_address_place (GInetAddress *address, guint16 port)
{
  g_autofree char *text = g_inet_address_to_string (address);

  return g_strdup_printf (g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6 ? "[%s]:%u"
                                                                                      : "%s:%u",
                          text, port);
}
