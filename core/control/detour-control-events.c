/* detour-control-events.c: methods of the Manager about events.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

void
detour_control_list_events (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);

  detour_event_list_answer (((DetourControl *) data)->events, options, call);
}

void
detour_control_subscribe (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_event_list_subscribe (((DetourControl *) data)->events, call);
}

void
detour_control_unsubscribe (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_event_list_unsubscribe (((DetourControl *) data)->events, call);
}
