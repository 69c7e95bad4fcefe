/* fleet-drain.c: drains a relay of a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-drain.h"

#include <glib/gi18n.h>

GVariant *
fleet_drain_progress (const FleetRelay *relay, gint64 limit_ms, GError **error)
{
  g_autoptr (FleetLink) link = fleet_link_open (relay, limit_ms, error);
  g_autoptr (GVariant) manager = link != NULL ? fleet_link_manager (link, error) : NULL;
  GVariant *progress = NULL;

  if (manager != NULL)
    progress = g_variant_lookup_value (manager, "DrainProgress", G_VARIANT_TYPE_VARDICT);
  if (manager != NULL && progress == NULL)
    g_set_error_literal (
        error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
        _ ("it does not say whether it drains (DrainProgress), so it is no relay that "
           "can be taken into service or out of it"));
  if (progress == NULL)
    g_prefix_error (error, "%s: ", relay->name);
  return progress;
}

static gboolean
fleet_drain_call (const FleetRelay *relay, gint64 limit_ms, const char *method, GVariant *arguments,
                  GError **error)
{
  g_autoptr (GVariant) held = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autoptr (FleetLink) link = fleet_link_open (relay, limit_ms, error);
  g_autoptr (GVariant) reply = NULL;

  if (link != NULL)
    reply = fleet_link_call (link, "", "Manager", method, held, "()", error);
  if (reply == NULL)
    g_prefix_error (error, "%s: ", relay->name);
  return reply != NULL;
}

gboolean
fleet_drain_begin (const FleetRelay *relay, gint64 limit_ms, GError **error)
{
  GVariant *wishes = g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0);

  return fleet_drain_call (relay, limit_ms, "Drain", g_variant_new ("(@a{sv})", wishes), error);
}

gboolean
fleet_drain_cancel (const FleetRelay *relay, gint64 limit_ms, GError **error)
{
  return fleet_drain_call (relay, limit_ms, "CancelDrain", NULL, error);
}
