/* detour-config-warnings.h: what a configuration may say, and what an operator may not have meant.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/* Lines with their place, as those of errors; NULL-terminated. Main thread. */
GStrv detour_config_warnings (const DetourConfig *config);

G_END_DECLS
