/* detour-control-config.c: methods of the Manager about the configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include "detour-config-view.h"

void
detour_control_check_config (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  DetourControl *self = data;
  g_auto (GStrv) problems = detour_config_view_check (self->parts.sources, self->parts.plugins);

  g_dbus_method_invocation_return_value (call, g_variant_new ("(^as)", problems));
}

void
detour_control_dump_config (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  g_autofree char *text = detour_config_dump (
      detour_roster_config (((DetourControl *) data)->parts.roster));

  g_dbus_method_invocation_return_value (call, g_variant_new ("(s)", text));
}

void
detour_control_describe_config (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  DetourRoster *roster = ((DetourControl *) data)->parts.roster;

  g_dbus_method_invocation_return_value (
      call, g_variant_new ("(@a(ssssss))",
                           detour_config_view_describe (detour_roster_config (roster), roster)));
}

void
detour_control_explain_key (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  DetourRoster *roster = ((DetourControl *) data)->parts.roster;
  g_autoptr (GError) error = NULL;
  GVariant *facts;
  const char *name;

  g_variant_get (arguments, "(&s)", &name);
  facts = detour_config_view_explain (detour_roster_config (roster), roster, name, &error);
  if (facts != NULL)
    g_dbus_method_invocation_return_value (call, g_variant_new ("(@a{sv})", facts));
  else
    g_dbus_method_invocation_return_gerror (call, error);
}
