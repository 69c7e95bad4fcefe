/* detour-config-view.h: describes a configuration to operators and programs, key by key.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The forms are those of data/io.github.detourd.Detour1.xml; detourctl uses them on files as well.
 */
#pragma once

#include "detour-config-load.h"
#include "detour-roster.h"

G_BEGIN_DECLS

/* In all of these, @roster is the running daemon's, whose detour_roster_config() @config is; NULL
 * for a configuration that nobody runs. With it, a value is the one in force. */

/* a(ssssss): group, key, type, value, fallback, summary. Floating. */
GVariant *detour_config_view_describe (const DetourConfig *config, const DetourRoster *roster);

/* @name: "GROUP.KEY". a{sv}, floating; NULL when there is no such key. */
GVariant *detour_config_view_explain (const DetourConfig *config, const DetourRoster *roster,
                                      const char *name, GError **error);

/* What waits for a restart of the daemon. a(sss): "GROUP.KEY", the value in force, the value that
 * waits; floating, empty when nothing waits. A value that is not set is empty. */
GVariant *detour_config_view_waiting (const DetourConfig *config, const DetourRoster *roster);

/* Checks the files and returns their errors, one line each; empty when there are none. */
GStrv detour_config_view_check (const DetourConfigSources *sources, DetourPlugins *plugins);

G_END_DECLS
