/* detourctl-monitor.c: events as they happen.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-events.h"
#include "detourctl-follow.h"
#include "detourctl-format.h"

static void
ctl_monitor_print_line (const Detourctl *self, GVariant *event)
{
  g_autofree char *time = detourctl_event_time (event);
  g_autofree char *text = detourctl_event_text (event);
  g_autofree char *safe = detourctl_format_safe (text);
  const char *key = detourctl_text (event, "key");
  const char *digits = g_str_has_prefix (key, "nodekey:") ? key + strlen ("nodekey:") : key;
  const char *parts[] = { detourctl_text (event, "address"), detourctl_text (event, "source"),
                          safe };
  g_autoptr (GString) line = g_string_new (time);

  g_string_append_printf (line, "  %s%s%s  %.8s", detourctl_style (self, DETOURCTL_BOLD),
                          detourctl_event_word (event), detourctl_style (self, DETOURCTL_PLAIN),
                          digits);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    if (*parts[i] != '\0')
      g_string_append_printf (line, "  %s", parts[i]);
  g_print ("%s\n", line->str);
}

static void
ctl_monitor_on_events (Detourctl *self, GVariant *arguments, gpointer user)
{
  g_autoptr (GVariant) events = g_variant_get_child_value (arguments, 0);

  for (gsize i = 0; i < g_variant_n_children (events); i++)
    {
      g_autoptr (GVariant) event = g_variant_get_child_value (events, i);

      if (self->json)
        detourctl_json_print_line (event, detourctl_event_times);
      else
        ctl_monitor_print_line (self, event);
    }
}

static DetourctlExit
ctl_monitor_run (Detourctl *self, char **arguments)
{
  static const DetourctlFollow follow = {
    .subscribe = "Subscribe",
    .signal = "Events",
    .type = "(aa{sv})",
    .on_signal = ctl_monitor_on_events,
  };

  return detourctl_follow (self, &follow, NULL);
}

const DetourctlCommand detourctl_monitor_commands[] = {
  { .name = "monitor",
    .arguments = "",
    .summary = N_ ("Show what happens to clients, as it happens"),
    .details = N_ (
        "Joins and ends of clients, verdicts, duplicate keys, dropped packets, links of the mesh "
        "and what the operator\ndid. With --json an object a line."),
    .run = ctl_monitor_run },
  { NULL },
};
