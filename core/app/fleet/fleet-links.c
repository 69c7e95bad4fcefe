/* fleet-links.c: whether a relay of a fleet is linked with those that serve its region.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-links.h"

#include <glib/gi18n.h>

#include "fleet-check.h"

/* The relay, and those of its region that serve clients. */
static GStrv
fleet_links_neighbours (const Fleet *fleet, const FleetRelay *relay, const FleetState *state)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();

  g_strv_builder_add (names, relay->name);
  for (guint i = 0; i < fleet->relays->len; i++)
    {
      const FleetRelay *other = g_ptr_array_index (fleet->relays, i);

      if (other != relay && other->region == relay->region
          && fleet_state_stage (state, other->name) == FLEET_OPEN)
        g_strv_builder_add (names, other->name);
    }
  return g_strv_builder_end (names);
}

char *
fleet_links_look (const Fleet *fleet, const FleetRelay *relay, const FleetState *state,
                  gint64 limit_ms)
{
  g_auto (GStrv) names = fleet_links_neighbours (fleet, relay, state);
  g_autoptr (GPtrArray) answers = NULL;
  g_autoptr (GPtrArray) findings = NULL;

  if (g_strv_length (names) < 2)
    return NULL;
  answers = fleet_ask (fleet, names, limit_ms, fleet_status_ask, NULL, fleet_status_free);
  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];

      if (answer->result == NULL)
        return g_strdup_printf ("%s: %s", answer->relay->name, answer->problem);
    }
  findings = fleet_status_check (fleet, answers, state);
  for (guint i = 0; i < findings->len; i++)
    {
      const FleetFinding *finding = findings->pdata[i];

      /* What others have between each other does not become worse. */
      if (finding->other != NULL
          && (g_strcmp0 (finding->relay, relay->name) == 0
              || g_strcmp0 (finding->other, relay->name) == 0))
        /* TRANSLATORS: what is wrong with a link, and what helps. */
        return g_strdup_printf (_ ("%s. What helps: %s"), finding->text, finding->remedy);
    }
  return NULL;
}
