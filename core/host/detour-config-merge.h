/* detour-config-merge.h: several configuration files laid over each other, key by key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-file.h"

G_BEGIN_DECLS

typedef struct {
  char *key;
  char *value;
  char *file;
  guint line;
} DetourMergedKey;

typedef struct {
  char *name;
  char *file; /* where the group was met first */
  guint line;
  GPtrArray *keys; /* DetourMergedKey */
} DetourMergedGroup;

typedef struct {
  GPtrArray *groups;   /* DetourMergedGroup, in the order they were met */
  char *vendor_file;   /* NULL: none */
  char *main_name;     /* where errors point that belong to no line */
  gboolean is_partial; /* a file could not be read: nothing can be called missing, or unknown */
} DetourConfigMerge;

/* @vendor_file: (nullable) */
DetourConfigMerge *detour_config_merge_new (const char *vendor_file, const char *main_name);
/* Values may be secrets, and are wiped. */
void detour_config_merge_free (DetourConfigMerge *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourConfigMerge, detour_config_merge_free)

/* Lays @file over what is there. A file that gives a group another `plugin` begins it anew: the
 * keys that earlier files wrote for the other plugin would only be wrong now. */
void detour_config_merge_add (DetourConfigMerge *self, const DetourConfigFile *file);

/* Sets @key of @group, whatever it was. */
void detour_merged_group_set (DetourMergedGroup *group, const char *key, const char *value,
                              const char *file, guint line);

/* The group, made when missing; @file and @line are where it came from. */
DetourMergedGroup *detour_config_merge_group (DetourConfigMerge *self, const char *name,
                                              const char *file, guint line);
const DetourMergedGroup *detour_config_merge_find (const DetourConfigMerge *self, const char *name);
const DetourMergedKey *detour_merged_group_find (const DetourMergedGroup *self, const char *key);

G_END_DECLS
