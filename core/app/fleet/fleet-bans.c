/* fleet-bans.c: what is banned on which relays of a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-bans.h"

#include <string.h>

#include "detourctl-page.h"

/* Rows asked for at a time. */
#define PAGE 1000u

/* As far as relays hear later of the same command, and as clocks may differ. */
#define APART_MAX_US ((guint64) 2 * 60 * G_USEC_PER_SEC)

void
fleet_bans_free (gpointer rows)
{
  g_ptr_array_unref (rows);
}

gpointer
fleet_bans_ask (FleetLink *link, gpointer user, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autofree char *after = g_strdup ("");

  do
    {
      GVariantBuilder options;
      g_autoptr (GVariant) reply = NULL;
      g_autoptr (GVariant) rows = NULL;

      detourctl_page_begin (&options, PAGE, after);
      reply = fleet_link_call (link, "", "Manager", "ListBans", g_variant_new ("(a{sv})", &options),
                               "(aa{sv}s)", error);
      if (reply == NULL)
        return NULL;
      rows = detourctl_page_rows (reply, &after);
      for (gsize i = 0; i < g_variant_n_children (rows); i++)
        g_ptr_array_add (all, g_variant_get_child_value (rows, i));
    }
  while (*after != '\0');
  return g_steal_pointer (&all);
}

static void
fleet_bans_free_ban (gpointer data)
{
  FleetBan *ban = data;

  g_array_unref (ban->parts);
  g_free (ban);
}

static FleetBan *
fleet_bans_find (GPtrArray *bans, GHashTable *by_target, const char *target)
{
  FleetBan *ban = g_hash_table_lookup (by_target, target);

  if (ban != NULL)
    return ban;
  ban = g_new (FleetBan, 1);
  *ban = (FleetBan) { target, g_array_new (FALSE, FALSE, sizeof (FleetBanPart)) };
  g_ptr_array_add (bans, ban);
  g_hash_table_insert (by_target, (gpointer) target, ban);
  return ban;
}

GPtrArray *
fleet_bans_join (const GPtrArray *answers)
{
  GPtrArray *bans = g_ptr_array_new_with_free_func (fleet_bans_free_ban);
  g_autoptr (GHashTable) by_target = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];
      const GPtrArray *rows = answer->result;

      for (guint k = 0; rows != NULL && k < rows->len; k++)
        {
          GVariant *row = rows->pdata[k];
          FleetBan *ban = fleet_bans_find (bans, by_target, detourctl_text (row, "target"));
          const FleetBanPart part = {
            .relay = answer->relay,
            .since_us = detourctl_number (row, "since"),
            .until_us = detourctl_number (row, "until"),
            .refused = detourctl_number (row, "refused"),
            .reason = detourctl_text (row, "reason"),
          };

          /* Whatever a relay says: one is enough. */
          if (fleet_bans_part (ban, answer->relay) == NULL)
            g_array_append_val (ban->parts, part);
        }
    }
  return bans;
}

gboolean
fleet_bans_is_same (const FleetBanPart *a, const FleetBanPart *b)
{
  guint64 apart_us = MAX (a->until_us, b->until_us) - MIN (a->until_us, b->until_us);

  return (a->until_us == 0) == (b->until_us == 0) && apart_us <= APART_MAX_US
      && strcmp (a->reason, b->reason) == 0;
}

const FleetBanPart *
fleet_bans_part (const FleetBan *ban, const FleetRelay *relay)
{
  for (guint i = 0; i < ban->parts->len; i++)
    if (g_array_index (ban->parts, FleetBanPart, i).relay == relay)
      return &g_array_index (ban->parts, FleetBanPart, i);
  return NULL;
}

const FleetBanPart *
fleet_bans_longest (const FleetBan *ban)
{
  const FleetBanPart *longest = &g_array_index (ban->parts, FleetBanPart, 0);

  for (guint i = 1; i < ban->parts->len && longest->until_us > 0; i++)
    {
      const FleetBanPart *part = &g_array_index (ban->parts, FleetBanPart, i);

      if (part->until_us == 0 || part->until_us > longest->until_us)
        longest = part;
    }
  return longest;
}
