/* detour-config-chain.h: checks of a chain, of [admission] or of a tenant.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/* @settings: with the key `chain`. Errors and warnings go where detour_config_set_errors() has
 * said. Main thread. */
void detour_config_check_chain (const DetourConfig *config, const DetourSettings *settings);

G_END_DECLS
