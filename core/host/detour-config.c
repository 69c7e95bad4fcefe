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
  self->classes = g_ptr_array_new_with_free_func (detour_class_free);
  self->tenants = g_ptr_array_new_with_free_func (detour_tenant_group_free);
  self->peers = g_ptr_array_new_with_free_func (detour_mesh_peer_group_free);
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
  g_clear_pointer (&self->derpmap, detour_settings_unref);
  g_ptr_array_unref (self->classes);
  g_ptr_array_unref (self->tenants);
  g_ptr_array_unref (self->peers);
  g_ptr_array_unref (self->instances);
  g_clear_pointer (&self->merge, detour_config_merge_free);
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

gboolean
detour_config_has_kind (const DetourConfig *self, DetourKind kind)
{
  for (guint i = 0; i < self->instances->len; i++)
    {
      const DetourConfigInstance *instance = self->instances->pdata[i];

      if (instance->kind == kind && instance->enabled && instance->plugin != NULL)
        return TRUE;
    }
  return FALSE;
}

static void
config_add_listeners (const DetourConfigInstance *instance, const DetourConfigKey *key, GArray *all)
{
  const gboolean udp = (key->flags & DETOUR_CONFIG_LISTEN_UDP) != 0;
  const char *room[2];
  const char *const *list = detour_settings_values (instance->settings, key, room);

  for (; *list != NULL; list++)
    g_array_append_val (all, ((DetourConfigListener) { instance, key, *list, udp }));
}

GArray *
detour_config_listeners (const DetourConfig *self)
{
  GArray *all = g_array_new (FALSE, FALSE, sizeof (DetourConfigListener));

  for (guint i = 0; i < self->instances->len; i++)
    {
      const DetourConfigInstance *instance = self->instances->pdata[i];

      if (!instance->enabled || instance->plugin == NULL)
        continue;
      for (const DetourConfigKey *key = instance->plugin->config; key != NULL && key->key != NULL;
           key++)
        if ((key->flags & (DETOUR_CONFIG_LISTEN_TCP | DETOUR_CONFIG_LISTEN_UDP)) != 0)
          config_add_listeners (instance, key, all);
    }
  return all;
}

void
detour_config_set_errors (const DetourConfig *self, DetourConfigErrors *errors)
{
  detour_settings_set_errors (self->core, errors);
  detour_settings_set_errors (self->limits, errors);
  detour_settings_set_errors (self->admission, errors);
  detour_settings_set_errors (self->derpmap, errors);
  for (guint i = 0; i < self->classes->len; i++)
    detour_settings_set_errors (((const DetourClass *) self->classes->pdata[i])->settings, errors);
  for (guint i = 0; i < self->tenants->len; i++)
    detour_settings_set_errors (((const DetourTenantGroup *) self->tenants->pdata[i])->settings,
                                errors);
  for (guint i = 0; i < self->peers->len; i++)
    detour_settings_set_errors (((const DetourMeshPeerGroup *) self->peers->pdata[i])->settings,
                                errors);
  for (guint i = 0; i < self->instances->len; i++)
    detour_settings_set_errors (
        ((const DetourConfigInstance *) self->instances->pdata[i])->settings, errors);
}

char *
detour_config_state_directory (const DetourConfig *self)
{
  if (self->options.core.state_directory != NULL)
    return g_strdup (self->options.core.state_directory);
  return detour_paths_state_directory ();
}
