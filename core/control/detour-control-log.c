/* detour-control-log.c: methods of the Manager about the log.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

void
detour_control_list_log (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);

  detour_log_view_list (((DetourControl *) data)->log, options, call);
}

void
detour_control_subscribe_log (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_log_view_subscribe (((DetourControl *) data)->log, call);
}

void
detour_control_unsubscribe_log (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_log_view_unsubscribe (((DetourControl *) data)->log, call);
}
