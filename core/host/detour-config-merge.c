/* detour-config-merge.c: several configuration files laid over each other, key by key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-merge.h"

#include <sodium.h>
#include <string.h>

static void
config_merge_wipe (char *value)
{
  if (value != NULL)
    sodium_memzero (value, strlen (value));
  g_free (value);
}

static void
config_merge_key_free (gpointer data)
{
  DetourMergedKey *key = data;

  g_free (key->key);
  config_merge_wipe (key->value);
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
detour_config_merge_new (const char *vendor_file, const char *main_name)
{
  DetourConfigMerge *self = g_new0 (DetourConfigMerge, 1);

  self->vendor_file = g_strdup (vendor_file);
  self->main_name = g_strdup (main_name);
  self->groups = g_ptr_array_new_with_free_func (config_merge_group_free);
  return self;
}

void
detour_config_merge_free (DetourConfigMerge *self)
{
  g_ptr_array_unref (self->groups);
  g_free (self->vendor_file);
  g_free (self->main_name);
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

void
detour_merged_group_set (DetourMergedGroup *group, const char *name, const char *value,
                         const char *file, guint line)
{
  DetourMergedKey *key = (DetourMergedKey *) detour_merged_group_find (group, name);

  if (key == NULL)
    {
      key = g_new0 (DetourMergedKey, 1);
      key->key = g_strdup (name);
      g_ptr_array_add (group->keys, key);
    }
  config_merge_wipe (key->value);
  g_free (key->file);
  key->value = g_strdup (value);
  key->file = g_strdup (file);
  key->line = line;
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
  self->is_partial = self->is_partial || file->is_unread;
  for (guint i = 0; i < file->groups->len; i++)
    {
      const DetourConfigGroup *from = file->groups->pdata[i];
      DetourMergedGroup *group = detour_config_merge_group (self, from->name, file->name,
                                                            from->line);

      config_merge_forget_other_plugin (group, from);
      for (guint j = 0; j < from->entries->len; j++)
        {
          const DetourConfigEntry *entry = &g_array_index (from->entries, DetourConfigEntry, j);

          detour_merged_group_set (group, entry->key, entry->value, file->name, entry->line);
        }
    }
}
