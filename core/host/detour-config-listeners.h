/* detour-config-listeners.h: keys of listeners that have no effect, or not the one that was meant.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/* What only the whole configuration shows. Errors and warnings go where detour_config_set_errors()
 * has said. Main thread. */
void detour_config_check_listeners (const DetourConfig *config);

G_END_DECLS
