/* detourctl-listeners.c: lists listeners and certificates.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>

#include "detourctl-format.h"
#include "detourctl-list.h"

static void
ctl_listeners_add_listener (const char *path, GVariant *properties, gpointer user)
{
  g_autofree const char **addresses = NULL;
  g_autofree char *all = NULL;

  if (g_variant_lookup (properties, "Addresses", "^a&s", &addresses))
    all = g_strjoinv (" ", (char **) addresses);
  detourctl_table_add (
      user, detourctl_text (properties, "Instance"), detourctl_text (properties, "Protocol"),
      detourctl_flag (properties, "Derp") ? _ ("yes") : _ ("no"), all != NULL ? all : "", NULL);
}

static DetourctlExit
ctl_listeners_run_listeners (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("INSTANCE"), DETOURCTL_COLUMN_LEFT },
    { _ ("PROTOCOL"), DETOURCTL_COLUMN_LEFT },
    { _ ("DERP"), DETOURCTL_COLUMN_LEFT },
    { _ ("ADDRESSES"), DETOURCTL_COLUMN_LEFT },
    { NULL },
  };

  return detourctl_list_objects (self, "listeners", "Listener", columns,
                                 ctl_listeners_add_listener);
}

const DetourctlCommand detourctl_listeners_commands[] = {
  { .name = "listeners",
    .arguments = "",
    .summary = N_ ("List the listeners"),
    .run = ctl_listeners_run_listeners },
  { NULL },
};
