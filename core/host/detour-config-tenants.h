/* detour-config-tenants.h: checks of the [tenant NAME] groups against the rest of the
 * configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/* Errors and warnings go where detour_config_set_errors() has said. Main thread. */
void detour_config_check_tenants (const DetourConfig *config);

G_END_DECLS
