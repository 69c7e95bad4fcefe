/* detour-config-dump.c: writes a configuration as a file that says where each value comes from.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config.h"

#include "detour-config-environment.h"
#include "detour-schema.h"

static void
config_dump_keys (GString *out, const DetourSettings *settings)
{
  for (const DetourConfigKey *key = detour_settings_table (settings); key->key != NULL; key++)
    {
      const char *text = detour_settings_text (settings, key->key);
      const char *file = NULL;
      guint line = 0;

      if (text != NULL && (key->flags & DETOUR_CONFIG_SECRET) != 0)
        text = "********";
      if (detour_settings_origin (settings, key->key, &file, &line))
        {
          g_autofree char *origin = detour_config_environment_origin (file, line);

          g_string_append_printf (out, "# %s\n%s = %s\n", origin, key->key, text);
        }
      else if (text != NULL)
        g_string_append_printf (out, "#%s = %s\n", key->key, text);
      else
        g_string_append_printf (out, "#%s is not set\n", key->key);
    }
}

static void
config_dump_group (GString *out, const DetourSettings *settings)
{
  g_string_append_printf (out, "\n[%s]\n", detour_settings_group (settings));
  config_dump_keys (out, settings);
}

char *
detour_config_dump (const DetourConfig *self)
{
  GString *out = g_string_new (
      "# Merged from all files and the environment. What neither sets is shown as a comment.\n");

  config_dump_group (out, self->core);
  config_dump_group (out, self->limits);
  config_dump_group (out, self->admission);
  config_dump_group (out, self->derpmap);
  for (guint i = 0; i < self->classes->len; i++)
    config_dump_group (out, ((const DetourClass *) self->classes->pdata[i])->settings);
  for (guint i = 0; i < self->tenants->len; i++)
    config_dump_group (out, ((const DetourTenantGroup *) self->tenants->pdata[i])->settings);
  for (guint i = 0; i < self->peers->len; i++)
    config_dump_group (out, ((const DetourMeshPeerGroup *) self->peers->pdata[i])->settings);
  for (guint i = 0; i < self->instances->len; i++)
    {
      const DetourConfigInstance *instance = self->instances->pdata[i];

      g_string_append_printf (out, "\n[%s]\nplugin = %s\nenabled = %s\n",
                              detour_settings_group (instance->settings), instance->plugin_name,
                              instance->enabled ? "true" : "false");
      if (instance->problem != NULL)
        g_string_append_printf (out, "# %s\n", instance->problem);
      config_dump_keys (out, instance->settings);
    }
  return g_string_free (out, FALSE);
}
