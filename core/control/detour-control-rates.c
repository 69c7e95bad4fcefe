/* detour-control-rates.c: methods of the Manager about who moves how much now.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

void
detour_control_subscribe_rates (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);

  detour_rate_stream_add (((DetourControl *) data)->rates, options, call);
}

void
detour_control_unsubscribe_rates (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_rate_stream_remove (((DetourControl *) data)->rates, call);
}
