/* detour-control-say.c: how an operator tells the users of all clients something.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include "detour-announcement.h"
#include "detour-events.h"
#include "detour-log.h"

GVariant *
detour_control_get_announcement (gpointer data)
{
  const char *text = detour_server_announcement (((DetourControl *) data)->parts.server);

  return g_variant_new_string (text != NULL ? text : "");
}

void
detour_control_say (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  DetourControl *self = data;
  const char *text;
  g_autoptr (GError) error = NULL;

  g_variant_get (arguments, "(&s)", &text);
  if (*text == '\0')
    text = NULL;
  else if (!detour_announcement_check (text, &error))
    {
      g_dbus_method_invocation_return_gerror (call, error);
      return;
    }
  if (text != NULL)
    {
      g_autofree char *shown = detour_log_escape (text, -1);

      detour_log_event (G_LOG_LEVEL_MESSAGE, "announcement", "clients are told: %s", shown);
      detour_events_note (DETOUR_EVENT_SAY, NULL, NULL, NULL, "%s", shown);
    }
  else if (detour_server_announcement (self->parts.server) != NULL)
    {
      detour_log_event (G_LOG_LEVEL_MESSAGE, "announcement", "clients are told nothing any more");
      detour_events_note (DETOUR_EVENT_SAY, NULL, NULL, NULL, "nothing any more");
    }
  detour_server_announce (self->parts.server, text);
  detour_tree_changed (self->tree);
  g_dbus_method_invocation_return_value (call, NULL);
}
