/* detour-config.c: one whole configuration, checked, and immutable from then on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config.h"

#include <string.h>

#include "detour-paths.h"

void
detour_config_instance_free (gpointer data)
{
  DetourConfigInstance *instance = data;

  g_free (instance->name);
  g_free (instance->id);
  g_free (instance->plugin_name);
  g_free (instance->problem);
  g_clear_pointer (&instance->settings, detour_settings_unref);
  g_free (instance);
}

DetourConfig *
detour_config_new (void)
{
  DetourConfig *self = g_new0 (DetourConfig, 1);

  g_atomic_ref_count_init (&self->refs);
  self->instances = g_ptr_array_new_with_free_func (detour_config_instance_free);
  return self;
}

DetourConfig *
detour_config_ref (DetourConfig *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_config_unref (DetourConfig *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->core, detour_settings_unref);
  g_clear_pointer (&self->limits, detour_settings_unref);
  g_clear_pointer (&self->admission, detour_settings_unref);
  g_ptr_array_unref (self->instances);
  g_free (self);
}

DetourConfigInstance *
detour_config_find (const DetourConfig *self, const char *id)
{
  for (guint i = 0; i < self->instances->len; i++)
    {
      DetourConfigInstance *instance = self->instances->pdata[i];

      if (strcmp (instance->id, id) == 0)
        return instance;
    }
  return NULL;
}

char *
detour_config_state_directory (const DetourConfig *self)
{
  if (self->options.core.state_directory != NULL)
    return g_strdup (self->options.core.state_directory);
  return detour_paths_state_directory ();
}
