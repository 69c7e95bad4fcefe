/* detour-config-warnings.h: what a configuration may say, and what an operator may not have meant.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/* Warnings go where detour_config_set_errors() has said. Main thread. */
void detour_config_warnings (const DetourConfig *config);

G_END_DECLS
