/* detourctl-host.c: whether a text is the name or address of a host.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-host.h"

#include <gio/gio.h>
#include <string.h>

#include "detour-address.h"

static gboolean
ctl_host_is_label (const char *text, gsize len)
{
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && strchr ("-_", text[i]) == NULL)
      return FALSE;
  return len > 0 && len < 64 && text[0] != '-' && text[len - 1] != '-';
}

gboolean
detourctl_host_is_good (const char *text)
{
  /* What the daemon would refuse in its configuration must not come that far: 1.2.3, and an address
   * with the name of an interface. */
  if (!detour_address_is_host (text))
    return FALSE;
  if (g_hostname_is_ip_address (text))
    return TRUE;
  if (strlen (text) > 253)
    return FALSE;
  for (const char *label = text, *end;; label = end + 1)
    {
      end = strchrnul (label, '.');
      if (!ctl_host_is_label (label, (gsize) (end - label)))
        return FALSE;
      if (*end == '\0')
        return TRUE;
    }
}
