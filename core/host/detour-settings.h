/* detour-settings.h: the checked values of one group; the getters are in detour-plugin.h.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-errors.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourSettings, detour_settings_unref)

/**
 * detour_settings_new:
 * @group: without brackets
 * @table: (nullable): the keys; must outlive the settings; its fallbacks must parse
 * @file: (nullable): where to point for what no line is at fault for
 * @line: line of the group's header, or 0
 *
 * Every key has its fallback. Main thread, like detour_settings_set(), which is over before anyone
 * else sees it.
 */
DetourSettings *detour_settings_new (const char *group, const DetourConfigKey *table,
                                     const char *file, guint line);

/* @error has the form of every configuration error. @key must be in the table. */
gboolean detour_settings_set (DetourSettings *self, const char *key, const char *text,
                              const char *file, guint line, GError **error);

/* detour_settings_set() has refused a value: what the key has was not meant. */
gboolean detour_settings_is_refused (const DetourSettings *self, const char *key);

/* The key's entry in the table, or NULL. */
const DetourConfigKey *detour_settings_find_key (const DetourSettings *self, const char *key);
/* The first key with DETOUR_CONFIG_REQUIRED that has no value, and was given none, or NULL. */
const char *detour_settings_missing (const DetourSettings *self);

const char *detour_settings_group (const DetourSettings *self);
const DetourConfigKey *detour_settings_table (const DetourSettings *self); /* never NULL */
/* As written in a file, or the fallback; NULL when absent. */
const char *detour_settings_text (const DetourSettings *self, const char *key);
/* Where the value was written; FALSE when nowhere. */
gboolean detour_settings_origin (const DetourSettings *self, const char *key, const char **file,
                                 guint *line);

/* The values of @key, whether it is a list or not; of a single one they stand in @room. Valid as
 * long as @self and @room. */
const char *const *detour_settings_values (const DetourSettings *self, const DetourConfigKey *key,
                                           const char *room[2]);

/* Where detour_settings_complain() and detour_settings_warn() go from now on; NULL: to the log. */
void detour_settings_set_errors (DetourSettings *self, DetourConfigErrors *errors);

/* Both have the same table and mean the same. */
gboolean detour_settings_equal (const DetourSettings *a, const DetourSettings *b);
gboolean detour_settings_same_value (const DetourSettings *a, const DetourSettings *b,
                                     const char *key);

G_END_DECLS
