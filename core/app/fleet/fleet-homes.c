/* fleet-homes.c: how many clients have a relay of a fleet as their home.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-homes.h"

#include "detourctl-page.h"

/* Rows asked for at a time. */
#define PAGE 1000u

gboolean
fleet_homes_count (const FleetRelay *relay, gint64 limit_ms, guint *n_homes, GError **error)
{
  g_autoptr (FleetLink) link = fleet_link_open (relay, limit_ms, error);
  g_autofree char *after = g_strdup ("");

  *n_homes = 0;
  if (link == NULL)
    return FALSE;
  do
    {
      GVariantBuilder wishes;
      g_autoptr (GVariant) reply = NULL;
      g_autoptr (GVariant) rows = NULL;

      detourctl_page_begin (&wishes, PAGE, after);
      reply = fleet_link_call (link, "", "Manager", "ListClients",
                               g_variant_new ("(a{sv})", &wishes), "(aa{sv}s)", error);
      if (reply == NULL)
        return FALSE;
      rows = detourctl_page_rows (reply, &after);
      for (gsize i = 0; i < g_variant_n_children (rows); i++)
        {
          g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

          *n_homes += detourctl_flag (row, "home") && !detourctl_flag (row, "mesh");
        }
    }
  while (*after != '\0');
  return TRUE;
}
