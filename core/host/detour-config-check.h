/* detour-config-check.h: checks of a whole configuration: names, files, and addresses used twice.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/* Errors and warnings go where detour_config_set_errors() has said. Reads files that @config names.
 * Main thread. */
void detour_config_check (const DetourConfig *config);
/* Before that, of a configuration that was in force: a file of rates that cannot be read any more
 * costs the rates. */
void detour_config_check_forgive (DetourConfig *config);

G_END_DECLS
