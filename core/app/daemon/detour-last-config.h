/* detour-last-config.h: the configuration that was in force in the program before.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A program that goes on with the clients of another one reads the configuration itself. A file
 * that has become wrong since that was tried would be the end of all connections, so it is taken
 * as by a reload: what was in force stays. */
#pragma once

#include "detour-config-load.h"
#include "detour-program.h"

G_BEGIN_DECLS

/* Whether there is a program before, in this process or before a restart. */
gboolean detour_last_config_is_there (const DetourProgram *program);

/**
 * detour_last_config_load:
 * @plugins: without those that the wrong files may have named
 * @errors: of what was in force
 *
 * The record itself stays.
 *
 * Returns: (transfer full) (nullable): NULL when there are errors, or when there is no program
 * before or it left none.
 */
DetourConfig *detour_last_config_load (const DetourProgram *program, DetourPlugins *plugins,
                                       DetourConfigErrors *errors);

G_END_DECLS
