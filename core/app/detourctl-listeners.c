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

static void
ctl_listeners_add_certificate (const char *path, GVariant *properties, gpointer user)
{
  gint64 left_us = (gint64) detourctl_number (properties, "NotAfter") - g_get_real_time ();
  g_autofree char *until = detourctl_format_time (detourctl_number (properties, "NotAfter"));
  g_autofree char *left = left_us > 0 ? detourctl_format_duration ((guint64) left_us)
                                      : g_strdup (_ ("EXPIRED"));
  g_autofree const char **names = NULL;
  g_autofree char *all = NULL;

  if (g_variant_lookup (properties, "Names", "^a&s", &names))
    all = g_strjoinv (" ", (char **) names);
  detourctl_table_add (
      user, detourctl_text (properties, "Instance"), until, left,
      detourctl_flag (properties, "SelfSigned") ? _ ("yes") : _ ("no"), all != NULL ? all : "",
      detourctl_flag (properties, "SelfSigned") ? detourctl_text (properties, "Pin") : "", NULL);
}

static DetourctlExit
ctl_listeners_run_certs (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("INSTANCE"), DETOURCTL_COLUMN_LEFT },
    { _ ("VALID UNTIL"), DETOURCTL_COLUMN_LEFT },
    { _ ("LEFT"), DETOURCTL_COLUMN_RIGHT },
    { _ ("SELF-SIGNED"), DETOURCTL_COLUMN_LEFT },
    { _ ("NAMES"), DETOURCTL_COLUMN_LEFT },
    { _ ("PIN"), DETOURCTL_COLUMN_LEFT },
    { NULL },
  };

  return detourctl_list_objects (self, "certificates", "Certificate", columns,
                                 ctl_listeners_add_certificate);
}

const DetourctlCommand detourctl_listeners_commands[] = {
  { .name = "listeners",
    .arguments = "",
    .summary = N_ ("List the listeners"),
    .run = ctl_listeners_run_listeners },
  { .name = "certs",
    .arguments = "",
    .summary = N_ ("List the certificates"),
    .run = ctl_listeners_run_certs },
  { NULL },
};
