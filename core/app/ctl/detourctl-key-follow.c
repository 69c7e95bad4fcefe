/* detourctl-key-follow.c: waits until the daemon has taken a change of a list of keys over.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-key-follow.h"

#include <string.h>

#include "detour-tree.h"

/* How often the daemon is asked whether it has read the file; it does half a second later. */
#define LOOK_US    100000u
#define PATIENCE_S 8

/* The verdict of the instance: "allow"; NULL: it cannot be had. */
static char *
ctl_key_follow_ask_instance (Detourctl *self, const char *instance, const DetourKey *key)
{
  g_autofree char *path = detour_tree_node_name ("plugin", instance, 0);
  g_autofree char *text = detour_key_to_text (key);
  g_autoptr (GError) error = NULL;
  DetourctlExit exit;
  g_autoptr (GVariant) reply = detourctl_try (
      self, path, "Plugin", "Verify", g_variant_new ("(s)", text), "(a{sv})", &error, &exit);
  g_autoptr (GVariant) row = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;

  return row != NULL ? g_strdup (detourctl_text (row, "verdict")) : NULL;
}

/* (nullable): what the instance says is wrong with its lists. */
char *
detourctl_key_follow_get_trouble (Detourctl *self, const char *instance)
{
  g_autofree char *path = detour_tree_node_name ("plugin", instance, 0);
  g_autoptr (GError) error = NULL;
  DetourctlExit exit;
  g_autoptr (GVariant) reply = detourctl_try (
      self, path, "org.freedesktop.DBus.Properties", "Get",
      g_variant_new ("(ss)", DETOUR_BUS_NAME ".Plugin", "Trouble"), "(v)", &error, &exit);
  g_autoptr (GVariant) value = NULL;

  if (reply == NULL)
    return NULL;
  g_variant_get (reply, "(v)", &value);
  return g_variant_dup_string (value, NULL);
}

DetourctlKeyFollow
detourctl_key_follow (Detourctl *self, const DetourctlKeyPlace *place, const DetourKey *key,
                      gboolean in)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_S * G_USEC_PER_SEC;
  const char *wanted = in ? "allow" : "deny";

  if (place == NULL || self->connection == NULL)
    return DETOURCTL_KEY_FOLLOW_UNKNOWN;
  for (;;)
    {
      g_autofree char *verdict = ctl_key_follow_ask_instance (self, place->instance, key);

      if (verdict == NULL)
        return DETOURCTL_KEY_FOLLOW_UNKNOWN;
      if (strcmp (verdict, wanted) == 0)
        return DETOURCTL_KEY_FOLLOW_YES;
      if (g_get_monotonic_time () > end_us)
        return DETOURCTL_KEY_FOLLOW_NO;
      g_usleep (LOOK_US);
    }
}
