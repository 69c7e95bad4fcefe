/* doctor-addresses.c: the addresses of this host, and which of them the world can use.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "doctor-addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "detourctl-address.h"

GPtrArray *
doctor_addresses_own (void)
{
  GPtrArray *own = g_ptr_array_new_with_free_func (g_object_unref);
  struct ifaddrs *all;

  if (getifaddrs (&all) < 0)
    return own;
  for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
    if (one->ifa_addr != NULL && (one->ifa_flags & IFF_UP) != 0
        && (one->ifa_addr->sa_family == AF_INET || one->ifa_addr->sa_family == AF_INET6))
      {
        g_autoptr (GSocketAddress) address = g_socket_address_new_from_native (
            one->ifa_addr, one->ifa_addr->sa_family == AF_INET ? sizeof (struct sockaddr_in)
                                                               : sizeof (struct sockaddr_in6));
        GInetAddress *inet = address != NULL
                               ? g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address))
                               : NULL;

        if (inet != NULL && !doctor_addresses_has (own, inet))
          g_ptr_array_add (own, g_object_ref (inet));
      }
  freeifaddrs (all);
  return own;
}

gboolean
doctor_addresses_has (const GPtrArray *addresses, GInetAddress *address)
{
  for (guint i = 0; i < addresses->len; i++)
    if (g_inet_address_equal (addresses->pdata[i], address))
      return TRUE;
  return FALSE;
}

char *
doctor_addresses_public_text (const GPtrArray *addresses, GSocketFamily family)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < addresses->len; i++)
    {
      g_autofree char *one = g_inet_address_to_string (addresses->pdata[i]);

      if (g_inet_address_get_family (addresses->pdata[i]) == family
          && !detourctl_address_is_private (addresses->pdata[i]))
        g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "", one);
    }
  return g_string_free (text, FALSE);
}
