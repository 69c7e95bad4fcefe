/* detourctl-fleet-map.c: the command that makes one DERP map of all relays of a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-fleet-map.h"

#include <glib/gi18n.h>
#include <unistd.h>

#include "detourctl-derpmap.h"

static gboolean is_partial;

static const GOptionEntry options[] = {
  DETOURCTL_FLEET_OPTION,
  DETOURCTL_DERPMAP_OPTIONS,
  { "partial", 0, 0, G_OPTION_ARG_NONE, &is_partial, N_ ("Leave out relays that do not answer"),
    NULL },
  { NULL },
};

DetourctlMap *
detourctl_fleet_map (const Detourctl *self, const Fleet *fleet, gboolean partial,
                     DetourctlExit *exit)
{
  g_autoptr (FleetState) state = detourctl_fleet_load_state (fleet, exit);
  g_auto (GStrv) names = state != NULL ? detourctl_fleet_in_service (fleet, state, exit) : NULL;
  g_autoptr (GPtrArray) answers = NULL;
  g_autoptr (DetourctlMap) map = NULL;
  gboolean is_whole;

  if (names == NULL)
    return NULL;
  *exit = DETOURCTL_FAILED;
  answers = fleet_ask (fleet, names, self->timeout_ms, fleet_facts_ask, NULL, fleet_facts_free);
  is_whole = detourctl_fleet_name_silent (answers, state, DETOURCTL_GOOD) == DETOURCTL_GOOD;
  if (!is_whole && !partial)
    {
      detourctl_complain (_ ("there is no map without them; --partial of fleet map and fleet "
                             "publish leaves them out"));
      return NULL;
    }
  map = fleet_map_build (fleet, answers, state);
  detourctl_derpmap_print_findings (fleet->path, map);
  if (detourctl_map_count (map, TRUE) > 0)
    {
      detourctl_complain (_ ("nothing is written while there are errors"));
      return NULL;
    }
  *exit = DETOURCTL_GOOD;
  return g_steal_pointer (&map);
}

static DetourctlExit
ctl_fleet_map_make (const Detourctl *self, DetourctlRegionFormat form)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (Fleet) fleet = detourctl_fleet_load (NULL, &exit);
  g_autoptr (DetourctlMap)
      map = fleet != NULL ? detourctl_fleet_map (self, fleet, is_partial, &exit) : NULL;

  return map != NULL ? detourctl_derpmap_put (map, form) : exit;
}

static DetourctlExit
ctl_fleet_map_run (Detourctl *self, char **arguments)
{
  DetourctlRegionFormat form;
  DetourctlExit exit;
  int lock;

  if (!detourctl_derpmap_read_options (&form))
    return DETOURCTL_USAGE;
  if (!detourctl_derpmap_lock_output (&lock))
    return DETOURCTL_FAILED;
  exit = ctl_fleet_map_make (self, form);
  if (lock >= 0)
    close (lock);
  return exit;
}

const DetourctlCommand detourctl_fleet_map_commands[] = {
  { .name = "fleet map",
    .arguments = "",
    .summary = N_ ("Make one DERP map of what all relays of a fleet are now"),
    .details = N_ (
        "Ids, names, addresses, ports and pins, from the relays and the inventory. Nothing "
        "is written while\nthey contradict each other: a region that a relay's "
        "configuration has otherwise, two nodes of one\nname, a server key that two "
        "relays share."),
    .options = options,
    .run = ctl_fleet_map_run },
  { NULL },
};
