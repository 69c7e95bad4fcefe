/* detour-config-view.h: a configuration told to people and programs, key by key.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The forms are those of data/io.github.detourd.Detour1.xml; detourctl uses them on files as well.
 */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/* a(ssssss): group, key, type, value, fallback, summary. Floating. */
GVariant *detour_config_view_describe (const DetourConfig *config);

/* @name: "GROUP.KEY". a{sv}, floating; NULL when there is no such key. */
GVariant *detour_config_view_explain (const DetourConfig *config, const char *name, GError **error);

/* What is wrong with the files; empty when nothing is. */
GStrv detour_config_view_check (const DetourConfigSources *sources, DetourPlugins *plugins);

G_END_DECLS
