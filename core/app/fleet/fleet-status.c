/* fleet-status.c: how a relay of a fleet is now.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-status.h"

#include "fleet-check.h"

/* The year 36000: what is later is no time, and differences of what is not fit into 64 bits. */
#define CLOCK_MAX_US ((guint64) 1 << 60)

void
fleet_status_free (gpointer data)
{
  FleetStatus *status = data;

  g_clear_pointer (&status->manager, g_variant_unref);
  g_clear_pointer (&status->objects, g_variant_unref);
  g_free (status);
}

gpointer
fleet_status_ask (FleetLink *link, gpointer user, GError **error)
{
  FleetStatus *status = g_new0 (FleetStatus, 1);

  /* The first answer waits until the way is there; the second does not. */
  status->objects = fleet_link_objects (link, error);
  status->asked_us = g_get_real_time ();
  status->manager = status->objects != NULL ? fleet_link_manager (link, error) : NULL;
  status->answered_us = g_get_real_time ();
  if (status->manager != NULL)
    return status;
  fleet_status_free (status);
  return NULL;
}

GPtrArray *
fleet_status_check (const Fleet *fleet, const GPtrArray *answers, const FleetState *state)
{
  g_autoptr (GArray) members = g_array_new (FALSE, FALSE, sizeof (FleetMember));

  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];
      const FleetStatus *status = answer->result;
      FleetMember member;
      guint64 clock_us;

      if (status == NULL)
        continue;
      clock_us = detourctl_number (status->manager, "Clock");
      member = (FleetMember) {
        .relay = answer->relay,
        .is_out = fleet_state_stage (state, answer->relay->name) == FLEET_OUT,
        .manager = status->manager,
        .objects = status->objects,
      };
      /* Of one that is older than this program nothing is known, or of one that says no time. */
      if (clock_us > 0 && clock_us <= CLOCK_MAX_US)
        {
          member.clock_doubt_us = (status->answered_us - status->asked_us) / 2;
          member.clock_ahead_us = (gint64) clock_us - (status->asked_us + member.clock_doubt_us);
        }
      g_array_append_val (members, member);
    }
  return fleet_check (fleet, (const FleetMember *) (gpointer) members->data, members->len);
}
