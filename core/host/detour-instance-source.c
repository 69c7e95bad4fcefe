/* detour-instance-source.c: tells where the verdicts of an auth instance come from.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-instance-private.h"

#include "detour-settings.h"

/* A number is about time and room. */
static gboolean
instance_source_counts (const DetourConfigKey *key)
{
  switch (key->type)
    {
    case DETOUR_CONFIG_UINT:
    case DETOUR_CONFIG_DURATION:
    case DETOUR_CONFIG_SIZE:
    case DETOUR_CONFIG_RATE:
      return FALSE;
    case DETOUR_CONFIG_STRING:
    case DETOUR_CONFIG_BOOL:
    case DETOUR_CONFIG_PATH:
    case DETOUR_CONFIG_ENUM:
    case DETOUR_CONFIG_ADDRESS:
    case DETOUR_CONFIG_CIDR:
    default:
      return (key->flags & DETOUR_CONFIG_ROUTE) == 0;
    }
}

char *
detour_instance_dup_source (const DetourInstance *self)
{
  GString *text;

  if (self->plugin == NULL)
    return NULL;
  text = g_string_new (self->plugin_name);
  for (const DetourConfigKey *key = detour_settings_table (self->settings); key->key != NULL; key++)
    {
      const char *value = detour_settings_text (self->settings, key->key);

      if (value != NULL && instance_source_counts (key))
        g_string_append_printf (text, "\n%s=%s", key->key, value);
    }
  return g_string_free (text, FALSE);
}
