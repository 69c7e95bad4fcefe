/* detour-config-merge.c: several configuration files laid over each other, key by key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-merge.h"

#include <string.h>

static void
config_merge_key_free (gpointer data)
{
  DetourMergedKey *key = data;

  g_free (key->key);
  g_free (key->value);
  g_free (key->file);
  g_free (key);
}

static void
config_merge_group_free (gpointer data)
{
  DetourMergedGroup *group = data;

  g_free (group->name);
  g_free (group->file);
  g_ptr_array_unref (group->keys);
  g_free (group);
}

DetourConfigMerge *
detour_config_merge_new (void)
{
  DetourConfigMerge *self = g_new0 (DetourConfigMerge, 1);

  self->groups = g_ptr_array_new_with_free_func (config_merge_group_free);
  return self;
}

void
detour_config_merge_free (DetourConfigMerge *self)
{
  g_ptr_array_unref (self->groups);
  g_free (self);
}

const DetourMergedGroup *
detour_config_merge_find (const DetourConfigMerge *self, const char *name)
{
  for (guint i = 0; i < self->groups->len; i++)
    {
      DetourMergedGroup *group = self->groups->pdata[i];

      if (strcmp (group->name, name) == 0)
        return group;
    }
  return NULL;
}

DetourMergedGroup *
detour_config_merge_group (DetourConfigMerge *self, const char *name, const char *file, guint line)
{
  DetourMergedGroup *group = (DetourMergedGroup *) detour_config_merge_find (self, name);

  if (group == NULL)
    {
      group = g_new0 (DetourMergedGroup, 1);
      group->name = g_strdup (name);
      group->file = g_strdup (file);
      group->line = line;
      group->keys = g_ptr_array_new_with_free_func (config_merge_key_free);
      g_ptr_array_add (self->groups, group);
    }
  return group;
}

const DetourMergedKey *
detour_merged_group_find (const DetourMergedGroup *self, const char *key)
{
  for (guint i = 0; i < self->keys->len; i++)
    {
      const DetourMergedKey *entry = self->keys->pdata[i];

      if (strcmp (entry->key, key) == 0)
        return entry;
    }
  return NULL;
}

/* The plugin of an instance's group: written, or called like the instance. */
static const char *
config_merge_plugin_of (const DetourMergedGroup *group)
{
  const DetourMergedKey *key = detour_merged_group_find (group, "plugin");
  const char *blank = strchr (group->name, ' ');

  if (key != NULL)
    return key->value;
  return blank != NULL ? blank + 1 : group->name;
}

static void
config_merge_forget_other_plugin (DetourMergedGroup *group, const DetourConfigGroup *from)
{
  for (guint i = 0; i < from->entries->len; i++)
    {
      const DetourConfigEntry *entry = &g_array_index (from->entries, DetourConfigEntry, i);

      if (strcmp (entry->key, "plugin") == 0
          && strcmp (entry->value, config_merge_plugin_of (group)) != 0)
        for (guint j = group->keys->len; j-- > 0;)
          if (strcmp (((DetourMergedKey *) group->keys->pdata[j])->key, "enabled") != 0)
            g_ptr_array_remove_index (group->keys, j);
    }
}

void
detour_config_merge_add (DetourConfigMerge *self, const DetourConfigFile *file)
{
  for (guint i = 0; i < file->groups->len; i++)
    {
      const DetourConfigGroup *from = file->groups->pdata[i];
      DetourMergedGroup *group = detour_config_merge_group (self, from->name, file->name,
                                                            from->line);

      config_merge_forget_other_plugin (group, from);
      for (guint j = 0; j < from->entries->len; j++)
        {
          const DetourConfigEntry *entry = &g_array_index (from->entries, DetourConfigEntry, j);
          DetourMergedKey *key = (DetourMergedKey *) detour_merged_group_find (group, entry->key);

          if (key == NULL)
            {
              key = g_new0 (DetourMergedKey, 1);
              key->key = g_strdup (entry->key);
              g_ptr_array_add (group->keys, key);
            }
          g_free (key->value);
          g_free (key->file);
          key->value = g_strdup (entry->value);
          key->file = g_strdup (file->name);
          key->line = entry->line;
        }
    }
}
