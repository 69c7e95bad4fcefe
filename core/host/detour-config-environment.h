/* detour-config-environment.h: keys of the configuration that stand in the environment.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-errors.h"
#include "detour-config-merge.h"

G_BEGIN_DECLS

/**
 * detour_config_environment_add:
 * @merge: what the files say; the variables are laid over it
 * @environment: (nullable) (array zero-terminated=1): lines NAME=VALUE
 * @errors: variables that mean no key are added here, with what was meant
 *
 * Takes the variables `DETOUR_GROUP_KEY` of groups like [limits], and `DETOUR_KIND_NAME__KEY` of
 * groups like [transport https]: in capitals, with `_` for every other sign. An empty one counts as
 * not there. The name of the variable takes the place of the file, with the line 0.
 */
void detour_config_environment_add (DetourConfigMerge *merge, const char *const *environment,
                                    DetourConfigErrors *errors);

/* The variable of a key of a fixed group: "DETOUR_CORE_HOSTNAME". Free with g_free(). */
char *detour_config_environment_variable (const char *group, const char *key);

/* Where a value comes from, for people: "FILE:LINE" or "environment:VARIABLE". Free with g_free().
 */
char *detour_config_environment_origin (const char *file, guint line);

G_END_DECLS
